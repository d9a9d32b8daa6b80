package dev.trunkline;

import dev.trunkline.v1.TurnReport;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * How a turn ran, and why so. The reasons are words such as {@code preferred} or {@code history_edited}, an open set.
 *
 * @param responseId the upstream's id of the response
 * @param transport what carried the turn to its end
 * @param transportReason why that transport
 * @param context how much of the conversation was sent, the last time
 * @param contextReason why that much
 * @param attempts requests written upstream; more than one: the turn was replayed before content
 * @param connectionReused the connection was open before the turn
 * @param timings how long each phase took
 * @param bytesSent payload bytes of the last request
 * @param bytesSaved how many more bytes the same request would have had, sent in full
 * @param ignoredEvents events of the upstream that were skipped: how many of each type
 * @param attached this call did not start the turn: it attached to one that its turn key names
 * @param upstream the name of the upstream that answered; empty: the only one
 * @param upstreamReason why it was that one; empty: it is the only one
 */
public record Report(
    String responseId,
    Transport transport,
    String transportReason,
    Context context,
    String contextReason,
    int attempts,
    boolean connectionReused,
    Timings timings,
    long bytesSent,
    long bytesSaved,
    Map<String, Integer> ignoredEvents,
    boolean attached,
    String upstream,
    String upstreamReason) {

  /** How much of a conversation was sent. */
  public enum Context {
    /** All of it. */
    FULL,
    /** What the upstream had not seen yet. */
    INCREMENTAL,
    /** Absent, or newer than this client. */
    UNKNOWN;

    /** The name in Trunkline's documentation, for example {@code incremental}. */
    @Override
    public String toString() {
      return Wire.word(this);
    }

    static Context from(dev.trunkline.v1.Context wire) {
      return Wire.word(wire, "CONTEXT_", UNKNOWN);
    }
  }

  /**
   * Empty: it did not happen. The last three count from the start of the turn.
   *
   * @param queue waiting for a place
   * @param connect opening the connection
   * @param firstEvent until the upstream's first event
   * @param firstContent until the first content
   * @param total until the end
   */
  public record Timings(
      Optional<Duration> queue,
      Optional<Duration> connect,
      Optional<Duration> firstEvent,
      Optional<Duration> firstContent,
      Optional<Duration> total) {

    static Timings from(dev.trunkline.v1.Timings wire) {
      return new Timings(
          when(wire.hasQueue(), wire.getQueue()),
          when(wire.hasConnect(), wire.getConnect()),
          when(wire.hasFirstEvent(), wire.getFirstEvent()),
          when(wire.hasFirstContent(), wire.getFirstContent()),
          when(wire.hasTotal(), wire.getTotal()));
    }

    private static Optional<Duration> when(boolean present, com.google.protobuf.Duration wire) {
      return present ? Optional.of(Wire.duration(wire)) : Optional.empty();
    }
  }

  /** Only what the upstream had not seen yet was sent. */
  public boolean incremental() {
    return context == Context.INCREMENTAL;
  }

  static Report from(TurnReport wire) {
    return new Report(
        wire.getResponseId(),
        Wire.transport(wire.getTransport()),
        wire.getTransportReason(),
        Context.from(wire.getContext()),
        wire.getContextReason(),
        wire.getAttempts(),
        wire.getConnectionReused(),
        Timings.from(wire.getTimings()),
        wire.getBytesSent(),
        wire.getBytesSaved(),
        Map.copyOf(wire.getIgnoredEventsMap()),
        wire.getAttached(),
        wire.getUpstream(),
        wire.getUpstreamReason());
  }
}
