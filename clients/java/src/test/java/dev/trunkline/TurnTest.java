package dev.trunkline;

import static dev.trunkline.Messages.assistant;
import static dev.trunkline.Messages.user;
import static dev.trunkline.Scripted.DRAINING;
import static dev.trunkline.Scripted.LOST;
import static dev.trunkline.Scripted.START;
import static dev.trunkline.Scripted.UNAVAILABLE;
import static dev.trunkline.Scripted.WAIT;
import static dev.trunkline.Scripted.delta;
import static dev.trunkline.Scripted.done;
import static dev.trunkline.Scripted.fail;
import static dev.trunkline.Scripted.failed;
import static dev.trunkline.Scripted.says;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.trunkline.v1.StreamCompletionRequest;
import dev.trunkline.v1.StreamCompletionResponse;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(20)
class TurnTest {
  private final Scripted service = new Scripted();
  private final Trunkline client = service.client(Trunkline.builder("unused").token("t0ken"));
  private final Conversation chat = client.conversation("m", "s1");

  /** The ways to have a turn. What holds for one holds for all. */
  enum Way {
    STREAM {
      @Override
      Done ask(Conversation chat, String text) {
        return chat.stream(text).result();
      }
    },
    STREAM_ASYNC {
      @Override
      Done ask(Conversation chat, String text) {
        return join(chat.streamAsync(text).result());
      }
    },
    COMPLETE {
      @Override
      Done ask(Conversation chat, String text) {
        return chat.complete(text);
      }
    },
    COMPLETE_ASYNC {
      @Override
      Done ask(Conversation chat, String text) {
        return join(chat.completeAsync(text));
      }
    };

    abstract Done ask(Conversation chat, String text);
  }

  @AfterEach
  void close() {
    client.close();
    service.close();
  }

  static <T> T join(CompletableFuture<T> future) {
    try {
      return future.join();
    } catch (CompletionException failed) {
      throw (RuntimeException) failed.getCause();
    }
  }

  private TrunklineException thrown(Way way) {
    return assertThrows(TrunklineException.class, () -> way.ask(chat, "hi"));
  }

  private static List<Event> read(Events events) {
    List<Event> read = new ArrayList<>();
    events.forEachRemaining(read::add);
    return read;
  }

  @Test
  void aStreamedConversation() {
    service.then(says("hello")).then(says("again"));
    List<Event> events = read(chat.with(o -> o.requestId("r1")).stream("hi"));
    assertEquals(List.of(Event.Start.class, Event.TextDelta.class, Done.class), classes(events));
    chat.with(o -> o.temperature(0)).stream("more").result();
    StreamCompletionRequest first = service.requests.get(0);
    StreamCompletionRequest second = service.requests.get(1);
    assertEquals("s1 m r1", first.getSessionId() + " " + first.getModel() + " " + first.getRequestId());
    assertEquals(List.of(user("hi"), assistant("hello"), user("more")), second.getMessagesList());
    assertTrue(second.getOptions().hasTemperature());
    assertEquals("", second.getRequestId());
    assertEquals(assistant("again"), chat.messages().get(3));
  }

  @ParameterizedTest
  @EnumSource
  void everyWayKeepsWhatWasSaid(Way way) {
    service.then(says("hello"));
    Done done = way.ask(chat, "hi");
    assertEquals("hello", done.text());
    assertEquals(StopReason.STOP, done.stopReason());
    assertEquals(List.of(user("hi"), assistant("hello")), chat.messages());
  }

  @ParameterizedTest
  @EnumSource
  void theContinuationIsKeptAndSent(Way way) {
    service
        .then(START, continued("c1"))
        .then(START, delta("x"), LOST)
        .then(START, continued("c2"))
        .then(says("without one"))
        .then(says("without one"))
        .then(says("none"));
    way.ask(chat, "1");
    thrown(way);
    assertEquals("c1", chat.continuation());
    chat.messages().set(0, user("edited"));
    way.ask(chat, "2");
    way.ask(chat.with(o -> o.temperature(0)), "3");
    way.ask(chat, "4");
    way.ask(chat.continuation("stored"), "5");
    assertEquals(
        List.of("", "c1", "c1", "c2", "c2", "stored"),
        service.requests.stream().map(StreamCompletionRequest::getContinuation).toList());
  }

