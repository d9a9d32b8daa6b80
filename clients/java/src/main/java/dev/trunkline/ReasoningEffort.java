package dev.trunkline;

/** How hard the model thinks. A value that is newer than this client: {@link Options#reasoningEffort(String)}. */
public enum ReasoningEffort {
  /** Not at all. */
  NONE,
  /** As little as it can. */
  MINIMAL,
  /** A little. */
  LOW,
  /** As most models do by default. */
  MEDIUM,
  /** Hard. */
  HIGH,
  /** Harder. */
  XHIGH,
  /** As hard as it can. */
  MAX;

  /** The upstream's word, for example {@code xhigh}. */
  @Override
  public String toString() {
    return Wire.word(this);
  }
}
