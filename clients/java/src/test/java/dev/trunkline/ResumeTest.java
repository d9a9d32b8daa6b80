package dev.trunkline;

import static dev.trunkline.Messages.assistant;
import static dev.trunkline.Messages.user;
import static dev.trunkline.Scripted.DRAINING;
import static dev.trunkline.Scripted.START;
import static dev.trunkline.Scripted.WAIT;
import static dev.trunkline.Scripted.asks;
import static dev.trunkline.Scripted.broken;
import static dev.trunkline.Scripted.delta;
import static dev.trunkline.Scripted.done;
import static dev.trunkline.Scripted.fail;
import static dev.trunkline.Scripted.failed;
import static dev.trunkline.Scripted.numbered;
import static dev.trunkline.Scripted.says;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.trunkline.v1.CompleteRequest;
import dev.trunkline.v1.Heartbeat;
import dev.trunkline.v1.StreamCompletionRequest;
import dev.trunkline.v1.StreamCompletionResponse;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Turns that go on where their connection breaks. {@link LingeringTest} has those that are left. */
@Timeout(20)
class ResumeTest {
  private static final StreamCompletionResponse[] EVENTS = {
    START, delta("a"), delta("b"), done(Parts.text("ab"))
  };
  private static final StatusRuntimeException BROKEN = broken(Status.Code.UNAVAILABLE);
  private static final StatusRuntimeException OVER = fail(Status.Code.ABORTED, "TAKEN_OVER", "true", null);

  private final Scripted service = new Scripted();
  private final Trunkline client = service.client();
  private final Conversation chat = client.conversation("m", "s1").options(o -> o.resume(true));

  /** The ways to read a turn. */
  enum Way {
    BLOCKING {
      @Override
      List<Event> read(Conversation chat) {
        List<Event> events = new ArrayList<>();
        chat.stream("hi").forEachRemaining(events::add);
        return events;
      }
    },
    ASYNC {
      @Override
      List<Event> read(Conversation chat) {
        List<Event> events = Collections.synchronizedList(new ArrayList<>());
        TurnTest.join(chat.streamAsync("hi").forEach(events::add));
        return events;
      }
    };

    abstract List<Event> read(Conversation chat);
  }

  @AfterEach
  void close() {
    client.close();
    service.close();
  }

  /** The events from number {@code from} to before number {@code to}, both from 1. */
  private static Object[] events(int from, int to) {
    return numbered(from, (Object[]) Arrays.copyOfRange(EVENTS, from - 1, to - 1));
  }

  private static Object[] then(Object[] events, Object end) {
    return Stream.concat(Stream.of(events), Stream.of(end)).toArray();
  }

  private static List<Event> whole() {
    return Stream.of(EVENTS).map(event -> EventReader.from(event).orElseThrow()).toList();
  }

  private List<Long> askedAfter() {
    return service.requests.stream().map(StreamCompletionRequest::getAfterSequence).toList();
  }

  private long keys() {
    return service.requests.stream().map(StreamCompletionRequest::getTurnKey).distinct().count();
  }

  @ParameterizedTest
  @EnumSource
  void everyEventComesOnceWhereverItBreaks(Way way) {
    for (Status.Code code : List.of(Status.Code.UNAVAILABLE, Status.Code.INTERNAL, Status.Code.UNKNOWN)) {
      for (int next = 1; next <= EVENTS.length; next++) {
        service.requests.clear();
        chat.messages().clear();
        service.then(then(events(1, next), broken(code))).then(events(next, 5));
        assertEquals(whole(), way.read(chat), code + " before event " + next);
        assertEquals(List.of(0L, next - 1L), askedAfter());
        assertEquals(1, keys());
        assertEquals(60, service.requests.get(1).getOptions().getLinger().getSeconds());
        assertEquals(List.of(user("hi"), assistant("ab")), chat.messages());
      }
    }
    assertEquals(List.of(), List.copyOf(service.cancelled));
  }

  @ParameterizedTest
  @EnumSource
  void aProxysCancelAndAStreamThatJustEndsAreBreaks(Way way) {
    service.then(then(events(1, 3), broken(Status.Code.CANCELLED))).then(events(3, 4)).then(events(4, 5));
    assertEquals(whole(), way.read(chat));
    assertEquals(List.of(0L, 2L, 3L), askedAfter());
  }

