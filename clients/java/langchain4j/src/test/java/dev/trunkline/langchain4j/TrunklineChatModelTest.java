package dev.trunkline.langchain4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.PartialToolCall;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.chat.response.StreamingHandle;
import dev.trunkline.Messages;
import dev.trunkline.v1.StreamCompletionResponse;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TrunklineChatModelTest {
  private static final ChatRequest HELLO = ChatRequest.builder().messages(UserMessage.from("Hello")).build();

  private final Fake fake = new Fake();

  @AfterEach
  void close() {
    fake.close();
  }

  private static StreamCompletionResponse done(String text) {
    StreamCompletionResponse.Builder event = StreamCompletionResponse.newBuilder();
    event.getDoneBuilder().setMessage(Messages.assistant(text));
    return event.build();
  }

  private TrunklineChatModel model() {
    return TrunklineChatModel.builder(fake.client, "m").build();
  }

  @Test
  void aRequestHasTheModelsSettingsAndItsOwn() {
    fake.then(done("Hi"));
    TrunklineChatModel model =
        TrunklineChatModel.builder(fake.client, "m")
            .defaultRequestParameters(ChatRequestParameters.builder().temperature(1.0).topP(0.5).build())
            .options(o -> o.reasoningEffort("low"))
            .hostedTool("{\"type\":\"web_search\"}")
            .build();
    ChatRequestParameters own = ChatRequestParameters.builder().modelName("n").temperature(0.0).build();
    ChatRequest request = ChatRequest.builder().messages(HELLO.messages()).parameters(own).build();
    model.chat(TrunklineRequestParameters.inSession(request, "ada"));
    var sent = fake.requests.get(0);
    assertEquals("ada n", sent.getSessionId() + " " + sent.getModel());
    assertEquals(0.0, sent.getOptions().getTemperature());
    assertEquals(0.5, sent.getOptions().getTopP());
    assertEquals("low", sent.getOptions().getReasoning().getEffort());
    assertEquals("{\"type\":\"web_search\"}", sent.getTools(0).getDefinitionJson());
  }

  @Test
  void whatCannotBeWrittenLeavesNothingBehind() {
    ChatRequest bad = ChatRequest.builder().messages(HELLO.messages()).topK(1).build();
    assertThrows(UnsupportedFeatureException.class, () -> model().chat(bad));
    assertThrows(UnsupportedFeatureException.class, () -> model().streaming().chat(bad, new Handler()));
    assertEquals(List.of(), fake.requests);
  }

  /** Throws where it is asked to, and keeps what comes. */
  private static class Handler implements StreamingChatResponseHandler {
    final List<Throwable> errors = Collections.synchronizedList(new ArrayList<>());
    final CompletableFuture<ChatResponse> end = new CompletableFuture<>();

    @Override
    public void onCompleteResponse(ChatResponse response) {
      end.complete(response);
    }

    @Override
    public void onError(Throwable error) {
      errors.add(error);
    }
  }

  @Test
  void whatAHandlerThrowsIsReportedAndTheTurnGoesOn() throws Exception {
    fake.then(Fake.text("a"), Fake.text("b"), done("ab"));
    IllegalStateException thrown = new IllegalStateException("mine");
    Handler handler =
        new Handler() {
          @Override
          public void onPartialResponse(String text) {
            throw thrown;
          }
        };
    model().streaming().chat(HELLO, handler);
    assertEquals("ab", handler.end.get(10, TimeUnit.SECONDS).aiMessage().text());
    assertEquals(List.of(thrown, thrown), handler.errors);
  }

  @Test
  void aHandleThatComesLateCancelsNothing() throws Exception {
    fake.then(done("a")).then(Fake.text("b"), done("b")).then(done("c"));
    TrunklineChatModel model = model();
    List<ChatMessage> history = new ArrayList<>(HELLO.messages());
    history.add(model.chat(history).aiMessage());
    history.add(UserMessage.from("And?"));
    CompletableFuture<StreamingHandle> handle = new CompletableFuture<>();
    Handler handler =
        new Handler() {
          @Override
          public void onPartialResponse(PartialResponse text, PartialResponseContext context) {
            handle.complete(context.streamingHandle());
          }
        };
    model.streaming().chat(history, handler);
    history.add(handler.end.get(10, TimeUnit.SECONDS).aiMessage());
    handle.get().cancel();
    history.add(UserMessage.from("And?"));
    model.chat(history);
    String session = fake.requests.get(0).getSessionId();
    assertEquals(List.of(session, session, session), fake.requests.stream().map(it -> it.getSessionId()).toList());
  }

  @Test
  void piecesOfCallsAreCounted() throws Exception {
    fake.then(call("c1", ""), call("c1", "{"), call("c2", "{"), call("c1", "}"), done("ab"));
    List<String> pieces = Collections.synchronizedList(new ArrayList<>());
    Handler handler =
        new Handler() {
          @Override
          public void onPartialToolCall(PartialToolCall call) {
            pieces.add(call.index() + call.id() + call.name() + call.partialArguments());
          }
        };
    model().streaming().chat(HELLO, handler);
    handler.end.get(10, TimeUnit.SECONDS);
    assertEquals(List.of("0c1tide_at{", "1c2tide_at{", "0c1tide_at}"), pieces);
    assertTrue(handler.errors.isEmpty());
  }

  private static StreamCompletionResponse call(String id, String delta) {
    StreamCompletionResponse.Builder event = StreamCompletionResponse.newBuilder();
    event.getToolCallDeltaBuilder().setCallId(id).setName("tide_at").setArgumentsDelta(delta);
    return event.build();
  }
}