  private static StreamCompletionResponse continued(String continuation) {
    var said = done(Parts.text("a"));
    return said.toBuilder().setDone(said.getDone().toBuilder().setContinuation(continuation)).build();
  }

  @ParameterizedTest
  @EnumSource
  void whatGoesAlong(Way way) {
    service.then(says("a"));
    way.ask(chat, "hi");
    Metadata metadata = service.metadata.get(0);
    assertEquals("Bearer t0ken", header(metadata, "authorization"));
    assertEquals("s1", header(metadata, "x-session-id"));
  }

  @ParameterizedTest
  @EnumSource
  void nothingSentIsTriedAgain(Way way) {
    service.then(DRAINING).then(fail(UNAVAILABLE, "CONNECT_FAILED", "false", Duration.ofSeconds(1))).then(says("hi"));
    assertEquals("hi", way.ask(chat, "hi").text());
    assertEquals(2, service.delays.size());
    assertTrue(service.delays.get(0).toMillis() >= 50 && service.delays.get(0).toMillis() <= 100);
    assertTrue(service.delays.get(1).toMillis() >= 1100 && service.delays.get(1).toMillis() <= 1200);
    assertEquals(2, chat.messages().size());
  }

  @ParameterizedTest
  @EnumSource
  void triesComeToAnEnd(Way way) {
    service.then(DRAINING).then(DRAINING).then(DRAINING).then(DRAINING);
    TrunklineException error = thrown(way);
    assertEquals("SHUTTING_DOWN", error.reason());
    assertEquals(Optional.of(false), error.sent());
    assertEquals(4, service.requests.size());
  }

  @ParameterizedTest
  @EnumSource
  void everythingElseIsNot(Way way) {
    var fails =
        List.of(
            fail(UNAVAILABLE, "", "", null),
            LOST,
            fail(Status.Code.RESOURCE_EXHAUSTED, "OVERLOADED", "false", Duration.ofMillis(100)));
    for (var fail : fails) {
      service.then(fail);
      assertEquals(fail.getStatus().getCode(), thrown(way).status());
    }
    assertEquals(List.of(), service.delays);
    assertEquals(List.of(), chat.messages());
  }

  @ParameterizedTest
  @EnumSource
  void theDeadlineReachesTheServiceAndEndsTheTurn(Way way) throws InterruptedException {
    service.then(START, delta("hal"), WAIT);
    Conversation hasty = chat.with(o -> o.timeout(Duration.ofMillis(300)));
    TrunklineException error = assertThrows(TrunklineException.class, () -> way.ask(hasty, "hi"));
    assertEquals("DEADLINE_EXCEEDED", error.reason());
    assertEquals(Optional.empty(), error.sent());
    if (way == Way.STREAM || way == Way.STREAM_ASYNC) {
      assertEquals(Optional.of(assistant("hal")), error.partial());
    }
    assertTrue(service.deadlines.get(0).isBefore(io.grpc.Deadline.after(1, TimeUnit.SECONDS)));
    service.awaitLeft();
  }

  @ParameterizedTest
  @EnumSource
  void oneTurnAtATime(Way way) {
    Turn open = chat.stream("hi");
    assertThrows(IllegalStateException.class, () -> way.ask(chat, "hi"));
    open.close();
    service.then(says("a"));
    assertEquals("a", way.ask(chat, "hi").text());
  }

  @ParameterizedTest
  @EnumSource
  void anUnavailableTokenFailsOnlyItsTurn(Way way) {
    Trunkline broken =
        service.client(
            Trunkline.builder("unused")
                .token(
                    () -> {
                      throw new IllegalStateException("no token");
                    }));
    Conversation conversation = broken.conversation("m");
    for (int i = 0; i < 2; i++) {
      var error = assertThrows(IllegalStateException.class, () -> way.ask(conversation, "hi"));
      assertEquals("no token", error.getMessage());
    }
    broken.close();
  }

