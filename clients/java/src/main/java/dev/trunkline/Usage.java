package dev.trunkline;

/**
 * What a turn cost, in tokens. Cached and cache-write tokens are part of input, reasoning tokens of output.
 *
 * @param inputTokens tokens read, the whole chain included
 * @param cachedInputTokens of these, tokens read from the prompt cache
 * @param cacheWriteTokens of these, tokens written to the prompt cache
 * @param outputTokens tokens written, reasoning included
 * @param reasoningTokens of these, reasoning
 * @param totalTokens input and output
 * @param detailsJson the upstream's usage as it wrote it
 */
public record Usage(
    long inputTokens,
    long cachedInputTokens,
    long cacheWriteTokens,
    long outputTokens,
    long reasoningTokens,
    long totalTokens,
    String detailsJson) {

  static Usage from(dev.trunkline.v1.Usage wire) {
    return new Usage(
        wire.getInputTokens(),
        wire.getCachedInputTokens(),
        wire.getCacheWriteTokens(),
        wire.getOutputTokens(),
        wire.getReasoningTokens(),
        wire.getTotalTokens(),
        wire.getDetailsJson());
  }
}
