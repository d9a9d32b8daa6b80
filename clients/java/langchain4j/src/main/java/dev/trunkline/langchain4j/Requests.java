package dev.trunkline.langchain4j;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.Content;
import dev.langchain4j.data.message.ImageContent;
import dev.langchain4j.data.message.PdfFileContent;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.TextContent;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.request.json.JsonRawSchema;
import dev.langchain4j.model.chat.request.json.JsonSchemaElement;
import dev.trunkline.Messages;
import dev.trunkline.Options;
import dev.trunkline.Parts;
import dev.trunkline.Tool;
import dev.trunkline.v1.Message;
import dev.trunkline.v1.Part;
import dev.trunkline.v1.StreamCompletionRequest;
import dev.trunkline.v1.ToolChoiceMode;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/**
 * Writes LangChain4j's requests as Trunkline's. What has no place there is refused, except for the name of a user, which
 * is left out.
 */
final class Requests {
  private Requests() {}

  /** System messages before all others are instructions: they may change without an edit of the history. */
  static void write(List<ChatMessage> messages, StreamCompletionRequest.Builder request) {
    List<String> instructions = new ArrayList<>();
    for (ChatMessage message : messages) {
      if (message instanceof SystemMessage system && request.getMessagesCount() == 0) {
        instructions.add(system.text());
      } else {
        request.addMessages(of(message));
      }
    }
    request.setInstructions(String.join("\n\n", instructions));
  }

  static Options options(Options options, ChatRequestParameters given, boolean strict) {
    refuse("topK", given.topK());
    refuse("frequencyPenalty", given.frequencyPenalty());
    refuse("presencePenalty", given.presencePenalty());
    refuse("stopSequences", given.stopSequences().isEmpty() ? null : given.stopSequences());
    Options written = given.temperature() == null ? options : options.temperature(given.temperature());
    written = given.topP() == null ? written : written.topP(given.topP());
    written = given.maxOutputTokens() == null ? written : written.maxOutputTokens(given.maxOutputTokens());
    written = given.toolChoice() == null ? written : written.toolChoice(mode(given));
    return given.responseFormat() == null ? written : format(written, given.responseFormat(), strict);
  }

  static Tool tool(ToolSpecification tool) {
    String description = tool.description() == null ? "" : tool.description();
    Tool declared = Tool.declared(tool.name(), description, schema(tool));
    return tool.strict() == null ? declared : declared.strict(tool.strict());
  }

  private static void refuse(String name, Object value) {
    if (value != null) {
      throw new UnsupportedFeatureException(name + " is not supported: the Responses API has nothing like it");
    }
  }

  private static ToolChoiceMode mode(ChatRequestParameters given) {
    return switch (given.toolChoice()) {
      case AUTO -> ToolChoiceMode.TOOL_CHOICE_MODE_AUTO;
      case REQUIRED -> ToolChoiceMode.TOOL_CHOICE_MODE_REQUIRED;
      case NONE -> ToolChoiceMode.TOOL_CHOICE_MODE_NONE;
    };
  }

  private static Options format(Options options, ResponseFormat format, boolean strict) {
    if (format.type() == ResponseFormatType.TEXT) {
      return options.plainText();
    } else if (format.jsonSchema() == null) {
      return options.jsonObject();
    }
    JsonSchemaElement root = format.jsonSchema().rootElement();
    if (root instanceof JsonRawSchema raw) {
      return options.jsonSchema(format.jsonSchema().name(), raw.schema(), strict);
    } else if (root instanceof JsonObjectSchema object) {
      ToolSpecification carrier = ToolSpecification.builder().name("schema").parameters(object).build();
      return options.jsonSchema(format.jsonSchema().name(), schema(carrier), strict);
    }
    throw new UnsupportedFeatureException("the root of a JSON schema is an object, not " + root);
  }

  /** LangChain4j writes schemas in public only as those of a tool. */
  private static String schema(ToolSpecification tool) {
    JsonElement parameters = JsonParser.parseString(tool.toJson()).getAsJsonObject().get("parameters");
    return parameters == null ? "" : parameters.toString();
  }

  private static Message of(ChatMessage message) {
    if (message instanceof AiMessage said) {
      return Answers.said(said);
    } else if (message instanceof UserMessage asked) {
      return Messages.user(parts(asked.contents()).toArray(Part[]::new));
    } else if (message instanceof ToolExecutionResultMessage result) {
      return Messages.toolResult(
          result.id(), parts(result.contents()), Boolean.TRUE.equals(result.isError()));
    } else if (message instanceof SystemMessage system) {
      return Messages.system(system.text());
    }
    throw new UnsupportedFeatureException("a message of the type " + message.type() + " is not supported");
  }

  private static List<Part> parts(List<Content> contents) {
    return contents.stream().map(Requests::part).toList();
  }

  private static Part part(Content content) {
    if (content instanceof TextContent text) {
      return Parts.text(text.text());
    } else if (content instanceof ImageContent image) {
      Part part =
          image.image().url() != null
              ? Parts.imageUrl(image.image().url().toString())
              : Parts.imageBytes(bytes(image.image().base64Data()), image.image().mimeType());
      Part.Builder detailed = part.toBuilder();
      detailed.getImageBuilder().setDetail(detail(image));
      return detailed.build();
    } else if (content instanceof PdfFileContent file) {
      return file.pdfFile().url() != null
          ? Parts.fileUrl(file.pdfFile().url().toString())
          : Parts.fileBytes(bytes(file.pdfFile().base64Data()), "file.pdf", file.pdfFile().mimeType());
    }
    throw new UnsupportedFeatureException("a content of the type " + content.type() + " is not supported");
  }

  private static String detail(ImageContent image) {
    return switch (image.detailLevel()) {
      case LOW -> "low";
      case HIGH -> "high";
      case ULTRA_HIGH -> "original";
      case MEDIUM, AUTO -> "auto";
    };
  }

  private static byte[] bytes(String base64) {
    return Base64.getDecoder().decode(base64);
  }
}
