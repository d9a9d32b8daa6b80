package dev.trunkline;

import dev.trunkline.v1.StreamCompletionRequest;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicBoolean;

/** One streamed turn, for one who does not wait. */
public final class AsyncTurn extends AsyncEvents {
  private final TurnCall call;
  private final AtomicBoolean taken = new AtomicBoolean();

  AsyncTurn(TurnCall call) {
    this.call = call;
  }

  /** What is sent. */
  public StreamCompletionRequest request() {
    return call.request();
  }

  /** The name of this turn, for other calls ({@link Trunkline#cancelTurnByKey}); empty: it has none. */
  public String key() {
    return call.request().getTurnKey();
  }

  /** The number of the last event that came; before the first one, what the turn was to go on after. */
  public long sequence() {
    return call.sequence();
  }

  /** What was true when the upstream began; empty: it has not. */
  public Optional<Event.Start> start() {
    return call.received().start();
  }

  /** The text that has come so far. */
  public String text() {
    return call.received().text();
  }

  @Override
  public void subscribe(Flow.Subscriber<? super Event> subscriber) {
    Objects.requireNonNull(subscriber);
    if (!taken.compareAndSet(false, true)) {
      Subscriptions.refuse(subscriber);
      return;
    }
    Signals signals = new Signals(subscriber);
    subscriber.onSubscribe(signals);
    call.begin(signals);
  }

  @Override
  public void cancel() {
    call.cancel();
  }

  @Override
  public String toString() {
    return "AsyncTurn{" + call.request().getSessionId() + ", " + call + "}";
  }

  private final class Signals implements TurnCall.Reader, Flow.Subscription {
    private final Flow.Subscriber<? super Event> subscriber;
    private volatile boolean left;

    Signals(Flow.Subscriber<? super Event> subscriber) {
      this.subscriber = subscriber;
    }

    @Override
    public void request(long events) {
      if (left) {
        return;
      }
      if (events <= 0) {
        cancel();
        subscriber.onError(Subscriptions.notPositive());
      } else {
        call.request(events);
      }
    }

    @Override
    public void cancel() {
      left = true;
      call.leave();
    }

    @Override
    public void event(Event event) {
      if (!left) {
        subscriber.onNext(event);
      }
    }

    @Override
    public void end(RuntimeException error) {
      if (left) {
        return;
      }
      left = true;
      if (error == null) {
        subscriber.onComplete();
      } else {
        subscriber.onError(error);
      }
    }
  }
}
