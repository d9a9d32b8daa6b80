package dev.trunkline;

import static dev.trunkline.Messages.toolResult;
import static dev.trunkline.Messages.user;
import static dev.trunkline.Scripted.LOST;
import static dev.trunkline.Scripted.START;
import static dev.trunkline.Scripted.WAIT;
import static dev.trunkline.Scripted.asks;
import static dev.trunkline.Scripted.says;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.trunkline.v1.ToolResultPart;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(20)
class RunTest {
  record Number(int x) {}

  private static final Tool DOUBLE = Tool.of("double", "Twice as much.", Number.class, number -> 2 * number.x());

  private final Scripted service = new Scripted();
  private final Trunkline client = service.client();
  private final Conversation chat = client.conversation("m", "s1").tools(DOUBLE);

  enum Way {
    BLOCKING {
      @Override
      List<Event> read(Conversation chat, String... text) {
        List<Event> events = new ArrayList<>();
        (text.length == 0 ? chat.run() : chat.run(text[0])).forEachRemaining(events::add);
        return events;
      }
    },
    ASYNC {
      @Override
      List<Event> read(Conversation chat, String... text) {
        List<Event> events = Collections.synchronizedList(new ArrayList<>());
        TurnTest.join((text.length == 0 ? chat.runAsync() : chat.runAsync(text[0])).forEach(events::add));
        return events;
      }
    };

    abstract List<Event> read(Conversation chat, String... text);

    Done last(Conversation chat, String... text) {
      List<Event> events = read(chat, text);
      return (Done) events.get(events.size() - 1);
    }
  }

  @AfterEach
  void close() {
    client.close();
    service.close();
  }

  @ParameterizedTest
  @EnumSource
  void itGoesOnUntilTheModelStopsAsking(Way way) {
    service.then(asks("c1", "double", "{\"x\": 1}")).then(asks("c2", "double", "{\"x\": 2}")).then(says("4"));
    List<Event> events = way.read(chat, "go");
    assertEquals(3, events.stream().filter(Done.class::isInstance).count());
    assertEquals(toolResult("c1", "2"), chat.messages().get(2));
    assertEquals(toolResult("c2", "4"), chat.messages().get(4));
    assertEquals(6, chat.messages().size());
    assertEquals(1, Collections.frequency(chat.messages(), user("go")));
  }

  @ParameterizedTest
  @EnumSource
  void optionsAndDeadlineGoWithEveryRound(Way way) {
    service.then(asks("c1", "double", "{\"x\": 1}")).then(says("2"));
    way.read(chat.with(o -> o.timeout(Duration.ofSeconds(9)).temperature(0).requestId("r")), "go");
    assertTrue(service.requests.stream().allMatch(request -> request.getOptions().hasTemperature()));
    assertTrue(service.requests.stream().allMatch(request -> request.getRequestId().equals("r")));
    assertTrue(service.deadlines.stream().allMatch(one -> one.timeRemaining(TimeUnit.SECONDS) < 10));
  }

  @ParameterizedTest
  @EnumSource
  void toolErrorsAreReportedToTheModel(Way way) {
    service
        .then(asks("c1", "double", "{", "c2", "nowhere", "{}", "c3", "double", "{\"x\": null}", "c4", "double", "[]"))
        .then(says("sorry"));
    way.read(chat, "go");
    List<ToolResultPart> results =
        service.requests.get(1).getMessagesList().stream()
            .skip(2)
            .map(message -> message.getParts(0).getToolResult())
            .toList();
    assertTrue(results.stream().allMatch(ToolResultPart::getIsError));
    assertEquals(List.of("c1", "c2", "c3", "c4"), results.stream().map(ToolResultPart::getCallId).toList());
    assertEquals("IllegalArgumentException: x is missing", results.get(2).getParts(0).getText().getText());
  }

  @ParameterizedTest
  @EnumSource
  void roundsAreBoundedAndANextRunGoesOn(Way way) {
    service.then(asks("c1", "double", "{\"x\": 1}")).then(says("2"));
    assertEquals(StopReason.TOOL_USE, way.last(chat.with(o -> o.maxRounds(1)), "go").stopReason());
    assertEquals(1, chat.openCalls().size());
    assertEquals("2", way.last(chat).text());
    assertEquals(List.of(), chat.openCalls());
    assertThrows(IllegalArgumentException.class, () -> Options.NONE.maxRounds(0));
  }

