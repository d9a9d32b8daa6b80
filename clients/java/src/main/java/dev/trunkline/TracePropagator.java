package dev.trunkline;

import java.util.function.BiConsumer;

/**
 * Writes the caller's trace into a call, as W3C {@code traceparent} or whatever its propagator writes.
 *
 * <p>With OpenTelemetry: {@code carrier -> GlobalOpenTelemetry.getPropagators().getTextMapPropagator()
 * .inject(Context.current(), carrier, BiConsumer::accept)}. It is asked once for each turn or call, on the thread that
 * makes it. Not needed beside OpenTelemetry's Java agent, which does this for every gRPC channel.
 */
@FunctionalInterface
public interface TracePropagator {
  /** Hands names and values to the carrier. */
  void inject(BiConsumer<String, String> carrier);
}
