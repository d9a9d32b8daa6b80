package dev.trunkline;

import static dev.trunkline.Scripted.START;
import static dev.trunkline.Scripted.WAIT;
import static dev.trunkline.Scripted.asks;
import static dev.trunkline.Scripted.delta;
import static dev.trunkline.Scripted.done;
import static dev.trunkline.Scripted.says;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What Reactive Streams asks of turns and runs. */
@Timeout(20)
class FlowTest {
  private final Scripted service = new Scripted();
  private final Trunkline client = service.client();
  private final Conversation chat =
      client.conversation("m", "s1").tools(Tool.ofJson("f", "", "", arguments -> "ok"));

  @AfterEach
  void close() {
    client.close();
    service.close();
  }

  /** Notes all signals; the test asks for them. */
  private static final class Probe implements Flow.Subscriber<Event> {
    final BlockingQueue<Object> signals = new LinkedBlockingQueue<>();
    Flow.Subscription subscription;

    @Override
    public void onSubscribe(Flow.Subscription subscription) {
      this.subscription = subscription;
    }

    @Override
    public void onNext(Event event) {
      signals.add(event);
    }

    @Override
    public void onError(Throwable error) {
      signals.add(error);
    }

    @Override
    public void onComplete() {
      signals.add("complete");
    }

    Object next() throws InterruptedException {
      return signals.poll(5, TimeUnit.SECONDS);
    }

    Object soon() throws InterruptedException {
      return signals.poll(50, TimeUnit.MILLISECONDS);
    }
  }

  @Test
  void noMoreThanWasAskedFor() throws InterruptedException {
    service.then(START, delta("a"), delta("b"), done(Parts.text("ab")));
    Probe probe = new Probe();
    chat.streamAsync("hi").subscribe(probe);
    assertNull(probe.soon());
    probe.subscription.request(1);
    assertInstanceOf(Event.Start.class, probe.next());
    assertNull(probe.soon());
    probe.subscription.request(2);
    assertEquals(new Event.TextDelta(0, "a"), probe.next());
    assertEquals(new Event.TextDelta(0, "b"), probe.next());
    assertNull(probe.soon());
    probe.subscription.request(Long.MAX_VALUE);
    assertInstanceOf(Done.class, probe.next());
    assertEquals("complete", probe.next());
  }

  @Test
  void demandGoesOnFromTurnToTurn() throws InterruptedException {
    service.then(asks("c1", "f", "{}")).then(says("ok"));
    Probe probe = new Probe();
    chat.runAsync("hi").subscribe(probe);
    probe.subscription.request(3);
    assertInstanceOf(Event.Start.class, probe.next());
    assertInstanceOf(Done.class, probe.next());
    assertInstanceOf(Event.Start.class, probe.next());
    assertNull(probe.soon());
    probe.subscription.request(2);
    assertInstanceOf(Event.TextDelta.class, probe.next());
    assertInstanceOf(Done.class, probe.next());
    assertEquals("complete", probe.next());
  }

  @Test
  void leavingIsSilent() throws InterruptedException {
    service.then(START, WAIT);
    Probe probe = new Probe();
    chat.streamAsync("hi").subscribe(probe);
    probe.subscription.request(5);
    assertInstanceOf(Event.Start.class, probe.next());
    probe.subscription.cancel();
    service.awaitLeft();
    probe.subscription.request(1);
    assertNull(probe.soon());
    service.then(START, WAIT);
    Probe run = new Probe();
    chat.runAsync("hi").subscribe(run);
    run.subscription.request(5);
    assertInstanceOf(Event.Start.class, run.next());
    run.subscription.cancel();
    assertNull(run.soon());
    service.then(says("free again"));
    assertEquals("free again", chat.complete("hi").text());
  }

  @Test
  void aRequestForNothingIsAnError() throws InterruptedException {
    for (AsyncEvents events : new AsyncEvents[] {chat.streamAsync("hi"), chat.runAsync("hi")}) {
      service.then(START, WAIT);
      Probe probe = new Probe();
      events.subscribe(probe);
      probe.subscription.request(0);
      assertInstanceOf(IllegalArgumentException.class, probe.next());
      assertNull(probe.soon());
    }
  }

  @Test
  void oneSubscriber() throws InterruptedException {
    service.then(says("a"));
    AsyncTurn turn = chat.streamAsync("hi");
    turn.result().join();
    Probe probe = new Probe();
    turn.subscribe(probe);
    assertInstanceOf(IllegalStateException.class, probe.next());
  }

  @Test
  void aConsumerThatThrowsLeaves() throws InterruptedException {
    service.then(START, WAIT);
    CompletableFuture<Done> result =
        chat.streamAsync("hi")
            .forEach(
                event -> {
                  throw new IllegalStateException("enough");
                });
    assertThrows(IllegalStateException.class, () -> TurnTest.join(result));
    service.awaitLeft();
  }

  @Test
  void aCancelledFutureLeaves() throws InterruptedException {
    service.then(START, WAIT);
    CompletableFuture<Done> result = chat.runAsync("hi").result();
    service.waiting.await();
    result.cancel(true);
    service.awaitLeft();
  }
}
