package dev.trunkline;

import dev.trunkline.v1.SessionTurn;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * What the service remembers of a conversation. A cache of one replica, never the truth: that is the caller's.
 *
 * @param sessionId the caller's name for it
 * @param live it has an open connection
 * @param lineState the state of its connection
 * @param turns turns that ended well
 * @param incrementalTurns of these, the incremental ones
 * @param bytesSaved what the incremental ones saved
 * @param createdAt when the service first saw it
 * @param lastUsedAt when it was last used
 * @param runningTurns its turns that run, and those that have ended and are kept for their callers; oldest first
 */
public record Session(
    String sessionId,
    boolean live,
    LineState lineState,
    long turns,
    long incrementalTurns,
    long bytesSaved,
    Optional<Instant> createdAt,
    Optional<Instant> lastUsedAt,
    List<RunningTurn> runningTurns) {

  /**
   * A turn that runs, or is kept.
   *
   * @param turnId the service's id of the turn; empty: it waits for a place
   * @param turnKey the caller's key; empty: it has none
   * @param startedAt when it began
   * @param attached a caller reads it
   * @param ended it has ended and can still be read
   * @param lastSequence the number of its latest event
   */
  public record RunningTurn(
      String turnId,
      String turnKey,
      Optional<Instant> startedAt,
      boolean attached,
      boolean ended,
      long lastSequence) {

    static RunningTurn from(SessionTurn wire) {
      return new RunningTurn(
          wire.getTurnId(),
          wire.getTurnKey(),
          wire.hasStartedAt() ? Optional.of(Wire.instant(wire.getStartedAt())) : Optional.empty(),
          wire.getAttached(),
          wire.getEnded(),
          wire.getLastSequence());
    }
  }

  /** The state of a session's connection. */
  public enum LineState {
    /** There is none. */
    NONE,
    /** It is being opened. */
    DIALING,
    /** It is open and waits for the next turn. */
    IDLE,
    /** A turn runs over it. */
    BUSY,
    /** Absent, or newer than this client. */
    UNKNOWN;

    /** The name in Trunkline's documentation, for example {@code idle}. */
    @Override
    public String toString() {
      return Wire.word(this);
    }
  }

  static Session from(dev.trunkline.v1.Session wire) {
    return new Session(
        wire.getSessionId(),
        wire.getLive(),
        Wire.word(wire.getLineState(), "LINE_STATE_", LineState.UNKNOWN),
        wire.getTurns(),
        wire.getIncrementalTurns(),
        wire.getBytesSaved(),
        wire.hasCreatedAt() ? Optional.of(Wire.instant(wire.getCreatedAt())) : Optional.empty(),
        wire.hasLastUsedAt() ? Optional.of(Wire.instant(wire.getLastUsedAt())) : Optional.empty(),
        wire.getRunningTurnsList().stream().map(RunningTurn::from).toList());
  }
}
