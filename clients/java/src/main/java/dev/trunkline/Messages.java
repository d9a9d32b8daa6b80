package dev.trunkline;

import dev.trunkline.v1.Message;
import dev.trunkline.v1.Part;
import dev.trunkline.v1.Role;
import dev.trunkline.v1.ToolCallPart;
import dev.trunkline.v1.ToolResultPart;
import dev.trunkline.v1.UpstreamItemPart;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Short names for what a conversation is made of. {@link Parts} has the parts.
 *
 * <p>A message is the wire's own {@link Message}, never a copy of it in another shape: what the service answered goes
 * back byte for byte, with fields that this version does not know.
 */
public final class Messages {
  private Messages() {}

  /** A message of the person or program that asks. */
  public static Message user(String text) {
    return user(Parts.text(text));
  }

  /** A message of the person or program that asks: text, images, files. */
  public static Message user(Part... parts) {
    return message(Role.ROLE_USER, Arrays.asList(parts));
  }

  /** System rules inside the conversation. */
  public static Message system(String text) {
    return message(Role.ROLE_SYSTEM, List.of(Parts.text(text)));
  }

  /** Developer rules inside the conversation. */
  public static Message developer(String text) {
    return message(Role.ROLE_DEVELOPER, List.of(Parts.text(text)));
  }

  /** An assistant message that the model did not write itself. Real answers are added by the conversation. */
  public static Message assistant(String text) {
    return message(Role.ROLE_ASSISTANT, List.of(Parts.text(text)));
  }

  /** What a call returned. */
  public static Message toolResult(String callId, String text) {
    return toolResult(callId, List.of(Parts.text(text)), false);
  }

  /** What a call returned: text, images, files, or nothing; {@code isError}: it failed. */
  public static Message toolResult(String callId, List<Part> parts, boolean isError) {
    ToolResultPart result =
        ToolResultPart.newBuilder().setCallId(callId).addAllParts(parts).setIsError(isError).build();
    return message(Role.ROLE_TOOL, List.of(Part.newBuilder().setToolResult(result).build()));
  }

  /** All text of a message, joined; refusals, reasoning and tool calls are not text. */
  public static String textOf(Message message) {
    return message.getPartsList().stream().map(part -> part.getText().getText()).collect(Collectors.joining());
  }

  /** The refusal in a message, or an empty string. */
  public static String refusalOf(Message message) {
    return message.getPartsList().stream().map(part -> part.getRefusal().getText()).collect(Collectors.joining());
  }

  /** The tool calls in a message. */
  public static List<ToolCallPart> toolCallsOf(Message message) {
    return message.getPartsList().stream().filter(Part::hasToolCall).map(Part::getToolCall).toList();
  }

  /** What answers the actions of an answer. {@link Conversation#answer} also sends it. */
  public static Message actionResult(Part... items) {
    return message(Role.ROLE_TOOL, Arrays.asList(items));
  }

  /** The items in a message that have no part of their own, such as the calls of hosted tools. */
  public static List<UpstreamItemPart> upstreamItemsOf(Message message) {
    return message.getPartsList().stream().filter(Part::hasUpstreamItem).map(Part::getUpstreamItem).toList();
  }

  /** The citations of all texts, in order: each a JSON object of the upstream. */
  public static List<String> annotationsOf(Message message) {
    return message.getPartsList().stream()
        .flatMap(part -> Json.elements(part.getText().getAnnotationsJson()).stream())
        .toList();
  }

  /** The log probabilities of all texts, token by token: each a JSON object of the upstream. */
  public static List<String> logprobsOf(Message message) {
    return message.getPartsList().stream()
        .flatMap(part -> Json.elements(part.getText().getLogprobsJson()).stream())
        .toList();
  }

  private static Message message(Role role, Iterable<Part> parts) {
    return Message.newBuilder().setRole(role).addAllParts(parts).build();
  }
}
