package dev.trunkline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Timestamp;
import dev.trunkline.v1.Message;
import dev.trunkline.v1.Role;
import dev.trunkline.v1.StreamCompletionResponse;
import dev.trunkline.v1.ToolCallPart;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Messages, events and reports, from and to the wire. */
class ValuesTest {
  @Test
  void messages() {
    assertEquals(Role.ROLE_SYSTEM, Messages.system("x").getRole());
    assertEquals(Role.ROLE_DEVELOPER, Messages.developer("x").getRole());
    Message message =
        Messages.user(
            Parts.text("a"),
            Parts.imageBytes(new byte[] {1}, "image/png"),
            Parts.imageId("f1"),
            Parts.fileUrl("https://example.com"),
            Parts.fileBytes(new byte[] {1}, "x.pdf", "application/pdf"),
            Parts.fileId("f2"),
            Parts.text("b"));
    assertEquals("ab", Messages.textOf(message));
    assertEquals("image/png", message.getParts(1).getImage().getMimeType());
    assertEquals("x.pdf", message.getParts(4).getFile().getFilename());
  }

  @Test
  void theDeltasOfEveryKind() {
    var wire = StreamCompletionResponse.newBuilder();
    wire.getReasoningDeltaBuilder().setDelta("r").setKindValue(1);
    assertEquals(
        Optional.of(new Event.ReasoningDelta(0, "r", Event.ReasoningDelta.Kind.SUMMARY)),
        EventReader.from(wire.build()));
    wire.getRefusalDeltaBuilder().setDelta("no").setContentIndex(2);
    assertEquals(Optional.of(new Event.RefusalDelta(2, "no")), EventReader.from(wire.build()));
    wire.getToolCallDeltaBuilder().setCallId("c").setName("f").setArgumentsDelta("{");
    assertEquals(Optional.of(new Event.ToolCallDelta(0, "c", "f", "{")), EventReader.from(wire.build()));
    wire.getErrorBuilder();
    assertEquals(Optional.empty(), EventReader.from(wire.build()));
    wire.getHeartbeatBuilder();
    assertEquals(Optional.empty(), EventReader.from(wire.build()));
  }

  @Test
  void aReport() {
    var wire = dev.trunkline.v1.Done.newBuilder();
    wire.getMessageBuilder().addPartsBuilder().getRefusalBuilder().setText("no");
    wire.getMessageBuilder().addPartsBuilder().setToolCall(ToolCallPart.newBuilder().setName("f"));
    wire.setCreatedAt(Timestamp.newBuilder().setSeconds(5));
    wire.setContinuation("c1");
    wire.getReportBuilder().setContextValue(2).setTransportValue(99).setAttached(true).setUpstream("azure").setUpstreamReason("cooldown");
    wire.getReportBuilder().getTimingsBuilder().getTotalBuilder().setNanos(1_000_000);
    Done done = Done.from(wire.build());
    assertEquals("no", done.refusal());
    assertEquals("f", done.toolCalls().get(0).getName());
    assertEquals(Optional.of(Instant.ofEpochSecond(5)), done.createdAt());
    assertTrue(done.report().incremental());
    assertEquals("incremental", done.report().context().toString());
    assertTrue(done.report().attached());
    assertEquals("azure", done.report().upstream());
    assertEquals("cooldown", done.report().upstreamReason());
    assertEquals("c1", done.continuation());
    assertEquals(Transport.UNKNOWN, done.report().transport());
    assertEquals(Optional.of(Duration.ofMillis(1)), done.report().timings().total());
    assertEquals(Optional.empty(), done.report().timings().firstContent());
    assertEquals(StopReason.UNKNOWN, done.stopReason());
  }

  @Test
  void whatWasGathered() {
    Partial partial = new Partial();
    assertEquals(Optional.empty(), partial.message());
    List.of(
            new Event.TextDelta(1, "b"),
            new Event.ReasoningDelta(0, "think", Event.ReasoningDelta.Kind.SUMMARY),
            new Event.TextDelta(1, "c"),
            new Event.ToolCallDelta(3, "c", "f", "{"),
            new Event.RefusalDelta(2, "no"))
        .forEach(partial::add);
    Message message = partial.message().orElseThrow();
    assertEquals(3, message.getPartsCount());
    assertEquals("think", message.getParts(0).getReasoning().getSummary(0));
    assertEquals("bc", Messages.textOf(message));
    assertEquals("no", Messages.refusalOf(message));
  }
}
