package dev.trunkline;

import com.google.gson.JsonObject;
import dev.trunkline.v1.Message;
import dev.trunkline.v1.Part;
import dev.trunkline.v1.ToolCallPart;
import dev.trunkline.v1.UpstreamItemPart;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Reads what the upstream's items ask and answer. An item is parsed to find out what it is, and never changed. */
final class Items {
  private static final String APPROVAL_REQUEST = "mcp_approval_request";

  private record Question(String name, UpstreamItemPart item) {}

  private Items() {}

  static Part part(String json) {
    UpstreamItemPart item =
        UpstreamItemPart.newBuilder().setType(Json.word(Json.fields(json), "type")).setJson(json).build();
    return Part.newBuilder().setUpstreamItem(item).build();
  }

  /** Throws {@link IllegalArgumentException} where the item is no request for approval. */
  static Part approval(UpstreamItemPart request, boolean approve, String reason) {
    String id = Json.word(Json.fields(request.getJson()), "id");
    if (!request.getType().equals(APPROVAL_REQUEST) || id.isEmpty()) {
      String type = request.getType().isEmpty() ? "an item without a type" : request.getType();
      throw new IllegalArgumentException(type + " is not an " + APPROVAL_REQUEST + " with an id");
    }
    Map<String, Object> answer = new LinkedHashMap<>();
    answer.put("type", "mcp_approval_response");
    answer.put("approval_request_id", id);
    answer.put("approve", approve);
    if (!reason.isEmpty()) {
      answer.put("reason", reason);
    }
    return part(Json.write(answer));
  }

  /** The ids of the calls that the message answers: by results of tools, and by output items of any kind. */
  static Set<String> answeredIn(Message message) {
    Set<String> answered = new HashSet<>();
    for (Part part : message.getPartsList()) {
      if (part.hasToolResult()) {
        answered.add(part.getToolResult().getCallId());
      } else if (part.hasUpstreamItem() && part.getUpstreamItem().getType().endsWith("_output")) {
        answered.add(Json.word(Json.fields(part.getUpstreamItem().getJson()), "call_id"));
      }
    }
    return answered;
  }

  /** The calls of the last answer that no message, and no item beside them, has answered yet. */
  static List<ToolCallPart> openCalls(List<Message> messages) {
    Set<String> answered = new HashSet<>();
    for (int i = messages.size() - 1; i >= 0; i--) {
      Message message = messages.get(i);
      answered.addAll(answeredIn(message));
      List<ToolCallPart> calls = Messages.toolCallsOf(message);
      if (!calls.isEmpty()) {
        return calls.stream().filter(call -> !answered.contains(call.getCallId())).toList();
      }
    }
    return List.of();
  }

  /**
   * The items that ask for an answer which no other item of the message gives. A call asks by its {@code call_id} and a
   * request for approval by its {@code id}. A hosted tool's call has no {@code call_id}, or its output is in the same
   * message.
   */
  static List<UpstreamItemPart> actionsOf(Message message) {
    Set<String> answered = answeredIn(message);
    answered.add(""); // what has no name asks nothing
    List<Question> asked = new ArrayList<>();
    for (UpstreamItemPart item : Messages.upstreamItemsOf(message)) {
      JsonObject fields = Json.fields(item.getJson());
      answered.add(Json.word(fields, "approval_request_id"));
      if (item.getType().equals(APPROVAL_REQUEST)) {
        asked.add(new Question(Json.word(fields, "id"), item));
      } else if (item.getType().endsWith("_call")) {
        asked.add(new Question(Json.word(fields, "call_id"), item));
      }
    }
    return asked.stream().filter(one -> !answered.contains(one.name())).map(Question::item).toList();
  }
}
