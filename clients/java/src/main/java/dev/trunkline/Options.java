package dev.trunkline;

import dev.trunkline.v1.AllowedTools;
import dev.trunkline.v1.CompletionOptions;
import dev.trunkline.v1.JsonObjectFormat;
import dev.trunkline.v1.JsonSchemaFormat;
import dev.trunkline.v1.PlainFormat;
import dev.trunkline.v1.ToolChoice;
import dev.trunkline.v1.ToolChoiceMode;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * How to run a turn. Immutable: each method returns other options. What is not set is not sent; zero is a value.
 *
 * <p>Values are judged by the service, which names the field.
 */
public final class Options {
  /** Nothing set. */
  public static final Options NONE =
      new Options(
          CompletionOptions.getDefaultInstance(), Optional.empty(), Optional.empty(), "", ToolLoop.MAX_ROUNDS);

  private final CompletionOptions wire;
  private final Optional<Duration> timeout;
  private final Optional<Boolean> resume;
  private final String requestId;
  private final int maxRounds;

  private Options(
      CompletionOptions wire,
      Optional<Duration> timeout,
      Optional<Boolean> resume,
      String requestId,
      int maxRounds) {
    this.wire = wire;
    this.timeout = timeout;
    this.resume = resume;
    this.requestId = requestId;
    this.maxRounds = maxRounds;
  }

  /** How long a turn may take, waiting and retries included. */
  public Options timeout(Duration timeout) {
    return new Options(wire, Optional.of(timeout), resume, requestId, maxRounds);
  }

  /**
   * The turn goes on where its connection breaks: the call is made again, and no event is lost or comes twice. The turn
   * gets a key and goes on at the service meanwhile, by default for 60 seconds ({@link #linger}). Unset: as the client
   * does ({@link Trunkline#withResume}).
   */
  public Options resume(boolean resume) {
    return new Options(wire, timeout, Optional.of(resume), requestId, maxRounds);
  }

  /** The caller's correlation id, at most 128 characters: in logs, spans and errors. Not an idempotency key. */
  public Options requestId(String requestId) {
    return new Options(wire, timeout, resume, Objects.requireNonNull(requestId), maxRounds);
  }

  /** How many turns {@code run} makes at most; 32 by default. */
  public Options maxRounds(int maxRounds) {
    if (maxRounds < 1) {
      throw new IllegalArgumentException("maxRounds: at least 1");
    }
    return new Options(wire, timeout, resume, requestId, maxRounds);
  }

  /** How the turn reaches the upstream. */
  public Options transport(Transport transport) {
    return set(
        it ->
            it.setTransport(
                switch (transport) {
                  case AUTO -> dev.trunkline.v1.Transport.TRANSPORT_AUTO;
                  case WEBSOCKET -> dev.trunkline.v1.Transport.TRANSPORT_WEBSOCKET;
                  case SSE -> dev.trunkline.v1.Transport.TRANSPORT_SSE;
                  case UNKNOWN -> dev.trunkline.v1.Transport.TRANSPORT_UNSPECIFIED;
                }));
  }

  /** Sampling temperature, 0 to 2. */
  public Options temperature(double temperature) {
    return set(it -> it.setTemperature(temperature));
  }

  /** Nucleus sampling, 0 to 1. */
  public Options topP(double topP) {
    return set(it -> it.setTopP(topP));
  }

  /** At most this many tokens, reasoning included. */
  public Options maxOutputTokens(long tokens) {
    return set(it -> it.setMaxOutputTokens(tokens));
  }

  /** Whether the model may call several tools at once. */
  public Options parallelToolCalls(boolean parallel) {
    return set(it -> it.setParallelToolCalls(parallel));
  }

  /** Whether the upstream keeps the response. */
  public Options store(boolean store) {
    return set(it -> it.setStore(store));
  }

  /** The model decides whether it calls a tool, calls none, or must call one. */
  public Options toolChoice(ToolChoiceMode mode) {
    return set(it -> it.setToolChoice(ToolChoice.newBuilder().setMode(mode)));
  }

  /** The model calls this tool. */
  public Options forceTool(String name) {
    return set(it -> it.setToolChoice(ToolChoice.newBuilder().setFunction(name)));
  }

  /** The model may call one of these. What is declared, so the chain, stays the same. */
  public Options allowTools(String... names) {
    return allow(ToolChoiceMode.TOOL_CHOICE_MODE_AUTO, names);
  }

  /** The model calls one of these. What is declared, so the chain, stays the same. */
  public Options requireTools(String... names) {
    return allow(ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED, names);
  }

  /** Any other choice, a JSON object for the upstream as it is written: a hosted tool, a custom one, a set. */
  public Options choiceDefinition(String json) {
    return set(it -> it.setToolChoice(ToolChoice.newBuilder().setDefinitionJson(json)));
  }

  /** How hard the model thinks. */
  public Options reasoningEffort(ReasoningEffort effort) {
    return reasoningEffort(effort.toString());
  }

