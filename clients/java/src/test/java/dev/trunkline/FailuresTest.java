package dev.trunkline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.trunkline.TrunklineException.Upstream;
import dev.trunkline.TrunklineException.Violation;
import dev.trunkline.v1.Error;
import dev.trunkline.v1.TurnReport;
import dev.trunkline.v1.UpstreamError;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class FailuresTest {
  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  private static Metadata details(Message... details) {
    var status = com.google.rpc.Status.newBuilder();
    for (Message detail : details) {
      status.addDetails(Any.pack(detail));
    }
    Metadata trailers = new Metadata();
    trailers.put(DETAILS, status.build().toByteArray());
    return trailers;
  }

  private static ErrorInfo info(String reason, Map<String, String> metadata) {
    return ErrorInfo.newBuilder().setReason(reason).setDomain("trunkline").putAllMetadata(metadata).build();
  }

  private static RetryInfo retry(long milliseconds) {
    return RetryInfo.newBuilder()
        .setRetryDelay(
            com.google.protobuf.Duration.newBuilder()
                .setSeconds(milliseconds / 1000)
                .setNanos((int) (milliseconds % 1000) * 1_000_000))
        .build();
  }

  @Test
  void aBareUnavailableIsAnUnknownOutcome() {
    var error = Failures.read(Status.UNAVAILABLE.withDescription("connection reset"), new Metadata());
    assertEquals("UNAVAILABLE: connection reset", error.getMessage());
    assertEquals(Optional.empty(), error.sent());
    assertFalse(error.retryable() || error.unsent());
  }

  @Test
  void unavailableWithOurErrorInfoIsAPromise() {
    for (var metadata : List.of(Map.of("sent", "false"), Map.<String, String>of())) {
      var error = Failures.read(Status.UNAVAILABLE, details(info("SHUTTING_DOWN", metadata)));
      assertEquals("SHUTTING_DOWN", error.reason());
      assertEquals(Optional.of(false), error.sent());
      assertTrue(error.retryable() && error.unsent());
    }
  }

  @Test
  void anUnavailableThatWasSentIsNotUnsent() {
    assertFalse(Failures.read(Status.UNAVAILABLE, details(info("X", Map.of("sent", "true")))).unsent());
  }

  @Test
  void theErrorInfoOfSomebodyElsePromisesNothing() {
    var foreign = ErrorInfo.newBuilder().setReason("SHUTTING_DOWN").setDomain("envoy.io").build();
    var error = Failures.read(Status.UNAVAILABLE, details(foreign));
    assertEquals("UNAVAILABLE", error.reason());
    assertEquals(Optional.empty(), error.sent());
    assertFalse(error.retryable());
  }

  @Test
  void overloadedSaysWhen() {
    var error =
        Failures.read(Status.RESOURCE_EXHAUSTED, details(info("OVERLOADED", Map.of("sent", "false")), retry(1500)));
    assertEquals(Optional.of(Duration.ofMillis(1500)), error.retryAfter());
    assertTrue(error.retryable());
    assertFalse(error.unsent());
  }

  @Test
  void everyViolationIsReported() {
    var bad = BadRequest.newBuilder();
    bad.addFieldViolationsBuilder().setField("messages[0].role").setDescription("set it");
    bad.addFieldViolationsBuilder().setField("model").setDescription("required");
    var error = Failures.read(Status.INVALID_ARGUMENT, details(info("INVALID_REQUEST", Map.of()), bad.build()));
    assertEquals(
        List.of(new Violation("messages[0].role", "set it"), new Violation("model", "required")),
        error.violations());
  }

  @Test
  void theUpstreamFromErrorInfo() {
    var metadata = Map.of("upstream_code", "invalid_api_key", "upstream_status", "401", "request_id", "mine");
    var error = Failures.read(Status.FAILED_PRECONDITION, details(info("UPSTREAM_AUTH", metadata)));
    assertEquals(Optional.of(new Upstream("invalid_api_key", "", 401, "")), error.upstream());
    assertEquals("mine", error.metadata().get("request_id"));
    assertEquals(
        Optional.empty(), Failures.read(Status.INTERNAL, details(info("INTERNAL", Map.of()))).upstream());
    var odd = details(info("X", Map.of("upstream_status", "no number")));
    assertEquals(0, Failures.read(Status.INTERNAL, odd).upstream().orElseThrow().status());
  }

  private static Error.Builder reported() {
    return Error.newBuilder()
        .setReason("RATE_LIMITED")
        .setMessage("slow down")
        .setRetryable(true)
        .setRetryAfter(com.google.protobuf.Duration.newBuilder().setSeconds(2))
        .setUpstream(UpstreamError.newBuilder().setCode("rate_limit_exceeded").setStatus(429))
        .setUsage(dev.trunkline.v1.Usage.newBuilder().setInputTokens(4))
        .setReport(TurnReport.newBuilder().setTransport(dev.trunkline.v1.Transport.TRANSPORT_SSE));
  }

  @Test
  void theEventAndTheStatusAreOneError() {
    var half = Messages.assistant("half");
    var error =
        Failures.read(
            Status.RESOURCE_EXHAUSTED.withDescription("short"),
            details(info("RATE_LIMITED", Map.of("sent", "true")), retry(9000)),
            Optional.of(reported().setPartial(half).build()),
            Optional.of(Messages.assistant("gathered")));
    assertEquals("slow down", error.detail());
    assertEquals(Status.Code.RESOURCE_EXHAUSTED, error.status());
    assertEquals(Optional.of(Duration.ofSeconds(2)), error.retryAfter());
    assertEquals(Optional.of(true), error.sent());
    assertEquals(Optional.of(half), error.partial());
    assertEquals(Optional.of(new Upstream("rate_limit_exceeded", "", 429, "")), error.upstream());
    assertEquals(4, error.usage().orElseThrow().inputTokens());
    assertEquals(Transport.SSE, error.report().orElseThrow().transport());
  }

  @Test
  void anEventAloneMeansThatItWasSent() {
    var gathered = Optional.of(Messages.assistant("gathered"));
    var error = Failures.read(Status.INTERNAL, new Metadata(), Optional.of(reported().build()), gathered);
    assertEquals(Optional.of(true), error.sent());
    assertEquals(gathered, error.partial());
  }

  @Test
  void aUnaryCallHasTheSameErrorAsADetail() {
    var error =
        Failures.read(
            Status.RESOURCE_EXHAUSTED, details(info("RATE_LIMITED", Map.of("sent", "true")), reported().build()));
    assertEquals("slow down", error.detail());
    assertEquals(Optional.empty(), error.partial());
  }

  @Test
  void aConnectionThatBreaksSaysNothingOfTheService() {
    var codes =
        List.of(Status.UNAVAILABLE, Status.INTERNAL, Status.UNKNOWN, Status.CANCELLED);
    for (Status status : codes) {
      assertTrue(Failures.read(status, new Metadata()).lost());
      assertFalse(Failures.read(status, details(info("X", Map.of()))).lost());
      assertFalse(Failures.read(status, details(reported().build())).lost());
      assertFalse(
          Failures.read(status, new Metadata(), Optional.of(reported().build()), Optional.empty()).lost());
    }
    assertTrue(Failures.endless(Optional.empty()).lost());
    assertFalse(Failures.read(Status.DEADLINE_EXCEEDED, new Metadata()).lost());
    assertFalse(Failures.read(Status.RESOURCE_EXHAUSTED, new Metadata()).lost());
  }

  @Test
  void invalidDetailsAreIgnored() {
    Metadata broken = new Metadata();
    broken.put(DETAILS, new byte[] {(byte) 0xff, (byte) 0xff});
    Metadata halfBroken = new Metadata();
    Any any =
        Any.newBuilder()
            .setTypeUrl("type.googleapis.com/google.rpc.ErrorInfo")
            .setValue(com.google.protobuf.ByteString.copyFrom(new byte[] {(byte) 0xff}))
            .build();
    halfBroken.put(DETAILS, com.google.rpc.Status.newBuilder().addDetails(any).build().toByteArray());
    for (Metadata trailers : List.of(broken, halfBroken, details(Messages.user("x")))) {
      var error = Failures.read(Status.INTERNAL.withDescription("what it said"), trailers);
      assertEquals("INTERNAL: what it said", error.getMessage());
      assertEquals(Optional.empty(), error.sent());
    }
  }
}
