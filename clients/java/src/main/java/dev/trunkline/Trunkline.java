package dev.trunkline;

import dev.trunkline.v1.CancelTurnRequest;
import dev.trunkline.v1.CompactRequest;
import dev.trunkline.v1.CompleteRequest;
import dev.trunkline.v1.CompletionServiceGrpc;
import dev.trunkline.v1.GetSessionRequest;
import dev.trunkline.v1.ListSessionsRequest;
import dev.trunkline.v1.ReleaseSessionRequest;
import dev.trunkline.v1.SessionServiceGrpc;
import dev.trunkline.v1.StreamCompletionRequest;
import dev.trunkline.v1.WarmSessionRequest;
import io.grpc.MethodDescriptor;
import java.time.Duration;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * The client of one Trunkline service. Make one and keep it: its calls share a connection, from any thread.
 *
 * <pre>{@code
 * try (Trunkline client = Trunkline.connect("127.0.0.1:50051")) {
 *   for (Event event : client.conversation("gpt-5.6").stream("What is a trunk line?")) {
 *     if (event instanceof Event.TextDelta text) {
 *       System.out.print(text.delta());
 *     }
 *   }
 * }
 * }</pre>
 *
 * <p>A failed call throws one {@link TrunklineException}; a method that ends in {@code Async} fails its future with it.
 */
public final class Trunkline implements AutoCloseable {
  private final Connection connection;
  private final Optional<Duration> timeout;
  private final boolean resume;

  Trunkline(Connection connection, Optional<Duration> timeout, boolean resume) {
    this.connection = connection;
    this.timeout = timeout;
    this.resume = resume;
  }

  /** A client in plain text, without a token. Nothing is connected before the first call. */
  public static Trunkline connect(String address) {
    return builder(address).build();
  }

  /** A builder for a client with TLS, a token, a timeout. */
  public static TrunklineBuilder builder(String address) {
    return new TrunklineBuilder(address);
  }

  /** This client with another timeout for each call that has none of its own. They share the connection. */
  public Trunkline withTimeout(Duration timeout) {
    return new Trunkline(connection, Optional.of(timeout), resume);
  }

  /** This client, whose turns go on where their connection breaks, or do not: {@link Options#resume}. */
  public Trunkline withResume(boolean resume) {
    return new Trunkline(connection, timeout, resume);
  }

  /** A conversation with a session id of its own. */
  public Conversation conversation(String model) {
    return conversation(model, UUID.randomUUID().toString());
  }

  /** A conversation. Session id: 1 to 128 characters of {@code [A-Za-z0-9_.:-]}. */
  public Conversation conversation(String model, String sessionId) {
    return new Conversation(this, sessionId, model);
  }

  /** One turn, all of it given; nothing is kept. A conversation does this for you. */
  public Turn stream(StreamCompletionRequest request) {
    return new Turn(call(request, Options.NONE, done -> {}));
  }

  /** One turn, all of it given; nothing is kept. A conversation does this for you. */
  public AsyncTurn streamAsync(StreamCompletionRequest request) {
    return new AsyncTurn(call(request, Options.NONE, done -> {}));
  }

  /** The same turn in one piece. */
  public Done complete(CompleteRequest request) {
    return UnaryCall.await(completeAsync(request));
  }

  /** The same turn in one piece. */
  public CompletableFuture<Done> completeAsync(CompleteRequest request) {
    return complete(request, Options.NONE, done -> {});
  }

  /** Lets the upstream make a conversation shorter; nothing is kept. {@link Conversation#compact} does this for you. */
  public Compaction compact(CompactRequest request) {
    return UnaryCall.await(compactAsync(request));
  }

  /** Lets the upstream make a conversation shorter; nothing is kept. {@link Conversation#compact} does this for you. */
  public CompletableFuture<Compaction> compactAsync(CompactRequest request) {
    return compact(request, Optional.empty(), compaction -> {});
  }

  /** Opens a session's connection before the first turn. */
  public Session warmSession(WarmSessionRequest request) {
    return UnaryCall.await(warmSessionAsync(request));
  }

  /** Opens a session's connection before the first turn. */
  public CompletableFuture<Session> warmSessionAsync(WarmSessionRequest request) {
    return warmSession(request, Optional.empty());
  }

  /** What the service remembers of a conversation. Unknown: {@link TrunklineException} (SESSION_NOT_FOUND). */
  public Session getSession(String sessionId) {
    return UnaryCall.await(getSessionAsync(sessionId));
  }

  /** What the service remembers of a conversation. Unknown: {@link TrunklineException} (SESSION_NOT_FOUND). */
  public CompletableFuture<Session> getSessionAsync(String sessionId) {
    return call(
        SessionServiceGrpc.getGetSessionMethod(),
        GetSessionRequest.newBuilder().setSessionId(sessionId).build(),
        sessionId,
        attempts(Optional.empty()),
        response -> Session.from(response.getSession()),
        session -> {});
  }

  /** One page of the caller's sessions on the replica that answers. Size 0: the service's own; token "": the first. */
  public SessionPage listSessions(int pageSize, String pageToken) {
    return UnaryCall.await(listSessionsAsync(pageSize, pageToken));
  }

  /** One page of the caller's sessions on the replica that answers. Size 0: the service's own; token "": the first. */
  public CompletableFuture<SessionPage> listSessionsAsync(int pageSize, String pageToken) {
    return call(
        SessionServiceGrpc.getListSessionsMethod(),
        ListSessionsRequest.newBuilder().setPageSize(pageSize).setPageToken(pageToken).build(),
        "",
        attempts(Optional.empty()),
        SessionPage::from,
        page -> {});
  }

