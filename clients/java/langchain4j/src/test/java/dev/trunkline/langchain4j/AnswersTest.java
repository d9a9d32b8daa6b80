package dev.trunkline.langchain4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessageDeserializer;
import dev.langchain4j.data.message.ChatMessageSerializer;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.output.FinishReason;
import dev.trunkline.Done;
import dev.trunkline.Messages;
import dev.trunkline.StopReason;
import dev.trunkline.v1.CompleteResponse;
import dev.trunkline.v1.Message;
import dev.trunkline.v1.Role;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class AnswersTest {
  private Fake fake;

  @BeforeEach
  void open() {
    fake = new Fake();
  }

  @AfterEach
  void close() {
    fake.close();
  }

  private ChatResponse response(Message said, StopReason reason) {
    CompleteResponse.Builder answer = CompleteResponse.newBuilder().setMessage(said).setContinuation("token");
    answer.setStopReason(dev.trunkline.v1.StopReason.valueOf("STOP_REASON_" + reason.name()));
    answer.getUsageBuilder().setInputTokens(5).setCachedInputTokens(3).setOutputTokens(2).setReasoningTokens(1);
    Done done = fake.done(answer.build());
    return Answers.response(done, new Sessions().take(List.of(), "ada"));
  }

  /** Everything that LangChain4j has no room for. */
  private static Message.Builder rich() {
    Message.Builder said = Message.newBuilder().setRole(Role.ROLE_ASSISTANT);
    said.addPartsBuilder().setItemId("rs_1").getReasoningBuilder().addSummary("Why.").setEncryptedContent("sealed");
    said.addPartsBuilder().getUpstreamItemBuilder().setType("web_search_call").setJson("{\"type\":\"web_search_call\"}");
    said.addPartsBuilder().setExtraJson("{}").getTextBuilder().setText("Six.").setPhase("final_answer").setAnnotationsJson("[]");
    return said;
  }

  @Test
  void whatTheModelSaidGoesBackAsItCame() {
    AiMessage message = response(rich().build(), StopReason.STOP).aiMessage();
    assertEquals("Six.", message.text());
    assertEquals("Why.", message.thinking());
    assertEquals(rich().build(), Answers.said(message));
    String written = ChatMessageSerializer.messageToJson(message);
    AiMessage read = (AiMessage) ChatMessageDeserializer.messageFromJson(written);
    assertEquals(rich().build(), Answers.said(read));
    assertEquals(new Sessions.Mark("ada", Answers.markOf(message).answer(), "token"), Answers.markOf(read));
  }

  @Test
  void callsAreRequestsOfTools() {
    Message.Builder said = rich().removeParts(2);
    said.addPartsBuilder().getToolCallBuilder().setCallId("c1").setName("tide_at").setArguments("{}");
    ChatResponse response = response(said.build(), StopReason.TOOL_USE);
    assertNull(response.aiMessage().text());
    assertEquals("c1", response.aiMessage().toolExecutionRequests().get(0).id());
    assertEquals(FinishReason.TOOL_EXECUTION, response.finishReason());
    assertEquals(said.build(), Answers.said(response.aiMessage()));
  }

  @Test
  void whatSomebodyHasChangedIsSentAsItIsNow() {
    AiMessage message = response(rich().build(), StopReason.STOP).aiMessage();
    assertEquals(Messages.assistant("Seven."), Answers.said(message.withText("Seven.")));
  }

  @Test
  void anAnswerOfAnotherModelIsWhatCanBeReadOfIt() {
    ToolExecutionRequest call = ToolExecutionRequest.builder().id("c").name("n").arguments("{}").build();
    AiMessage foreign = AiMessage.from("Look:", List.of(call));
    assertNull(Answers.markOf(foreign));
    Message said = Answers.said(foreign);
    assertEquals("Look:", Messages.textOf(said));
    assertEquals("c", Messages.toolCallsOf(said).get(0).getCallId());
    AiMessage broken = foreign.toBuilder().attributes(Map.of("trunkline.message", "%")).build();
    assertEquals(said, Answers.said(broken));
  }

  @Test
  void aRefusalIsTextThatAFilterEnded() {
    Message.Builder said = Message.newBuilder().setRole(Role.ROLE_ASSISTANT);
    said.addPartsBuilder().getRefusalBuilder().setText("I will not.");
    ChatResponse response = response(said.build(), StopReason.STOP);
    assertEquals("I will not.", response.aiMessage().text());
    assertEquals(FinishReason.CONTENT_FILTER, response.finishReason());
  }

  @Test
  void theMetadataHasTheWholeTurn() {
    ChatResponse response = response(rich().build(), StopReason.LENGTH);
    TrunklineTokenUsage usage = (TrunklineTokenUsage) response.tokenUsage();
    assertEquals(List.of(5, 3, 1), List.of(usage.inputTokenCount(), usage.cachedInputTokens(), usage.reasoningTokens()));
    TrunklineTokenUsage both = usage.add(usage);
    assertEquals(List.of(10, 6, 2), List.of(both.inputTokenCount(), both.cachedInputTokens(), both.reasoningTokens()));
    var summed = (TrunklineResponseMetadata) response.metadata().toBuilder().tokenUsage(both).build();
    assertEquals(both, summed.tokenUsage());
    assertEquals("token", summed.done().continuation());
    assertEquals(FinishReason.LENGTH, summed.finishReason());
  }
}
