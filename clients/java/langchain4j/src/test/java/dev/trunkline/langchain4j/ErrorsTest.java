package dev.trunkline.langchain4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import dev.trunkline.TrunklineException;
import io.grpc.Status;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ErrorsTest {
  private static final Fake FAKE = new Fake();

  @AfterAll
  static void close() {
    FAKE.close();
  }

  private static String nameOf(TrunklineException failed) {
    RuntimeException mapped = Errors.of(failed);
    assertSame(failed, mapped.getCause());
    assertEquals(failed.getMessage(), mapped.getMessage());
    return mapped.getClass().getSimpleName();
  }

  @ParameterizedTest
  @CsvSource({
    // nothing of the answer has come, and the service advises another try
    "RATE_LIMITED,            true,  true,  RateLimitException",
    "OVERLOADED,              true,  false, RateLimitException",
    "UPSTREAM_ERROR,          true,  true,  InternalServerException",
    "TIMEOUT,                 true,  false, TimeoutException",
    // it may have been paid for
    "TIMEOUT,                 true,  true,  NonRetriableException",
    "CONNECTION_LOST,         true,  true,  NonRetriableException",
    // the service advises against another try
    "UPSTREAM_ERROR,          false, true,  NonRetriableException",
    "QUOTA_EXHAUSTED,         false, true,  NonRetriableException",
    "INTERNAL,                false, false, NonRetriableException",
    "NEWER,                   false, true,  NonRetriableException",
    "INVALID_REQUEST,         false, false, InvalidRequestException",
    "CONTEXT_LENGTH_EXCEEDED, false, true,  InvalidRequestException",
    "UNAUTHENTICATED,         false, false, AuthenticationException",
    "PERMISSION_DENIED,       false, false, AuthenticationException"
  })
  void aFailureBeforeContentHasAClass(String reason, boolean retryable, String sent, String wanted) {
    var status = Fake.status(Status.Code.INTERNAL, reason, sent);
    assertEquals(wanted, nameOf(FAKE.failure(Fake.error(reason, retryable), status)));
  }

  @Test
  void aServiceThatIsNotReachedMayBeTriedAgain() {
    var status = Fake.status(Status.Code.UNAVAILABLE, "SHUTTING_DOWN", "false");
    assertEquals("RetriableException", nameOf(FAKE.failure(status)));
  }

  @Test
  void nothingIsTriedAgainOnceTheAnswerHasBegun() {
    var status = Fake.status(Status.Code.RESOURCE_EXHAUSTED, "RATE_LIMITED", "true");
    assertEquals("NonRetriableException", nameOf(FAKE.failure(Fake.text("Half"), Fake.error("RATE_LIMITED", true), status)));
  }

  @Test
  void aConnectionThatBreaksIsNotTriedAgain() {
    assertEquals("NonRetriableException", nameOf(FAKE.failure(Fake.text("Half"))));
  }

  @Test
  void whatIsNoFailureOfACallStaysWhatItIs() {
    IllegalStateException closed = new IllegalStateException("the client is closed");
    assertSame(closed, Errors.of(closed));
  }
}
