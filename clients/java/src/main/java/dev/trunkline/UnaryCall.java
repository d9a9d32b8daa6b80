package dev.trunkline;

import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.function.Function;

/**
 * One call with one answer, and its tries: a future that, cancelled, stops the call.
 *
 * <p>{@link Failures} and {@link Attempts} decide what an error means.
 */
final class UnaryCall<Q, R, T> extends CompletableFuture<T> {
  private final Connection connection;
  private final MethodDescriptor<Q, R> method;
  private final Q request;
  private final String sessionId;
  private final Function<R, T> read;
  private final Runnable failed;
  private final Attempts attempts;
  private final Metadata trace;
  private final Context context = Context.current();

  /** {@code read} is called with the answer before the future completes; {@code failed} if there is none. */
  private UnaryCall(
      Connection connection,
      MethodDescriptor<Q, R> method,
      Q request,
      String sessionId,
      Attempts attempts,
      Function<R, T> read,
      Runnable failed) {
    this.connection = connection;
    this.method = method;
    this.request = request;
    this.sessionId = sessionId;
    this.read = read;
    this.failed = failed;
    this.attempts = attempts;
    this.trace = connection.trace();
  }

  static <Q, R, T> CompletableFuture<T> start(
      Connection connection,
      MethodDescriptor<Q, R> method,
      Q request,
      String sessionId,
      Attempts attempts,
      Function<R, T> read,
      Runnable failed) {
    var call = new UnaryCall<>(connection, method, request, sessionId, attempts, read, failed);
    call.attempt();
    return call;
  }

  /** What a future holds, to a thread that waits. Interrupted, it stops the call. */
  static <T> T await(CompletableFuture<T> future) {
    try {
      return future.get();
    } catch (InterruptedException interrupted) {
      future.cancel(true);
      Thread.currentThread().interrupt();
      throw Failures.cancelled("the thread was interrupted", null, Optional.empty());
    } catch (CancellationException cancelled) {
      throw Failures.cancelled("the call was cancelled", null, Optional.empty());
    } catch (ExecutionException failed) {
      throw thrown(failed.getCause());
    }
  }

  /** For the caller's thread: its own stack is what helps to find the call. */
  static RuntimeException thrown(Throwable error) {
    if (error instanceof java.lang.Error fatal) {
      throw fatal;
    }
    if (error instanceof RuntimeException known) {
      known.fillInStackTrace();
      return known;
    }
    return new CompletionException(error);
  }

  /** Other futures made of this one are plain ones. */
  @Override
  public <U> CompletableFuture<U> newIncompleteFuture() {
    return new CompletableFuture<>();
  }

  private void attempt() {
    if (isDone()) {
      return;
    }
    context.run(
        () -> {
          try {
            ClientCall<Q, R> call = connection.open(method, sessionId, trace, attempts);
            ClientCalls.asyncUnaryCall(call, request, new Answer());
            whenComplete((answer, error) -> stop(call)); // whoever completed it: the caller may have left
          } catch (RuntimeException refused) { // by a token's supplier, an interceptor, a closed client
            fail(refused);
          }
        });
  }

  private void stop(ClientCall<Q, R> call) {
    failed.run(); // nothing where it was read
    call.cancel("the caller left", null); // nothing where it has ended
  }

  private void fail(RuntimeException error) {
    failed.run();
    completeExceptionally(error);
  }

  private final class Answer implements StreamObserver<R> {
    private R answer;

    @Override
    public void onNext(R answer) {
      this.answer = answer;
    }

    @Override
    public void onError(Throwable thrown) {
      Metadata trailers = Status.trailersFromThrowable(thrown);
      TrunklineException error =
          Failures.read(Status.fromThrowable(thrown), trailers == null ? new Metadata() : trailers);
      Optional<Duration> next = connection.serves(context) ? attempts.delay(error) : Optional.empty();
      next.ifPresentOrElse(
          delay -> connection.after(delay, UnaryCall.this::attempt), () -> fail(attempts.verdict(error)));
    }

    @Override
    public void onCompleted() {
      if (!isDone()) {
        complete(read.apply(answer));
      }
    }
  }
}
