package dev.trunkline;

/** What the upstream does with a conversation that does not fit the model. A value that is newer than this client: {@link Options#truncation(String)}. */
public enum Truncation {
  /** It leaves out items from the middle. */
  AUTO,
  /** It refuses the request. */
  DISABLED;

  /** The upstream's word, for example {@code auto}. */
  @Override
  public String toString() {
    return Wire.word(this);
  }
}
