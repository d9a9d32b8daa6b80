package dev.trunkline;

import dev.trunkline.v1.Message;
import dev.trunkline.v1.ToolCallPart;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;

/**
 * The tool loop: the events of all turns, each turn with its {@code Start} and {@code Done}.
 *
 * <p>As {@link Run}, but the calls of one answer run side by side, on threads of their own.
 */
public final class AsyncRun extends AsyncEvents {
  private static final Executor TOOLS =
      Executors.newCachedThreadPool(
          task -> {
            Thread thread = new Thread(task, "trunkline-tool");
            thread.setDaemon(true);
            return thread;
          });

  private enum Phase {
    /** Nobody listens yet. */
    WAITING,
    /** A turn runs. */
    TURN,
    /** Tools run, or the next turn is about to be made. */
    BETWEEN,
    OVER
  }

  private final ToolLoop loop;
  private final Function<List<Message>, AsyncTurn> makeTurn;
  private final AtomicBoolean taken = new AtomicBoolean();

  private Phase phase = Phase.WAITING;
  private boolean cancelled;
  private AsyncTurn turn;
  private Signals signals;

  AsyncRun(ToolLoop loop, Function<List<Message>, AsyncTurn> makeTurn) {
    this.loop = loop;
    this.makeTurn = makeTurn;
  }

  @Override
  public void subscribe(Flow.Subscriber<? super Event> subscriber) {
    Objects.requireNonNull(subscriber);
    if (!taken.compareAndSet(false, true)) {
      Subscriptions.refuse(subscriber);
      return;
    }
    synchronized (this) {
      signals = new Signals(subscriber);
      phase = Phase.BETWEEN;
    }
    subscriber.onSubscribe(signals);
    next();
  }

  /** Stops the turn, or comes before the next one: tools that run are not waited for, and their results dropped. */
  @Override
  public void cancel() {
    AsyncTurn running;
    synchronized (this) {
      cancelled = true;
      if (phase == Phase.WAITING) {
        return;
      }
      running = phase == Phase.TURN ? turn : null;
    }
    if (running != null) {
      running.cancel();
    } else {
      end(ToolLoop.cancelled());
    }
  }

  private void next() {
    try {
      List<ToolCallPart> calls;
      synchronized (this) {
        if (phase != Phase.BETWEEN) {
          return;
        }
        calls = cancelled || !loop.goesOn() ? null : loop.calls();
      }
      if (calls == null) {
        end(cancelled ? ToolLoop.cancelled() : null);
        return;
      }
      List<CompletableFuture<Message>> results = calls.stream().map(this::call).toList();
      CompletableFuture.allOf(results.toArray(CompletableFuture<?>[]::new))
          .thenRun(() -> makeTurn(results.stream().map(CompletableFuture::join).toList()))
          .exceptionally(
              error -> {
                end(error.getCause() == null ? error : error.getCause());
                return null;
              });
    } catch (RuntimeException refused) {
      end(refused);
    }
  }

  private CompletableFuture<Message> call(ToolCallPart call) {
    return CompletableFuture.supplyAsync(() -> Tool.call(call, loop.tool(call)), TOOLS)
        .thenCompose(Function.identity());
  }

  private void makeTurn(List<Message> results) {
    AsyncTurn made;
    synchronized (this) {
      if (phase != Phase.BETWEEN) {
        return;
      }
      made = makeTurn.apply(loop.begin(results));
      turn = made;
      phase = Phase.TURN;
    }
    made.subscribe(signals.inner());
  }

  private void end(Throwable error) {
    synchronized (this) {
      if (phase == Phase.OVER) {
        return;
      }
      phase = Phase.OVER;
    }
    if (error == null) {
      signals.subscriber.onComplete();
    } else {
      signals.subscriber.onError(error);
    }
  }

  /** Demand from below, events from above: one turn's after the other's. */
  private final class Signals implements Flow.Subscription {
    private final Flow.Subscriber<? super Event> subscriber;
    private Flow.Subscription above;
    private long demand;

    Signals(Flow.Subscriber<? super Event> subscriber) {
      this.subscriber = subscriber;
    }

    @Override
    public void request(long events) {
      if (events <= 0) {
        leave();
        end(Subscriptions.notPositive());
        return;
      }
      Flow.Subscription asked;
      synchronized (AsyncRun.this) {
        demand = Subscriptions.add(demand, events);
        asked = above;
      }
      if (asked != null) {
        asked.request(events);
      }
    }

    @Override
    public void cancel() {
      synchronized (AsyncRun.this) {
        phase = Phase.OVER;
      }
      leave();
    }

    private void leave() {
      Flow.Subscription left;
      synchronized (AsyncRun.this) {
        left = above;
      }
      if (left != null) {
        left.cancel();
      }
    }

    Flow.Subscriber<Event> inner() {
      return new Flow.Subscriber<>() {
        @Override
        public void onSubscribe(Flow.Subscription subscription) {
          long open;
          boolean over;
          synchronized (AsyncRun.this) {
            above = subscription;
            open = demand;
            over = phase == Phase.OVER;
          }
          if (over) {
            subscription.cancel();
          } else if (open > 0) {
            subscription.request(open);
          }
        }

        @Override
        public void onNext(Event event) {
          synchronized (AsyncRun.this) {
            loop.seen(event);
            demand -= demand == Long.MAX_VALUE ? 0 : 1;
          }
          subscriber.onNext(event);
        }

        @Override
        public void onError(Throwable error) {
          end(error);
        }

        @Override
        public void onComplete() {
          synchronized (AsyncRun.this) {
            above = null;
            phase = phase == Phase.TURN ? Phase.BETWEEN : phase;
          }
          next();
        }
      };
    }
  }
}
