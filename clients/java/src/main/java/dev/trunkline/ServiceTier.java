package dev.trunkline;

/** How soon, and for what price, the upstream serves a request. A value that is newer than this client: {@link Options#serviceTier(String)}. */
public enum ServiceTier {
  /** As the upstream's project says. */
  AUTO,
  /** The standard. */
  DEFAULT,
  /** Slower, for less. */
  FLEX,
  /** With what the project has bought. */
  SCALE,
  /** Sooner, for more. */
  PRIORITY;

  /** The upstream's word, for example {@code flex}. */
  @Override
  public String toString() {
    return Wire.word(this);
  }
}
