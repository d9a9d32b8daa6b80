package dev.trunkline;

/** How much the model writes. A value that is newer than this client: {@link Options#verbosity(String)}. */
public enum Verbosity {
  /** Little. */
  LOW,
  /** As most models do by default. */
  MEDIUM,
  /** Much. */
  HIGH;

  /** The upstream's word, for example {@code low}. */
  @Override
  public String toString() {
    return Wire.word(this);
  }
}
