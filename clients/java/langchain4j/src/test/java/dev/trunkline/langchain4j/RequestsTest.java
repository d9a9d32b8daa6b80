package dev.trunkline.langchain4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonParser;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.AudioContent;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.CustomMessage;
import dev.langchain4j.data.message.ImageContent;
import dev.langchain4j.data.message.PdfFileContent;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.TextContent;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.DefaultChatRequestParameters;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.request.ToolChoice;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.request.json.JsonRawSchema;
import dev.langchain4j.model.chat.request.json.JsonSchema;
import dev.langchain4j.model.chat.request.json.JsonSchemaElement;
import dev.langchain4j.model.chat.request.json.JsonStringSchema;
import dev.trunkline.Messages;
import dev.trunkline.Options;
import dev.trunkline.Parts;
import dev.trunkline.v1.CompletionOptions;
import dev.trunkline.v1.JsonSchemaFormat;
import dev.trunkline.v1.StreamCompletionRequest;
import dev.trunkline.v1.Tool;
import dev.trunkline.v1.ToolChoiceMode;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RequestsTest {
  private static final JsonObjectSchema PLACE =
      JsonObjectSchema.builder().addStringProperty("city").required("city").build();

  private static StreamCompletionRequest write(ChatMessage... messages) {
    StreamCompletionRequest.Builder request = StreamCompletionRequest.newBuilder();
    Requests.write(List.of(messages), request);
    return request.build();
  }

  private static CompletionOptions options(DefaultChatRequestParameters.Builder<?> parameters) {
    return Requests.options(Options.NONE, parameters.build(), true).toProto();
  }

  private static DefaultChatRequestParameters.Builder<?> parameters() {
    return ChatRequestParameters.builder();
  }

  @Test
  void eachMessageHasItsRole() {
    StreamCompletionRequest request =
        write(
            SystemMessage.from("Be brief."),
            SystemMessage.from("Be kind."),
            UserMessage.from("Hi"),
            AiMessage.from("Hello."),
            SystemMessage.from("Be long."),
            ToolExecutionResultMessage.builder().id("c").toolName("n").text("no").isError(true).build());
    assertEquals("Be brief.\n\nBe kind.", request.getInstructions());
    assertEquals(
        List.of(
            Messages.user("Hi"),
            Messages.assistant("Hello."),
            Messages.system("Be long."),
            Messages.toolResult("c", List.of(Parts.text("no")), true)),
        request.getMessagesList());
  }

  @Test
  void aQuestionHasImagesAndFiles() {
    var parts =
        write(
                UserMessage.from(
                    TextContent.from("Look:"),
                    ImageContent.from("https://a/b.png", ImageContent.DetailLevel.ULTRA_HIGH),
                    ImageContent.from("eHk=", "image/png", ImageContent.DetailLevel.MEDIUM),
                    PdfFileContent.from("https://a/b.pdf"),
                    PdfFileContent.from("eHk=", "application/pdf")))
            .getMessages(0)
            .getPartsList();
    assertEquals("https://a/b.png original", parts.get(1).getImage().getUrl() + " " + parts.get(1).getImage().getDetail());
    assertEquals("xy auto", parts.get(2).getImage().getData().toStringUtf8() + " " + parts.get(2).getImage().getDetail());
    assertEquals(Parts.fileUrl("https://a/b.pdf"), parts.get(3));
    assertEquals("xy", parts.get(4).getFile().getData().toStringUtf8());
  }

  @Test
  void whatHasNoPlaceIsRefused() {
    assertThrows(UnsupportedFeatureException.class, () -> write(UserMessage.from(AudioContent.from("https://a/b.mp3"))));
    assertThrows(UnsupportedFeatureException.class, () -> write(CustomMessage.from(Map.of("a", "b"))));
    for (var parameters :
        List.of(
            parameters().topK(1),
            parameters().presencePenalty(1.0),
            parameters().frequencyPenalty(1.0),
            parameters().stopSequences("."))) {
      var error = assertThrows(UnsupportedFeatureException.class, () -> options(parameters));
      assertTrue(error.getMessage().endsWith("is not supported: the Responses API has nothing like it"));
    }
  }

  @Test
  void parametersAreOptions() {
    CompletionOptions sent =
        options(parameters().temperature(0.0).topP(0.5).maxOutputTokens(20).toolChoice(ToolChoice.REQUIRED));
    assertTrue(sent.hasTemperature());
    assertEquals(List.of(0.0, 0.5, 20L), List.of(sent.getTemperature(), sent.getTopP(), sent.getMaxOutputTokens()));
    assertEquals(ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED, sent.getToolChoice().getMode());
    assertEquals(CompletionOptions.getDefaultInstance(), options(parameters()));
  }

  @Test
  void parametersComeAfterTheOptionsOfTheModel() {
    Options options = Options.NONE.temperature(1).topP(1);
    CompletionOptions sent = Requests.options(options, parameters().temperature(0.0).build(), false).toProto();
    assertEquals(List.of(0.0, 1.0), List.of(sent.getTemperature(), sent.getTopP()));
  }

  private static CompletionOptions format(JsonSchemaElement root) {
    JsonSchema schema = JsonSchema.builder().name("Place").rootElement(root).build();
    return options(
        parameters().responseFormat(ResponseFormat.builder().type(ResponseFormatType.JSON).jsonSchema(schema).build()));
  }

  @Test
  void aResponseFormatIsAFormatOfTheText() {
    assertTrue(options(parameters().responseFormat(ResponseFormat.TEXT)).getText().hasPlain());
    assertTrue(options(parameters().responseFormat(ResponseFormat.JSON)).getText().hasJsonObject());
    JsonSchemaFormat format = format(PLACE).getText().getJsonSchema();
    String wanted = "{\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}}, \"required\": [\"city\"]}";
    assertEquals(JsonParser.parseString(wanted), JsonParser.parseString(format.getSchema()));
    assertEquals("Place true", format.getName() + " " + format.getStrict());
    assertEquals("{}", format(JsonRawSchema.from("{}")).getText().getJsonSchema().getSchema());
    assertThrows(UnsupportedFeatureException.class, () -> format(new JsonStringSchema()));
  }

  @Test
  void aToolHasItsSchema() {
    Tool tool =
        Requests.tool(ToolSpecification.builder().name("go").description("Go.").parameters(PLACE).strict(true).build())
            .toProto();
    assertEquals("go Go. true", tool.getName() + " " + tool.getDescription() + " " + tool.getStrict());
    assertTrue(tool.getParameters().contains("\"city\""));
    Tool bare = Requests.tool(ToolSpecification.builder().name("go").build()).toProto();
    assertEquals("", bare.getParameters());
    assertFalse(bare.hasStrict());
  }
}
