package dev.trunkline;

import dev.trunkline.v1.CompactRequest;
import dev.trunkline.v1.CompleteRequest;
import dev.trunkline.v1.CompletionOptions;
import dev.trunkline.v1.Message;
import dev.trunkline.v1.StreamCompletionRequest;
import dev.trunkline.v1.WarmSessionRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/**
 * What a conversation and its views ({@link Conversation#with}) share, the requests made of it, and what an answer
 * changes in it.
 */
final class ConversationState {
  private final Trunkline client;
  private final String sessionId;
  private final List<Message> messages = new ArrayList<>();
  private final AtomicBoolean busy = new AtomicBoolean();
  private String model;
  private String instructions = "";
  private List<Tool> tools = List.of();
  private Options options = Options.NONE;
  private String continuation = "";

  ConversationState(Trunkline client, String sessionId, String model) {
    this.client = client;
    this.sessionId = Objects.requireNonNull(sessionId);
    this.model = Objects.requireNonNull(model);
  }

  Trunkline client() {
    return client;
  }

  String sessionId() {
    return sessionId;
  }

  String model() {
    return model;
  }

  void model(String model) {
    this.model = Objects.requireNonNull(model);
  }

  String instructions() {
    return instructions;
  }

  void instructions(String instructions) {
    this.instructions = Objects.requireNonNull(instructions);
  }

  List<Tool> tools() {
    return tools;
  }

  void tools(List<Tool> tools) {
    this.tools = List.copyOf(tools);
  }

  Options options() {
    return options;
  }

  void options(Options options) {
    this.options = Objects.requireNonNull(options);
  }

  /** That of the latest answer that brought one; empty: none has. */
  String continuation() {
    return continuation;
  }

  void continuation(String continuation) {
    this.continuation = Objects.requireNonNull(continuation);
  }

  /** The list itself: its owner edits it. */
  List<Message> messages() {
    return messages;
  }

  // ---- what is sent

  StreamCompletionRequest request(List<Message> given, Options options) {
    return StreamCompletionRequest.newBuilder()
        .setSessionId(sessionId)
        .setModel(model)
        .setInstructions(instructions)
        .addAllMessages(messages)
        .addAllMessages(given)
        .addAllTools(wireTools())
        .setOptions(options.toProto())
        .setRequestId(options.requestId())
        .setContinuation(continuation)
        .build();
  }

  CompleteRequest completeRequest(List<Message> given, Options options) {
    return CompleteRequest.newBuilder()
        .setSessionId(sessionId)
        .setModel(model)
        .setInstructions(instructions)
        .addAllMessages(messages)
        .addAllMessages(given)
        .addAllTools(wireTools())
        .setOptions(options.toProto())
        .setRequestId(options.requestId())
        .setContinuation(continuation)
        .build();
  }

  CompactRequest compactRequest(Options options) {
    CompletionOptions wire = options.toProto();
    CompactRequest.Builder request =
        CompactRequest.newBuilder()
            .setSessionId(sessionId)
            .setModel(model)
            .setInstructions(instructions)
            .addAllMessages(messages)
            .setRequestId(options.requestId())
            .setPromptCacheKey(wire.getPromptCacheKey())
            .setServiceTier(wire.getServiceTier());
    return (wire.hasStore() ? request.setStore(wire.getStore()) : request).build();
  }

  WarmSessionRequest warmRequest(boolean prime) {
    return WarmSessionRequest.newBuilder()
        .setSessionId(sessionId)
        .setModel(model)
        .setInstructions(instructions)
        .addAllTools(wireTools())
        .setPrime(prime)
        .build();
  }

  private List<dev.trunkline.v1.Tool> wireTools() {
    return tools.stream().map(Tool::toProto).toList();
  }

  // ---- what an answer changes

  /** Opens a turn. Returns the callback for its end; only the first call of it counts. */
  Consumer<Optional<Done>> openTurn(List<Message> given) {
    List<Message> asked = List.copyOf(given);
    return open(
        done -> {
          messages.addAll(asked);
          messages.add(done.message());
          if (!done.continuation().isEmpty()) {
            continuation = done.continuation();
          }
        });
  }

  /** The same for a compaction. */
  Consumer<Optional<Compaction>> openCompaction() {
    return open(
        compaction -> {
          messages.clear();
          messages.addAll(compaction.messages());
        });
  }

  private <T> Consumer<Optional<T>> open(Consumer<T> keep) {
    if (!busy.compareAndSet(false, true)) {
      // Of two answers to one history only one can be its next message.
      throw new IllegalStateException(
          "a turn of this conversation is still open: read it to its end, or close it");
    }
    AtomicBoolean ended = new AtomicBoolean();
    return answer -> {
      if (ended.compareAndSet(false, true)) {
        answer.ifPresent(keep);
        busy.set(false);
      }
    };
  }
}
