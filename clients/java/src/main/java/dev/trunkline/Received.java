package dev.trunkline;

import dev.trunkline.v1.Error;
import dev.trunkline.v1.Message;
import dev.trunkline.v1.StreamCompletionResponse;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.Optional;

/** What a turn has brought so far, and what follows from it for the error that ends it. */
final class Received {
  private final Partial partial = new Partial();
  private Event.Start start;
  private Done done;
  private Error error; // kept until the status comes: the reader gets both as one

  synchronized Optional<Event.Start> start() {
    return Optional.ofNullable(start);
  }

  synchronized Optional<Done> done() {
    return Optional.ofNullable(done);
  }

  String text() {
    return done().map(Done::text).orElseGet(partial::text);
  }

  Optional<Message> partial() {
    return partial.message();
  }

  /** Empty: nothing for the reader. */
  synchronized Optional<Event> add(StreamCompletionResponse message) {
    if (message.hasError()) {
      error = message.getError();
      return Optional.empty();
    }
    Optional<Event> event = EventReader.from(message);
    event.ifPresent(this::keep);
    return event;
  }

  /** Why the call ended. */
  synchronized TrunklineException failure(Status status, Metadata trailers) {
    if (status.isOk() && error == null) {
      return Failures.endless(partial.message());
    }
    return Failures.read(status, trailers, Optional.ofNullable(error), partial.message());
  }

  private void keep(Event event) {
    if (event instanceof Done ended) {
      done = ended;
    } else if (event instanceof Event.Start started) {
      start = started;
    } else {
      partial.add(event);
    }
  }
}
