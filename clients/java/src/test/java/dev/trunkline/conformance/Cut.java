package dev.trunkline.conformance;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Breaks every connection of the client: the proxy between it and the service does so. */
final class Cut {
  private static final String CONTROL = "CONFORMANCE_CUT";

  private Cut() {}

  /** Returns once they are broken. */
  static void now() {
    String control = System.getenv(CONTROL);
    if (control == null) {
      throw new IllegalStateException(CONTROL + ": not set");
    }
    int colon = control.lastIndexOf(':');
    try (Socket socket = new Socket(control.substring(0, colon), Integer.parseInt(control.substring(colon + 1)))) {
      socket.getInputStream().readAllBytes();
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  static CompletableFuture<Void> after(Duration delay) {
    return CompletableFuture.runAsync(
        Cut::now, CompletableFuture.delayedExecutor(delay.toMillis(), TimeUnit.MILLISECONDS));
  }
}
