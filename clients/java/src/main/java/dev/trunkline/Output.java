package dev.trunkline;

import dev.trunkline.v1.Part;
import dev.trunkline.v1.TextPart;
import java.util.stream.Collectors;

/** Reads an answer as a record. */
final class Output {
  private static final String COMMENTARY = "commentary";

  private Output() {}

  static <T extends Record> T read(Done done, Class<T> kind) {
    if (!done.refusal().isEmpty()) {
      throw new OutputParsingException(kind, "the model refused: " + done.refusal(), done, null);
    }
    if (done.stopReason() != StopReason.STOP) {
      throw new OutputParsingException(kind, "the model stopped because of " + done.stopReason(), done, null);
    }
    try {
      return Records.read(Json.object(textOf(done)), kind);
    } catch (IllegalArgumentException unfit) {
      throw new OutputParsingException(kind, unfit.getMessage(), done, unfit);
    }
  }

  /** Without what the model says on the way to its answer. */
  private static String textOf(Done done) {
    return done.message().getPartsList().stream()
        .map(Part::getText)
        .filter(text -> !text.getPhase().equals(COMMENTARY))
        .map(TextPart::getText)
        .collect(Collectors.joining());
  }
}