  @ParameterizedTest
  @EnumSource
  void aClosedClientSaysSo(Way way) {
    client.close();
    assertEquals(
        "the client is closed", assertThrows(IllegalStateException.class, () -> way.ask(chat, "hi")).getMessage());
  }

  @Test
  void anUnknownEventIsIgnored() throws Exception {
    var unknown = StreamCompletionResponse.parseFrom(new byte[] {0x72, 3, 'n', 'e', 'w'});
    service.then(START, unknown, delta("a"), done(Parts.text("a")));
    assertEquals(3, read(chat.stream("hi")).size());
  }

  @Test
  void anErrorEventAndItsStatusThrowOnce() {
    service.then(START, delta("hal"), failed("CONNECTION_LOST"), LOST);
    Turn turn = chat.stream("hi");
    TrunklineException error = assertThrows(TrunklineException.class, () -> read(turn));
    assertEquals("CONNECTION_LOST: reported", error.getMessage());
    assertEquals(Status.Code.ABORTED, error.status());
    assertEquals(Optional.of(true), error.sent());
    assertTrue(error.retryable());
    assertEquals(Optional.of(assistant("hal")), error.partial());
    assertTrue(List.of(error.getStackTrace()).toString().contains("TurnTest"), "the reader's own stack");
    assertFalse(turn.hasNext());
    assertThrows(NoSuchElementException.class, turn::next);
    assertThrows(IllegalStateException.class, turn::done);
    assertEquals(List.of(), chat.messages());
  }

  @Test
  void anOkWithoutDoneThrows() {
    for (Object[] script : new Object[][] {{}, {START}, {START, delta("x")}}) {
      service.then(script);
      TrunklineException error = assertThrows(TrunklineException.class, () -> chat.stream("hi").result());
      assertEquals("PROTOCOL_ERROR", error.reason());
      assertEquals(script.length == 2, error.partial().isPresent());
    }
  }

  @Test
  void nothingIsTriedAgainOnceSomethingCame() {
    service.then(START, DRAINING);
    assertEquals("SHUTTING_DOWN", thrown(Way.STREAM).reason());
    assertEquals(1, service.requests.size());
  }

  @Test
  void closingEarlyCancelsAndKeepsNothing() throws InterruptedException {
    service.then(START, delta("a"), WAIT).then(says("b"));
    try (Turn turn = chat.stream("hi")) {
      turn.next();
      turn.next();
      assertEquals("a", turn.text());
      assertEquals("t1", turn.start().orElseThrow().turnId());
    }
    service.awaitLeft();
    assertEquals(List.of(), chat.messages());
    assertEquals("b", chat.stream("hi").result().text());
  }

  @Test
  void cancelEndsTheReaderWithAnError() throws InterruptedException {
    service.then(START, delta("hal"), WAIT).then(says("b"));
    Turn turn = chat.stream("hi");
    CompletableFuture<List<Event>> reading = CompletableFuture.supplyAsync(() -> read(turn));
    service.waiting.await();
    while (turn.text().isEmpty()) {
      Thread.sleep(1);
    }
    turn.cancel();
    TrunklineException error = assertThrows(TrunklineException.class, () -> join(reading));
    assertEquals("CANCELLED", error.reason());
    assertEquals(Optional.of(assistant("hal")), error.partial());
    service.awaitLeft();
    assertEquals("b", chat.stream("hi").result().text());
  }

  @Test
  void cancelBeforeTheFirstRead() {
    Turn turn = chat.stream("hi");
    turn.cancel();
    assertEquals("CANCELLED", assertThrows(TrunklineException.class, () -> read(turn)).reason());
    assertEquals(List.of(), read(turn));
    AsyncTurn later = chat.streamAsync("hi");
    later.cancel();
    assertEquals("CANCELLED", assertThrows(TrunklineException.class, () -> join(later.result())).reason());
    assertEquals(List.of(), service.requests);
  }

  @Test
  void closeUnderTheReaderEndsIt() throws Exception {
    service.then(START, WAIT);
    Turn turn = chat.stream("hi");
    CompletableFuture<List<Event>> reading = CompletableFuture.supplyAsync(() -> read(turn));
    service.waiting.await();
    turn.close();
    assertTrue(reading.get(5, TimeUnit.SECONDS).size() <= 1);
  }

