package dev.trunkline;

import dev.trunkline.v1.CompleteResponse;
import dev.trunkline.v1.Message;
import dev.trunkline.v1.ToolCallPart;
import dev.trunkline.v1.UpstreamItemPart;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * The turn ended well: the last event of a streamed turn, and what {@code complete} returns.
 *
 * @param message the whole answer, to be echoed unchanged in the next request
 * @param stopReason why the model stopped
 * @param usage what it cost
 * @param model the model that answered
 * @param provider who provided it
 * @param createdAt when the upstream created the response
 * @param report how the turn ran
 * @param serviceTier the tier that the upstream used; empty: it names none
 * @param continuation what the next request of this conversation sends as its {@code continuation}; empty: none. A
 *     conversation sends it by itself
 */
public record Done(
    Message message,
    StopReason stopReason,
    Usage usage,
    String model,
    String provider,
    Optional<Instant> createdAt,
    Report report,
    String serviceTier,
    String continuation)
    implements Event {

  /** All text of the answer; refusals, reasoning and tool calls are not text. */
  public String text() {
    return Messages.textOf(message);
  }

  /** The refusal, or an empty string. */
  public String refusal() {
    return Messages.refusalOf(message);
  }

  /** The tools that the model calls, with its arguments. */
  public List<ToolCallPart> toolCalls() {
    return Messages.toolCallsOf(message);
  }

  /** The items that have no part of their own, such as the calls of hosted tools. */
  public List<UpstreamItemPart> upstreamItems() {
    return Messages.upstreamItemsOf(message);
  }

  /** The items for which the model waits: an approval, a shell, a patch. See {@link Conversation#answer}. */
  public List<UpstreamItemPart> actions() {
    return stopReason == StopReason.ACTION_REQUIRED ? Items.actionsOf(message) : List.of();
  }

  /** The citations of the text: each a JSON object of the upstream. */
  public List<String> annotations() {
    return Messages.annotationsOf(message);
  }

  /**
   * The answer as a record, where {@link Options#jsonSchema(Class)} asked for one. One that was refused, is cut short or
   * does not fit: {@link OutputParsingException}.
   */
  public <T extends Record> T parsed(Class<T> kind) {
    return Output.read(this, kind);
  }

  /** The log probabilities of the text, where they were asked for: each a JSON object of the upstream. */
  public List<String> logprobs() {
    return Messages.logprobsOf(message);
  }

  static Done from(dev.trunkline.v1.Done wire) {
    return new Done(
        wire.getMessage(),
        Wire.word(wire.getStopReason(), "STOP_REASON_", StopReason.UNKNOWN),
        Usage.from(wire.getUsage()),
        wire.getModel(),
        wire.getProvider(),
        wire.hasCreatedAt() ? Optional.of(Wire.instant(wire.getCreatedAt())) : Optional.empty(),
        Report.from(wire.getReport()),
        wire.getServiceTier(),
        wire.getContinuation());
  }

  static Done from(CompleteResponse wire) {
    return new Done(
        wire.getMessage(),
        Wire.word(wire.getStopReason(), "STOP_REASON_", StopReason.UNKNOWN),
        Usage.from(wire.getUsage()),
        wire.getModel(),
        wire.getProvider(),
        wire.hasCreatedAt() ? Optional.of(Wire.instant(wire.getCreatedAt())) : Optional.empty(),
        Report.from(wire.getReport()),
        wire.getServiceTier(),
        wire.getContinuation());
  }
}
