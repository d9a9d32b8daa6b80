package dev.trunkline;

import dev.trunkline.v1.StreamCompletionRequest;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** One streamed turn, read by a thread that waits. The request is sent at the first read. */
public final class Turn implements Events {
  private record End(RuntimeException error) {}

  private final TurnCall call;
  private final BlockingQueue<Object> arrived = new LinkedBlockingQueue<>();
  private boolean begun;
  private boolean over;
  private volatile Event next;

  Turn(TurnCall call) {
    this.call = call;
  }

  /** What is sent. */
  public StreamCompletionRequest request() {
    return call.request();
  }

  /** The name of this turn, for other calls ({@link Trunkline#cancelTurnByKey}); empty: it has none. */
  public String key() {
    return call.request().getTurnKey();
  }

  /** The number of the last event that came; before the first one, what the turn was to go on after. */
  public long sequence() {
    return call.sequence();
  }

  /** What was true when the upstream began; empty: it has not. */
  public Optional<Event.Start> start() {
    return call.received().start();
  }

  /** The text that has come so far. */
  public String text() {
    return call.received().text();
  }

  @Override
  public Done done() {
    return call.received()
        .done()
        .orElseThrow(() -> new IllegalStateException("the turn has no end: read its events first"));
  }

  @Override
  public boolean hasNext() {
    if (next != null) {
      return true;
    }
    if (over) {
      return false;
    }
    if (!begun) {
      begun = true;
      call.begin(new Queue());
    }
    call.request(1);
    Object came = take();
    if (came instanceof Event event) {
      next = event;
      return true;
    }
    over = true;
    RuntimeException error = ((End) came).error();
    if (error != null) {
      throw UnaryCall.thrown(error);
    }
    return false;
  }

  @Override
  public Event next() {
    if (!hasNext()) {
      throw new NoSuchElementException("the turn has ended");
    }
    Event event = next;
    next = null;
    return event;
  }

  @Override
  public void cancel() {
    call.cancel();
  }

  @Override
  public void close() {
    call.leave();
    next = null;
    arrived.clear();
    arrived.add(new End(null));
  }

  @Override
  public String toString() {
    return "Turn{" + call.request().getSessionId() + ", " + call + "}";
  }

  private Object take() {
    try {
      return arrived.take();
    } catch (InterruptedException interrupted) {
      over = true;
      call.leave();
      Thread.currentThread().interrupt();
      throw Failures.cancelled("the thread was interrupted", null, call.received().partial());
    }
  }

  /** Hands what comes to the reading thread. */
  private final class Queue implements TurnCall.Reader {
    @Override
    public void event(Event event) {
      arrived.add(event);
    }

    @Override
    public void end(RuntimeException error) {
      arrived.add(new End(error));
    }
  }
}