  @ParameterizedTest
  @EnumSource
  void noToolRunsTwiceWhenATurnFails(Way way) {
    List<String> made = Collections.synchronizedList(new ArrayList<>());
    chat.tools(Tool.ofJson("note", "", "", arguments -> made.add(arguments) ? null : null));
    service.then(asks("c1", "note", "{}")).then(START, LOST).then(says("noted"));
    var error = assertThrows(TrunklineException.class, () -> way.read(chat, "go"));
    assertEquals("CONNECTION_LOST", error.reason());
    assertEquals(toolResult("c1", List.of(), false), chat.messages().get(2));
    assertEquals("noted", way.last(chat).text());
    assertEquals(List.of("{}"), made);
  }

  @ParameterizedTest
  @EnumSource
  void aToolMayAnswerLater(Way way) {
    chat.tools(
        Tool.ofJson("soon", "", "", arguments -> CompletableFuture.supplyAsync(() -> "now")),
        Tool.ofJson("never", "", "", arguments -> CompletableFuture.failedFuture(new IllegalStateException("no"))));
    service.then(asks("c1", "soon", "{}", "c2", "never", "{}")).then(says("ok"));
    way.read(chat, "go");
    assertEquals(toolResult("c1", "now"), chat.messages().get(2));
    assertEquals(
        toolResult("c2", List.of(Parts.text("IllegalStateException: no")), true), chat.messages().get(3));
  }

  @Test
  void leavingARunCancelsItsTurn() throws InterruptedException {
    service.then(START, WAIT);
    try (Run run = chat.run("go")) {
      run.next();
      assertThrows(IllegalStateException.class, run::done);
    }
    service.awaitLeft();
    service.then(says("b"));
    assertEquals("b", chat.complete("hi").text());
  }

  @Test
  void cancelDuringATurn() throws InterruptedException {
    service.then(START, WAIT);
    Run run = chat.run("go");
    run.next();
    run.cancel();
    assertEquals("CANCELLED", assertThrows(TrunklineException.class, run::next).reason());
    assertEquals(false, run.hasNext());
    service.awaitLeft();
  }

  @Test
  void cancelBetweenTwoTurns() {
    List<Run> holder = new ArrayList<>();
    chat.tools(
        Tool.ofJson(
            "stop",
            "",
            "",
            arguments -> {
              holder.get(0).cancel();
              return null;
            }));
    service.then(asks("c1", "stop", "{}", "c2", "stop", "{}"));
    holder.add(chat.run("go"));
    Run run = holder.get(0);
    assertEquals("CANCELLED", assertThrows(TrunklineException.class, run::result).reason());
    assertEquals(false, run.hasNext());
    assertEquals(2, chat.openCalls().size());
    assertEquals(1, service.requests.size());
  }

  @Test
  void asyncCallsOfOneAnswerRunSideBySide() {
    CyclicBarrier together = new CyclicBarrier(2);
    chat.tools(
        Tool.ofJson(
            "meet",
            "",
            "",
            arguments -> {
              together.await(5, TimeUnit.SECONDS);
              return "met";
            }));
    service.then(asks("c1", "meet", "{}", "c2", "meet", "{}")).then(says("ok"));
    Way.ASYNC.read(chat, "go");
    assertEquals(List.of(toolResult("c1", "met"), toolResult("c2", "met")), chat.messages().subList(2, 4));
  }

  @Test
  void asyncCancelWhileToolsRun() throws InterruptedException {
    CompletableFuture<Void> called = new CompletableFuture<>();
    CompletableFuture<String> never = new CompletableFuture<>();
    chat.tools(
        Tool.ofJson(
            "wait",
            "",
            "",
            arguments -> {
              called.complete(null);
              return never;
            }));
    service.then(asks("c1", "wait", "{}"));
    AsyncRun run = chat.runAsync("go");
    CompletableFuture<Done> result = run.result();
    called.join();
    run.cancel();
    assertEquals("CANCELLED", assertThrows(TrunklineException.class, () -> TurnTest.join(result)).reason());
    never.complete("late");
    assertEquals(1, chat.openCalls().size());
    assertEquals(1, service.requests.size());
  }

  @Test
  void asyncCancelDuringATurnAndBeforeTheFirst() throws InterruptedException {
    AsyncRun unread = chat.runAsync("go");
    unread.cancel();
    assertThrows(TrunklineException.class, () -> TurnTest.join(unread.result()));
    service.then(START, WAIT);
    AsyncRun run = chat.runAsync("go");
    CompletableFuture<Done> result = run.result();
    service.waiting.await();
    run.cancel();
    assertEquals("CANCELLED", assertThrows(TrunklineException.class, () -> TurnTest.join(result)).reason());
    service.awaitLeft();
  }

  @Test
  void aRunFailsWhereAnotherTurnIsOpen() {
    Turn open = chat.stream("hi");
    for (Way way : Way.values()) {
      assertThrows(IllegalStateException.class, () -> way.read(chat, "go"));
    }
    open.close();
  }
}
