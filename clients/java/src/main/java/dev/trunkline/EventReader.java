package dev.trunkline;

import dev.trunkline.Event.ItemProgress;
import dev.trunkline.Event.ReasoningDelta;
import dev.trunkline.Event.RefusalDelta;
import dev.trunkline.Event.Start;
import dev.trunkline.Event.TextDelta;
import dev.trunkline.Event.ToolCallDelta;
import dev.trunkline.v1.StreamCompletionResponse;
import java.util.Optional;

/** Converts events from the wire. Unknown kinds, which a newer service may send, are ignored. */
final class EventReader {
  private EventReader() {}

  /** Empty: an event kind that this client does not know, a heartbeat, or an error: they are no events here. */
  static Optional<Event> from(StreamCompletionResponse wire) {
    return Optional.ofNullable(
        switch (wire.getEventCase()) {
          case START -> start(wire.getStart());
          case TEXT_DELTA -> new TextDelta(wire.getTextDelta().getContentIndex(), wire.getTextDelta().getDelta());
          case REASONING_DELTA -> reasoning(wire.getReasoningDelta());
          case REFUSAL_DELTA ->
              new RefusalDelta(wire.getRefusalDelta().getContentIndex(), wire.getRefusalDelta().getDelta());
          case TOOL_CALL_DELTA -> toolCall(wire.getToolCallDelta());
          case ITEM_PROGRESS -> progress(wire.getItemProgress());
          case DONE -> Done.from(wire.getDone());
          case HEARTBEAT, ERROR, EVENT_NOT_SET -> null;
        });
  }

  private static Start start(dev.trunkline.v1.Start wire) {
    return new Start(
        wire.getTurnId(),
        wire.getModel(),
        Wire.transport(wire.getTransport()),
        Report.Context.from(wire.getContext()));
  }

  private static ReasoningDelta reasoning(dev.trunkline.v1.ReasoningDelta wire) {
    ReasoningDelta.Kind kind = Wire.word(wire.getKind(), "REASONING_KIND_", ReasoningDelta.Kind.UNKNOWN);
    return new ReasoningDelta(wire.getContentIndex(), wire.getDelta(), kind);
  }

  private static ItemProgress progress(dev.trunkline.v1.ItemProgress wire) {
    return new ItemProgress(wire.getContentIndex(), wire.getItemType(), wire.getEventType(), wire.getJson());
  }

  private static ToolCallDelta toolCall(dev.trunkline.v1.ToolCallDelta wire) {
    return new ToolCallDelta(wire.getContentIndex(), wire.getCallId(), wire.getName(), wire.getArgumentsDelta());
  }
}
