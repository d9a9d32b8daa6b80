package dev.trunkline.conformance;

import dev.trunkline.Compaction;
import dev.trunkline.Done;
import dev.trunkline.Event;
import dev.trunkline.Session;
import dev.trunkline.TrunklineException;
import dev.trunkline.v1.Message;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a step prints. Neighbouring deltas of one part are held back until something else ends them. */
final class Lines {
  private final Transcript transcript;
  private final Shapes shapes;
  private final boolean details;
  private final boolean kept;
  private final StringBuilder deltas = new StringBuilder();
  private String word = "";
  private Map<String, Object> part = Map.of();

  Lines(Transcript transcript, Shapes shapes, boolean details, boolean kept) {
    this.transcript = transcript;
    this.shapes = shapes;
    this.details = details;
    this.kept = kept;
  }

  void event(Event event) {
    if (event instanceof Event.Start start) {
      line("start", shapes.start(start));
    } else if (event instanceof Event.TextDelta text) {
      delta("text", text.delta(), "index", text.contentIndex());
    } else if (event instanceof Event.ReasoningDelta reasoning) {
      String of = Shapes.word(reasoning.kind());
      delta("reasoning", reasoning.delta(), "index", reasoning.contentIndex(), "of", of);
    } else if (event instanceof Event.RefusalDelta refusal) {
      delta("refusal", refusal.delta(), "index", refusal.contentIndex());
    } else if (event instanceof Event.ToolCallDelta call) {
      delta("call", call.delta(), "index", call.contentIndex(), "call_id", call.callId(), "name", call.name());
    } else if (event instanceof Event.ItemProgress progress) {
      line("progress", Shapes.progress(progress));
    } else if (event instanceof Done done) {
      line("done", shapes.done(done));
      if (details) {
        line("details", Shapes.details(done));
      }
      if (kept) {
        line("kept", Shapes.kept(done));
      }
    }
  }

  void error(TrunklineException error) {
    line("error", shapes.error(error));
  }

  void session(Session session) {
    line("session", shapes.session(session));
  }

  void turn(Session.RunningTurn turn) {
    line("turn", Shapes.turn(turn));
  }

  void compaction(Compaction compaction) {
    line("compacted", shapes.compacted(compaction));
  }

  void history(List<Message> messages) {
    line("history", Shapes.history(messages));
  }

  void word(String alone) {
    flush();
    transcript.line(alone);
  }

  private void line(String word, Object value) {
    flush();
    transcript.line(word, value);
  }

  private void delta(String word, String delta, Object... part) {
    Map<String, Object> of = Shapes.object(part);
    if (!word.equals(this.word) || !of.equals(this.part)) {
      flush();
      this.word = word;
      this.part = of;
    }
    deltas.append(delta);
  }

  private void flush() {
    if (!word.isEmpty()) {
      Map<String, Object> whole = new LinkedHashMap<>(part);
      whole.put("delta", shapes.text(deltas.toString()));
      transcript.line(word, whole);
    }
    word = "";
    part = Map.of();
    deltas.setLength(0);
  }
}
