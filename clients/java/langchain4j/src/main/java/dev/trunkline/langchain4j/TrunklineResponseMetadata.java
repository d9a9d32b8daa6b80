package dev.trunkline.langchain4j;

import dev.langchain4j.model.chat.response.ChatResponseMetadata;
import dev.langchain4j.model.output.FinishReason;
import dev.trunkline.Done;

/** The metadata of an answer, with the whole end of its turn. */
public final class TrunklineResponseMetadata extends ChatResponseMetadata {
  private final Done done;

  private TrunklineResponseMetadata(Builder builder) {
    super(builder);
    this.done = builder.done;
  }

  static ChatResponseMetadata of(Done done, FinishReason reason) {
    return new Builder(done)
        .id(done.report().responseId())
        .modelName(done.model())
        .tokenUsage(TrunklineTokenUsage.of(done.usage()))
        .finishReason(reason)
        .build();
  }

  /** The end of the turn: how it ran ({@link Done#report}), its citations, its service tier. */
  public Done done() {
    return done;
  }

  @Override
  public ChatResponseMetadata.Builder<?> toBuilder() {
    return toBuilder(new Builder(done));
  }

  private static final class Builder extends ChatResponseMetadata.Builder<Builder> {
    private final Done done;

    Builder(Done done) {
      this.done = done;
    }

    @Override
    public ChatResponseMetadata build() {
      return new TrunklineResponseMetadata(this);
    }
  }
}
