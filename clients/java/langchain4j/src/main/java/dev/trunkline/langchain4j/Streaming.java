package dev.trunkline.langchain4j;

import dev.langchain4j.model.ModelProvider;
import dev.langchain4j.model.chat.Capability;
import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.trunkline.AsyncTurn;
import java.util.List;
import java.util.Set;

/** A model for streams. An object of its own: LangChain4j's two interfaces do not fit one class. */
final class Streaming implements StreamingChatModel {
  private final TrunklineChatModel model;

  Streaming(TrunklineChatModel model) {
    this.model = model;
  }

  @Override
  public void doChat(ChatRequest request, StreamingChatResponseHandler handler) {
    Sessions.Turn turn = model.take(request);
    AsyncTurn events;
    try {
      events = model.client().streamAsync(model.write(request, turn));
    } catch (RuntimeException refused) {
      turn.failed();
      throw refused;
    }
    events.subscribe(new Relay(handler, turn));
  }

  @Override
  public ChatRequestParameters defaultRequestParameters() {
    return model.defaultRequestParameters();
  }

  @Override
  public List<ChatModelListener> listeners() {
    return model.listeners();
  }

  @Override
  public ModelProvider provider() {
    return model.provider();
  }

  @Override
  public Set<Capability> supportedCapabilities() {
    return model.supportedCapabilities();
  }
}
