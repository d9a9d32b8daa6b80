package dev.trunkline;

/** How a turn reaches the upstream. */
public enum Transport {
  /** The session's WebSocket; HTTP where that is unavailable. */
  AUTO,
  /** WebSocket only: the turn fails where it is unavailable. */
  WEBSOCKET,
  /** One HTTP request, answered by server-sent events. */
  SSE,
  /** Absent, or newer than this client. */
  UNKNOWN;

  /** The name in Trunkline's documentation, for example {@code websocket}. */
  @Override
  public String toString() {
    return Wire.word(this);
  }
}
