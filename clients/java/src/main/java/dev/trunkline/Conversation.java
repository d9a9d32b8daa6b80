package dev.trunkline;

import dev.trunkline.v1.CompactRequest;
import dev.trunkline.v1.CompleteRequest;
import dev.trunkline.v1.Message;
import dev.trunkline.v1.Part;
import dev.trunkline.v1.StreamCompletionRequest;
import dev.trunkline.v1.ToolCallPart;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.UnaryOperator;

/**
 * Keeps the messages, and what the model said as it said it, so that each next turn is incremental.
 *
 * <p>A turn that ends well adds what was asked and what was answered. One that fails, or that the caller leaves,
 * changes nothing. One turn at a time; not for several threads at once.
 *
 * <p>Every question is put as a text, as messages ({@link Messages}), or, without any, as the messages stand.
 */
public final class Conversation {
  private final ConversationState state;
  private final Options own; // null: those of the conversation

  Conversation(Trunkline client, String sessionId, String model) {
    this(new ConversationState(client, sessionId, model), null);
  }

  private Conversation(ConversationState state, Options own) {
    this.state = state;
    this.own = own;
  }

  // ---- what it is: each may be changed between turns

  /** The model, from the next turn on. */
  public Conversation model(String model) {
    state.model(model);
    return this;
  }

  /** Instructions, from the next turn on. They are not part of the messages: sent with every turn. */
  public Conversation instructions(String instructions) {
    state.instructions(instructions);
    return this;
  }

  /** The tools that the model may call, from the next turn on. */
  public Conversation tools(Tool... tools) {
    return tools(List.of(tools));
  }

  /** The tools that the model may call, from the next turn on. */
  public Conversation tools(List<Tool> tools) {
    state.tools(tools);
    return this;
  }

  /** Changes the options of all turns from the next one on: {@code options(o -> o.temperature(0))}. */
  public Conversation options(UnaryOperator<Options> change) {
    state.options(change.apply(state.options()));
    return this;
  }

  /**
   * Goes on from a conversation that was stored: with its messages, and its {@link #continuation()}, the next turn is
   * incremental where the upstream keeps responses ({@code store}), on any replica. One that does not fit costs a full
   * turn and nothing else.
   */
  public Conversation continuation(String continuation) {
    state.continuation(continuation);
    return this;
  }

  /** This conversation with other options: {@code chat.with(o -> o.timeout(ofSeconds(30))).stream("…")}. */
  public Conversation with(UnaryOperator<Options> change) {
    return new Conversation(state, change.apply(options()));
  }

  /** The session's id: the service's cache of this conversation goes by it. */
  public String sessionId() {
    return state.sessionId();
  }

  /** The model. */
  public String model() {
    return state.model();
  }

  /** The instructions. */
  public String instructions() {
    return state.instructions();
  }

  /** The tools. */
  public List<Tool> tools() {
    return state.tools();
  }

  /** The options that the next turn would have. */
  public Options options() {
    return own == null ? state.options() : own;
  }

  /** What the latest answer that says so has to go on from; the next turn sends it. Opaque; empty: none. */
  public String continuation() {
    return state.continuation();
  }

  /** The messages, yours to read and to edit between turns. After an edit the next turn is sent in full. */
  public List<Message> messages() {
    return state.messages();
  }

  /** The calls of the last answer that no message, and no item beside them, has answered yet. */
  public List<ToolCallPart> openCalls() {
    return Items.openCalls(state.messages());
  }

  // ---- one turn

  /** One turn, streamed. Sent at the first read. */
  public Turn stream(String text) {
    return stream(Messages.user(text));
  }

  /** One turn, streamed. Sent at the first read. */
  public Turn stream(Message... messages) {
    return turn(Arrays.asList(messages));
  }

  /** One turn, streamed to a subscriber. Sent at the subscription. */
  public AsyncTurn streamAsync(String text) {
    return streamAsync(Messages.user(text));
  }

  /** One turn, streamed to a subscriber. Sent at the subscription. */
  public AsyncTurn streamAsync(Message... messages) {
    return asyncTurn(Arrays.asList(messages));
  }

  /** The same turn in one piece. */
  public Done complete(String text) {
    return complete(Messages.user(text));
  }

