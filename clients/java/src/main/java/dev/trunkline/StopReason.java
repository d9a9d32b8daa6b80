package dev.trunkline;

/** Why the model stopped. */
public enum StopReason {
  /** It was done. */
  STOP,
  /** It waits for the results of tools. */
  TOOL_USE,
  /** It reached a limit of length. A truncated tool call is left out of the message. */
  LENGTH,
  /** A filter cut it. */
  CONTENT_FILTER,
  /** Absent, or newer than this client. */
  UNKNOWN;

  /** The name in Trunkline's documentation, for example {@code tool_use}. */
  @Override
  public String toString() {
    return Wire.word(this);
  }
}
