package dev.trunkline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FailureTest {
  private static TrunklineException reported(String reason) {
    Failure failure = new Failure(reason, "", Status.Code.INTERNAL);
    failure.reported = true;
    return failure.exception();
  }

  @Test
  void everyReasonOfTheServiceHasAClass() throws IOException {
    String table = Files.readString(Path.of("../../docs/errors.md")).split("## ")[1];
    List<String> reasons =
        Pattern.compile("^\\| ([A-Z_]+) \\|", Pattern.MULTILINE)
            .matcher(table)
            .results()
            .map((MatchResult row) -> row.group(1))
            .toList();
    assertTrue(reasons.size() > 20, reasons::toString);
    for (String reason : reasons) {
      assertNotEquals(TrunklineException.class, reported(reason).getClass(), reason);
    }
  }

  @Test
  void aReasonThatIsNewerThanTheClientIsNoneOfThem() {
    assertEquals(TrunklineException.class, reported("NEWER").getClass());
  }

  @Test
  void aSpecialCaseIsCaughtAsTheGeneralOne() {
    assertInstanceOf(TrunklineException.InvalidRequest.class, reported("CONTEXT_LENGTH_EXCEEDED"));
  }

  @ParameterizedTest
  @CsvSource({
    "OK, ConnectionFailed",
    "UNKNOWN, ConnectionFailed",
    "INTERNAL, ConnectionFailed",
    "UNAVAILABLE, ConnectionFailed",
    "DEADLINE_EXCEEDED, TimedOut",
    "CANCELLED, Cancelled",
    "UNAUTHENTICATED, Unauthenticated",
    "PERMISSION_DENIED, PermissionDenied",
    "RESOURCE_EXHAUSTED, TrunklineException"
  })
  void aStatusThatComesAloneIsNotTheService(Status.Code status, String name) {
    assertEquals(name, new Failure(status.name(), "", status).exception().getClass().getSimpleName());
  }

  @Test
  void anUnknownOutcomeKeepsItsClass() {
    TrunklineException error = reported("SHUTTING_DOWN").sentUnknown();
    assertInstanceOf(TrunklineException.ConnectionFailed.class, error);
    assertEquals(Optional.empty(), error.sent());
  }

  @Test
  void anExceptionCanBeSerialized() throws IOException, ClassNotFoundException {
    Failure failure = new Failure("RATE_LIMITED", "slow down", Status.Code.RESOURCE_EXHAUSTED);
    failure.reported = true;
    failure.retryAfter = Duration.ofSeconds(2);
    failure.partial = Messages.assistant("half");
    failure.upstream = new TrunklineException.Upstream("code", "type", 429, "id");
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    new ObjectOutputStream(bytes).writeObject(failure.exception());
    var read = (TrunklineException) new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray())).readObject();
    assertInstanceOf(TrunklineException.RateLimited.class, read);
    assertEquals("RATE_LIMITED: slow down", read.getMessage());
    assertEquals(Optional.of(Duration.ofSeconds(2)), read.retryAfter());
    assertEquals(failure.partial, read.partial().orElseThrow());
  }
}
