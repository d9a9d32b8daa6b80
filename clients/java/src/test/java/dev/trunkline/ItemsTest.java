package dev.trunkline;

import static dev.trunkline.Messages.toolResult;
import static dev.trunkline.Messages.user;
import static dev.trunkline.Scripted.START;
import static dev.trunkline.Scripted.says;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.trunkline.v1.ItemProgress;
import dev.trunkline.v1.Message;
import dev.trunkline.v1.Part;
import dev.trunkline.v1.StreamCompletionResponse;
import dev.trunkline.v1.TextPart;
import dev.trunkline.v1.ToolCallPart;
import dev.trunkline.v1.UpstreamItemPart;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(20)
class ItemsTest {
  private static final String REQUEST = "{ \"type\": \"mcp_approval_request\",\"id\":\"mcpr_1\" }";
  private static final Tool LOOK = Tool.ofJson("look", "", "", arguments -> "seen " + arguments);

  private final Scripted service = new Scripted();
  private final Trunkline client = service.client();
  private final Conversation chat = client.conversation("m", "s1").tools(LOOK);

  @AfterEach
  void close() {
    client.close();
    service.close();
  }

  private static UpstreamItemPart item(String json) {
    return Parts.upstreamItem(json).getUpstreamItem();
  }

  private static Part call(String id) {
    return Part.newBuilder()
        .setToolCall(ToolCallPart.newBuilder().setCallId(id).setName("look").setArguments("{}"))
        .build();
  }

  private static dev.trunkline.v1.Done.Builder waiting(Part... parts) {
    return dev.trunkline.v1.Done.newBuilder()
        .setMessage(Message.newBuilder().addAllParts(List.of(parts)))
        .setStopReason(dev.trunkline.v1.StopReason.STOP_REASON_ACTION_REQUIRED);
  }

  @Test
  void anItemIsKeptAsItIsWritten() {
    Map.of(REQUEST, "mcp_approval_request", "{\"type\":7}", "", "{\"id\":1}", "", "[\"type\"]", "", "{", "", "", "")
        .forEach(
            (json, type) ->
                assertEquals(UpstreamItemPart.newBuilder().setType(type).setJson(json).build(), item(json)));
  }

  @Test
  void approvalsNameTheRequestThatTheyAnswer() {
    String yes = "{\"type\":\"mcp_approval_response\",\"approval_request_id\":\"mcpr_1\",\"approve\":true}";
    String no = yes.replace("true}", "false,\"reason\":\"<no>\"}");
    assertEquals(yes, Parts.approval(item(REQUEST), true).getUpstreamItem().getJson());
    assertEquals(no, Parts.approval(item(REQUEST), false, "<no>").getUpstreamItem().getJson());
    Stream.of("{\"type\":\"shell_call\",\"id\":\"x\"}", "{\"type\":\"mcp_approval_request\"}")
        .forEach(
            other -> assertThrows(IllegalArgumentException.class, () -> Parts.approval(item(other), true)));
  }

  @Test
  void actionsAreTheItemsThatNothingAnswers() {
    Part[] parts =
        Stream.of(
                "{\"type\":\"web_search_call\",\"id\":\"ws_1\"}",
                "{\"type\":\"shell_call\",\"call_id\":\"c1\"}",
                "{\"type\":\"shell_call\",\"call_id\":\"c2\"}",
                "{\"type\":\"shell_call_output\",\"call_id\":\"c1\"}",
                "{\"type\":\"mcp_approval_request\",\"id\":\"mcpr_2\"}",
                "{\"type\":\"mcp_call\",\"approval_request_id\":\"mcpr_2\"}",
                "{\"type\":\"apply_patch_call\",\"call_id\":7}",
                REQUEST,
                "not JSON")
            .map(Parts::upstreamItem)
            .toArray(Part[]::new);
    Done done = Done.from(waiting(parts).build());
    assertEquals(
        List.of("shell_call", "mcp_approval_request"),
        done.actions().stream().map(UpstreamItemPart::getType).toList());
    assertEquals(parts.length, done.upstreamItems().size());
    var stopped = waiting(parts).setStopReason(dev.trunkline.v1.StopReason.STOP_REASON_STOP);
    assertEquals(List.of(), Done.from(stopped.build()).actions());
  }

