package dev.trunkline;

import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptor;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannelBuilder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** The settings of a client: {@link Trunkline#builder}. */
public final class TrunklineBuilder {
  private static final Duration KEEPALIVE_TIMEOUT = Duration.ofSeconds(10);

  private final String address;
  private final List<ClientInterceptor> interceptors = new ArrayList<>();
  private Tls tls = Tls.DEFAULT;
  private Supplier<ChannelCredentials> credentials = InsecureChannelCredentials::create;
  private Supplier<String> token = () -> "";
  private TracePropagator tracing = carrier -> {};
  private Optional<Duration> timeout = Optional.empty();
  private Retry retry = Retry.DEFAULT;
  private Duration keepAlive = Duration.ofSeconds(30);
  private int maxMessageBytes = 64 * 1024 * 1024; // the service takes 32 MiB; an answer may echo images
  private Consumer<ManagedChannelBuilder<?>> channel = builder -> {};
  private Connection.Waiter waiter = Connection::wait;

  TrunklineBuilder(String address) {
    this.address = Objects.requireNonNull(address);
  }

  /** TLS with the certificate authorities of the JVM. */
  public TrunklineBuilder tls() {
    return tls(tls);
  }

  /** TLS with these certificate authorities only: a file in PEM, which {@link #build} reads. */
  public TrunklineBuilder tls(Path authorities) {
    return tls(tls.trusting(authorities));
  }

  /**
   * TLS with a certificate of the client's own: the files of its chain and of its key (PKCS 8), in PEM, which {@link
   * #build} reads.
   */
  public TrunklineBuilder certificate(Path chain, Path key) {
    return tls(tls.with(chain, key));
  }

  /** Any other credentials, in place of these: certificates from memory, from a key store, renewed while it runs. */
  public TrunklineBuilder credentials(ChannelCredentials credentials) {
    Objects.requireNonNull(credentials);
    this.credentials = () -> credentials;
    return this;
  }

  /** Goes as {@code authorization: Bearer …}. */
  public TrunklineBuilder token(String token) {
    Objects.requireNonNull(token);
    return token(() -> token);
  }

  /** Is asked for a token before each try. */
  public TrunklineBuilder token(Supplier<String> token) {
    this.token = Objects.requireNonNull(token);
    return this;
  }

  /** For a whole call, retries included, unless the call sets its own. Unset: no limit. */
  public TrunklineBuilder timeout(Duration timeout) {
    this.timeout = Optional.of(timeout);
    return this;
  }

  /** How often a call of which nothing was sent is tried; {@link Retry#DEFAULT} by default. */
  public TrunklineBuilder retry(Retry retry) {
    this.retry = Objects.requireNonNull(retry);
    return this;
  }

  /** The keepalive interval of a silent connection while calls run; 30 seconds by default. */
  public TrunklineBuilder keepAlive(Duration time) {
    this.keepAlive = Objects.requireNonNull(time);
    return this;
  }

  /** The largest message in either direction; 64 MiB by default. */
  public TrunklineBuilder maxMessageBytes(int bytes) {
    this.maxMessageBytes = bytes;
    return this;
  }

  /** Writes the caller's trace into each call. */
  public TrunklineBuilder tracing(TracePropagator tracing) {
    this.tracing = Objects.requireNonNull(tracing);
    return this;
  }

  /** Sees each try of each call. */
  public TrunklineBuilder intercept(ClientInterceptor interceptor) {
    interceptors.add(interceptor);
    return this;
  }

  /** Any other setting of gRPC's channel, applied after all others. */
  public TrunklineBuilder channel(Consumer<ManagedChannelBuilder<?>> configure) {
    this.channel = Objects.requireNonNull(configure);
    return this;
  }

  /** Nothing is connected before the first call. */
  public Trunkline build() {
    return build(Grpc.newChannelBuilder(address, credentials.get()));
  }

  private TrunklineBuilder tls(Tls tls) {
    this.tls = tls;
    this.credentials = tls::credentials;
    return this;
  }

  /** For tests. */
  TrunklineBuilder waiter(Connection.Waiter waiter) {
    this.waiter = waiter;
    return this;
  }

  /** For tests. */
  Trunkline build(ManagedChannelBuilder<?> builder) {
    String version = Trunkline.class.getPackage().getImplementationVersion();
    builder
        .userAgent("trunkline-java/" + (version == null ? "dev" : version))
        .maxInboundMessageSize(maxMessageBytes)
        .keepAliveTime(Attempts.nanos(keepAlive), TimeUnit.NANOSECONDS)
        .keepAliveTimeout(Attempts.nanos(KEEPALIVE_TIMEOUT), TimeUnit.NANOSECONDS)
        // A retry policy found in DNS would repeat what must not be repeated.
        .disableServiceConfigLookUp()
        .intercept(interceptors);
    channel.accept(builder);
    return new Trunkline(
        new Connection(builder.build(), token, tracing, retry, maxMessageBytes, waiter), timeout, false);
  }
}
