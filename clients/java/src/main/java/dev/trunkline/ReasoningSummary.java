package dev.trunkline;

/** How the model's reasoning is summarized. A value that is newer than this client: {@link Options#reasoningSummary(String)}. */
public enum ReasoningSummary {
  /** As the model can. */
  AUTO,
  /** In short. */
  CONCISE,
  /** At length. */
  DETAILED;

  /** The upstream's word, for example {@code concise}. */
  @Override
  public String toString() {
    return Wire.word(this);
  }
}