  @ParameterizedTest
  @EnumSource
  void afterDoneABreakIsNothing(Way way) {
    service.then(then(events(1, 5), BROKEN));
    assertEquals(whole(), way.read(chat));
    assertEquals(1, service.requests.size());
  }

  @Test
  void twoBreaksInARowAndEventsThatAreThere() {
    var heartbeat =
        StreamCompletionResponse.newBuilder()
            .setHeartbeat(Heartbeat.getDefaultInstance())
            .setSequence(2)
            .build();
    service
        .then(then(events(1, 3), BROKEN))
        .then(BROKEN)
        .then(then(then(new Object[] {heartbeat}, events(2, 3)[0]), BROKEN))
        .then(events(2, 5));
    assertEquals(whole(), Way.BLOCKING.read(chat));
    assertEquals(List.of(0L, 2L, 2L, 2L), askedAfter());
  }

  @Test
  void triesComeToAnEndAndEachEventCountsAnew() {
    service.then(then(events(1, 3), BROKEN));
    for (int i = 1; i < Attempts.RESUMES; i++) {
      service.then(BROKEN);
    }
    service.then(then(events(3, 4), BROKEN));
    for (int i = 0; i < Attempts.RESUMES; i++) {
      service.then(BROKEN);
    }
    Turn turn = chat.stream("hi");
    var error = assertThrows(TrunklineException.class, turn::result);
    assertEquals("UNAVAILABLE", error.reason());
    assertEquals(Optional.empty(), error.sent());
    assertEquals(Optional.of(assistant("ab")), error.partial());
    assertEquals(3, turn.sequence());
    assertEquals(1 + 2 * Attempts.RESUMES, service.requests.size());
    assertEquals(List.of(), chat.messages());
    service.then(says("free again"));
    assertEquals("free again", chat.with(o -> o.resume(false)).complete("hi").text());
  }

  @Test
  void anotherTurnIsStoppedAndNotTakenForThisOne() throws InterruptedException {
    Object other = START.toBuilder().setStart(START.getStart().toBuilder().setTurnId("t2")).setSequence(1).build();
    service.then(then(events(1, 3), BROKEN)).then(other, WAIT);
    var error = assertThrows(TrunklineException.class, () -> Way.BLOCKING.read(chat));
    assertEquals("UNAVAILABLE", error.reason());
    assertEquals(Optional.empty(), error.sent());
    assertEquals(Optional.of(assistant("a")), error.partial());
    service.awaitLeft();
    assertEquals("t2", service.cancelled.take().getTurnId());
  }

  @Test
  void beforeTheFirstEventAnotherTurnIsAsGood() {
    service.then(BROKEN).then(events(1, 5));
    assertEquals(whole(), Way.ASYNC.read(chat));
  }

  @Test
  void aMissingEventEndsTheTurn() throws InterruptedException {
    service.then(then(events(1, 2), BROKEN)).then(then(events(3, 4), WAIT));
    Turn turn = chat.stream("hi");
    var error = assertThrows(TrunklineException.class, turn::result);
    assertEquals("UNAVAILABLE: event 3 came where 2 was due", error.getMessage());
    assertEquals(turn.key(), service.cancelled.take().getTurnKey());
  }

  @Test
  void whatTheServiceSaysIsFinal() {
    service
        .then(then(events(1, 3), OVER))
        .then(then(events(1, 3), BROKEN))
        .then(OVER)
        .then(then(events(1, 3), failed("UPSTREAM_ERROR").toBuilder().setSequence(3).build()))
        .then(fail(Status.Code.INTERNAL, "INTERNAL", "true", null));
    for (String reason : List.of("TAKEN_OVER", "TAKEN_OVER", "UPSTREAM_ERROR", "INTERNAL")) {
      assertEquals(reason, assertThrows(TrunklineException.class, () -> Way.BLOCKING.read(chat)).reason());
    }
    assertEquals(5, service.requests.size());
    assertEquals(List.of(), List.copyOf(service.cancelled));
  }

  @Test
  void nothingSentIsStillTriedAgain() {
    service.then(DRAINING).then(then(events(1, 3), BROKEN)).then(DRAINING).then(events(3, 5));
    assertEquals(whole(), Way.ASYNC.read(chat));
    service.then(BROKEN).then(DRAINING).then(DRAINING).then(DRAINING);
    var error = assertThrows(TrunklineException.class, () -> Way.BLOCKING.read(chat));
    assertEquals("SHUTTING_DOWN", error.reason());
    assertEquals(Optional.empty(), error.sent(), "the first try may have been sent");
  }