  /** The same turn in one piece. */
  public Done complete(Message... messages) {
    return UnaryCall.await(completeAsync(messages));
  }

  /** The same turn in one piece, later. Cancelled, it stops the model. */
  public CompletableFuture<Done> completeAsync(String text) {
    return completeAsync(Messages.user(text));
  }

  /** The same turn in one piece, later. Cancelled, it stops the model. */
  public CompletableFuture<Done> completeAsync(Message... messages) {
    List<Message> given = Arrays.asList(messages);
    CompleteRequest request = state.completeRequest(given, options());
    return state.client().complete(request, options(), state.openTurn(given));
  }

  /**
   * One turn whose answer is a record, by {@link Options#jsonSchema(Class)}. An answer that is none: {@link
   * OutputParsingException}.
   */
  public <T extends Record> Parsed<T> parse(Class<T> kind, String text) {
    return parse(kind, Messages.user(text));
  }

  /** The same turn of messages. */
  public <T extends Record> Parsed<T> parse(Class<T> kind, Message... messages) {
    Done done = with(o -> o.jsonSchema(kind)).complete(messages);
    return new Parsed<>(done.parsed(kind), done);
  }

  // ---- the tool loop

  /** Calls the tools that the model asks for, turn after turn, until it stops asking. */
  public Run run(String text) {
    return run(Messages.user(text));
  }

  /** Calls the tools that the model asks for, turn after turn, until it stops asking. */
  public Run run(Message... messages) {
    return new Run(new ToolLoop(this, List.of(messages)), this::turn);
  }

  /** The same for a subscriber. */
  public AsyncRun runAsync(String text) {
    return runAsync(Messages.user(text));
  }

  /** The same for a subscriber. */
  public AsyncRun runAsync(Message... messages) {
    return new AsyncRun(new ToolLoop(this, List.of(messages)), this::asyncTurn);
  }

  /** Sends what answers the actions of the last answer ({@link Done#actions}), and goes on as {@code run} does. */
  public Run answer(List<Part> items) {
    return run(Messages.actionResult(items.toArray(Part[]::new)));
  }

  /** The same for a subscriber. */
  public AsyncRun answerAsync(List<Part> items) {
    return runAsync(Messages.actionResult(items.toArray(Part[]::new)));
  }

  // ---- making it shorter

  /**
   * Lets the upstream make the conversation shorter, and replaces the messages by what it returns. A call that fails
   * changes nothing. Not while a turn runs; of the options it takes those that a compaction has.
   */
  public Compaction compact() {
    return UnaryCall.await(compactAsync());
  }

  /** The same, later. Cancelled, it changes nothing. */
  public CompletableFuture<Compaction> compactAsync() {
    CompactRequest request = state.compactRequest(options());
    return state.client().compact(request, options().timeout(), state.openCompaction());
  }

  // ---- its session

  /** Opens the connection before the first turn, and sends model, instructions and tools ahead. */
  public Session warm() {
    return warm(true);
  }

  /** Opens the connection before the first turn; {@code prime} also sends model, instructions and tools ahead. */
  public Session warm(boolean prime) {
    return UnaryCall.await(warmAsync(prime));
  }

  /** Opens the connection before the first turn; {@code prime} also sends model, instructions and tools ahead. */
  public CompletableFuture<Session> warmAsync(boolean prime) {
    return state.client().warmSession(state.warmRequest(prime), options().timeout());
  }

  /** Lets the service forget the session. The conversation itself is kept here and can go on. */
  public void release() {
    UnaryCall.await(releaseAsync());
  }

  /** Lets the service forget the session. The conversation itself is kept here and can go on. */
  public CompletableFuture<Void> releaseAsync() {
    return state.client().releaseSession(sessionId(), options().timeout());
  }

  @Override
  public String toString() {
    return "Conversation{" + sessionId() + ", " + messages().size() + " messages, " + model() + "}";
  }

  private Turn turn(List<Message> given) {
    StreamCompletionRequest request = state.request(given, options());
    return new Turn(state.client().call(request, options(), state.openTurn(given)));
  }

  private AsyncTurn asyncTurn(List<Message> given) {
    StreamCompletionRequest request = state.request(given, options());
    return new AsyncTurn(state.client().call(request, options(), state.openTurn(given)));
  }
}
