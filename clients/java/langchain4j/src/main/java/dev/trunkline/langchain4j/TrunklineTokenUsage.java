package dev.trunkline.langchain4j;

import dev.langchain4j.model.output.TokenUsage;
import dev.trunkline.Usage;

/** What turns cost. Cached and written tokens are part of the input, reasoning is part of the output. */
public final class TrunklineTokenUsage extends TokenUsage {
  private final int cachedInputTokens;
  private final int cacheWriteTokens;
  private final int reasoningTokens;

  private TrunklineTokenUsage(TokenUsage all, int cachedInputTokens, int cacheWriteTokens, int reasoningTokens) {
    super(all.inputTokenCount(), all.outputTokenCount(), all.totalTokenCount());
    this.cachedInputTokens = cachedInputTokens;
    this.cacheWriteTokens = cacheWriteTokens;
    this.reasoningTokens = reasoningTokens;
  }

  static TrunklineTokenUsage of(Usage usage) {
    TokenUsage all =
        new TokenUsage(
            Math.toIntExact(usage.inputTokens()),
            Math.toIntExact(usage.outputTokens()),
            Math.toIntExact(usage.totalTokens()));
    return new TrunklineTokenUsage(
        all,
        Math.toIntExact(usage.cachedInputTokens()),
        Math.toIntExact(usage.cacheWriteTokens()),
        Math.toIntExact(usage.reasoningTokens()));
  }

  /** Input that was read from the prompt cache. */
  public int cachedInputTokens() {
    return cachedInputTokens;
  }

  /** Input that was written to the prompt cache. */
  public int cacheWriteTokens() {
    return cacheWriteTokens;
  }

  /** Output that was reasoning. */
  public int reasoningTokens() {
    return reasoningTokens;
  }

  @Override
  public TrunklineTokenUsage add(TokenUsage that) {
    TokenUsage all = new TokenUsage(inputTokenCount(), outputTokenCount(), totalTokenCount());
    if (that instanceof TrunklineTokenUsage more) {
      TokenUsage plain = new TokenUsage(more.inputTokenCount(), more.outputTokenCount(), more.totalTokenCount());
      return new TrunklineTokenUsage(
          all.add(plain),
          cachedInputTokens + more.cachedInputTokens,
          cacheWriteTokens + more.cacheWriteTokens,
          reasoningTokens + more.reasoningTokens);
    }
    return new TrunklineTokenUsage(all.add(that), cachedInputTokens, cacheWriteTokens, reasoningTokens);
  }
}
