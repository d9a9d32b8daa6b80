package dev.trunkline;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptors;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * What all calls of a client share: its channel, and what goes along with each call.
 *
 * <p>Errors are interpreted, and requests built, elsewhere.
 */
final class Connection implements AutoCloseable {
  private static final Metadata.Key<String> AUTHORIZATION = ascii("authorization");
  private static final Metadata.Key<String> SESSION_ID = ascii("x-session-id");

  /** How the client waits; tests have their own clock. */
  interface Waiter {
    void after(Duration delay, Runnable run);
  }

  private final ManagedChannel channel;
  private final Supplier<String> token;
  private final TracePropagator tracing;
  private final Retry retry;
  private final CallOptions options;
  private final Waiter waiter;
  private final Lingering lingering = new Lingering(this);
  private volatile boolean closed;

  Connection(
      ManagedChannel channel,
      Supplier<String> token,
      TracePropagator tracing,
      Retry retry,
      int maxMessageBytes,
      Waiter waiter) {
    this.channel = channel;
    this.token = token;
    this.tracing = tracing;
    this.retry = retry;
    this.options = CallOptions.DEFAULT.withMaxOutboundMessageSize(maxMessageBytes);
    this.waiter = waiter;
  }

  /** The clock of {@link Trunkline}. */
  static void wait(Duration delay, Runnable run) {
    CompletableFuture.delayedExecutor(Attempts.nanos(delay), TimeUnit.NANOSECONDS).execute(run);
  }

  Attempts attempts(Optional<Duration> timeout, boolean resumes) {
    return new Attempts(retry, timeout, resumes, () -> ThreadLocalRandom.current().nextDouble());
  }

  Lingering lingering() {
    return lingering;
  }

  /** Whether a call that broke may be made again: not for a caller that is gone, or one that closes the client. */
  boolean serves(Context caller) {
    return !closed && !caller.isCancelled();
  }

  /** The caller's trace, on the caller's thread. If that fails the call goes on without it. */
  Metadata trace() {
    Metadata trace = new Metadata();
    try {
      tracing.inject((name, value) -> trace.put(ascii(name), value));
    } catch (RuntimeException broken) {
      return new Metadata();
    }
    return trace;
  }

  /** A try, not started yet. A token may have been renewed since the last one. */
  <Q, R> ClientCall<Q, R> open(MethodDescriptor<Q, R> method, String sessionId, Metadata trace, Attempts attempts) {
    if (channel.isShutdown()) {
      throw new IllegalStateException("the client is closed");
    }
    if (attempts.again()) {
      channel.resetConnectBackoff(); // by itself gRPC dials again after a second, and after minutes if refused often
    }
    Metadata metadata = new Metadata();
    metadata.merge(trace);
    String bearer = token.get();
    if (bearer != null && !bearer.isEmpty()) {
      metadata.put(AUTHORIZATION, "Bearer " + bearer);
    }
    if (!sessionId.isEmpty() && sessionId.chars().allMatch(letter -> letter >= ' ' && letter <= '~')) {
      metadata.put(SESSION_ID, sessionId); // for the load balancer; a bad id is the service's to name
    }
    return ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(metadata))
        .newCall(method, attempts.begin(options));
  }

  void after(Duration delay, Runnable run) {
    waiter.after(delay, run);
  }

  @Override
  public void close() {
    closed = true;
    lingering.close();
    channel.shutdownNow();
  }

  private static Metadata.Key<String> ascii(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }
}
