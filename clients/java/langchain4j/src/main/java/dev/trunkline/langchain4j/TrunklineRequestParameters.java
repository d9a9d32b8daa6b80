package dev.trunkline.langchain4j;

import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.DefaultChatRequestParameters;

/** The parameters of a request that may name its session. */
public final class TrunklineRequestParameters extends DefaultChatRequestParameters {
  private final String sessionId; // null: found by the history

  private TrunklineRequestParameters(Builder builder) {
    super(builder);
    this.sessionId = builder.sessionId;
  }

  /**
   * A request of a session, for {@code AiServices.chatRequestTransformer}: 1 to 128 characters of {@code
   * [A-Za-z0-9_.:-]}. One turn of it at a time.
   */
  public static ChatRequest inSession(ChatRequest request, Object sessionId) {
    Builder builder = new Builder().overrideWith(request.parameters());
    builder.sessionId = sessionId.toString();
    return ChatRequest.builder().messages(request.messages()).parameters(builder.build()).build();
  }

  static TrunklineRequestParameters of(ChatRequestParameters parameters) {
    return new Builder().overrideWith(parameters).build();
  }

  String sessionId() {
    return sessionId;
  }

  @Override
  public ChatRequestParameters overrideWith(ChatRequestParameters that) {
    return new Builder().overrideWith(this).overrideWith(that).build();
  }

  @Override
  public ChatRequestParameters defaultedBy(ChatRequestParameters that) {
    return new Builder().overrideWith(that).overrideWith(this).build();
  }

  private static final class Builder extends DefaultChatRequestParameters.Builder<Builder> {
    private String sessionId;

    @Override
    public Builder overrideWith(ChatRequestParameters parameters) {
      super.overrideWith(parameters);
      if (parameters instanceof TrunklineRequestParameters more && more.sessionId != null) {
        sessionId = more.sessionId;
      }
      return this;
    }

    @Override
    public TrunklineRequestParameters build() {
      return new TrunklineRequestParameters(this);
    }
  }
}
