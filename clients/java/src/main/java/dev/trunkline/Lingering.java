package dev.trunkline;

import dev.trunkline.v1.CancelTurnRequest;
import dev.trunkline.v1.SessionServiceGrpc;
import io.grpc.Context;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * The turns of one client that go on without it, and so must be stopped, not only left.
 *
 * <p>They are stopped by CancelTurn: best effort, in the background, within {@link #STOP}.
 */
final class Lingering {
  /** The deadline of a CancelTurn that nobody asked for, and so how long closing a client may take. */
  static final Duration STOP = Duration.ofSeconds(2);

  private final Connection connection;
  private final Set<Turn> turns = ConcurrentHashMap.newKeySet();
  private final Set<CompletableFuture<?>> stops = ConcurrentHashMap.newKeySet();

  Lingering(Connection connection) {
    this.connection = connection;
  }

  /** One of them, from its first call on. Whoever comes first ends it. */
  final class Turn {
    private final CancelTurnRequest stop;

    private Turn(CancelTurnRequest stop) {
      this.stop = stop;
    }

    /** The service has ended it. */
    void ended() {
      turns.remove(this);
    }

    /** Its caller is gone. */
    void left() {
      if (turns.remove(this)) {
        stop(stop);
      }
    }

    /** Its call failed: by the service, or because its caller left. */
    void failed(Throwable error) {
      if (error instanceof TrunklineException known && !known.left()) {
        ended();
      } else {
        left();
      }
    }

    /** It was lost, and the service has begun another one; its id may be empty: then that one has ended, too. */
    void replaced(String turnId) {
      if (turns.remove(this) && !turnId.isEmpty()) {
        stop(stop.toBuilder().setTurnId(turnId).build());
      }
    }
  }

  Turn add(String sessionId, String turnKey) {
    Turn turn = new Turn(CancelTurnRequest.newBuilder().setSessionId(sessionId).setTurnKey(turnKey).build());
    turns.add(turn);
    return turn;
  }

  /** Stops all that run, and waits until the service knows. */
  void close() {
    turns.forEach(Turn::left);
    try {
      CompletableFuture.allOf(stops.toArray(CompletableFuture<?>[]::new))
          .get(Attempts.nanos(STOP), TimeUnit.NANOSECONDS);
    } catch (ExecutionException | TimeoutException unheard) {
      return; // its linger ends it
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** The caller's context may be cancelled, or out of time: the call goes without both. */
  private void stop(CancelTurnRequest request) {
    Context.current()
        .fork()
        .run(
            () -> {
              CompletableFuture<?> call =
                  UnaryCall.start(
                      connection,
                      SessionServiceGrpc.getCancelTurnMethod(),
                      request,
                      request.getSessionId(),
                      connection.attempts(Optional.of(STOP), false),
                      response -> null,
                      () -> {});
              stops.add(call);
              call.whenComplete((nothing, error) -> stops.remove(call));
            });
  }
}
