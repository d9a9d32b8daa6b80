package dev.trunkline;

import java.io.Serial;

/**
 * A turn ended well, and its answer is not the record that was asked for: the model refused, the answer was cut short, or
 * it does not fit. The message says which field. The conversation has the answer all the same.
 */
public final class OutputParsingException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1L;

  private final transient Done done;

  OutputParsingException(Class<?> kind, String why, Done done, Throwable cause) {
    super("the answer is no " + kind.getSimpleName() + ": " + why, cause);
    this.done = done;
  }

  /** The turn: {@link Done#text} is what the model said instead. Null once the exception was serialized. */
  public Done done() {
    return done;
  }
}
