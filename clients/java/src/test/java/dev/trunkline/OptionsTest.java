package dev.trunkline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.trunkline.v1.CompletionOptions;
import dev.trunkline.v1.ToolChoiceMode;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class OptionsTest {
  @Test
  void nothingSetIsNothingSent() {
    assertEquals(CompletionOptions.getDefaultInstance(), Options.NONE.toProto());
  }

  @Test
  void zeroAndFalseAreValues() {
    CompletionOptions sent =
        Options.NONE.temperature(0).topP(0).maxOutputTokens(0).parallelToolCalls(false).store(false).toProto();
    assertTrue(sent.hasTemperature() && sent.hasTopP() && sent.hasMaxOutputTokens());
    assertTrue(sent.hasParallelToolCalls() && sent.hasStore());
  }

  @Test
  void eachMethodReplacesWhatItSet() {
    CompletionOptions sent =
        Options.NONE
            .allowTools("a")
            .requireTools("b")
            .metadata(Map.of("x", "1"))
            .metadata(Map.of("y", "2"))
            .jsonSchema("n", "{}", true)
            .jsonObject()
            .reasoningEffort("low")
            .reasoningSummary("auto")
            .verbosity("low")
            .transport(Transport.SSE)
            .toProto();
    assertEquals(List.of("b"), sent.getToolChoice().getAllowed().getFunctionsList());
    assertEquals(ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED, sent.getToolChoice().getAllowed().getMode());
    assertEquals(Map.of("y", "2"), sent.getMetadataMap());
    assertTrue(sent.getText().hasJsonObject());
    assertFalse(sent.getText().hasJsonSchema());
    assertEquals("low", sent.getText().getVerbosity());
    assertEquals("low auto", sent.getReasoning().getEffort() + " " + sent.getReasoning().getSummary());
    assertEquals(dev.trunkline.v1.Transport.TRANSPORT_SSE, sent.getTransport());
  }

  @Test
  void theRest() {
    CompletionOptions sent =
        Options.NONE
            .forceTool("f")
            .plainText()
            .promptCacheKey("k")
            .serviceTier("flex")
            .truncation("auto")
            .safetyIdentifier("s")
            .warmUp(true)
            .extraBodyJson("{}")
            .linger(Duration.ofMillis(1500))
            .heartbeat(Duration.ofSeconds(2))
            .toProto();
    assertEquals("f", sent.getToolChoice().getFunction());
    assertTrue(sent.getText().hasPlain() && sent.getWarmUp());
    assertEquals("kflexautos{}", sent.getPromptCacheKey() + sent.getServiceTier() + sent.getTruncation()
        + sent.getSafetyIdentifier() + sent.getExtraBodyJson());
    assertEquals(Duration.ofMillis(1500), Wire.duration(sent.getLinger()));
    assertEquals(Duration.ofSeconds(2), Wire.duration(sent.getHeartbeat()));
    var mode = Options.NONE.toolChoice(ToolChoiceMode.TOOL_CHOICE_MODE_NONE).toProto().getToolChoice().getMode();
    assertEquals(ToolChoiceMode.TOOL_CHOICE_MODE_NONE, mode);
  }

  @Test
  void aConstantIsTheUpstreamsWord() {
    CompletionOptions sent =
        Options.NONE
            .reasoningEffort(ReasoningEffort.XHIGH)
            .reasoningSummary(ReasoningSummary.CONCISE)
            .verbosity(Verbosity.LOW)
            .serviceTier(ServiceTier.FLEX)
            .truncation(Truncation.DISABLED)
            .include(Include.WEB_SEARCH_SOURCES, "newer")
            .toProto();
    assertEquals("xhigh concise", sent.getReasoning().getEffort() + " " + sent.getReasoning().getSummary());
    assertEquals("low", sent.getText().getVerbosity());
    assertEquals("flex disabled", sent.getServiceTier() + " " + sent.getTruncation());
    assertEquals(List.of("web_search_call.action.sources", "newer"), sent.getIncludeList());
    assertEquals("newer", Options.NONE.reasoningEffort("newer").toProto().getReasoning().getEffort());
  }

  @Test
  void optionsOfOneTurnLeaveThoseOfTheConversation() {
    try (Trunkline client = Trunkline.connect("127.0.0.1:1")) {
      Conversation chat = client.conversation("m").options(o -> o.temperature(1));
      Conversation view = chat.with(o -> o.temperature(0).topP(0));
      assertEquals(0, view.options().toProto().getTemperature());
      assertEquals(1, chat.options().toProto().getTemperature());
      assertFalse(chat.options().toProto().hasTopP());
      assertEquals(chat.messages(), view.messages());
    }
  }
}
