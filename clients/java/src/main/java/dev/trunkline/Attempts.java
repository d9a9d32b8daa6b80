package dev.trunkline;

import io.grpc.CallOptions;
import io.grpc.Deadline;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.DoubleSupplier;

/**
 * The attempts of one call: counts them and keeps the deadline, which spans them all.
 *
 * <p>A retry may cost money twice, so only an UNAVAILABLE that carries the service's own ErrorInfo ("nothing was sent
 * upstream") is retried, and, where a turn's key lets the same turn go on, a call whose connection broke. This class
 * returns how long to wait; its caller waits.
 */
final class Attempts {
  /**
   * How often in a row a call whose connection broke is made again while no event comes. With the default pauses that is
   * 8 to 16 s: a proxy or a network that is gone for 5 s costs no answer.
   */
  static final int RESUMES = 8;

  private final Retry policy;
  private final Optional<Duration> timeout;
  private final boolean resumes;
  private final DoubleSupplier jitter;
  private Deadline deadline;
  private int made;
  private boolean lost; // a try was: nobody knows whether it was sent

  /** {@code resumes}: a call whose connection broke is made again. {@code jitter} is from 0 to 1. */
  Attempts(Retry policy, Optional<Duration> timeout, boolean resumes, DoubleSupplier jitter) {
    this.policy = policy;
    this.timeout = timeout;
    this.resumes = resumes;
    this.jitter = jitter;
  }

  /** One more try. The clock of the deadline starts with the first. */
  CallOptions begin(CallOptions options) {
    made++;
    if (timeout.isEmpty()) {
      return options;
    }
    if (deadline == null) {
      deadline = Deadline.after(nanos(timeout.get()), TimeUnit.NANOSECONDS);
    }
    return options.withDeadline(deadline);
  }

  /** The next try is not the first. */
  boolean again() {
    return made > 0;
  }

  /** A new event came: the tries after it are counted from 1 again. */
  void progressed() {
    made = Math.min(made, 1);
  }

  /** How long to wait before the next try; empty: there is none, throw the {@link #verdict}. */
  Optional<Duration> delay(TrunklineException error) {
    lost |= error.lost();
    Duration asked = error.retryAfter().orElse(Duration.ZERO);
    if (made >= most(error) || asked.compareTo(policy.patience()) > 0) {
      return Optional.empty();
    }
    // Never earlier than RetryInfo, and spread after it: all callers got the same one.
    double backoff = Math.min(nanos(policy.cap()), nanos(policy.base()) * Math.pow(2, made - 1));
    Duration delay = asked.plusNanos((long) (backoff * (0.5 + jitter.getAsDouble() / 2)));
    if (deadline != null && deadline.timeRemaining(TimeUnit.NANOSECONDS) <= nanos(delay)) {
      return Optional.empty();
    }
    return Optional.of(delay);
  }

  /** What to throw: an error that says that nothing was sent may end a call of which an earlier try was. */
  TrunklineException verdict(TrunklineException error) {
    return lost && error.sent().equals(Optional.of(false)) ? error.sentUnknown() : error;
  }

  /** How many tries in a row may end so. */
  private int most(TrunklineException error) {
    if (error.unsent()) {
      return policy.attempts();
    }
    return resumes && error.lost() ? 1 + RESUMES : 0;
  }

  /** {@link Duration#toNanos} throws on "for ever". */
  static long nanos(Duration duration) {
    return TimeUnit.NANOSECONDS.convert(duration);
  }
}
