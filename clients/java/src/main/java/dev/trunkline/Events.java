package dev.trunkline;

import java.util.Iterator;

/**
 * Events for a blocking reader: {@code for (Event event : events)}, once.
 *
 * <p>They end with {@link Done}, or with a {@link TrunklineException}, thrown once by {@link #hasNext} or
 * {@link #next}. A reader that stops before the end closes them: {@code try (Turn turn = …)}; that stops the model, too.
 * One thread reads; {@link #cancel} and {@link #close} may be called from any.
 */
public sealed interface Events extends Iterable<Event>, Iterator<Event>, AutoCloseable permits Turn, Run {

  /** Itself. */
  @Override
  default Iterator<Event> iterator() {
    return this;
  }

  /** Stops it, from any thread. Its reader gets a {@link TrunklineException} (CANCELLED) with the partial answer. */
  void cancel();

  /** Leaves it, without an exception. Does nothing the second time, or after the end. */
  @Override
  void close();

  /**
   * How it ended.
   *
   * @throws IllegalStateException if it was not read to its end, or did not end well
   */
  Done done();

  /** Reads what is left and returns the end. */
  default Done result() {
    while (hasNext()) {
      next();
    }
    return done();
  }
}
