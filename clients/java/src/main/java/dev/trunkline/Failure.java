package dev.trunkline;

import dev.trunkline.v1.Message;
import io.grpc.Status;
import java.io.Serial;
import java.io.Serializable;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/** What is known of a failed call: filled in once, and then only read, by its {@link TrunklineException}. */
final class Failure implements Serializable {
  @Serial private static final long serialVersionUID = 1L;

  /** How a connection that breaks ends a call, depending on what breaks it. OK: a stream that just ends. */
  private static final Set<Status.Code> BROKEN =
      Set.of(
          Status.Code.OK,
          Status.Code.CANCELLED,
          Status.Code.UNKNOWN,
          Status.Code.INTERNAL,
          Status.Code.UNAVAILABLE);

  /** The class of each reason that the service reports. A newer reason has none of its own. */
  private static final Map<String, Function<Failure, TrunklineException>> REASONS =
      Map.ofEntries(
          Map.entry("INVALID_REQUEST", TrunklineException.InvalidRequest::new),
          Map.entry("MESSAGE_TOO_BIG", TrunklineException.InvalidRequest::new),
          Map.entry("CONTEXT_LENGTH_EXCEEDED", TrunklineException.ContextLength::new),
          Map.entry("UNAUTHENTICATED", TrunklineException.Unauthenticated::new),
          Map.entry("PERMISSION_DENIED", TrunklineException.PermissionDenied::new),
          Map.entry("SESSION_NOT_FOUND", TrunklineException.NotFound::new),
          Map.entry("TURN_NOT_FOUND", TrunklineException.NotFound::new),
          Map.entry("RATE_LIMITED", TrunklineException.RateLimited::new),
          Map.entry("QUOTA_EXHAUSTED", TrunklineException.QuotaExhausted::new),
          Map.entry("OVERLOADED", TrunklineException.Overloaded::new),
          Map.entry("CONNECT_FAILED", TrunklineException.ConnectionFailed::new),
          Map.entry("CONNECTION_LOST", TrunklineException.ConnectionFailed::new),
          Map.entry("INTERRUPTED", TrunklineException.ConnectionFailed::new),
          Map.entry("SHUTTING_DOWN", TrunklineException.ConnectionFailed::new),
          Map.entry("TIMEOUT", TrunklineException.TimedOut::new),
          Map.entry("UPSTREAM_AUTH", TrunklineException.UpstreamFailed::new),
          Map.entry("UPSTREAM_ERROR", TrunklineException.UpstreamFailed::new),
          Map.entry("PROTOCOL_ERROR", TrunklineException.UpstreamFailed::new),
          Map.entry("INTERNAL", TrunklineException.Internal::new),
          Map.entry("CANCELLED", TrunklineException.Cancelled::new),
          Map.entry("TAKEN_OVER", TrunklineException.TakenOver::new));

  /** The class of a status that comes alone: from gRPC itself, or from a proxy. */
  private static final Map<Status.Code, Function<Failure, TrunklineException>> STATUSES =
      Map.ofEntries(
          Map.entry(Status.Code.OK, TrunklineException.ConnectionFailed::new),
          Map.entry(Status.Code.UNKNOWN, TrunklineException.ConnectionFailed::new),
          Map.entry(Status.Code.INTERNAL, TrunklineException.ConnectionFailed::new),
          Map.entry(Status.Code.UNAVAILABLE, TrunklineException.ConnectionFailed::new),
          Map.entry(Status.Code.DEADLINE_EXCEEDED, TrunklineException.TimedOut::new),
          Map.entry(Status.Code.CANCELLED, TrunklineException.Cancelled::new),
          Map.entry(Status.Code.UNAUTHENTICATED, TrunklineException.Unauthenticated::new),
          Map.entry(Status.Code.PERMISSION_DENIED, TrunklineException.PermissionDenied::new));

  final String reason;
  final String detail;
  final Status.Code status;
  transient Throwable cause; // the exception has it
  boolean retryable;
  Duration retryAfter;
  Boolean sent;
  Message partial;
  TrunklineException.Upstream upstream;
  transient Usage usage;
  transient Report report;
  List<TrunklineException.Violation> violations = List.of();
  Map<String, String> metadata = Map.of();
  boolean reported; // by the service itself, and not by what is between

  Failure(String reason, String detail, Status.Code status) {
    this.reason = reason;
    this.detail = detail;
    this.status = status;
  }

  /** Of the class that the reason has, or, where the service itself said nothing, the status. */
  TrunklineException exception() {
    Function<Failure, TrunklineException> kind = reported ? REASONS.get(reason) : STATUSES.get(status);
    return kind == null ? new TrunklineException(this) : kind.apply(this);
  }

  /** The same, of a call of which an earlier try may have been sent. */
  Failure sentUnknown() {
    Failure same = new Failure(reason, detail, status);
    same.cause = cause;
    same.retryable = retryable;
    same.retryAfter = retryAfter;
    same.partial = partial;
    same.upstream = upstream;
    same.usage = usage;
    same.report = report;
    same.violations = violations;
    same.metadata = metadata;
    same.reported = reported;
    return same;
  }

  String message() {
    return detail.isEmpty() ? reason : reason + ": " + detail;
  }

  boolean unsent() {
    return status == Status.Code.UNAVAILABLE && Boolean.FALSE.equals(sent);
  }

  boolean lost() {
    return !reported && BROKEN.contains(status);
  }

  boolean left() {
    return !reported && (status == Status.Code.DEADLINE_EXCEEDED || status == Status.Code.CANCELLED);
  }
}
