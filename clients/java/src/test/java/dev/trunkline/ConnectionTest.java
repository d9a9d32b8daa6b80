package dev.trunkline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.trunkline.v1.SessionServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ConnectionTest {
  private final Channel channel = new Channel();
  private final Connection connection =
      new Connection(channel, () -> "", carrier -> {}, Retry.DEFAULT, 1, Connection::wait);

  /** Connects to nothing, and counts. */
  private static final class Channel extends ManagedChannel {
    int dialled;
    boolean shut;

    @Override
    public void resetConnectBackoff() {
      dialled++;
    }

    @Override
    public ManagedChannel shutdownNow() {
      shut = true;
      return this;
    }

    @Override
    public ManagedChannel shutdown() {
      return shutdownNow();
    }

    @Override
    public boolean isShutdown() {
      return shut;
    }

    @Override
    public boolean isTerminated() {
      return shut;
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) {
      return shut;
    }

    @Override
    public <Q, R> ClientCall<Q, R> newCall(MethodDescriptor<Q, R> method, CallOptions options) {
      return null;
    }

    @Override
    public String authority() {
      return "";
    }
  }

  @Test
  void anotherTryDialsAtOnce() {
    Attempts attempts = connection.attempts(Optional.empty(), true);
    for (int before = 0; before < 3; before++) {
      connection.open(SessionServiceGrpc.getGetSessionMethod(), "s", new Metadata(), attempts);
      assertEquals(before, channel.dialled);
    }
  }

  @Test
  void whoIsServed() {
    Context.CancellableContext caller = Context.current().withCancellation();
    assertTrue(connection.serves(caller));
    caller.cancel(null);
    assertFalse(connection.serves(caller));
    connection.close();
    assertFalse(connection.serves(Context.current()));
    assertTrue(channel.shut);
  }
}
