package dev.trunkline.conformance;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.trunkline.Compaction;
import dev.trunkline.Done;
import dev.trunkline.Event;
import dev.trunkline.Report;
import dev.trunkline.Session;
import dev.trunkline.TrunklineException;
import dev.trunkline.Usage;
import dev.trunkline.v1.Message;
import dev.trunkline.v1.Part;
import dev.trunkline.v1.ToolCallKind;
import dev.trunkline.v1.UpstreamItemPart;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Events, errors and sessions as the JSON of the transcript: keys and their order, masks and digests. */
final class Shapes {
  private static final int LONGEST = 200;
  private static final Set<String> OWN_WORDS = Set.of("CANCELLED", "DEADLINE_EXCEEDED");

  private final boolean mask;

  /** {@code mask}: how much text came depends on the clock. */
  Shapes(boolean mask) {
    this.mask = mask;
  }

  String text(String text) {
    if (mask) {
      return "<text>";
    }
    byte[] data = text.getBytes(StandardCharsets.UTF_8);
    if (data.length <= LONGEST) {
      return text;
    }
    try {
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(data);
      return "<" + data.length + " bytes, sha256 " + HexFormat.of().formatHex(digest) + ">";
    } catch (NoSuchAlgorithmException missing) {
      throw new IllegalStateException(missing);
    }
  }

  Map<String, Object> start(Event.Start start) {
    return object(
        "turn_id", !start.turnId().isEmpty(),
        "model", start.model(),
        "transport", word(start.transport()),
        "context", word(start.context()));
  }

  Map<String, Object> done(Done done) {
    return object(
        "stop_reason", word(done.stopReason()),
        "model", done.model(),
        "provider", done.provider(),
        "created", done.createdAt().isPresent(),
        "parts", parts(done.message()),
        "usage", usage(done.usage()),
        "report", report(done.report()));
  }

  static Map<String, Object> progress(Event.ItemProgress progress) {
    return object(
        "index", progress.contentIndex(),
        "item_type", progress.itemType(),
        "event_type", progress.eventType(),
        "json", !progress.json().isEmpty());
  }

  static Map<String, Object> details(Done done) {
    return object(
        "tier", done.serviceTier(),
        "usage", !done.usage().detailsJson().isEmpty(),
        "annotations", done.annotations().stream().map(Shapes::citation).toList(),
        "logprobs", done.logprobs().size(),
        "actions", done.actions().stream().map(UpstreamItemPart::getType).toList(),
        "ignored", new TreeMap<>(done.report().ignoredEvents()));
  }

  static Map<String, Object> kept(Done done) {
    return object("attached", done.report().attached(), "continuation", !done.continuation().isEmpty());
  }

  Map<String, Object> compacted(Compaction compaction) {
    return object(
        "messages", history(compaction.messages()),
        "usage", usage(compaction.usage()),
        "response_id", !compaction.responseId().isEmpty(),
        "provider", compaction.provider(),
        "created", compaction.createdAt().isPresent());
  }

  static Map<String, Object> turn(Session.RunningTurn turn) {
    return object(
        "turn_id", !turn.turnId().isEmpty(),
        "key", turn.turnKey(),
        "started", turn.startedAt().isPresent(),
        "ended", turn.ended(),
        "sequence", turn.lastSequence() > 0);
  }

  private static Map<String, Object> citation(String json) {
    JsonObject annotation = JsonParser.parseString(json).getAsJsonObject();
    String source =
        Stream.of("url", "file_id")
            .filter(annotation::has)
            .map(name -> annotation.get(name).getAsString())
            .findFirst()
            .orElse("");
    return object("type", annotation.get("type").getAsString(), "source", source);
  }

  Map<String, Object> error(TrunklineException error) {
    return object(
        "reason", error.reason(),
        "status", error.status().value(),
        "message", OWN_WORDS.contains(error.reason()) ? null : error.detail(),
        "retryable", error.retryable(),
        "retry_after", error.retryAfter().map(Shapes::seconds).orElse(null),
        "sent", error.sent().map(String::valueOf).orElse("unknown"),
        "partial", error.partial().map(this::parts).orElse(null),
        "upstream", error.upstream().map(Shapes::upstream).orElse(null),
        "usage", error.usage().map(this::usage).orElse(null),
        "attempts", error.report().map(Report::attempts).orElse(null),
        "violations",
            error.violations().stream()
                .map(one -> object("field", one.field(), "description", one.description()))
                .toList());
  }

