package dev.trunkline;

import dev.trunkline.v1.CompletionServiceGrpc;
import dev.trunkline.v1.StreamCompletionRequest;
import dev.trunkline.v1.StreamCompletionResponse;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * One streamed turn, for blocking and asynchronous readers.
 *
 * <p>Interprets what comes from the wire, decides on retries, and ends a turn once: with {@link Done}, with one
 * exception, or because the caller left. It never blocks, and never delivers more than was requested.
 *
 * <p>A turn that resumes has several calls: each asks, by the key of the turn, for the events after the last one.
 */
final class TurnCall {
  /** How long to wait for the status after {@code done}: to leave earlier would look like a cancel to the service. */
  static final Duration SETTLE = Duration.ofSeconds(1);

  /** The reader. It gets one event at a time, and nothing after {@link #end}. */
  interface Reader {
    void event(Event event);

    /** Null: it ended well. */
    void end(RuntimeException error);
  }

  private enum State {
    /** Nothing was sent yet. */
    WAITING,
    /** A try is running, or the next one will. */
    RUNNING,
    /** With {@link Done}, with an exception, or left. */
    ENDED,
    /** Stopped by {@link #cancel}; its reader does not know yet. */
    CANCELLED
  }

  private final Connection connection;
  private final StreamCompletionRequest request;
  private final boolean resumes;
  private final Attempts attempts;
  private final EventOrder order;
  private final Metadata trace;
  private final Consumer<Optional<Done>> settle;
  private final Context context = Context.current();
  private final Received received = new Received();

  private Reader reader;
  private State state = State.WAITING;
  private ClientCall<StreamCompletionRequest, StreamCompletionResponse> call; // null between two tries
  private long demand;
  private boolean asked; // one message is on its way
  private boolean heard; // one has come: what follows is tried again only by a turn that resumes
  private Optional<Lingering.Turn> lingering = Optional.empty(); // from the first call of one that resumes

  /**
   * {@code settle} is called once with the end of the turn; empty: it failed, or the caller left. A request that {@code
   * resumes} has a key.
   */
  TurnCall(
      Connection connection,
      StreamCompletionRequest request,
      Optional<Duration> timeout,
      boolean resumes,
      Consumer<Optional<Done>> settle) {
    this.connection = connection;
    this.request = request;
    this.resumes = resumes;
    this.attempts = connection.attempts(timeout, resumes);
    this.order = new EventOrder(request.getAfterSequence(), resumes);
    this.trace = connection.trace();
    this.settle = settle;
  }

  StreamCompletionRequest request() {
    return request;
  }

  synchronized long sequence() {
    return order.last();
  }

  Received received() {
    return received;
  }

  @Override
  public synchronized String toString() {
    return received.done().isPresent() ? "done" : state.name().toLowerCase(Locale.ROOT);
  }

  /** Sends the request; events come once they are requested. */
  void begin(Reader reader) {
    synchronized (this) {
      this.reader = reader;
      if (state == State.WAITING) {
        state = State.RUNNING;
      }
    }
    open();
    tellCancelled();
  }

  synchronized void request(long events) {
    demand = Subscriptions.add(demand, events);
    pump();
  }

  /** Stops it; its reader gets an exception. */
  void cancel() {
    synchronized (this) {
      if (state != State.WAITING && state != State.RUNNING) {
        return;
      }
      state = State.CANCELLED;
      settle.accept(Optional.empty());
      lingering.ifPresent(Lingering.Turn::left);
      if (call != null) {
        call.cancel("cancel() was called", null); // its end reaches the reader
        return;
      }
    }
    tellCancelled();
  }

  /** Leaves it; its reader gets nothing more. */
  synchronized void leave() {
    if (state == State.CANCELLED) {
      state = State.ENDED;
    } else if (state != State.ENDED) {
      end("the caller left");
      lingering.ifPresent(Lingering.Turn::left);
    }
  }

  /** Without an answer. */
  private void end(String why) {
    state = State.ENDED;
    settle.accept(Optional.empty());
    if (call != null) {
      call.cancel(why, null);
    }
  }

