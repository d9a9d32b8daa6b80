package dev.trunkline.conformance;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.trunkline.Conversation;
import dev.trunkline.Messages;
import dev.trunkline.Options;
import dev.trunkline.Tool;
import dev.trunkline.Transport;
import dev.trunkline.Trunkline;
import dev.trunkline.v1.Message;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;

/** One conversation and its steps. */
final class Scenario {
  private static final Map<String, BiFunction<Options, JsonElement, Options>> OPTIONS =
      Map.of(
          "transport", (o, value) -> o.transport(Transport.valueOf(value.getAsString().toUpperCase())),
          "max_output_tokens", (o, value) -> o.maxOutputTokens(value.getAsLong()),
          "parallel_tool_calls", (o, value) -> o.parallelToolCalls(value.getAsBoolean()),
          "reasoning_effort", (o, value) -> o.reasoningEffort(value.getAsString()),
          "reasoning_summary", (o, value) -> o.reasoningSummary(value.getAsString()));

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
    for (JsonElement one : scenario.getAsJsonArray("steps")) {
      JsonObject step = one.getAsJsonObject();
      transcript.step(step.get("do").getAsString());
      Lines lines = new Lines(transcript, new Shapes(step.has("mask") && step.get("mask").getAsBoolean()));
      new Step(client, async, conversation, step, lines).take();
    }
  }

  private static Tool tool(String name, JsonObject data) {
    boolean fails = data.has("fails") && data.get("fails").getAsBoolean();
    return Tool.ofJson(
        name,
        data.get("description").getAsString(),
        data.get("parameters").getAsString(),
        arguments -> {
          if (fails) {
            throw new IllegalStateException("it is broken");
          }
          return "found " + JsonParser.parseString(arguments).getAsJsonObject().get("query").getAsString();
        });
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
    return new Message[] {Messages.user(text.toString())};
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
