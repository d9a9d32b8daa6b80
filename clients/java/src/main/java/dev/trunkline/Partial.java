package dev.trunkline;

import dev.trunkline.Event.ReasoningDelta;
import dev.trunkline.Event.RefusalDelta;
import dev.trunkline.Event.TextDelta;
import dev.trunkline.v1.Message;
import dev.trunkline.v1.Part;
import dev.trunkline.v1.ReasoningPart;
import dev.trunkline.v1.RefusalPart;
import dev.trunkline.v1.Role;
import java.util.Comparator;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * The answer received so far, for a turn whose connection broke before the service could report it.
 *
 * <p>Tool calls are left out, as the service leaves them out: half a call is no call.
 */
final class Partial {
  private enum Kind {
    REASONING,
    REFUSAL,
    TEXT
  }

  private record Key(int index, Kind kind) {}

  private final Map<Key, StringBuilder> parts =
      new TreeMap<>(Comparator.comparingInt(Key::index).thenComparing(Key::kind));

  synchronized void add(Event event) {
    if (event instanceof TextDelta text) {
      append(text.contentIndex(), Kind.TEXT, text.delta());
    } else if (event instanceof RefusalDelta refusal) {
      append(refusal.contentIndex(), Kind.REFUSAL, refusal.delta());
    } else if (event instanceof ReasoningDelta reasoning) {
      append(reasoning.contentIndex(), Kind.REASONING, reasoning.delta());
    }
  }

  synchronized String text() {
    return parts.entrySet().stream()
        .filter(part -> part.getKey().kind() == Kind.TEXT)
        .map(Map.Entry::getValue)
        .collect(Collectors.joining());
  }

  /** Empty: nothing has come. */
  synchronized Optional<Message> message() {
    if (parts.isEmpty()) {
      return Optional.empty();
    }
    Message.Builder message = Message.newBuilder().setRole(Role.ROLE_ASSISTANT);
    parts.forEach((key, text) -> message.addParts(part(key.kind(), text.toString())));
    return Optional.of(message.build());
  }

  private void append(int index, Kind kind, String delta) {
    parts.computeIfAbsent(new Key(index, kind), key -> new StringBuilder()).append(delta);
  }

  private static Part part(Kind kind, String text) {
    return switch (kind) {
      case TEXT -> Parts.text(text);
      case REFUSAL -> Part.newBuilder().setRefusal(RefusalPart.newBuilder().setText(text)).build();
      case REASONING -> Part.newBuilder().setReasoning(ReasoningPart.newBuilder().addSummary(text)).build();
    };
  }
}
