package dev.trunkline;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.trunkline.TrunklineException.Upstream;
import dev.trunkline.TrunklineException.Violation;
import dev.trunkline.v1.Error;
import dev.trunkline.v1.Message;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * Turns a failed call into a {@link TrunklineException}.
 *
 * <p>Reads the status, its details, and the {@code error} event if there was one. Where they disagree the event wins,
 * since it carries more. Unknown details, and those that a proxy made up, are ignored.
 */
final class Failures {
  private static final String DOMAIN = "trunkline";
  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  private Failures() {}

  static TrunklineException read(Status status, Metadata trailers) {
    return read(status, trailers, Optional.empty(), Optional.empty());
  }

  /** {@code partial} is what the client has gathered; what the service reports takes precedence. */
  static TrunklineException read(
      Status status, Metadata trailers, Optional<Error> event, Optional<Message> partial) {
    Details found = Details.in(trailers);
    Error reported = event.orElse(found.error);
    Status.Code code = status.getCode();
    String said = status.getDescription() == null ? "" : status.getDescription();
    var error =
        new Failure(
            first(reported.getReason(), found.info.getReason(), code.name()), first(reported.getMessage(), said), code);
    error.cause = status.getCause();
    error.retryable = reported.getReason().isEmpty() ? found.saysLater(code) : reported.getRetryable();
    error.retryAfter = retryAfter(reported, found);
    error.sent = sent(code, found, event.isPresent());
    error.partial = reported.hasPartial() ? reported.getPartial() : partial.orElse(null);
    error.upstream = upstream(reported, found.info);
    error.usage = reported.hasUsage() ? Usage.from(reported.getUsage()) : null;
    error.report = reported.hasReport() ? Report.from(reported.getReport()) : null;
    error.violations =
        found.bad.getFieldViolationsList().stream()
            .map(one -> new Violation(one.getField(), one.getDescription()))
            .toList();
    error.metadata = Map.copyOf(found.info.getMetadataMap());
    error.reported = event.isPresent() || found.ours() || !found.error.equals(Error.getDefaultInstance());
    return error.exception();
  }

  /** A stream that ended with OK, which is correct only after {@code done}. */
  static TrunklineException endless(Optional<Message> partial) {
    var error =
        new Failure("PROTOCOL_ERROR", "the stream ended without `done`", Status.Code.OK);
    error.partial = partial.orElse(null);
    return error.exception();
  }

  /** A turn that was to go on, and does not. */
  static TrunklineException lost(String message, Optional<Message> partial) {
    Status.Code status = Status.Code.UNAVAILABLE;
    var error = new Failure(status.name(), message, status);
    error.partial = partial.orElse(null);
    return error.exception();
  }

  static TrunklineException cancelled(String message, Boolean sent, Optional<Message> partial) {
    Status.Code status = Status.Code.CANCELLED;
    var error = new Failure(status.name(), message, status);
    error.sent = sent;
    error.partial = partial.orElse(null);
    return error.exception();
  }

  /** Nothing in it is null. {@code info} is empty unless it is the service's own: others may use the same reasons. */
  private record Details(ErrorInfo info, BadRequest bad, Optional<RetryInfo> retry, Error error) {

    static Details in(Metadata trailers) {
      try {
        byte[] packed = trailers.get(DETAILS);
        return of(com.google.rpc.Status.parseFrom(packed == null ? new byte[0] : packed));
      } catch (InvalidProtocolBufferException | IllegalArgumentException broken) {
        return of(com.google.rpc.Status.getDefaultInstance()); // the status itself still stands
      }
    }

    private static Details of(com.google.rpc.Status status) {
      ErrorInfo info = find(status, ErrorInfo.getDefaultInstance()).orElse(ErrorInfo.getDefaultInstance());
      return new Details(
          info.getDomain().equals(DOMAIN) ? info : ErrorInfo.getDefaultInstance(),
          find(status, BadRequest.getDefaultInstance()).orElse(BadRequest.getDefaultInstance()),
          find(status, RetryInfo.getDefaultInstance()),
          find(status, Error.getDefaultInstance()).orElse(Error.getDefaultInstance()));
    }

    @SuppressWarnings("unchecked") // unpack returns what it was asked for
    private static <M extends com.google.protobuf.Message> Optional<M> find(com.google.rpc.Status status, M kind) {
      for (Any detail : status.getDetailsList()) {
        try {
          if (detail.is(kind.getClass())) {
            return Optional.of((M) detail.unpack(kind.getClass()));
          }
        } catch (InvalidProtocolBufferException broken) {
          return Optional.empty();
        }
      }
      return Optional.empty();
    }

    boolean ours() {
      return !info.getDomain().isEmpty();
    }

    /** Whether a status that came alone invites another try: these are its two ways of doing so. */
    boolean saysLater(Status.Code status) {
      return ours() && (status == Status.Code.UNAVAILABLE || retry.isPresent());
    }
  }

  /** Null: nobody knows. */
  private static Boolean sent(Status.Code status, Details found, boolean event) {
    String said = found.info.getMetadataOrDefault("sent", "");
    if (said.equals("true") || said.equals("false")) {
      return said.equals("true");
    }
    if (event) {
      return true; // it comes once a turn is dispatched, and only then
    }
    return found.ours() && status == Status.Code.UNAVAILABLE ? Boolean.FALSE : null;
  }

  private static Duration retryAfter(Error reported, Details found) {
    if (reported.hasRetryAfter()) {
      return Wire.duration(reported.getRetryAfter());
    }
    return found.retry.map(info -> Wire.duration(info.getRetryDelay())).orElse(null);
  }

  private static Upstream upstream(Error reported, ErrorInfo info) {
    if (reported.hasUpstream()) {
      var said = reported.getUpstream();
      return new Upstream(said.getCode(), said.getType(), said.getStatus(), said.getRequestId());
    }
    Map<String, String> metadata = info.getMetadataMap();
    if (metadata.keySet().stream().noneMatch(key -> key.startsWith("upstream_"))) {
      return null;
    }
    return new Upstream(
        metadata.getOrDefault("upstream_code", ""),
        metadata.getOrDefault("upstream_type", ""),
        number(metadata.getOrDefault("upstream_status", "")),
        metadata.getOrDefault("upstream_request_id", ""));
  }

  private static int number(String digits) {
    try {
      return Integer.parseInt(digits);
    } catch (NumberFormatException none) {
      return 0;
    }
  }

  private static String first(String... candidates) {
    for (String candidate : candidates) {
      if (!candidate.isEmpty()) {
        return candidate;
      }
    }
    return "";
  }
}