  Map<String, Object> session(Session session) {
    return object(
        "session_id", session.sessionId(),
        "live", session.live(),
        "line_state", word(session.lineState()),
        "turns", session.turns(),
        "incremental_turns", session.incrementalTurns(),
        "saved", session.bytesSaved() > 0,
        "created", session.createdAt().isPresent(),
        "used", session.lastUsedAt().isPresent());
  }

  static List<String> history(List<Message> messages) {
    return messages.stream()
        .map(
            message ->
                message.getRole().name().substring("ROLE_".length()).toLowerCase()
                    + message.getPartsList().stream().map(Shapes::kind).collect(Collectors.joining(",", ":", "")))
        .toList();
  }

  private static String kind(Part part) {
    return switch (part.getPartCase()) {
      case TEXT -> "text";
      case IMAGE -> "image";
      case FILE -> "file";
      case TOOL_CALL -> custom(part) ? "custom" : "call";
      case UPSTREAM_ITEM -> "item";
      case TOOL_RESULT -> part.getToolResult().getIsError() ? "failed" : "result";
      case REASONING -> "reasoning";
      case REFUSAL -> "refusal";
      case PART_NOT_SET -> throw new IllegalStateException("a part without a kind");
    };
  }

  private static boolean custom(Part part) {
    return part.getToolCall().getKind() == ToolCallKind.TOOL_CALL_KIND_CUSTOM;
  }

  private List<Object> parts(Message message) {
    return message.getPartsList().stream().<Object>map(this::part).toList();
  }

  private Map<String, Object> part(Part part) {
    return switch (part.getPartCase()) {
      case TEXT -> object("text", text(part.getText().getText()), "phase", part.getText().getPhase());
      case REASONING ->
          object(
              "reasoning", part.getReasoning().getSummaryList().stream().map(this::text).toList(),
              "content", part.getReasoning().getContentList().stream().map(this::text).toList(),
              "encrypted", !part.getReasoning().getEncryptedContent().isEmpty());
      case REFUSAL -> object("refusal", text(part.getRefusal().getText()));
      case UPSTREAM_ITEM -> // whole, whatever its length: it is passed on as it is written
          object(
              "item", part.getUpstreamItem().getType(),
              "json", mask ? "<text>" : part.getUpstreamItem().getJson());
      case TOOL_CALL ->
          object(
              custom(part) ? "custom" : "call", part.getToolCall().getCallId(),
              "name", part.getToolCall().getName(),
              custom(part) ? "input" : "arguments", text(part.getToolCall().getArguments()));
      default -> throw new IllegalStateException("an answer has no " + part.getPartCase());
    };
  }

  private Map<String, Object> usage(Usage usage) {
    if (mask) {
      return null;
    }
    return object(
        "input", usage.inputTokens(),
        "cached", usage.cachedInputTokens(),
        "written", usage.cacheWriteTokens(),
        "output", usage.outputTokens(),
        "reasoning", usage.reasoningTokens(),
        "total", usage.totalTokens());
  }

  private static Map<String, Object> report(Report report) {
    return object(
        "response_id", !report.responseId().isEmpty(),
        "transport", word(report.transport()),
        "transport_reason", report.transportReason(),
        "context", word(report.context()),
        "context_reason", report.contextReason(),
        "attempts", report.attempts(),
        "reused", report.connectionReused(),
        "saved", report.bytesSaved() > 0,
        "timed", report.timings().total().isPresent());
  }

  private static Map<String, Object> upstream(TrunklineException.Upstream upstream) {
    return object(
        "code", upstream.code(),
        "type", upstream.type(),
        "status", upstream.status(),
        "request_id", !upstream.requestId().isEmpty());
  }

  static String word(Enum<?> constant) {
    return constant.name().equals("UNKNOWN") ? "" : constant.toString();
  }

  private static long seconds(Duration duration) {
    return Math.round(duration.toMillis() / 1000.0);
  }

  static Map<String, Object> object(Object... keysAndValues) {
    Map<String, Object> object = new LinkedHashMap<>();
    for (int i = 0; i < keysAndValues.length; i += 2) {
      object.put((String) keysAndValues[i], keysAndValues[i + 1]);
    }
    return object;
  }
}
