package dev.trunkline;

import static dev.trunkline.Scripted.START;
import static dev.trunkline.Scripted.UNAVAILABLE;
import static dev.trunkline.Scripted.WAIT;
import static dev.trunkline.Scripted.broken;
import static dev.trunkline.Scripted.fail;
import static dev.trunkline.Scripted.numbered;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.trunkline.v1.CancelTurnRequest;
import io.grpc.Context;
import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Turns that would go on without their caller are stopped. */
@Timeout(20)
class LingeringTest {
  private static final Object FIRST = numbered(1, START)[0];

  private final Scripted service = new Scripted();
  private final Trunkline client = service.client();
  private final Conversation chat = client.conversation("m", "s1").options(o -> o.resume(true));

  @AfterEach
  void close() {
    client.close();
    service.close();
  }

  private void stopped(String key) throws InterruptedException {
    CancelTurnRequest request = service.cancelled.poll(5, TimeUnit.SECONDS);
    assertEquals(CancelTurnRequest.newBuilder().setSessionId("s1").setTurnKey(key).build(), request);
  }

  private void awaitRequests(int number) {
    while (service.requests.size() < number) {
      Thread.onSpinWait();
    }
  }

  private String sentKey() {
    return service.requests.get(service.requests.size() - 1).getTurnKey();
  }

  @Test
  void cancelAndClose() throws InterruptedException {
    service.then(FIRST, WAIT).then(FIRST, WAIT);
    Turn turn = chat.stream("hi");
    turn.next();
    turn.cancel();
    turn.cancel();
    assertEquals("CANCELLED", assertThrows(TrunklineException.class, turn::next).reason());
    stopped(turn.key());
    Turn other = chat.stream("hi");
    other.next();
    other.close();
    other.close();
    stopped(other.key());
    assertEquals(List.of(), List.copyOf(service.cancelled));
  }

  @Test
  void betweenTwoCalls() throws InterruptedException {
    service.hold();
    service.then(FIRST, broken(UNAVAILABLE));
    AsyncTurn turn = chat.streamAsync("hi");
    CompletableFuture<Done> result = turn.result();
    Runnable again = service.held.take();
    turn.cancel();
    assertEquals("CANCELLED", assertThrows(TrunklineException.class, () -> TurnTest.join(result)).reason());
    stopped(turn.key());
    again.run();
    assertEquals(1, service.requests.size());
  }

  @Test
  void whatWasNeverSentIsNotStopped() {
    chat.stream("hi").close();
    chat.streamAsync("hi").cancel();
    assertEquals(List.of(), List.copyOf(service.cancelled));
  }

  @Test
  void aFutureThatIsCancelledOrOutOfTime() throws InterruptedException {
    service.then(WAIT).then(WAIT).then(FIRST, WAIT);
    CompletableFuture<Done> complete = chat.completeAsync("hi");
    awaitRequests(1);
    complete.cancel(true);
    stopped(sentKey());
    CompletableFuture<Done> late = chat.completeAsync("hi");
    awaitRequests(2);
    late.completeExceptionally(new TimeoutException()); // as orTimeout does
    stopped(sentKey());
    CompletableFuture<Done> streamed = chat.streamAsync("hi").result();
    awaitRequests(3);
    streamed.cancel(true);
    stopped(sentKey());
  }

  @Test
  void theDeadline() throws InterruptedException {
    Conversation hasty = chat.with(o -> o.timeout(Duration.ofMillis(500)));
    service.then(FIRST, WAIT).then(WAIT);
    assertEquals(
        "DEADLINE_EXCEEDED", assertThrows(TrunklineException.class, () -> hasty.stream("hi").result()).reason());
    stopped(sentKey());
    assertEquals("DEADLINE_EXCEEDED", assertThrows(TrunklineException.class, () -> hasty.complete("hi")).reason());
    stopped(sentKey());
    assertEquals(2, service.requests.size());
  }

  @Test
  void aContextThatIsCancelled() throws InterruptedException {
    service.then(FIRST, WAIT).then(WAIT);
    for (int call = 1; call <= 2; call++) {
      boolean unary = call == 2;
      Context.CancellableContext context = Context.current().withCancellation();
      CompletableFuture<Done> result = new CompletableFuture<>();
      context.run(
          () ->
              (unary ? chat.completeAsync("hi") : chat.streamAsync("hi").result())
                  .whenComplete((done, error) -> result.completeExceptionally(error)));
      awaitRequests(call);
      context.cancel(null);
      assertEquals("CANCELLED", assertThrows(TrunklineException.class, () -> TurnTest.join(result)).reason());
      stopped(sentKey());
    }
    assertEquals(List.of(), service.delays, "no other try");
  }

  @Test
  void stoppingIsBestEffort() {
    service
        .then(FIRST, broken(UNAVAILABLE))
        .then(FIRST)
        .then(fail(Status.Code.NOT_FOUND, "TURN_NOT_FOUND", "false", null));
    var error = assertThrows(TrunklineException.class, () -> chat.stream("hi").result());
    assertTrue(error.getMessage().contains("another one"));
  }

  @Test
  void closingTheClientStopsThemAll() {
    service.then(FIRST, WAIT);
    Turn turn = chat.stream("hi");
    turn.next();
    client.close();
    assertEquals(turn.key(), service.cancelled.remove().getTurnKey());
    assertThrows(TrunklineException.class, turn::result);
    assertEquals(List.of(), service.delays, "no other try");
  }
}
