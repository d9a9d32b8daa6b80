package dev.trunkline;

import dev.trunkline.v1.CompleteRequest;
import dev.trunkline.v1.CompletionOptions;
import dev.trunkline.v1.StreamCompletionRequest;
import java.time.Duration;
import java.util.UUID;

/** What lets a call be made again where its connection breaks: a turn with a key, which goes on meanwhile. */
final class Resume {
  /** How long it goes on where the caller does not say. */
  static final Duration LINGER = Duration.ofSeconds(60);

  private Resume() {}

  static StreamCompletionRequest of(StreamCompletionRequest request) {
    return request.toBuilder()
        .setTurnKey(key(request.getTurnKey()))
        .setOptions(lingering(request.getOptions()))
        .build();
  }

  static CompleteRequest of(CompleteRequest request) {
    return request.toBuilder()
        .setTurnKey(key(request.getTurnKey()))
        .setOptions(lingering(request.getOptions()))
        .build();
  }

  private static String key(String own) {
    return own.isEmpty() ? UUID.randomUUID().toString() : own;
  }

  private static CompletionOptions lingering(CompletionOptions options) {
    return options.hasLinger() ? options : options.toBuilder().setLinger(Wire.duration(LINGER)).build();
  }
}
