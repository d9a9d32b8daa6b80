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
  /** It waits for {@link Done#actions} to be answered. */
  ACTION_REQUIRED,
  /** Absent, or newer than this client. */
  UNKNOWN;

  /** The name in Trunkline's documentation, for example {@code tool_use}. */
  @Override
  public String toString() {
    return Wire.word(this);
  }
}
