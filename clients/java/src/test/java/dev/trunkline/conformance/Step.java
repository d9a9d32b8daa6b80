package dev.trunkline.conformance;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.trunkline.AsyncEvents;
import dev.trunkline.Compaction;
import dev.trunkline.Conversation;
import dev.trunkline.Done;
import dev.trunkline.Event;
import dev.trunkline.Events;
import dev.trunkline.Messages;
import dev.trunkline.Options;
import dev.trunkline.Session;
import dev.trunkline.Session.LineState;
import dev.trunkline.SessionPage;
import dev.trunkline.Tool;
import dev.trunkline.Trunkline;
import dev.trunkline.TrunklineException;
import dev.trunkline.v1.Part;
import dev.trunkline.v1.StreamCompletionRequest;
import dev.trunkline.v1.WarmSessionRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** Runs one step and prints its lines. */
final class Step {
  private static final int WAITS = 200;
  private static final Set<String> TURNS = Set.of("stream", "complete", "run", "answer", "together", "compact");

  private final Trunkline client;
  private final boolean async;
  private final Conversation conversation;
  private final JsonObject step;
  private final Lines lines;
  private final List<Done> ended;
  private final String sessionId;

  /** {@code ended}: the ends of the scenario's turns so far. */
  Step(
      Trunkline client,
      boolean async,
      Conversation conversation,
      JsonObject step,
      Lines lines,
      List<Done> ended) {
    this.client = client;
    this.async = async;
    this.conversation = conversation;
    this.step = step;
    this.lines = lines;
    this.ended = ended;
    this.sessionId = conversation.sessionId() + (step.has("key") ? "." + step.get("key").getAsString() : "");
  }

  void take() {
    String does = step.get("do").getAsString();
    try {
      switch (does) {
        case "stream", "run" -> turn(does.equals("run"));
        case "answer" -> answer();
        case "complete" -> lines.event(complete());
        case "call" -> call();
        case "together" -> together();
        case "edit" ->
            conversation
                .messages()
                .set(step.get("index").getAsInt(), Messages.user(step.get("text").getAsString()));
        case "compact" -> lines.compaction(compact());
        case "wait" -> await();
        case "warm" -> lines.session(warm());
        case "get" -> get();
        case "list" -> list();
        case "release" -> {
          client.releaseSession(sessionId);
          lines.word("released");
        }
        case "cancel_turn" -> {
          client.cancelTurnByKey(sessionId, step.get("turn_key").getAsString());
          lines.word("cancelled");
        }
        default -> throw new IllegalArgumentException(does);
      }
    } catch (TrunklineException error) {
      lines.error(error);
    }
    if (TURNS.contains(does)) {
      lines.history(conversation.messages());
    }
  }

  private Conversation asked() {
    return conversation.with(options -> Scenario.options(options, step));
  }

  private void turn(boolean run) {
    var given = Scenario.given(step);
    if (async) {
      read(run ? asked().runAsync(given) : asked().streamAsync(given));
    } else {
      read(run ? asked().run(given) : asked().stream(given));
    }
  }

  private void answer() {
    List<Part> items = Scenario.answers(step, ended.get(ended.size() - 1).actions());
    if (async) {
      read(asked().answerAsync(items));
    } else {
      read(asked().answer(items));
    }
  }

  private void read(AsyncEvents events) {
    join(events.forEach(printer(events::cancel)));
  }

  private void read(Events events) {
    events.forEachRemaining(printer(events::cancel));
  }

  private Printer printer(Runnable cancel) {
    return new Printer(step, lines, ended, cancel, turnId -> client.cancelTurn(sessionId, turnId));
  }

  private Event complete() {
    var given = Scenario.given(step);
    CompletableFuture<Void> cut =
        step.has("cut_after_ms")
            ? Cut.after(Duration.ofMillis(step.get("cut_after_ms").getAsLong()))
            : CompletableFuture.completedFuture(null);
    try {
      return async ? join(asked().completeAsync(given)) : asked().complete(given);
    } finally {
      cut.join();
    }
  }

  private Compaction compact() {
    return async ? join(conversation.compactAsync()) : conversation.compact();
  }

