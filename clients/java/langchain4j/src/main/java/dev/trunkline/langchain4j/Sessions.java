package dev.trunkline.langchain4j;

import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Which session a history belongs to, which LangChain4j does not say.
 *
 * <p>Each answer carries its {@link Mark}: the session that gave it, and a name of its own. LangChain4j keeps attributes
 * wherever it keeps messages, so nothing has to be read or hashed to recognize a history, and another process knows it,
 * too. A history whose last answer is the latest one of its session continues there. One that branches off an older
 * answer, or comes while a turn of that session still runs, gets a session of its own, so the first one keeps its chain.
 * A mark of another process is believed: the worst that a wrong one costs is a turn in full.
 */
final class Sessions {
  /** How many sessions are remembered; those that were used last. */
  static final int MOST = 1024;

  private static final String RUNNING = "running";

  /** Where a conversation stands: after the answer of this name, in this session. Empty: before the first. */
  record Mark(String session, String answer, String continuation) {
    static Mark start(String session) {
      return new Mark(session, "", "");
    }
  }

  private final Map<String, String> latest =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, String> eldest) {
          return size() > MOST;
        }
      };

  /** A turn of a session, which it holds until it has ended or failed. Only the first of these counts. */
  final class Turn {
    private final Mark mark;
    private final AtomicBoolean over = new AtomicBoolean();

    private Turn(Mark mark) {
      this.mark = mark;
    }

    Mark mark() {
      return mark;
    }

    /** Returns the mark of its answer. */
    Mark ended(String continuation) {
      Mark next = new Mark(mark.session, UUID.randomUUID().toString(), continuation);
      leave(next);
      return next;
    }

    /** The session stands where it was. */
    void failed() {
      leave(mark);
    }

    private void leave(Mark at) {
      if (over.compareAndSet(false, true)) {
        settle(at);
      }
    }
  }

  /** The next turn of a history. {@code named}: the session that its caller names, or null. */
  Turn take(List<ChatMessage> history, String named) {
    Mark last = null;
    for (ChatMessage message : history) {
      last = message instanceof AiMessage said ? Answers.markOf(said) : last;
    }
    if (named == null) {
      return new Turn(take(last));
    }
    return new Turn(last != null && last.session.equals(named) ? last : Mark.start(named));
  }

  private synchronized Mark take(Mark last) {
    boolean here = last != null && latest.getOrDefault(last.session, last.answer).equals(last.answer);
    Mark taken = here ? last : Mark.start(UUID.randomUUID().toString());
    latest.put(taken.session, RUNNING);
    return taken;
  }

  private synchronized void settle(Mark mark) {
    latest.computeIfPresent(mark.session, (session, running) -> mark.answer.isEmpty() ? null : mark.answer);
  }
}
