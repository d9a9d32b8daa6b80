package dev.trunkline.langchain4j;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import dev.langchain4j.agent.tool.P;
import dev.langchain4j.agent.tool.Tool;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.ChatMessageDeserializer;
import dev.langchain4j.data.message.ChatMessageSerializer;
import dev.langchain4j.memory.chat.MessageWindowChatMemory;
import dev.langchain4j.model.chat.listener.ChatModelErrorContext;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.listener.ChatModelRequestContext;
import dev.langchain4j.model.chat.listener.ChatModelResponseContext;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.output.TokenUsage;
import dev.langchain4j.service.AiServices;
import dev.langchain4j.service.SystemMessage;
import dev.langchain4j.service.TokenStream;
import dev.langchain4j.service.UserMessage;
import dev.langchain4j.store.memory.chat.ChatMemoryStore;
import dev.trunkline.Trunkline;
import dev.trunkline.TrunklineException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * Holds one conversation by AiServices: ADDRESS KIND MESSAGE [KIND MESSAGE …]. A KIND is {@code stream}, {@code block},
 * {@code tide} (the answer is a record), {@code cancel} (at the first text) or {@code other} (streamed, in a session of
 * another name). Prints a JSON object for each message. What is remembered is written as JSON, and read again.
 */
final class Scenarios {
  private static final Gson JSON = new GsonBuilder().disableHtmlEscaping().create();

  record Tide(int hour, double height) {}

  interface Pilot {
    @SystemMessage("Be brief.")
    TokenStream stream(@UserMessage String message);

    @SystemMessage("Be brief.")
    String block(@UserMessage String message);

    @SystemMessage("Be brief.")
    Tide tide(@UserMessage String message);
  }

  private final Map<String, Object> printed = new LinkedHashMap<>();
  private final List<String> results = new ArrayList<>();
  private final List<String> listened = new ArrayList<>();
  private final CountDownLatch together = new CountDownLatch(2);
  private final Pilot pilot;
  private String session; // null: found by the history

  /** The first two calls wait for each other: they come side by side, or there is an error. */
  @Tool(name = "tide_at", value = "Return the height of the tide.")
  String tideAt(@P("hour") int hour) throws InterruptedException {
    together.countDown();
    if (!together.await(20, TimeUnit.SECONDS)) {
      throw new IllegalStateException("nobody else came");
    }
    return hour + ".5 m";
  }

  private Scenarios(Trunkline client) {
    TrunklineChatModel model =
        TrunklineChatModel.builder(client, "gpt-5.6")
            .hostedTool("{\"type\":\"web_search\"}")
            .listeners(new Listener())
            .build();
    pilot =
        AiServices.builder(Pilot.class)
            .chatModel(model)
            .streamingChatModel(model.streaming())
            .chatMemory(MessageWindowChatMemory.builder().maxMessages(1000).chatMemoryStore(new Written()).build())
            .chatRequestTransformer(
                request -> session == null ? request : TrunklineRequestParameters.inSession(request, session))
            .tools(this)
            .executeToolsConcurrently()
            .build();
  }

  public static void main(String[] arguments) throws Exception {
    try (Trunkline client = Trunkline.connect(arguments[0])) {
      Scenarios scenarios = new Scenarios(client);
      for (int i = 1; i < arguments.length; i += 2) {
        scenarios.hold(arguments[i], arguments[i + 1]);
      }
    }
  }

  private void hold(String kind, String message) throws Exception {
    printed.clear();
    results.clear();
    listened.clear();
    try {
      switch (kind) {
        case "stream" -> stream(message, false);
        case "other" -> {
          session = "other." + UUID.randomUUID();
          stream(message, false);
        }
        case "cancel" -> stream(message, true);
        case "block" -> printed.put("text", pilot.block(message));
        case "tide" -> printed.put("tide", pilot.tide(message));
        default -> throw new IllegalArgumentException(kind);
      }
    } catch (RuntimeException failed) {
      failed(failed);
    }
    printed.put("results", results);
    printed.put("listened", listened);
    System.out.println(JSON.toJson(printed));
  }

  private void stream(String message, boolean cancels) throws Exception {
    List<String> deltas = new ArrayList<>();
    List<String> thoughts = new ArrayList<>();
    List<String> events = new ArrayList<>();
    Set<Integer> calls = new LinkedHashSet<>();
    CompletableFuture<ChatResponse> end = new CompletableFuture<>();
    pilot.stream(message)
        .onPartialResponseWithContext(
            (text, context) -> {
              deltas.add(text.text());
              if (cancels) {
                context.streamingHandle().cancel();
                end.complete(null);
              }
            })
        .onPartialThinking(thought -> thoughts.add(thought.text()))
        .onUnmappedRawEvent(event -> events.add(event.getClass().getSimpleName()))
        .onPartialToolCall(call -> calls.add(call.index()))
        .onToolExecuted(tool -> results.add(tool.result()))
        .onCompleteResponse(end::complete)
        .onError(end::completeExceptionally)
        .start();
    printed.put("deltas", deltas);
    printed.put("thoughts", thoughts);
    printed.put("events", events);
    printed.put("calls", calls);
    try {
      ChatResponse response = end.get();
      if (response != null) {
        printed.put("text", response.aiMessage().text());
        printed.put("thinking", response.aiMessage().thinking());
        printed.put("finish", response.finishReason());
        usage(response.tokenUsage());
        printed.put("incremental", ((TrunklineResponseMetadata) response.metadata()).done().report().incremental());
      }
    } catch (ExecutionException failed) {
      failed(failed.getCause());
    }
  }

  private void usage(TokenUsage all) {
    TrunklineTokenUsage usage = (TrunklineTokenUsage) all;
    printed.put(
        "usage",
        List.of(usage.inputTokenCount(), usage.cachedInputTokens(), usage.outputTokenCount(), usage.reasoningTokens()));
  }

  private void failed(Throwable error) {
    printed.put("error", error.getClass().getSimpleName());
    printed.put("message", error.getMessage());
    if (error.getCause() instanceof TrunklineException cause) {
      printed.put("reason", cause.reason());
    }
  }

  private static final class Written implements ChatMemoryStore {
    private String messages = "[]";

    @Override
    public List<ChatMessage> getMessages(Object memoryId) {
      return ChatMessageDeserializer.messagesFromJson(messages);
    }

    @Override
    public void updateMessages(Object memoryId, List<ChatMessage> messages) {
      this.messages = ChatMessageSerializer.messagesToJson(messages);
    }

    @Override
    public void deleteMessages(Object memoryId) {
      messages = "[]";
    }
  }

  private final class Listener implements ChatModelListener {
    @Override
    public void onRequest(ChatModelRequestContext context) {
      listened.add("request");
    }

    @Override
    public void onResponse(ChatModelResponseContext context) {
      listened.add("response");
    }

    @Override
    public void onError(ChatModelErrorContext context) {
      listened.add("error");
    }
  }
}
