package dev.trunkline.langchain4j;

import dev.langchain4j.exception.AuthenticationException;
import dev.langchain4j.exception.InternalServerException;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.NonRetriableException;
import dev.langchain4j.exception.RateLimitException;
import dev.langchain4j.exception.RetriableException;
import dev.langchain4j.exception.TimeoutException;
import dev.trunkline.TrunklineException;
import dev.trunkline.TrunklineException.ConnectionFailed;
import dev.trunkline.TrunklineException.InvalidRequest;
import dev.trunkline.TrunklineException.Overloaded;
import dev.trunkline.TrunklineException.PermissionDenied;
import dev.trunkline.TrunklineException.RateLimited;
import dev.trunkline.TrunklineException.TimedOut;
import dev.trunkline.TrunklineException.Unauthenticated;

/**
 * A failed turn as LangChain4j's exception, with the {@link TrunklineException} as its cause.
 *
 * <p>Whoever catches a retriable one may call again without a look. So it is one only if the service advises it, nothing
 * of the answer has come, and the turn cannot cost money twice: it was not sent, or the upstream refused to do it.
 */
final class Errors {
  private Errors() {}

  static RuntimeException of(RuntimeException error) {
    if (!(error instanceof TrunklineException failed)) {
      return error;
    }
    String said = failed.getMessage();
    if (failed instanceof InvalidRequest) {
      return new InvalidRequestException(said, failed);
    } else if (failed instanceof Unauthenticated || failed instanceof PermissionDenied) {
      return new AuthenticationException(said, failed);
    } else if (!again(failed)) {
      return new NonRetriableException(said, failed);
    } else if (failed instanceof RateLimited || failed instanceof Overloaded) {
      return new RateLimitException(said, failed);
    } else if (failed instanceof TimedOut) {
      return new TimeoutException(said, failed);
    } else if (failed instanceof ConnectionFailed) {
      return new RetriableException(said, failed);
    }
    return new InternalServerException(said, failed);
  }

  private static boolean again(TrunklineException failed) {
    boolean lost = failed instanceof ConnectionFailed || failed instanceof TimedOut;
    boolean free = !failed.sent().orElse(true) || !lost;
    return failed.retryable() && failed.partial().isEmpty() && free;
  }
}
