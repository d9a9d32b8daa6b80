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
 * upstream") is retried. This class returns how long to wait; its caller waits.
 */
final class Attempts {
  private final Retry policy;
  private final Optional<Duration> timeout;
  private final DoubleSupplier jitter;
  private Deadline deadline;
  private int made;

  /** {@code jitter} is from 0 to 1. */
  Attempts(Retry policy, Optional<Duration> timeout, DoubleSupplier jitter) {
    this.policy = policy;
    this.timeout = timeout;
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

  /** How long to wait before the next try; empty: there is none, throw the error. */
  Optional<Duration> delay(TrunklineException error) {
    Duration asked = error.retryAfter().orElse(Duration.ZERO);
    if (!error.unsent() || made >= policy.attempts() || asked.compareTo(policy.patience()) > 0) {
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

  /** {@link Duration#toNanos} throws on "for ever". */
  static long nanos(Duration duration) {
    return TimeUnit.NANOSECONDS.convert(duration);
  }
}
