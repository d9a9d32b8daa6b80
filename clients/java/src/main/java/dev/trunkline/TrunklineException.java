package dev.trunkline;

import dev.trunkline.v1.Message;
import io.grpc.Status;
import java.io.Serial;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A call failed. Thrown once, with everything that is known.
 *
 * <p>Reasons are an open set: those in the service's docs/protocol.md, or, where the failure is not the service's own,
 * the name of the gRPC status ({@code UNAVAILABLE}, {@code DEADLINE_EXCEEDED}, {@code CANCELLED}).
 */
public final class TrunklineException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1L;

  /** How a connection that breaks ends a call, depending on what breaks it. OK: a stream that just ends. */
  private static final Set<Status.Code> BROKEN =
      Set.of(
          Status.Code.OK,
          Status.Code.CANCELLED,
          Status.Code.UNKNOWN,
          Status.Code.INTERNAL,
          Status.Code.UNAVAILABLE);

  private final String reason;
  private final String detail;
  private final Status.Code status;
  private final boolean retryable;
  private final Duration retryAfter;
  private final Boolean sent;
  private final Message partial;
  private final Upstream upstream;
  private final Usage usage;
  private final Report report;
  private final List<Violation> violations;
  private final Map<String, String> metadata;
  private final boolean reported;

  /**
   * The upstream's own error.
   *
   * @param code its code, for example {@code rate_limit_exceeded}
   * @param type its type, for example {@code invalid_request_error}
   * @param status the HTTP status, or the close code of the WebSocket; 0: none
   * @param requestId its request id, or the id of the response
   */
  public record Upstream(String code, String type, int status, String requestId) {}

  /**
   * One thing that is wrong with the request.
   *
   * @param field the path of the field
   * @param description what to do
   */
  public record Violation(String field, String description) {}

  private TrunklineException(Builder builder) {
    super(builder.detail.isEmpty() ? builder.reason : builder.reason + ": " + builder.detail, builder.cause);
    reason = builder.reason;
    detail = builder.detail;
    status = builder.status;
    retryable = builder.retryable;
    retryAfter = builder.retryAfter;
    sent = builder.sent;
    partial = builder.partial;
    upstream = builder.upstream;
    usage = builder.usage;
    report = builder.report;
    violations = builder.violations;
    metadata = builder.metadata;
    reported = builder.reported;
  }

  /** Why, for programs, for example {@code RATE_LIMITED}. */
  public String reason() {
    return reason;
  }

  /** What happened, for people, without the reason in front of it. */
  public String detail() {
    return detail;
  }

  /** The status of the call; OK where it ended well without an answer. */
  public Status.Code status() {
    return status;
  }

  /** Whether the same request may succeed later. It may cost money twice unless {@link #sent} is false. */
  public boolean retryable() {
    return retryable;
  }

  /** When to try again, where that is known. */
  public Optional<Duration> retryAfter() {
    return Optional.ofNullable(retryAfter);
  }

  /** Whether the request reached the upstream; empty: unknown. */
  public Optional<Boolean> sent() {
    return Optional.ofNullable(sent);
  }

  /** The answer received before the failure. */
  public Optional<Message> partial() {
    return Optional.ofNullable(partial);
  }

  /** The upstream's own error, if it sent one. */
  public Optional<Upstream> upstream() {
    return Optional.ofNullable(upstream);
  }

  /** What it cost, where the upstream reported it. */
  public Optional<Usage> usage() {
    return Optional.ofNullable(usage);
  }

  /** How the turn ran, once something was sent. */
  public Optional<Report> report() {
    return Optional.ofNullable(report);
  }

  /** What is wrong with the request. */
  public List<Violation> violations() {
    return violations;
  }

  /** The metadata of the service's ErrorInfo, for what has no method here. */
  public Map<String, String> metadata() {
    return metadata;
  }

  /** The service reports that nothing was sent upstream and another try may succeed. */
  boolean unsent() {
    return status == Status.Code.UNAVAILABLE && Boolean.FALSE.equals(sent);
  }

  /** The connection broke before the service said how the call ended. */
  boolean lost() {
    return !reported && BROKEN.contains(status);
  }

  /** The caller's own end of the call: its time was up, or its context was cancelled. */
  boolean left() {
    return !reported && (status == Status.Code.DEADLINE_EXCEEDED || status == Status.Code.CANCELLED);
  }

  /** The same, of a call of which an earlier try may have been sent. */
  TrunklineException sentUnknown() {
    Builder same = new Builder(reason, detail, status);
    same.cause = getCause();
    same.retryable = retryable;
    same.retryAfter = retryAfter;
    same.partial = partial;
    same.upstream = upstream;
    same.usage = usage;
    same.report = report;
    same.violations = violations;
    same.metadata = metadata;
    same.reported = reported;
    return same.build();
  }

  static final class Builder {
    private final String reason;
    private final String detail;
    private final Status.Code status;
    Throwable cause;
    boolean retryable;
    Duration retryAfter;
    Boolean sent;
    Message partial;
    Upstream upstream;
    Usage usage;
    Report report;
    List<Violation> violations = List.of();
    Map<String, String> metadata = Map.of();
    boolean reported; // by the service itself, and not by what is between

    Builder(String reason, String detail, Status.Code status) {
      this.reason = reason;
      this.detail = detail;
      this.status = status;
    }

    TrunklineException build() {
      return new TrunklineException(this);
    }
  }
}
