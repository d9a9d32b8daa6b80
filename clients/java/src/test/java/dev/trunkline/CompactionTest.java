package dev.trunkline;

import static dev.trunkline.Messages.assistant;
import static dev.trunkline.Messages.user;
import static dev.trunkline.Scripted.DRAINING;
import static dev.trunkline.Scripted.WAIT;
import static dev.trunkline.Scripted.fail;
import static dev.trunkline.Scripted.says;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.trunkline.v1.CompactRequest;
import dev.trunkline.v1.CompactResponse;
import dev.trunkline.v1.Message;
import io.grpc.Status;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(20)
class CompactionTest {
  private static final Message ITEM = user(Parts.upstreamItem("{\"type\":\"compaction\",\"encrypted_content\":\"x\"}"));
  private static final CompactResponse SHORTER =
      CompactResponse.newBuilder()
          .addMessages(user("the last"))
          .addMessages(ITEM)
          .setUsage(dev.trunkline.v1.Usage.newBuilder().setInputTokens(9))
          .setResponseId("resp_1")
          .setCreatedAt(com.google.protobuf.Timestamp.newBuilder().setSeconds(5))
          .setProvider("openai")
          .build();

  private final Scripted service = new Scripted();
  private final Trunkline client = service.client();
  private final Conversation chat = client.conversation("m", "s1").instructions("be kind");

  enum Way {
    BLOCKING {
      @Override
      Compaction compact(Conversation chat) {
        return chat.compact();
      }
    },
    ASYNC {
      @Override
      Compaction compact(Conversation chat) {
        return TurnTest.join(chat.compactAsync());
      }
    };

    abstract Compaction compact(Conversation chat);
  }

  @AfterEach
  void close() {
    client.close();
    service.close();
  }

  @ParameterizedTest
  @EnumSource
  void aConversationGoesOnFromIt(Way way) {
    service.then(says("hello")).then(DRAINING).then(SHORTER).then(says("still here"));
    chat.complete("hi");
    Compaction compaction =
        way.compact(
            chat.with(o -> o.requestId("r1").store(true).promptCacheKey("k").serviceTier("flex").temperature(0)));
    assertEquals(List.of(user("the last"), ITEM), compaction.messages());
    assertEquals(9, compaction.usage().inputTokens());
    assertEquals("resp_1 openai", compaction.responseId() + " " + compaction.provider());
    assertEquals(Optional.of(Instant.ofEpochSecond(5)), compaction.createdAt());
    CompactRequest wanted =
        CompactRequest.newBuilder()
            .setSessionId("s1")
            .setModel("m")
            .setInstructions("be kind")
            .addMessages(user("hi"))
            .addMessages(assistant("hello"))
            .setRequestId("r1")
            .setStore(true)
            .setPromptCacheKey("k")
            .setServiceTier("flex")
            .build();
    assertEquals(List.of(wanted, wanted), service.compactions);
    chat.complete("more");
    assertEquals(List.of(user("the last"), ITEM, user("more")), service.requests.get(1).getMessagesList());
    assertEquals(4, chat.messages().size());
  }

  @ParameterizedTest
  @EnumSource
  void oneThatFailsChangesNothing(Way way) {
    chat.messages().add(user("hi"));
    service.then(fail(Status.Code.INVALID_ARGUMENT, "INVALID_REQUEST", "false", null));
    var error = assertThrows(TrunklineException.class, () -> way.compact(chat));
    assertEquals("INVALID_REQUEST", error.reason());
    assertEquals(List.of(user("hi")), chat.messages());
    assertFalse(service.compactions.get(0).hasStore());
    service.then(SHORTER);
    assertEquals(2, way.compact(chat).messages().size());
  }

  @ParameterizedTest
  @EnumSource
  void notWhileATurnRuns(Way way) {
    Turn open = chat.stream("hi");
    assertThrows(IllegalStateException.class, () -> way.compact(chat));
    open.close();
    service.then(SHORTER);
    assertEquals("resp_1", way.compact(chat).responseId());
  }

  @Test
  void noTurnWhileItRunsAndACancelledOneChangesNothing() throws InterruptedException {
    chat.messages().add(user("hi"));
    service.then(WAIT);
    CompletableFuture<Compaction> running = chat.compactAsync();
    service.waiting.await(5, TimeUnit.SECONDS);
    assertThrows(IllegalStateException.class, () -> chat.stream("more"));
    running.cancel(true);
    service.awaitLeft();
    assertEquals(List.of(user("hi")), chat.messages());
    service.then(says("free again"));
    assertEquals("free again", chat.complete("more").text());
  }

  @Test
  void byHandNothingIsKept() {
    service.then(SHORTER).then(SHORTER);
    CompactRequest request = CompactRequest.newBuilder().setSessionId("s2").setModel("m").build();
    assertEquals("resp_1", client.compact(request).responseId());
    assertEquals("resp_1", TurnTest.join(client.compactAsync(request)).responseId());
    assertEquals(List.of(request, request), service.compactions);
  }
}
