package dev.trunkline;

import static dev.trunkline.Messages.toolResult;
import static dev.trunkline.Scripted.START;
import static dev.trunkline.Scripted.says;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.trunkline.v1.Part;
import dev.trunkline.v1.ToolCallKind;
import dev.trunkline.v1.ToolCallPart;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(20)
class ToolKindsTest {
  private static final Tool LOOK = Tool.ofJson("look", "", "", arguments -> "seen " + arguments);
  private static final Tool SHOUT = Tool.custom("shout", "", input -> "found " + input);

  private final Scripted service = new Scripted();
  private final Trunkline client = service.client();
  private final Conversation chat = client.conversation("m", "s1").tools(LOOK, SHOUT);

  @AfterEach
  void close() {
    client.close();
    service.close();
  }

  private static Part call(String id, String name, String arguments, ToolCallKind kind) {
    return Part.newBuilder()
        .setToolCall(
            ToolCallPart.newBuilder().setCallId(id).setName(name).setArguments(arguments).setKind(kind))
        .build();
  }

  @Test
  void toolsAndAChoiceByDefinitionAreSentAsTheyAreWritten() {
    String search = "{ \"type\": \"web_search\", \"name\": \"unused\" }";
    Tool custom = Tool.custom("count", "Counts <all>.", input -> null);
    chat.tools(SHOUT, custom, Tool.definition(search), Tool.definition("{"));
    service.then(says("ok"));
    chat.with(o -> o.include("a").include("b", "c").choiceDefinition("{\"type\":\"shell\"}")).run("go").result();
    var sent = service.requests.get(0);
    assertEquals(
        List.of(
            "{\"type\":\"custom\",\"name\":\"shout\"}",
            "{\"type\":\"custom\",\"name\":\"count\",\"description\":\"Counts <all>.\"}",
            search,
            "{"),
        sent.getToolsList().stream().map(dev.trunkline.v1.Tool::getDefinitionJson).toList());
    assertEquals(List.of("shout", "count", "", ""), chat.tools().stream().map(Tool::name).toList());
    assertEquals(List.of("b", "c"), sent.getOptions().getIncludeList());
    assertEquals("{\"type\":\"shell\"}", sent.getOptions().getToolChoice().getDefinitionJson());
  }

  @ParameterizedTest
  @EnumSource
  void aCustomToolGetsItsTextAndTheOtherKindIsRefused(RunTest.Way way) {
    ToolCallKind custom = ToolCallKind.TOOL_CALL_KIND_CUSTOM;
    Part[] calls = {
      call("c1", "shout", "{not: json", custom),
      call("c2", "look", "x", custom),
      call("c3", "shout", "{}", ToolCallKind.TOOL_CALL_KIND_FUNCTION),
      call("c4", "look", "{}", ToolCallKind.TOOL_CALL_KIND_UNSPECIFIED)
    };
    service.then(START, Scripted.done(calls)).then(says("ok"));
    way.read(chat, "go");
    assertEquals(
        List.of(
            toolResult("c1", "found {not: json"),
            toolResult("c2", List.of(Parts.text("the tool 'look' is not a custom one")), true),
            toolResult("c3", List.of(Parts.text("the tool 'shout' is a custom one")), true),
            toolResult("c4", "seen {}")),
        chat.messages().subList(2, 6));
  }
}
