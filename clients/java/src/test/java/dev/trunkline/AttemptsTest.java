package dev.trunkline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.grpc.CallOptions;
import io.grpc.Status;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class AttemptsTest {
  private static TrunklineException unsent(Duration retryAfter) {
    var error = new Failure("SHUTTING_DOWN", "", Status.Code.UNAVAILABLE);
    error.sent = false;
    error.retryAfter = retryAfter;
    return error.exception();
  }

  private static Attempts attempts(Retry retry, Duration timeout, double jitter) {
    return new Attempts(retry, Optional.ofNullable(timeout), false, () -> jitter);
  }

  @Test
  void theWaitDoublesUpToTheCap() {
    Retry retry = new Retry(10, Duration.ofMillis(100), Duration.ofMillis(500), Duration.ofSeconds(30));
    Attempts attempts = attempts(retry, null, 1);
    for (long wanted : new long[] {100, 200, 400, 500, 500}) {
      attempts.begin(CallOptions.DEFAULT);
      assertEquals(Optional.of(Duration.ofMillis(wanted)), attempts.delay(unsent(null)));
    }
  }

  @Test
  void jitterTakesUpToHalfAndRetryInfoIsNeverUndercut() {
    Attempts attempts = attempts(Retry.DEFAULT, null, 0);
    attempts.begin(CallOptions.DEFAULT);
    assertEquals(Optional.of(Duration.ofMillis(50)), attempts.delay(unsent(null)));
    assertEquals(Optional.of(Duration.ofMillis(2050)), attempts.delay(unsent(Duration.ofSeconds(2))));
    assertEquals(Optional.empty(), attempts.delay(unsent(Duration.ofSeconds(31))));
  }

  @Test
  void triesAreCounted() {
    Attempts attempts = attempts(Retry.NONE, null, 0);
    attempts.begin(CallOptions.DEFAULT);
    assertEquals(Optional.empty(), attempts.delay(unsent(null)));
    assertThrows(IllegalArgumentException.class, () -> Retry.DEFAULT.withAttempts(0));
  }

  @Test
  void oneDeadlineSpansAllTries() {
    Attempts attempts = attempts(Retry.DEFAULT, Duration.ofSeconds(1), 0);
    var first = attempts.begin(CallOptions.DEFAULT).getDeadline();
    assertNotNull(first);
    assertSame(first, attempts.begin(CallOptions.DEFAULT).getDeadline());
    assertEquals(Optional.empty(), attempts.delay(unsent(Duration.ofSeconds(2))));
    assertNull(attempts(Retry.DEFAULT, null, 0).begin(CallOptions.DEFAULT).getDeadline());
  }

  private static TrunklineException lost() {
    return new Failure("UNAVAILABLE", "", Status.Code.UNAVAILABLE).exception();
  }

  @Test
  void aCallThatResumesIsMadeAgainAsLongAsEventsCome() {
    Attempts attempts = new Attempts(Retry.NONE, Optional.empty(), true, () -> 1);
    for (int round = 0; round < 2; round++) {
      attempts.progressed();
      for (long wanted : new long[] {100, 200, 400, 800, 1600, 3200, 5000, 5000}) {
        attempts.begin(CallOptions.DEFAULT);
        if (round == 1 && wanted == 100) {
          attempts.progressed();
        }
        assertEquals(Optional.of(Duration.ofMillis(wanted)), attempts.delay(lost()));
      }
      attempts.begin(CallOptions.DEFAULT);
      assertEquals(Optional.empty(), attempts.delay(lost()));
    }
    assertEquals(Optional.empty(), attempts(Retry.DEFAULT, null, 0).delay(lost()));
  }

  @Test
  void afterALostTryNobodyKnowsWhetherItWasSent() {
    Attempts attempts = new Attempts(Retry.DEFAULT, Optional.empty(), true, () -> 1);
    assertEquals(Optional.of(false), attempts.verdict(unsent(null)).sent());
    attempts.begin(CallOptions.DEFAULT);
    attempts.delay(lost());
    TrunklineException verdict = attempts.verdict(unsent(Duration.ofSeconds(2)));
    assertEquals(Optional.empty(), verdict.sent());
    assertEquals("SHUTTING_DOWN", verdict.reason());
    assertEquals(Optional.of(Duration.ofSeconds(2)), verdict.retryAfter());
  }

  @Test
  void forEverIsATimeoutToo() {
    assertNotNull(attempts(Retry.DEFAULT, Duration.ofSeconds(Long.MAX_VALUE), 0).begin(CallOptions.DEFAULT));
  }
}
