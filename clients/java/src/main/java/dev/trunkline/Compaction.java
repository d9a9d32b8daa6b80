package dev.trunkline;

import dev.trunkline.v1.CompactResponse;
import dev.trunkline.v1.Message;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * A conversation that the upstream made shorter.
 *
 * @param messages what replaces all messages that were given, to be sent unchanged: some of them, and an item that
 *     stands for the rest
 * @param usage what it cost
 * @param responseId the upstream's id of the compaction
 * @param createdAt when the upstream created it
 * @param provider who provided it
 */
public record Compaction(
    List<Message> messages, Usage usage, String responseId, Optional<Instant> createdAt, String provider) {

  static Compaction from(CompactResponse wire) {
    return new Compaction(
        wire.getMessagesList(),
        Usage.from(wire.getUsage()),
        wire.getResponseId(),
        wire.hasCreatedAt() ? Optional.of(Wire.instant(wire.getCreatedAt())) : Optional.empty(),
        wire.getProvider());
  }
}