  /** All of the caller's sessions on the replica that answers, page after page, as they are asked for. */
  public Stream<Session> sessions() {
    return Stream.iterate(
            Optional.of(listSessions(0, "")),
            Optional::isPresent,
            page ->
                page.map(SessionPage::nextPageToken)
                    .filter(token -> !token.isEmpty())
                    .map(token -> listSessions(0, token)))
        .flatMap(page -> page.orElseThrow().sessions().stream());
  }

  /**
   * Stops a turn that runs, by the service's id of it ({@link Event.Start#turnId}, {@link Session#runningTurns}).
   * Unknown, or no longer kept: {@link TrunklineException} (TURN_NOT_FOUND).
   */
  public void cancelTurn(String sessionId, String turnId) {
    UnaryCall.await(cancelTurnAsync(sessionId, turnId));
  }

  /** The same, later. */
  public CompletableFuture<Void> cancelTurnAsync(String sessionId, String turnId) {
    return cancelTurn(CancelTurnRequest.newBuilder().setSessionId(sessionId).setTurnId(turnId).build());
  }

  /** Stops a turn that runs, by the caller's key of it ({@link Turn#key}). Otherwise as {@link #cancelTurn}. */
  public void cancelTurnByKey(String sessionId, String turnKey) {
    UnaryCall.await(cancelTurnByKeyAsync(sessionId, turnKey));
  }

  /** The same, later. */
  public CompletableFuture<Void> cancelTurnByKeyAsync(String sessionId, String turnKey) {
    return cancelTurn(CancelTurnRequest.newBuilder().setSessionId(sessionId).setTurnKey(turnKey).build());
  }

  /** Lets the service forget a session and close its connection. Does nothing if the session is unknown. */
  public void releaseSession(String sessionId) {
    UnaryCall.await(releaseSessionAsync(sessionId));
  }

  /** Lets the service forget a session and close its connection. Does nothing if the session is unknown. */
  public CompletableFuture<Void> releaseSessionAsync(String sessionId) {
    return releaseSession(sessionId, Optional.empty());
  }

  /**
   * Ends the running calls, also those of clients that share the connection. Turns that resume are stopped: that may take
   * two seconds.
   */
  @Override
  public void close() {
    connection.close();
  }

  // ---- for conversations, whose options may have a timeout of their own

  TurnCall call(StreamCompletionRequest request, Options own, Consumer<Optional<Done>> settle) {
    boolean resumes = own.resume().orElse(resume);
    return new TurnCall(
        connection, resumes ? Resume.of(request) : request, own.timeout().or(() -> timeout), resumes, settle);
  }

  CompletableFuture<Done> complete(CompleteRequest request, Options own, Consumer<Optional<Done>> settle) {
    boolean resumes = own.resume().orElse(resume);
    CompleteRequest sent = resumes ? Resume.of(request) : request;
    Optional<Lingering.Turn> turn =
        resumes ? Optional.of(connection.lingering().add(sent.getSessionId(), sent.getTurnKey())) : Optional.empty();
    CompletableFuture<Done> answer =
        call(
            CompletionServiceGrpc.getCompleteMethod(),
            sent,
            sent.getSessionId(),
            connection.attempts(own.timeout().or(() -> timeout), resumes),
            Done::from,
            done -> {
              done.flatMap(ended -> turn).ifPresent(Lingering.Turn::ended);
              settle.accept(done);
            });
    turn.ifPresent(lingering -> answer.whenComplete((done, error) -> lingering.failed(error)));
    return answer;
  }

  CompletableFuture<Compaction> compact(
      CompactRequest request, Optional<Duration> own, Consumer<Optional<Compaction>> settle) {
    return call(
        CompletionServiceGrpc.getCompactMethod(),
        request,
        request.getSessionId(),
        attempts(own),
        Compaction::from,
        settle);
  }

  CompletableFuture<Session> warmSession(WarmSessionRequest request, Optional<Duration> own) {
    return call(
        SessionServiceGrpc.getWarmSessionMethod(),
        request,
        request.getSessionId(),
        attempts(own),
        response -> Session.from(response.getSession()),
        session -> {});
  }

  CompletableFuture<Void> releaseSession(String sessionId, Optional<Duration> own) {
    return call(
        SessionServiceGrpc.getReleaseSessionMethod(),
        ReleaseSessionRequest.newBuilder().setSessionId(sessionId).build(),
        sessionId,
        attempts(own),
        response -> null,
        nothing -> {});
  }

  private CompletableFuture<Void> cancelTurn(CancelTurnRequest request) {
    return call(
        SessionServiceGrpc.getCancelTurnMethod(),
        request,
        request.getSessionId(),
        attempts(Optional.empty()),
        response -> null,
        nothing -> {});
  }

  private Attempts attempts(Optional<Duration> own) {
    return connection.attempts(own.or(() -> timeout), false);
  }

  /** {@code settle} is called once with the answer; empty: there is none, or its caller left. */
  private <Q, R, T> CompletableFuture<T> call(
      MethodDescriptor<Q, R> method,
      Q request,
      String sessionId,
      Attempts attempts,
      Function<R, T> read,
      Consumer<Optional<T>> settle) {
    return UnaryCall.start(
        connection,
        method,
        request,
        sessionId,
        attempts,
        response -> {
          T answer = read.apply(response);
          settle.accept(Optional.ofNullable(answer));
          return answer;
        },
        () -> settle.accept(Optional.empty()));
  }
}