  @Test
  void citationsAndLogprobsOfAllTexts() {
    Part[] texts =
        Stream.of("[{\"url\":\"1\"}, {\"url\":\"2\"}]", "[{", "", "[{\"index\":3.10}]")
            .map(list -> TextPart.newBuilder().setAnnotationsJson(list).setLogprobsJson(list))
            .map(text -> Part.newBuilder().setText(text).build())
            .toArray(Part[]::new);
    Done done = Done.from(waiting(texts).build());
    List<String> all = List.of("{\"url\":\"1\"}", "{\"url\":\"2\"}", "{\"index\":3.10}");
    assertEquals(all, done.annotations());
    assertEquals(all, done.logprobs());
  }

  @ParameterizedTest
  @EnumSource
  void aRunStopsWhereTheModelWaitsAndAnswerGoesOn(RunTest.Way way) {
    Part open = call("c1");
    var waits = waiting(Parts.upstreamItem(REQUEST), open);
    service.then(START, StreamCompletionResponse.newBuilder().setDone(waits).build()).then(says("done"));
    Done stopped = way.last(chat, "go");
    assertEquals(StopReason.ACTION_REQUIRED, stopped.stopReason());
    assertEquals(1, service.requests.size());
    Part yes = Parts.approval(stopped.actions().get(0), true);
    Done last =
        way == RunTest.Way.ASYNC
            ? TurnTest.join(chat.answerAsync(List.of(yes)).result())
            : chat.answer(List.of(yes)).result();
    assertEquals("done", last.text());
    assertEquals(
        List.of(user("go"), stopped.message(), toolResult("c1", "seen {}"), Messages.actionResult(yes)),
        service.requests.get(1).getMessagesList());
  }

  @Test
  void aCallThatAnItemAnswersIsNotOpen() {
    chat.messages()
        .add(
            Message.newBuilder()
                .addParts(call("c1"))
                .addParts(call("c2"))
                .addParts(Parts.upstreamItem("{\"type\":\"function_call_output\",\"call_id\":\"c1\"}"))
                .addParts(Parts.upstreamItem("{\"type\":\"shell_call\",\"call_id\":\"c2\"}"))
                .build());
    assertEquals(List.of("c2"), chat.openCalls().stream().map(ToolCallPart::getCallId).toList());
    Part output = Parts.upstreamItem("{\"type\":\"custom_tool_call_output\",\"call_id\":\"c2\"}");
    chat.messages().add(Messages.actionResult(output));
    assertEquals(List.of(), chat.openCalls());
  }

  @Test
  void progressIsAnEventAndTheEndHasTierUsageAndIgnoredEvents() {
    var progress =
        ItemProgress.newBuilder()
            .setContentIndex(2)
            .setItemType("web_search_call")
            .setEventType("response.x")
            .setJson("{}");
    var end = Scripted.done(Parts.text("ok")).toBuilder();
    end.getDoneBuilder().setServiceTier("flex").getUsageBuilder().setDetailsJson("{ }");
    end.getDoneBuilder().getReportBuilder().putIgnoredEvents("response.odd", 2);
    service.then(START, StreamCompletionResponse.newBuilder().setItemProgress(progress).build(), end.build());
    List<Event> events = RunTest.Way.BLOCKING.read(chat, "go");
    assertEquals(new Event.ItemProgress(2, "web_search_call", "response.x", "{}"), events.get(1));
    Done done = (Done) events.get(2);
    assertEquals("flex", done.serviceTier());
    assertEquals("{ }", done.usage().detailsJson());
    assertEquals(Map.of("response.odd", 2), done.report().ignoredEvents());
  }
}