  @Test
  void neverBeyondTheDeadline() {
    Retry slow = new Retry(4, Duration.ofHours(1), Duration.ofHours(1), Duration.ZERO);
    Trunkline patient = service.client(Trunkline.builder("unused").retry(slow).timeout(Duration.ofMinutes(20)));
    service.then(then(events(1, 3), BROKEN));
    Conversation hasty = patient.withResume(true).conversation("m", "s1");
    assertEquals("UNAVAILABLE", assertThrows(TrunklineException.class, () -> Way.BLOCKING.read(hasty)).reason());
    assertEquals(1, service.requests.size());
    patient.close();
  }

  @Test
  void onlyWhereItIsAskedFor() {
    service.then(START, BROKEN).then(BROKEN);
    assertThrows(TrunklineException.class, () -> Way.BLOCKING.read(chat.with(o -> o.resume(false))));
    assertThrows(TrunklineException.class, () -> client.conversation("m").complete("hi"));
    assertEquals(2, service.requests.size());
    assertEquals("", service.requests.get(0).getTurnKey());
    assertFalse(service.requests.get(0).getOptions().hasLinger());
  }

  @Test
  void ofTheClientToo() {
    Trunkline steady = client.withResume(true);
    service.then(then(events(1, 3), BROKEN)).then(events(3, 5)).then(BROKEN).then(events(1, 5));
    var stream = StreamCompletionRequest.newBuilder().setSessionId("s2").setTurnKey("k1");
    stream.getOptionsBuilder().getLingerBuilder().setSeconds(7);
    assertEquals("ab", steady.stream(stream.build()).result().text());
    assertEquals("ab", steady.complete(CompleteRequest.newBuilder().setSessionId("s2").build()).text());
    assertEquals("k1 2", service.requests.get(1).getTurnKey() + " " + service.requests.get(1).getAfterSequence());
    assertEquals(7, service.requests.get(1).getOptions().getLinger().getSeconds());
    assertEquals(service.requests.get(2), service.requests.get(3));
    assertFalse(service.requests.get(2).getTurnKey().isEmpty());
    service.then(events(1, 5));
    steady.withTimeout(Duration.ofSeconds(9)).conversation("m").stream("hi").result();
    assertFalse(service.requests.get(4).getTurnKey().isEmpty());
  }

  @Test
  void aCompleteIsMadeAgainWithItsKey() {
    service.then(BROKEN).then(DRAINING).then(BROKEN).then((Object[]) EVENTS);
    assertEquals("ab", chat.complete("hi").text());
    assertEquals(4, service.requests.size());
    assertEquals(1, keys());
    assertEquals(List.of(user("hi"), assistant("ab")), chat.messages());
    for (int i = 0; i <= Attempts.RESUMES; i++) {
      service.then(BROKEN);
    }
    assertEquals("UNAVAILABLE", assertThrows(TrunklineException.class, () -> chat.complete("hi")).reason());
    assertEquals(5 + Attempts.RESUMES, service.requests.size());
    assertEquals(List.of(), List.copyOf(service.cancelled));
  }

  @ParameterizedTest
  @EnumSource(RunTest.Way.class)
  void aRunGoesOnInEachOfItsTurns(RunTest.Way way) {
    chat.tools(Tool.ofJson("look", "", "", arguments -> "found"));
    Object[] asking = asks("c1", "look", "{}");
    service
        .then(numbered(1, asking[0])[0], BROKEN)
        .then(numbered(2, asking[1]))
        .then(then(events(1, 3), BROKEN))
        .then(events(3, 5));
    List<Event> events = way.read(chat, "go");
    assertEquals(whole(), events.subList(2, events.size()));
    assertEquals(List.of(0L, 1L, 0L, 2L), askedAfter());
    assertEquals(2, keys());
    assertNotEquals(service.requests.get(0).getTurnKey(), service.requests.get(2).getTurnKey());
    assertTrue(service.requests.get(2).getMessagesCount() > service.requests.get(1).getMessagesCount());
    assertEquals(4, chat.messages().size());
  }
}
