package dev.trunkline.langchain4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.langchain4j.model.output.TokenUsage;
import dev.trunkline.Usage;
import org.junit.jupiter.api.Test;

class TrunklineTokenUsageTest {
  private static TrunklineTokenUsage usage(int cached, int written, int reasoning) {
    return TrunklineTokenUsage.of(new Usage(10, cached, written, 5, reasoning, 15, "{}"));
  }

  @Test
  void usagesAddUp() {
    TrunklineTokenUsage one = usage(3, 2, 1);
    assertEquals(TrunklineTokenUsage.of(new Usage(20, 6, 4, 10, 2, 30, "")), one.add(one));
    assertEquals(one, one.add(null));
    assertEquals(one, one.add(new TokenUsage()));
    assertEquals(one, new TokenUsage().add(one));
    assertEquals(3, ((TrunklineTokenUsage) TokenUsage.sum(new TokenUsage(1, 1), one)).cachedInputTokens());
    assertEquals(2, one.cacheWriteTokens());
  }

  @Test
  void theDetailsCount() {
    assertEquals(usage(3, 2, 1).hashCode(), usage(3, 2, 1).hashCode());
    assertNotEquals(usage(3, 2, 1), usage(3, 2, 0));
    assertNotEquals(usage(0, 0, 0), new TokenUsage(10, 5, 15));
  }
}
