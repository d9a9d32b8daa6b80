package dev.trunkline.langchain4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.UserMessage;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SessionsTest {
  private final Sessions sessions = new Sessions();

  private Sessions.Turn take(List<ChatMessage> history) {
    return sessions.take(history, null);
  }

  /** The history with a question, and the answer that carries this mark. */
  private static List<ChatMessage> after(List<ChatMessage> history, Sessions.Mark mark) {
    List<ChatMessage> longer = new ArrayList<>(history);
    longer.add(UserMessage.from("?"));
    longer.add(
        AiMessage.builder()
            .text("!")
            .attributes(
                Map.of(
                    "trunkline.session", mark.session(),
                    "trunkline.answer", mark.answer(),
                    "trunkline.continuation", mark.continuation()))
            .build());
    return longer;
  }

  @Test
  void aHistoryGoesOnInItsSession() {
    Sessions.Turn first = take(List.of());
    Sessions.Turn second = take(after(List.of(), first.ended("token")));
    assertEquals(first.mark().session(), second.mark().session());
    assertEquals("token", second.mark().continuation());
  }

  @Test
  void conversationsHaveSessionsOfTheirOwn() {
    assertNotEquals(take(List.of()).mark().session(), take(List.of()).mark().session());
  }

  @Test
  void aBranchHasASessionOfItsOwn() {
    Sessions.Turn first = take(List.of());
    List<ChatMessage> one = after(List.of(), first.ended(""));
    List<ChatMessage> two = after(one, take(one).ended(""));
    assertNotEquals(first.mark().session(), take(one).mark().session());
    assertEquals(first.mark().session(), take(two).mark().session());
  }

  @Test
  void aSecondCallWhileTheFirstRunsHasASessionOfItsOwn() {
    List<ChatMessage> history = after(List.of(), take(List.of()).ended(""));
    Sessions.Turn running = take(history);
    assertNotEquals(running.mark().session(), take(history).mark().session());
  }

  @Test
  void aTurnThatFailedLeavesItsSessionWhereItWas() {
    Sessions.Turn first = take(List.of());
    List<ChatMessage> history = after(List.of(), first.ended(""));
    take(history).failed();
    assertEquals(first.mark().session(), take(history).mark().session());
  }

  @Test
  void aTurnThatIsCancelledAfterItsEndHasEnded() {
    List<ChatMessage> one = after(List.of(), take(List.of()).ended(""));
    Sessions.Turn second = take(one);
    List<ChatMessage> two = after(one, second.ended(""));
    second.failed();
    assertEquals(second.mark().session(), take(two).mark().session());
  }

  @Test
  void theMarkOfAnotherProcessIsBelieved() {
    List<ChatMessage> history = after(List.of(), new Sessions().take(List.of(), null).ended(""));
    assertEquals(Answers.markOf((AiMessage) history.get(1)).session(), take(history).mark().session());
  }

  @Test
  void aSessionThatIsNamedIsTaken() {
    assertEquals("ada", sessions.take(List.of(), "ada").mark().session());
    List<ChatMessage> history = after(List.of(), sessions.take(List.of(), "ada").ended("token"));
    assertEquals("token", sessions.take(history, "ada").mark().continuation());
    assertEquals("", sessions.take(history, "bob").mark().continuation());
  }

  @Test
  void onlyTheLatestSessionsAreRemembered() {
    List<ChatMessage> one = after(List.of(), take(List.of()).ended(""));
    List<ChatMessage> two = after(one, take(one).ended(""));
    for (int i = 0; i < Sessions.MOST; i++) {
      take(List.of());
    }
    String forgotten = Answers.markOf((AiMessage) two.get(1)).session();
    assertEquals(forgotten, take(one).mark().session());
  }
}
