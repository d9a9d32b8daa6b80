package dev.trunkline.langchain4j;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.output.FinishReason;
import dev.trunkline.Done;
import dev.trunkline.Messages;
import dev.trunkline.v1.Message;
import dev.trunkline.v1.Part;
import dev.trunkline.v1.Role;
import dev.trunkline.v1.ToolCallPart;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What the model said, as LangChain4j's message and back.
 *
 * <p>An {@link AiMessage} has room for texts, thoughts and calls. Its attributes carry the whole message, so that sealed
 * reasoning, hosted tools, citations and phases go back as they came, through any memory that keeps attributes.
 */
final class Answers {
  private static final String MESSAGE = "trunkline.message";
  private static final String SESSION = "trunkline.session";
  private static final String ANSWER = "trunkline.answer";
  private static final String CONTINUATION = "trunkline.continuation";

  private Answers() {}

  /** Ends the turn. */
  static ChatResponse response(Done done, Sessions.Turn turn) {
    Sessions.Mark mark = turn.ended(done.continuation());
    Map<String, Object> attributes =
        Map.of(
            MESSAGE, Base64.getEncoder().encodeToString(done.message().toByteArray()),
            SESSION, mark.session(),
            ANSWER, mark.answer(),
            CONTINUATION, mark.continuation());
    return ChatResponse.builder()
        .aiMessage(plain(done.message()).toBuilder().attributes(attributes).build())
        .metadata(TrunklineResponseMetadata.of(done, reason(done)))
        .build();
  }

  /** Null: this adapter did not make it. */
  static Sessions.Mark markOf(AiMessage said) {
    Map<String, Object> attributes = said.attributes();
    return attributes.get(SESSION) instanceof String session
            && attributes.get(ANSWER) instanceof String answer
            && attributes.get(CONTINUATION) instanceof String continuation
        ? new Sessions.Mark(session, answer, continuation)
        : null;
  }

  /** The message as the model said it, unless somebody has changed its text or its calls since. */
  static Message said(AiMessage message) {
    if (message.attributes().get(MESSAGE) instanceof String whole) {
      try {
        Message said = Message.parseFrom(Base64.getDecoder().decode(whole));
        if (plain(said).equals(message.toBuilder().attributes(Map.of()).build())) {
          return said;
        }
      } catch (InvalidProtocolBufferException | IllegalArgumentException broken) {
        // Then it is what can be read of it.
      }
    }
    Message.Builder said = Message.newBuilder().setRole(Role.ROLE_ASSISTANT);
    if (message.text() != null) {
      said.addPartsBuilder().getTextBuilder().setText(message.text());
    }
    for (ToolExecutionRequest call : message.toolExecutionRequests()) {
      said.addPartsBuilder()
          .getToolCallBuilder()
          .setCallId(call.id())
          .setName(call.name())
          .setArguments(call.arguments());
    }
    return said.build();
  }

  static ToolExecutionRequest call(ToolCallPart part) {
    return ToolExecutionRequest.builder()
        .id(part.getCallId())
        .name(part.getName())
        .arguments(part.getArguments())
        .build();
  }

  private static AiMessage plain(Message said) {
    String text = Messages.textOf(said) + Messages.refusalOf(said);
    List<ToolCallPart> calls = Messages.toolCallsOf(said);
    String thinking =
        said.getPartsList().stream()
            .map(Part::getReasoning)
            .flatMap(part -> Stream.concat(part.getSummaryList().stream(), part.getContentList().stream()))
            .collect(Collectors.joining("\n\n"));
    return AiMessage.builder()
        .text(text.isEmpty() && !calls.isEmpty() ? null : text)
        .thinking(thinking.isEmpty() ? null : thinking)
        .toolExecutionRequests(calls.stream().map(Answers::call).toList())
        .build();
  }

  private static FinishReason reason(Done done) {
    return switch (done.stopReason()) {
      case STOP -> done.refusal().isEmpty() ? FinishReason.STOP : FinishReason.CONTENT_FILTER;
      case TOOL_USE -> FinishReason.TOOL_EXECUTION;
      case LENGTH -> FinishReason.LENGTH;
      case CONTENT_FILTER -> FinishReason.CONTENT_FILTER;
      case ACTION_REQUIRED, UNKNOWN -> FinishReason.OTHER;
    };
  }
}
