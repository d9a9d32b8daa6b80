package dev.trunkline;

import java.time.Duration;

/**
 * How often and how patiently a call is tried of which nothing was sent upstream. No other call is ever tried again.
 *
 * @param attempts tries in all; 1: no other
 * @param base the wait before the second try; it doubles from try to try, with jitter
 * @param cap the longest such wait
 * @param patience the longest {@code RetryInfo} that is waited for; a longer one is thrown
 */
public record Retry(int attempts, Duration base, Duration cap, Duration patience) {
  /** Four tries, from 0.1 to 5 seconds between them. */
  public static final Retry DEFAULT =
      new Retry(4, Duration.ofMillis(100), Duration.ofSeconds(5), Duration.ofSeconds(30));

  /** One try. */
  public static final Retry NONE = DEFAULT.withAttempts(1);

  /** Refuses fewer than one attempt. */
  public Retry {
    if (attempts < 1) {
      throw new IllegalArgumentException("attempts: at least 1");
    }
  }

  /** The same with another number of tries. */
  public Retry withAttempts(int attempts) {
    return new Retry(attempts, base, cap, patience);
  }
}
