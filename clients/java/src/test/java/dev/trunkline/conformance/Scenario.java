package dev.trunkline.conformance;

import static java.util.Map.entry;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.trunkline.Conversation;
import dev.trunkline.Done;
import dev.trunkline.Messages;
import dev.trunkline.Options;
import dev.trunkline.Parts;
import dev.trunkline.Tool;
import dev.trunkline.Transport;
import dev.trunkline.Trunkline;
import dev.trunkline.v1.Message;
import dev.trunkline.v1.Part;
import dev.trunkline.v1.UpstreamItemPart;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;

/** One conversation and its steps. */
final class Scenario {
  private static final Map<String, BiFunction<Options, JsonElement, Options>> OPTIONS =
      Map.ofEntries(
          entry("transport", (o, value) -> o.transport(Transport.valueOf(value.getAsString().toUpperCase()))),
          entry("max_output_tokens", (o, value) -> o.maxOutputTokens(value.getAsLong())),
          entry("parallel_tool_calls", (o, value) -> o.parallelToolCalls(value.getAsBoolean())),
          entry("reasoning_effort", (o, value) -> o.reasoningEffort(value.getAsString())),
          entry("reasoning_summary", (o, value) -> o.reasoningSummary(value.getAsString())),
          entry("include", (o, value) -> o.include(strings(value).toArray(String[]::new))),
          entry("tool_choice", (o, value) -> o.choiceDefinition(value.getAsString())),
          entry("store", (o, value) -> o.store(value.getAsBoolean())),
          entry("resume", (o, value) -> o.resume(value.getAsBoolean())),
          entry("linger", (o, value) -> o.linger(Duration.ofSeconds(value.getAsLong()))),
          entry("heartbeat", (o, value) -> o.heartbeat(Duration.ofSeconds(value.getAsLong()))));

  private final Trunkline client;
  private final boolean async;
  private final Transcript transcript;
  private final JsonObject scenario;
  private final Conversation conversation;

  Scenario(Trunkline client, boolean async, Transcript transcript, JsonObject data, JsonObject scenario) {
    this.client = client;
    this.async = async;
    this.transcript = transcript;
    this.scenario = scenario;
    String own = "conformance." + transcript.run() + "." + scenario.get("name").getAsString();
    String sessionId = scenario.has("session") ? scenario.get("session").getAsString() : own;
    List<Tool> tools = new ArrayList<>();
    if (scenario.has("tools")) {
      for (JsonElement name : scenario.getAsJsonArray("tools")) {
        tools.add(tool(name.getAsString(), data.getAsJsonObject("tools").getAsJsonObject(name.getAsString())));
      }
    }
    conversation = client.conversation(data.get("model").getAsString(), sessionId).tools(tools);
    if (scenario.has("instructions")) {
      conversation.instructions(scenario.get("instructions").getAsString());
    }
  }

  void run() {
    transcript.scenario(scenario.get("name").getAsString());
    List<Done> ended = new ArrayList<>();
    for (JsonElement one : scenario.getAsJsonArray("steps")) {
      JsonObject step = one.getAsJsonObject();
      transcript.step(step.get("do").getAsString());
      Lines lines = new Lines(transcript, new Shapes(is(step, "mask")), is(step, "details"), is(step, "kept"));
      new Step(client, async, conversation, step, lines, ended).take();
    }
  }

  private static Tool tool(String name, JsonObject data) {
    Tool.Function<String> lookup =
        arguments -> {
          if (is(data, "fails")) {
            throw new IllegalStateException("it is broken");
          }
          return "found " + JsonParser.parseString(arguments).getAsJsonObject().get("query").getAsString();
        };
    if (data.has("definition")) {
      return Tool.definition(data.get("definition").getAsString(), lookup);
    }
    String description = data.get("description").getAsString();
    if (is(data, "custom")) {
      return Tool.custom(name, description, input -> "found " + input);
    }
    return Tool.ofJson(name, description, data.get("parameters").getAsString(), lookup);
  }

  private static boolean is(JsonObject data, String flag) {
    return data.has(flag) && data.get(flag).getAsBoolean();
  }

  private static List<String> strings(JsonElement array) {
    return array.getAsJsonArray().asList().stream().map(JsonElement::getAsString).toList();
  }

  /** What a turn is given. */
  static Message[] given(JsonObject turn) {
    if (!turn.has("text")) {
      return new Message[0];
    }
    StringBuilder text = new StringBuilder(turn.get("text").getAsString());
    if (turn.has("repeat")) {
      JsonObject repeat = turn.getAsJsonObject("repeat");
      text.append(repeat.get("of").getAsString().repeat(repeat.get("count").getAsInt()));
    }
    List<Part> parts = new ArrayList<>(List.of(Parts.text(text.toString())));
    if (turn.has("items")) {
      strings(turn.get("items")).forEach(item -> parts.add(Parts.upstreamItem(item)));
    }
    return new Message[] {Messages.user(parts.toArray(Part[]::new))};
  }

  /** One item for each action, in order. */
  static List<Part> answers(JsonObject step, List<UpstreamItemPart> actions) {
    List<String> answers = strings(step.get("answers"));
    if (answers.size() != actions.size()) {
      throw new IllegalStateException(actions.size() + " actions, " + answers.size() + " answers");
    }
    List<Part> items = new ArrayList<>();
    for (int i = 0; i < answers.size(); i++) {
      items.add(answer(answers.get(i), actions.get(i)));
    }
    return items;
  }

  private static Part answer(String given, UpstreamItemPart action) {
    if (given.equals("approve") || given.equals("deny")) {
      return Parts.approval(action, given.equals("approve"));
    }
    String callId = JsonParser.parseString(action.getJson()).getAsJsonObject().get("call_id").getAsString();
    return Parts.upstreamItem(given.replace("CALL", callId));
  }

  /** How a turn is run. */
  static Options options(Options options, JsonObject turn) {
    Options changed = options;
    if (turn.has("options")) {
      for (Map.Entry<String, JsonElement> one : turn.getAsJsonObject("options").entrySet()) {
        changed = OPTIONS.get(one.getKey()).apply(changed, one.getValue());
      }
    }
    if (turn.has("timeout_ms")) {
      changed = changed.timeout(Duration.ofMillis(turn.get("timeout_ms").getAsLong()));
    }
    if (turn.has("max_rounds")) {
      changed = changed.maxRounds(turn.get("max_rounds").getAsInt());
    }
    return changed;
  }
}
