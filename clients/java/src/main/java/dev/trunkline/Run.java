package dev.trunkline;

import dev.trunkline.v1.Message;
import dev.trunkline.v1.ToolCallPart;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.Function;

/**
 * The tool loop: the events of all turns, each turn with its {@code Start} and {@code Done}; {@link #done} is the last.
 *
 * <p>The calls of one answer run one after the other, on the thread that reads. A tool's errors are reported to the
 * model. After {@code maxRounds} turns the run ends although the model may still ask (the stop reason is then
 * {@code TOOL_USE}); the next run, or one after a turn that failed, continues from there. It also ends where the
 * model waits for an action ({@code ACTION_REQUIRED}): {@link Conversation#answer} goes on from there.
 */
public final class Run implements Events {
  private final ToolLoop loop;
  private final Function<List<Message>, Turn> makeTurn;
  private volatile Turn turn;
  private volatile boolean cancelled;
  private volatile boolean ended;
  private Done done;

  Run(ToolLoop loop, Function<List<Message>, Turn> makeTurn) {
    this.loop = loop;
    this.makeTurn = makeTurn;
  }

  @Override
  public boolean hasNext() {
    try {
      while (!ended) {
        if (turn != null && turn.hasNext()) {
          return true;
        }
        turn = null;
        ended = ended || cancelled || !loop.goesOn() || !nextTurn();
      }
    } catch (RuntimeException failed) {
      ended = true;
      cancelled = false;
      throw failed;
    }
    if (cancelled) {
      cancelled = false;
      throw ToolLoop.cancelled();
    }
    return false;
  }

  @Override
  public Event next() {
    if (!hasNext()) {
      throw new NoSuchElementException("the run has ended");
    }
    Event event = turn.next();
    loop.seen(event);
    done = event instanceof Done last ? last : done;
    return event;
  }

  @Override
  public Done done() {
    if (done == null) {
      throw new IllegalStateException("no turn of this run has ended: read its events first");
    }
    return done;
  }

  /** Stops the turn, or comes before the next tool: a tool that runs is waited for. */
  @Override
  public void cancel() {
    cancelled = !ended;
    Turn running = turn;
    if (running != null) {
      running.cancel();
    }
  }

  @Override
  public void close() {
    ended = true;
    cancelled = false;
    Turn running = turn;
    if (running != null) {
      running.close();
    }
  }

  /** Answers the open calls and makes the turn. False: {@code cancel} came between. */
  private boolean nextTurn() {
    List<Message> results = new ArrayList<>();
    for (ToolCallPart call : loop.calls()) {
      if (cancelled || ended) {
        return false;
      }
      results.add(UnaryCall.await(Tool.call(call, loop.tool(call))));
    }
    Turn made = makeTurn.apply(loop.begin(results));
    turn = made;
    if (ended) {
      made.close();
    } else if (cancelled) {
      made.cancel();
    }
    return true;
  }
}