  /** The same by the upstream's word. */
  public Options reasoningEffort(String effort) {
    return set(it -> it.getReasoningBuilder().setEffort(effort));
  }

  /** Whether the model's reasoning is summarized, and how. */
  public Options reasoningSummary(ReasoningSummary summary) {
    return reasoningSummary(summary.toString());
  }

  /** The same by the upstream's word. */
  public Options reasoningSummary(String summary) {
    return set(it -> it.getReasoningBuilder().setSummary(summary));
  }

  /** The text is plain. */
  public Options plainText() {
    return set(it -> it.getTextBuilder().setPlain(PlainFormat.getDefaultInstance()));
  }

  /** The text is a JSON object. */
  public Options jsonObject() {
    return set(it -> it.getTextBuilder().setJsonObject(JsonObjectFormat.getDefaultInstance()));
  }

  /** The text is JSON that fits a schema, itself JSON; {@code strict}: the upstream forces it to. */
  public Options jsonSchema(String name, String schema, boolean strict) {
    JsonSchemaFormat format = JsonSchemaFormat.newBuilder().setName(name).setSchema(schema).setStrict(strict).build();
    return set(it -> it.getTextBuilder().setJsonSchema(format));
  }

  /**
   * The text is JSON that the upstream forces to fit a record, which {@link Done#parsed} reads: String, int, long, double,
   * boolean, enums, List, records, and Optional of these for what may be null. {@link Description} explains one.
   */
  public Options jsonSchema(Class<? extends Record> kind) {
    return jsonSchema(kind.getSimpleName(), Records.strictSchemaOf(kind), true);
  }

  /** How much the model writes. */
  public Options verbosity(Verbosity verbosity) {
    return verbosity(verbosity.toString());
  }

  /** The same by the upstream's word. */
  public Options verbosity(String verbosity) {
    return set(it -> it.getTextBuilder().setVerbosity(verbosity));
  }

  /** Labels for the upstream, in place of those set before. */
  public Options metadata(Map<String, String> metadata) {
    return set(it -> it.clearMetadata().putAllMetadata(metadata));
  }

  /** Groups requests that share a prefix in the upstream's prompt cache. */
  public Options promptCacheKey(String key) {
    return set(it -> it.setPromptCacheKey(key));
  }

  /** How soon, and for what price, the upstream serves the request. */
  public Options serviceTier(ServiceTier tier) {
    return serviceTier(tier.toString());
  }

  /** The same by the upstream's word. */
  public Options serviceTier(String tier) {
    return set(it -> it.setServiceTier(tier));
  }

  /** What the upstream does with a conversation that does not fit the model. */
  public Options truncation(Truncation truncation) {
    return truncation(truncation.toString());
  }

  /** The same by the upstream's word. */
  public Options truncation(String truncation) {
    return set(it -> it.setTruncation(truncation));
  }

  /** A stable, hashed id of the end user. */
  public Options safetyIdentifier(String identifier) {
    return set(it -> it.setSafetyIdentifier(identifier));
  }

  /** Prime a new connection with instructions and tools before the turn. */
  public Options warmUp(boolean warmUp) {
    return set(it -> it.setWarmUp(warmUp));
  }

  /** More of what the upstream can include in its answer ({@link Include}), in place of what was set before. */
  public Options include(String... names) {
    return set(it -> it.clearInclude().addAllInclude(Arrays.asList(names)));
  }

  /**
   * How long a turn with a key goes on after its caller is gone, and how long a finished one can still be read. The
   * service has a limit for it.
   */
  public Options linger(Duration linger) {
    return set(it -> it.setLinger(Wire.duration(linger)));
  }

  /** The service shows life so often while the model is silent, at least every second, so that proxies see it. */
  public Options heartbeat(Duration interval) {
    return set(it -> it.setHeartbeat(Wire.duration(interval)));
  }

  /** A JSON object of upstream keys that have no name here. */
  public Options extraBodyJson(String json) {
    return set(it -> it.setExtraBodyJson(json));
  }

  @Override
  public String toString() {
    return "Options{" + wire.toString().strip().replace("\n", ", ") + "}";
  }

  /** For requests that are put together by hand: all but the timeout, {@code resume}, the request id and the rounds. */
  public CompletionOptions toProto() {
    return wire;
  }

  Optional<Duration> timeout() {
    return timeout;
  }

  Optional<Boolean> resume() {
    return resume;
  }

  String requestId() {
    return requestId;
  }

  int maxRounds() {
    return maxRounds;
  }

  private Options allow(ToolChoiceMode mode, String... names) {
    AllowedTools allowed = AllowedTools.newBuilder().setMode(mode).addAllFunctions(Arrays.asList(names)).build();
    return set(it -> it.setToolChoice(ToolChoice.newBuilder().setAllowed(allowed)));
  }

  private Options set(Consumer<CompletionOptions.Builder> change) {
    CompletionOptions.Builder changed = wire.toBuilder();
    change.accept(changed);
    return new Options(changed.build(), timeout, resume, requestId, maxRounds);
  }
}