  private void open() {
    RuntimeException refused = null;
    synchronized (this) {
      if (state != State.RUNNING) {
        return;
      }
      Context before = context.attach();
      try {
        call =
            connection.open(
                CompletionServiceGrpc.getStreamCompletionMethod(), request.getSessionId(), trace, attempts);
        asked = false;
        heard = false;
        order.open();
        call.start(new Listener(), new Metadata());
        call.sendMessage(due());
        call.halfClose();
        pump();
      } catch (RuntimeException thrown) { // by a token's supplier, an interceptor, a closed client
        refused = thrown;
        leave();
      } finally {
        context.detach(before);
      }
    }
    if (refused != null) {
      reader.end(refused);
    }
  }

  /** What the next call asks for: the events that have not come. */
  private StreamCompletionRequest due() {
    if (resumes && lingering.isEmpty()) {
      lingering = Optional.of(connection.lingering().add(request.getSessionId(), request.getTurnKey()));
    }
    return order.last() == request.getAfterSequence()
        ? request
        : request.toBuilder().setAfterSequence(order.last()).build();
  }

  private synchronized void pump() {
    if (demand > 0 && !asked && call != null && state == State.RUNNING) {
      asked = true;
      call.request(1);
    }
  }

  private void tellCancelled() {
    synchronized (this) {
      if (state != State.CANCELLED || reader == null) {
        return;
      }
      state = State.ENDED;
    }
    reader.end(Failures.cancelled("cancel() was called", null, received.partial()));
  }

  private final class Listener extends ClientCall.Listener<StreamCompletionResponse> {
    @Override
    public void onMessage(StreamCompletionResponse message) {
      Event event = null;
      TrunklineException wrong = null;
      synchronized (TurnCall.this) {
        asked = false;
        heard = true;
        if (state != State.RUNNING) {
          return;
        }
        switch (order.place(message)) {
          case NEXT -> event = receive(message);
          case RESTARTED -> wrong = restarted(message.getStart().getTurnId());
          case AHEAD -> wrong = ahead(message.getSequence());
          case OLD -> {} // the caller has it
        }
        demand -= event == null ? 0 : 1;
      }
      if (event != null) {
        reader.event(event);
      }
      if (event instanceof Done || wrong != null) {
        reader.end(wrong);
      } else {
        pump();
      }
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      TrunklineException failure = null;
      synchronized (TurnCall.this) {
        if (state == State.RUNNING) {
          failure = received.failure(status, trailers);
          call = null;
          Optional<Duration> delay = again(failure);
          if (delay.isPresent()) {
            connection.after(delay.get(), TurnCall.this::open);
            return;
          }
          end("it failed");
          failure = attempts.verdict(failure);
          TrunklineException last = failure;
          lingering.ifPresent(turn -> turn.failed(last));
        }
      }
      if (failure != null) {
        reader.end(failure);
      }
      tellCancelled();
    }
  }

  /** Null: nothing for the reader, read on. */
  private Event receive(StreamCompletionResponse message) {
    attempts.progressed();
    Event event = received.add(message).orElse(null);
    if (event instanceof Done done) {
      state = State.ENDED;
      settle.accept(Optional.of(done));
      lingering.ifPresent(Lingering.Turn::ended);
      var ending = call;
      connection.after(SETTLE, () -> ending.cancel("the turn is done", null));
    }
    return event;
  }

  /** The events that the caller has belong to a turn that is gone. The other one is not theirs: it is stopped. */
  private TrunklineException restarted(String turnId) {
    end("it is another turn");
    lingering.ifPresent(turn -> turn.replaced(turnId));
    return Failures.lost(
        "the turn was lost with its connection: the service began another one, which is stopped", received.partial());
  }

  private TrunklineException ahead(long number) {
    leave();
    return Failures.lost("event " + number + " came where " + (order.last() + 1) + " was due", received.partial());
  }

  /** How long to wait before the next call; empty: there is none. */
  private Optional<Duration> again(TrunklineException failure) {
    boolean heardOut = heard && !(resumes && failure.lost());
    return heardOut || !connection.serves(context) ? Optional.empty() : attempts.delay(failure);
  }
}