  @ParameterizedTest
  @EnumSource(names = {"STREAM", "COMPLETE"})
  void anInterruptedThreadStopsTheTurn(Way way) throws InterruptedException {
    service.then(START, WAIT);
    Thread reader = Thread.currentThread();
    CompletableFuture.runAsync(
        () -> {
          try {
            service.waiting.await();
          } catch (InterruptedException never) {
            throw new IllegalStateException(never);
          }
          reader.interrupt();
        });
    assertEquals("CANCELLED", thrown(way).reason());
    assertTrue(Thread.interrupted());
    service.awaitLeft();
    service.then(says("b"));
    assertEquals("b", chat.complete("hi").text());
  }

  @Test
  void aCancelledFutureStopsTheTurn() throws InterruptedException {
    service.then(START, WAIT);
    CompletableFuture<Done> future = chat.completeAsync("hi");
    service.waiting.await();
    future.cancel(true);
    service.awaitLeft();
    service.then(says("b"));
    assertEquals("b", chat.complete("hi").text());
  }

  @Test
  void aServiceThatNeverClosesAfterDoneIsLeft() throws InterruptedException {
    service.then(START, done(Parts.text("a")), WAIT);
    assertEquals("a", chat.stream("hi").result().text());
    service.awaitLeft();
  }

  @Test
  void byHandNothingIsKept() {
    service.then(says("a")).then(says("b"));
    var request = StreamCompletionRequest.newBuilder().setSessionId("s2").setInstructions("be kind").build();
    assertEquals("a", client.stream(request).result().text());
    assertEquals("b", join(client.streamAsync(request).result()).text());
    assertEquals("be kind", service.requests.get(0).getInstructions());
  }

  @Test
  void aTurnKnowsItsKeyAndItsLastEvent() {
    var second = delta("b").toBuilder().setSequence(6).build();
    var heartbeat =
        StreamCompletionResponse.newBuilder()
            .setHeartbeat(dev.trunkline.v1.Heartbeat.getDefaultInstance())
            .setSequence(6)
            .build();
    service.then(second, heartbeat, LOST).then(LOST);
    var request = StreamCompletionRequest.newBuilder().setTurnKey("k1").setAfterSequence(5).build();
    Turn turn = client.stream(request);
    assertEquals("k1 5", turn.key() + " " + turn.sequence());
    assertEquals(new Event.TextDelta(0, "b"), turn.next());
    assertEquals(6, turn.sequence());
    assertThrows(TrunklineException.class, turn::hasNext);
    assertEquals("k1 5", service.requests.get(0).getTurnKey() + " " + service.requests.get(0).getAfterSequence());
    AsyncTurn later = client.streamAsync(request);
    assertEquals("k1 5", later.key() + " " + later.sequence());
    assertThrows(TrunklineException.class, () -> join(later.result()));
    assertEquals("", chat.stream("hi").key());
  }

  @Test
  void aTraceIsSentAndNeverFailsACall() {
    service.then(says("a")).then(says("b"));
    String trace = "00-" + "1".repeat(32) + "-" + "2".repeat(16) + "-01";
    Trunkline traced =
        service.client(Trunkline.builder("unused").tracing(carrier -> carrier.accept("traceparent", trace)));
    traced.conversation("m").complete("hi");
    assertEquals(trace, header(service.metadata.get(0), "traceparent"));
    Trunkline broken = service.client(Trunkline.builder("unused").tracing(carrier -> carrier.accept("not a key", "")));
    assertEquals("b", broken.conversation("m").complete("hi").text());
    traced.close();
    broken.close();
  }

  @Test
  void aBadSessionIdIsTheServicesToName() {
    service.then(says("a"));
    client.conversation("m", "schön").complete("hi");
    assertEquals(null, header(service.metadata.get(0), "x-session-id"));
  }

  private static List<Class<?>> classes(List<Event> events) {
    return events.stream().<Class<?>>map(Object::getClass).toList();
  }

  private static String header(Metadata metadata, String name) {
    return metadata.get(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER));
  }
}
