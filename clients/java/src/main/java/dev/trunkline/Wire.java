package dev.trunkline;

import com.google.protobuf.ProtocolMessageEnum;
import com.google.protobuf.Timestamp;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;

/**
 * Converts small values from and to the wire.
 *
 * <p>Enums are open sets: an unknown value is no error.
 */
final class Wire {
  private Wire() {}

  /** {@code TRANSPORT_SSE} → {@code SSE}; what the enum does not have → {@code unknown}. */
  static <E extends Enum<E>> E word(ProtocolMessageEnum wire, String prefix, E unknown) {
    String name = wire instanceof Enum<?> one ? one.name() : "";
    for (E known : unknown.getDeclaringClass().getEnumConstants()) {
      if (name.equals(prefix + known.name())) {
        return known;
      }
    }
    return unknown;
  }

  static String word(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }

  static Transport transport(dev.trunkline.v1.Transport wire) {
    return word(wire, "TRANSPORT_", Transport.UNKNOWN);
  }

  static Duration duration(com.google.protobuf.Duration wire) {
    return Duration.ofSeconds(wire.getSeconds(), wire.getNanos());
  }

  static com.google.protobuf.Duration duration(Duration value) {
    return com.google.protobuf.Duration.newBuilder()
        .setSeconds(value.getSeconds())
        .setNanos(value.getNano())
        .build();
  }

  static Instant instant(Timestamp wire) {
    return Instant.ofEpochSecond(wire.getSeconds(), wire.getNanos());
  }
}
