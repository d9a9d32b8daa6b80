package dev.trunkline;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import java.util.function.Consumer;

/**
 * Events for one who does not wait: one subscriber, which is never sent more than it asked for.
 *
 * <p>They end with {@link Done} and {@code onComplete}, or with {@code onError} and a {@link TrunklineException}. The
 * request is sent at the subscription. Signals come on threads of gRPC: do not block them for long.
 */
public abstract sealed class AsyncEvents implements Flow.Publisher<Event> permits AsyncTurn, AsyncRun {
  AsyncEvents() {}

  /** Stops it. Its subscriber gets a {@link TrunklineException} (CANCELLED) with the partial answer. */
  public abstract void cancel();

  /**
   * Hands each event to {@code consumer} as it comes.
   *
   * @return the end. Cancelled, it leaves the turn and stops the model; so does a consumer that throws
   */
  public CompletableFuture<Done> forEach(Consumer<? super Event> consumer) {
    Collector collector = new Collector(consumer);
    subscribe(collector);
    return collector.result;
  }

  /** Reads all events and keeps the end. Cancelled, it leaves the turn and stops the model. */
  public CompletableFuture<Done> result() {
    return forEach(event -> {});
  }

  private static final class Collector implements Flow.Subscriber<Event> {
    private final Consumer<? super Event> consumer;
    private final CompletableFuture<Done> result = new CompletableFuture<>();
    private Done done;

    Collector(Consumer<? super Event> consumer) {
      this.consumer = consumer;
    }

    @Override
    public void onSubscribe(Flow.Subscription subscription) {
      result.whenComplete((answer, error) -> subscription.cancel()); // nothing where it has ended
      subscription.request(Long.MAX_VALUE);
    }

    @Override
    public void onNext(Event event) {
      done = event instanceof Done last ? last : done;
      try {
        consumer.accept(event);
      } catch (Throwable thrown) {
        result.completeExceptionally(thrown);
      }
    }

    @Override
    public void onError(Throwable error) {
      result.completeExceptionally(error);
    }

    @Override
    public void onComplete() {
      result.complete(done);
    }
  }
}