  private void call() {
    if (async) {
      read(bare(step).streamAsync(beside(step)));
    } else {
      read(bare(step).stream(beside(step)));
    }
  }

  private void get() {
    Session session = client.getSession(sessionId);
    lines.session(session);
    if (step.has("turns") && step.get("turns").getAsBoolean()) {
      session.runningTurns().forEach(lines::turn);
    }
  }

  private void together() {
    List<JsonElement> turns = step.getAsJsonArray("turns").asList();
    JsonObject one = turns.get(0).getAsJsonObject();
    JsonObject other = turns.get(1).getAsJsonObject();
    Events first = bare(one).stream(beside(one));
    Events second = bare(other).stream(beside(other));
    List<Object> begun = new ArrayList<>();
    boolean started = false;
    while (!started && gather(first, begun, 1)) {
      started = begun.get(begun.size() - 1) instanceof Event.Start;
    }
    List<Object> beside = new ArrayList<>();
    gather(second, beside, Integer.MAX_VALUE);
    gather(first, begun, Integer.MAX_VALUE);
    begun.forEach(this::print);
    lines.word("and");
    beside.forEach(this::print);
  }

  /** The client, with what a request has no field for. */
  private Trunkline bare(JsonObject turn) {
    JsonObject options = turn.has("options") ? turn.getAsJsonObject("options") : new JsonObject();
    Trunkline bare = client.withResume(options.has("resume") && options.get("resume").getAsBoolean());
    return turn.has("timeout_ms") ? bare.withTimeout(Duration.ofMillis(turn.get("timeout_ms").getAsLong())) : bare;
  }

  private StreamCompletionRequest beside(JsonObject turn) {
    return StreamCompletionRequest.newBuilder()
        .setSessionId(conversation.sessionId())
        .setModel(conversation.model())
        .setInstructions(conversation.instructions())
        .addAllTools(conversation.tools().stream().map(Tool::toProto).toList())
        .addAllMessages(conversation.messages())
        .addAllMessages(List.of(Scenario.given(turn)))
        .setOptions(Scenario.options(Options.NONE, turn).toProto())
        .setTurnKey(turn.has("turn_key") ? turn.get("turn_key").getAsString() : "")
        .setAfterSequence(turn.has("after_sequence") ? turn.get("after_sequence").getAsLong() : 0)
        .build();
  }

  /** At most so many events, and the error that ended them. False: they have ended. */
  private static boolean gather(Events events, List<Object> into, int most) {
    try {
      for (int i = 0; i < most; i++) {
        if (!events.hasNext()) {
          return false;
        }
        into.add(events.next());
      }
      return true;
    } catch (TrunklineException error) {
      into.add(error);
      return false;
    }
  }

  private void print(Object eventOrError) {
    if (eventOrError instanceof TrunklineException error) {
      lines.error(error);
    } else {
      lines.event((Event) eventOrError);
    }
  }

  private void await() {
    for (int i = 0; i < WAITS; i++) {
      try {
        LineState state = client.getSession(sessionId).lineState();
        if (state != LineState.BUSY && state != LineState.DIALING) {
          return;
        }
        Thread.sleep(50);
      } catch (TrunklineException unknown) {
        return;
      } catch (InterruptedException stopped) {
        throw new IllegalStateException(stopped);
      }
    }
  }

  private Session warm() {
    return client.warmSession(
        WarmSessionRequest.newBuilder()
            .setSessionId(sessionId)
            .setModel(conversation.model())
            .setInstructions(conversation.instructions())
            .addAllTools(conversation.tools().stream().map(Tool::toProto).toList())
            .setPrime(step.has("prime") && step.get("prime").getAsBoolean())
            .build());
  }

  private void list() {
    String token = "";
    do {
      SessionPage page = client.listSessions(step.get("page_size").getAsInt(), token);
      page.sessions().stream()
          .filter(session -> session.sessionId().startsWith(conversation.sessionId() + "."))
          .forEach(lines::session);
      token = page.nextPageToken();
    } while (!token.isEmpty());
  }

  private static <T> T join(CompletableFuture<T> future) {
    try {
      return future.join();
    } catch (CompletionException failed) {
      throw failed.getCause() instanceof TrunklineException error ? error : failed;
    }
  }
}
