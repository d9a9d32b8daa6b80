package dev.trunkline.langchain4j;

import dev.langchain4j.model.ModelProvider;
import dev.langchain4j.model.chat.Capability;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.DefaultChatRequestParameters;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.trunkline.Options;
import dev.trunkline.Tool;
import dev.trunkline.Trunkline;
import dev.trunkline.v1.StreamCompletionRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * A model of LangChain4j that answers through Trunkline; {@link #streaming} is the same for those who do not wait. Safe for
 * several threads. Each conversation is recognized by its history and has a session of its own, or the one that {@link
 * TrunklineRequestParameters#inSession} names.
 */
public final class TrunklineChatModel implements ChatModel {
  private final Trunkline client;
  private final TrunklineRequestParameters defaults;
  private final Options options;
  private final List<Tool> hosted;
  private final boolean strict;
  private final List<ChatModelListener> listeners;
  private final Sessions sessions = new Sessions();

  private TrunklineChatModel(Builder builder) {
    client = builder.client;
    defaults = TrunklineRequestParameters.of(builder.parameters);
    options = builder.options;
    hosted = List.copyOf(builder.hosted);
    strict = builder.strict;
    listeners = List.copyOf(builder.listeners);
  }

  /** A builder for a model over this client, which stays the caller's to close. */
  public static Builder builder(Trunkline client, String modelName) {
    return new Builder(client, modelName);
  }

  @Override
  public ChatResponse doChat(ChatRequest request) {
    Sessions.Turn turn = take(request);
    try {
      return Answers.response(client.stream(write(request, turn)).result(), turn);
    } catch (RuntimeException failed) {
      turn.failed();
      throw Errors.of(failed);
    }
  }

  /** This model for streams. They share their sessions: a conversation may use both, one after the other. */
  public StreamingChatModel streaming() {
    return new Streaming(this);
  }

  @Override
  public ChatRequestParameters defaultRequestParameters() {
    return defaults;
  }

  @Override
  public List<ChatModelListener> listeners() {
    return listeners;
  }

  @Override
  public ModelProvider provider() {
    return ModelProvider.OTHER;
  }

  @Override
  public Set<Capability> supportedCapabilities() {
    return Set.of(Capability.RESPONSE_FORMAT_JSON_SCHEMA);
  }

  Trunkline client() {
    return client;
  }

  Sessions.Turn take(ChatRequest request) {
    String named = request.parameters() instanceof TrunklineRequestParameters own ? own.sessionId() : null;
    return sessions.take(request.messages(), named);
  }

  StreamCompletionRequest write(ChatRequest given, Sessions.Turn turn) {
    Options written = Requests.options(options, given.parameters(), strict);
    StreamCompletionRequest.Builder request =
        StreamCompletionRequest.newBuilder()
            .setSessionId(turn.mark().session())
            .setModel(given.modelName())
            .setOptions(written.toProto())
            .setContinuation(turn.mark().continuation());
    Requests.write(given.messages(), request);
    given.toolSpecifications().forEach(tool -> request.addTools(Requests.tool(tool).toProto()));
    hosted.forEach(tool -> request.addTools(tool.toProto()));
    return request.build();
  }

  /** The settings of a model. */
  public static final class Builder {
    private final Trunkline client;
    private ChatRequestParameters parameters;
    private Options options = Options.NONE;
    private boolean strict;
    private final List<Tool> hosted = new ArrayList<>();
    private final List<ChatModelListener> listeners = new ArrayList<>();

    private Builder(Trunkline client, String modelName) {
      this.client = client;
      this.parameters = DefaultChatRequestParameters.builder().modelName(modelName).build();
    }

    /** The parameters of a request that has none of its own. */
    public Builder defaultRequestParameters(ChatRequestParameters parameters) {
      this.parameters = this.parameters.overrideWith(parameters);
      return this;
    }

    /**
     * What LangChain4j has no name for: {@code o -> o.reasoningEffort(ReasoningEffort.LOW).store(true)}. Timeout and {@code
     * resume} are the client's: {@link Trunkline#withTimeout}, {@link Trunkline#withResume}.
     */
    public Builder options(UnaryOperator<Options> change) {
      options = change.apply(options);
      return this;
    }

    /** A tool that runs at the upstream, by its definition: <code>{"type":"web_search"}</code>. */
    public Builder hostedTool(String definition) {
      hosted.add(Tool.definition(definition));
      return this;
    }

    /** The upstream forces answers to fit their JSON schema, which must then require all of its properties. */
    public Builder strictJsonSchema(boolean strict) {
      this.strict = strict;
      return this;
    }

    /** Sees each request, each response, and each error. */
    public Builder listeners(ChatModelListener... listeners) {
      this.listeners.addAll(List.of(listeners));
      return this;
    }

    /** The model. Nothing is connected before the first call. */
    public TrunklineChatModel build() {
      return new TrunklineChatModel(this);
    }
  }
}
