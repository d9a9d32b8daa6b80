package dev.trunkline;

import java.util.concurrent.Flow;

/** What Reactive Streams asks of every publisher. */
final class Subscriptions {
  private Subscriptions() {}

  /** A second subscriber: nothing is kept for it. */
  static void refuse(Flow.Subscriber<? super Event> subscriber) {
    subscriber.onSubscribe(
        new Flow.Subscription() {
          @Override
          public void request(long events) {}

          @Override
          public void cancel() {}
        });
    subscriber.onError(new IllegalStateException("these events have a subscriber already"));
  }

  static IllegalArgumentException notPositive() {
    return new IllegalArgumentException("request: more than 0 (Reactive Streams, rule 3.9)");
  }

  /** Demand is counted up to "for ever". */
  static long add(long demand, long more) {
    return demand + more < 0 ? Long.MAX_VALUE : demand + more;
  }
}
