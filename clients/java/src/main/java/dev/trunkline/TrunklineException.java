package dev.trunkline;

import dev.trunkline.v1.Message;
import io.grpc.Status;
import java.io.Serial;
import java.io.Serializable;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A call failed. Thrown once, with everything that is known.
 *
 * <p>Reasons are an open set: those in the service's docs/protocol.md, or, where the failure is not the service's own,
 * the name of the gRPC status ({@code UNAVAILABLE}, {@code DEADLINE_EXCEEDED}, {@code CANCELLED}). Those that call for
 * different handling are classes of their own; a reason that is newer than this client is a plain one of this class:
 *
 * <pre>{@code
 * try {
 *   chat.complete("…");
 * } catch (TrunklineException.RateLimited limited) {
 *   Thread.sleep(limited.retryAfter().orElse(ofSeconds(1)).toMillis());
 * } catch (TrunklineException.ConnectionFailed | TrunklineException.TimedOut failed) {
 *   again(failed.sent());
 * }
 * }</pre>
 */
public sealed class TrunklineException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1L;

  private final Failure failure;

  /**
   * The upstream's own error.
   *
   * @param code its code, for example {@code rate_limit_exceeded}
   * @param type its type, for example {@code invalid_request_error}
   * @param status the HTTP status, or the close code of the WebSocket; 0: none
   * @param requestId its request id, or the id of the response
   */
  public record Upstream(String code, String type, int status, String requestId) implements Serializable {}

  /**
   * One thing that is wrong with the request.
   *
   * @param field the path of the field
   * @param description what to do
   */
  public record Violation(String field, String description) implements Serializable {}

  TrunklineException(Failure failure) {
    super(failure.message(), failure.cause);
    this.failure = failure;
  }

  /** Why, for programs, for example {@code RATE_LIMITED}. */
  public String reason() {
    return failure.reason;
  }

  /** What happened, for people, without the reason in front of it. */
  public String detail() {
    return failure.detail;
  }

  /** The status of the call; OK where it ended well without an answer. */
  public Status.Code status() {
    return failure.status;
  }

  /** Whether the same request may succeed later. It may cost money twice unless {@link #sent} is false. */
  public boolean retryable() {
    return failure.retryable;
  }

  /** When to try again, where that is known. */
  public Optional<Duration> retryAfter() {
    return Optional.ofNullable(failure.retryAfter);
  }

  /** Whether the request reached the upstream; empty: unknown. */
  public Optional<Boolean> sent() {
    return Optional.ofNullable(failure.sent);
  }

  /** The answer received before the failure. */
  public Optional<Message> partial() {
    return Optional.ofNullable(failure.partial);
  }

  /** The upstream's own error, if it sent one. */
  public Optional<Upstream> upstream() {
    return Optional.ofNullable(failure.upstream);
  }

  /** What it cost, where the upstream reported it. */
  public Optional<Usage> usage() {
    return Optional.ofNullable(failure.usage);
  }

  /** How the turn ran, once something was sent. */
  public Optional<Report> report() {
    return Optional.ofNullable(failure.report);
  }

  /** What is wrong with the request. */
  public List<Violation> violations() {
    return failure.violations;
  }

  /** The metadata of the service's ErrorInfo, for what has no method here. */
  public Map<String, String> metadata() {
    return failure.metadata;
  }

  /** The service reports that nothing was sent upstream and another try may succeed. */
  boolean unsent() {
    return failure.unsent();
  }

  /** The connection broke before the service said how the call ended. */
  boolean lost() {
    return failure.lost();
  }

  /** The caller's own end of the call: its time was up, or its context was cancelled. */
  boolean left() {
    return failure.left();
  }

  /** The same, of a call of which an earlier try may have been sent. */
  TrunklineException sentUnknown() {
    return failure.sentUnknown().exception();
  }

  /** The service or the upstream refuses the request: {@link #violations} names the fields. */
  public static sealed class InvalidRequest extends TrunklineException {
    @Serial private static final long serialVersionUID = 1L;

    InvalidRequest(Failure failure) {
      super(failure);
    }
  }

  /** The conversation does not fit the model: shorten it, for example by {@link Conversation#compact}. */
  public static final class ContextLength extends InvalidRequest {
    @Serial private static final long serialVersionUID = 1L;

    ContextLength(Failure failure) {
      super(failure);
    }
  }

  /** The service does not know the caller: correct the token or the key. */
  public static final class Unauthenticated extends TrunklineException {
    @Serial private static final long serialVersionUID = 1L;

    Unauthenticated(Failure failure) {
      super(failure);
    }
  }

  /** The caller may not do this: use this model, or bring a key. */
  public static final class PermissionDenied extends TrunklineException {
    @Serial private static final long serialVersionUID = 1L;

    PermissionDenied(Failure failure) {
      super(failure);
    }
  }

  /** The replica has no such session or turn. */
  public static final class NotFound extends TrunklineException {
    @Serial private static final long serialVersionUID = 1L;

    NotFound(Failure failure) {
      super(failure);
    }
  }

  /** A rate limit of the upstream: try again after {@link #retryAfter}. */
  public static final class RateLimited extends TrunklineException {
    @Serial private static final long serialVersionUID = 1L;

    RateLimited(Failure failure) {
      super(failure);
    }
  }

  /** The upstream's quota is used up, or its bill is not paid: do not try again. */
  public static final class QuotaExhausted extends TrunklineException {
    @Serial private static final long serialVersionUID = 1L;

    QuotaExhausted(Failure failure) {
      super(failure);
    }
  }

  /** A limit of the service: try again after {@link #retryAfter}. */
  public static final class Overloaded extends TrunklineException {
    @Serial private static final long serialVersionUID = 1L;

    Overloaded(Failure failure) {
      super(failure);
    }
  }

  /** The service or its upstream was not reached, or was lost. {@link #sent}: whether a try may cost twice. */
  public static final class ConnectionFailed extends TrunklineException {
    @Serial private static final long serialVersionUID = 1L;

    ConnectionFailed(Failure failure) {
      super(failure);
    }
  }

  /** The time was up: the caller's own, or a wait of the service, which the message names. */
  public static final class TimedOut extends TrunklineException {
    @Serial private static final long serialVersionUID = 1L;

    TimedOut(Failure failure) {
      super(failure);
    }
  }

  /** The upstream failed, refuses the service's key, or answered what is invalid: {@link #upstream}. */
  public static final class UpstreamFailed extends TrunklineException {
    @Serial private static final long serialVersionUID = 1L;

    UpstreamFailed(Failure failure) {
      super(failure);
    }
  }

  /** A bug of the service. Its log has the details. */
  public static final class Internal extends TrunklineException {
    @Serial private static final long serialVersionUID = 1L;

    Internal(Failure failure) {
      super(failure);
    }
  }

  /** The turn was stopped: by its caller, by {@code cancelTurn}, or since nobody read it. */
  public static final class Cancelled extends TrunklineException {
    @Serial private static final long serialVersionUID = 1L;

    Cancelled(Failure failure) {
      super(failure);
    }
  }

  /** A newer call with the same turn key reads the turn now. */
  public static final class TakenOver extends TrunklineException {
    @Serial private static final long serialVersionUID = 1L;

    TakenOver(Failure failure) {
      super(failure);
    }
  }
}
