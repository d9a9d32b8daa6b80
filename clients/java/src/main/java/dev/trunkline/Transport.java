package dev.trunkline;

/** How a turn reaches the upstream. */
public enum Transport {
  /** The session's WebSocket; HTTP where that cannot be had. */
  AUTO,
  /** WebSocket only: the turn fails where it cannot be had. */
  WEBSOCKET,
  /** One HTTP request, answered by server-sent events. */
  SSE,
  /** Not told, or newer than this client. */
  UNKNOWN;

  /** The word that the documents of Trunkline use, for example {@code websocket}. */
  @Override
  public String toString() {
    return Wire.word(this);
  }
}
