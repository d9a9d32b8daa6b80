package dev.trunkline;

/**
 * What happens in a turn: a {@link Start}, content, and a {@link Done}. A failure is no event: it is thrown.
 *
 * <p>{@code contentIndex} is the index of the part in the message of {@code Done}.
 */
public sealed interface Event
    permits Event.Start,
        Event.TextDelta,
        Event.ReasoningDelta,
        Event.RefusalDelta,
        Event.ToolCallDelta,
        Event.ItemProgress,
        Done {

  /**
   * The upstream began the turn. What is true in the end stands in the report of {@link Done}.
   *
   * @param turnId the service's id of this turn; in its logs and on its span
   * @param model the model that the upstream named
   * @param transport what carries the turn
   * @param context how much of the conversation was sent
   */
  record Start(String turnId, String model, Transport transport, Report.Context context) implements Event {}

  /**
   * A piece of text.
   *
   * @param contentIndex the index of the part
   * @param delta the text to append
   */
  record TextDelta(int contentIndex, String delta) implements Event {}

  /**
   * A piece of reasoning.
   *
   * @param contentIndex the index of the part
   * @param delta the text to append
   * @param kind summary or full text
   */
  record ReasoningDelta(int contentIndex, String delta, Kind kind) implements Event {
    /** What a piece of reasoning is. */
    public enum Kind {
      /** A summary, made for people. */
      SUMMARY,
      /** The full text. */
      TEXT,
      /** Absent, or newer than this client. */
      UNKNOWN;

      /** The name in Trunkline's documentation, for example {@code summary}. */
      @Override
      public String toString() {
        return Wire.word(this);
      }
    }
  }

  /**
   * A piece of a refusal.
   *
   * @param contentIndex the index of the part
   * @param delta the text to append
   */
  record RefusalDelta(int contentIndex, String delta) implements Event {}

  /**
   * A piece of a tool call.
   *
   * @param contentIndex the index of the part
   * @param callId joins the call and its result
   * @param name the name of the tool
   * @param delta the piece to append, of JSON or of a custom tool's text; empty when the call is first seen
   */
  record ToolCallDelta(int contentIndex, String callId, String name, String delta) implements Event {}

  /**
   * What the upstream says of an item that grows: a search that runs, a piece of code, a partial image.
   *
   * @param contentIndex the index of the part
   * @param itemType the type of the item; empty where the upstream did not announce it
   * @param eventType the upstream's, for example {@code response.web_search_call.searching}
   * @param json the upstream's event as it wrote it; empty: it was too large for a message
   */
  record ItemProgress(int contentIndex, String itemType, String eventType, String json) implements Event {}
}
