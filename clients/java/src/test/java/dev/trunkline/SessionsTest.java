package dev.trunkline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.trunkline.v1.SessionServiceGrpc;
import dev.trunkline.v1.WarmSessionRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.Scope;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Session calls, and the channel that calls go over. */
@Timeout(20)
class SessionsTest {
  private final Scripted service = new Scripted();
  private final Trunkline client = service.client();

  @AfterEach
  void close() {
    client.close();
    service.close();
  }

  @Test
  void allCalls() {
    assertTrue(client.warmSession(WarmSessionRequest.newBuilder().setSessionId("s").setPrime(true).build()).live());
    assertEquals(2, client.getSession("s").turns());
    SessionPage page = client.listSessions(2, "");
    assertEquals("blue 2", page.replica() + " " + page.nextPageToken());
    assertEquals(List.of("a", "b", "c"), client.sessions().map(Session::sessionId).toList());
    client.releaseSession("s");
    client.cancelTurn("s", "t1");
    client.cancelTurnByKey("s", "k1");
    assertEquals(List.of("t1", "k1"), service.cancelled.stream().map(c -> c.getTurnId() + c.getTurnKey()).toList());
    Conversation chat = client.conversation("m", "s").tools(Tool.declared("f", "", ""));
    assertTrue(chat.warm().live());
    assertEquals(false, chat.warm(false).live());
    chat.release();
  }

  @Test
  void theyAreTriedAgainAndTimedToo() {
    service.then(Scripted.DRAINING);
    assertEquals("s", client.withTimeout(Duration.ofSeconds(9)).getSession("s").sessionId());
    assertEquals(1, service.delays.size());
    assertTrue(service.deadlines.get(0).isBefore(io.grpc.Deadline.after(10, TimeUnit.SECONDS)));
  }

  @Test
  void turnsThatRunOrAreKept() {
    Session session = client.getSession("s");
    var kept = new Session.RunningTurn("t1", "k1", Optional.of(Instant.ofEpochSecond(5)), false, true, 7);
    var waiting = new Session.RunningTurn("", "", Optional.empty(), true, false, 0);
    assertEquals(List.of(kept, waiting), session.runningTurns());
  }

  @Test
  void anUnknownTurn() {
    for (Consumer<Trunkline> cancel :
        List.<Consumer<Trunkline>>of(it -> it.cancelTurn("s", "t"), it -> it.cancelTurnByKey("s", "k"))) {
      service.then(Scripted.fail(Status.Code.NOT_FOUND, "TURN_NOT_FOUND", "false", null));
      assertEquals(
          "TURN_NOT_FOUND", assertThrows(TrunklineException.class, () -> cancel.accept(client)).reason());
    }
  }

  @Test
  void anUnknownSession() {
    service.then(Scripted.fail(Status.Code.NOT_FOUND, "SESSION_NOT_FOUND", "false", null));
    var error = assertThrows(TrunklineException.class, () -> client.getSession("s"));
    assertEquals("SESSION_NOT_FOUND", error.reason());
    assertEquals(Optional.of(false), error.sent());
  }

  @Test
  void nobodyThereIsAnUnknownOutcome() {
    try (Trunkline nowhere = Trunkline.connect("127.0.0.1:1")) {
      var error = assertThrows(TrunklineException.class, () -> nowhere.getSession("s"));
      assertEquals("UNAVAILABLE", error.reason());
      assertEquals(Optional.empty(), error.sent());
    }
  }

  @Test
  void overARealPortWithTheCallersTrace() throws IOException {
    List<Metadata> seen = Collections.synchronizedList(new ArrayList<>());
    List<String> intercepted = Collections.synchronizedList(new ArrayList<>());
    Server server =
        Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create())
            .addService(new SessionServiceGrpc.SessionServiceImplBase() {}) // answers UNIMPLEMENTED
            .intercept(
                new ServerInterceptor() {
                  @Override
                  public <Q, R> ServerCall.Listener<Q> interceptCall(
                      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
                    seen.add(headers);
                    return next.startCall(call, headers);
                  }
                })
            .build()
            .start();
    ClientInterceptor noting =
        new ClientInterceptor() {
          @Override
          public <Q, R> ClientCall<Q, R> interceptCall(
              MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
            intercepted.add(method.getBareMethodName());
            return next.newCall(method, options);
          }
        };
    SpanContext span =
        SpanContext.create("a".repeat(32), "b".repeat(16), TraceFlags.getSampled(), TraceState.getDefault());
    try (Trunkline traced =
            Trunkline.builder("127.0.0.1:" + server.getPort())
                .tracing(
                    carrier ->
                        W3CTraceContextPropagator.getInstance()
                            .inject(Context.current(), carrier, BiConsumer::accept))
                .intercept(noting)
                .keepAlive(Duration.ofSeconds(60))
                .timeout(Duration.ofSeconds(10))
                .build();
        Scope within = Span.wrap(span).makeCurrent()) {
      assertNotNull(within);
      var error = assertThrows(TrunklineException.class, () -> traced.getSession("s"));
      assertEquals("UNIMPLEMENTED", error.reason());
    } finally {
      server.shutdownNow();
    }
    assertEquals(List.of("GetSession"), intercepted);
    Metadata headers = seen.get(0);
    assertEquals(
        "00-" + "a".repeat(32) + "-" + "b".repeat(16) + "-01",
        headers.get(Metadata.Key.of("traceparent", Metadata.ASCII_STRING_MARSHALLER)));
    assertTrue(
        headers
            .get(Metadata.Key.of("user-agent", Metadata.ASCII_STRING_MARSHALLER))
            .startsWith("trunkline-java/"));
  }
}
