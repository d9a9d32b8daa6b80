package dev.trunkline;

import dev.trunkline.v1.Message;
import dev.trunkline.v1.ToolCallPart;
import java.util.List;
import java.util.Optional;

/**
 * The tool loop, without I/O.
 *
 * <p>Open calls are answered first, then a turn is made, until the model asks for nothing or waits for an action, or
 * the rounds are used up. No tool runs twice: results are added to the conversation as soon as they exist, so a turn
 * that fails afterwards can be repeated without running its tools again.
 */
final class ToolLoop {
  static final int MAX_ROUNDS = 32;

  private final Conversation conversation;
  private List<Message> given;
  private int roundsLeft;
  private boolean first = true;
  private boolean waits;

  ToolLoop(Conversation conversation, List<Message> given) {
    this.conversation = conversation;
    this.given = given;
    this.roundsLeft = conversation.options().maxRounds();
  }

  /** Another turn follows. */
  boolean goesOn() {
    return roundsLeft > 0 && !waits && (first || !conversation.openCalls().isEmpty());
  }

  /** Must see each event of the turns. Open calls are left to the run that brings the result of an action. */
  void seen(Event event) {
    waits = event instanceof Done done && done.stopReason() == StopReason.ACTION_REQUIRED;
  }

  /** What must be called before it. */
  List<ToolCallPart> calls() {
    return conversation.openCalls();
  }

  Optional<Tool> tool(ToolCallPart call) {
    return conversation.tools().stream().filter(tool -> tool.name().equals(call.getName())).findFirst();
  }

  /** The results, in the order of the calls. Returns what goes with the turn: what was given, once. */
  List<Message> begin(List<Message> results) {
    conversation.messages().addAll(results);
    roundsLeft--;
    first = false;
    List<Message> now = given;
    given = List.of();
    return now;
  }

  static TrunklineException cancelled() {
    return Failures.cancelled("cancel() was called", false, Optional.empty());
  }
}
