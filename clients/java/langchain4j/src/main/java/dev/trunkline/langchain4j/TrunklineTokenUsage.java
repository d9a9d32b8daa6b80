package dev.trunkline.langchain4j;

import dev.langchain4j.model.output.TokenUsage;
import dev.trunkline.Usage;

/** What turns cost. Cached and written tokens are part of the input, reasoning is part of the output. */
public final class TrunklineTokenUsage extends TokenUsage {
  private record Details(int cached, int written, int reasoning) {
    private static final Details NONE = new Details(0, 0, 0);

    Details plus(Details more) {
      return new Details(cached + more.cached, written + more.written, reasoning + more.reasoning);
    }
  }

  private final Details details;

  private TrunklineTokenUsage(TokenUsage all, Details details) {
    super(all.inputTokenCount(), all.outputTokenCount(), all.totalTokenCount());
    this.details = details;
  }

  static TrunklineTokenUsage of(Usage usage) {
    return new TrunklineTokenUsage(
        new TokenUsage((int) usage.inputTokens(), (int) usage.outputTokens(), (int) usage.totalTokens()),
        new Details(
            (int) usage.cachedInputTokens(), (int) usage.cacheWriteTokens(), (int) usage.reasoningTokens()));
  }

  /** Input that was read from the prompt cache. */
  public int cachedInputTokens() {
    return details.cached;
  }

  /** Input that was written to the prompt cache. */
  public int cacheWriteTokens() {
    return details.written;
  }

  /** Output that was reasoning. */
  public int reasoningTokens() {
    return details.reasoning;
  }

  @Override
  public TrunklineTokenUsage add(TokenUsage that) {
    Details more = that instanceof TrunklineTokenUsage usage ? usage.details : Details.NONE;
    return new TrunklineTokenUsage(plain(this).add(that == null ? null : plain(that)), details.plus(more));
  }

  @Override
  public boolean equals(Object that) {
    return super.equals(that) && that instanceof TrunklineTokenUsage usage && details.equals(usage.details);
  }

  @Override
  public int hashCode() {
    return 31 * super.hashCode() + details.hashCode();
  }

  @Override
  public String toString() {
    return super.toString() + " " + details;
  }

  /** Only the counts that all usages have: their sum is LangChain4j's. */
  private static TokenUsage plain(TokenUsage usage) {
    return new TokenUsage(usage.inputTokenCount(), usage.outputTokenCount(), usage.totalTokenCount());
  }
}
