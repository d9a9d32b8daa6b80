package dev.trunkline;

import com.google.gson.JsonObject;
import dev.trunkline.v1.Message;
import dev.trunkline.v1.Part;
import dev.trunkline.v1.ToolCallKind;
import dev.trunkline.v1.ToolCallPart;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;

/**
 * What the model may call.
 *
 * <p>An error in a call is reported to the model (a result with {@code is_error}) and not thrown to the caller:
 * arguments that are invalid JSON or do not fit, and whatever the function throws.
 */
public final class Tool {
  /**
   * What a tool does. It returns a text, a {@link Part} or a list of parts, null for nothing, anything else to be sent
   * as JSON (records, maps, lists, numbers), or a {@link CompletionStage} of these.
   *
   * @param <A> how it gets its arguments
   */
  @FunctionalInterface
  public interface Function<A> {
    /** One call. What it throws is reported to the model. */
    Object call(A arguments) throws Exception;
  }

  private final dev.trunkline.v1.Tool wire;
  private final String name; // empty: the model does not call it by one
  private final boolean custom;
  private final Function<String> function; // null: only declared

  private Tool(dev.trunkline.v1.Tool wire, Function<String> function) {
    JsonObject definition = Json.fields(wire.getDefinitionJson());
    String type = Json.word(definition, "type");
    this.wire = wire;
    this.custom = type.equals("custom");
    this.name = custom || type.equals("function") ? Json.word(definition, "name") : wire.getName();
    this.function = function;
  }

  /**
   * A tool whose parameters are the components of a record: String, int, long, double, boolean, enums, List, Map with
   * String keys, records, and Optional of these for what may be left out. {@link Description} explains one.
   */
  public static <A extends Record> Tool of(
      String name, String description, Class<A> arguments, Function<? super A> function) {
    return ofJson(
        name,
        description,
        Records.schemaOf(arguments),
        json -> function.call(Records.read(Json.object(json), arguments)));
  }

  /** A tool with a JSON Schema of its own; it gets its arguments as a JSON object. */
  public static Tool ofJson(String name, String description, String parameters, Function<String> function) {
    return new Tool(declared(name, description, parameters).wire, Objects.requireNonNull(function));
  }

  /** A tool without a function: answer its calls yourself, with {@link Messages#toolResult(String, String)}. */
  public static Tool declared(String name, String description, String parameters) {
    return new Tool(
        dev.trunkline.v1.Tool.newBuilder()
            .setName(name)
            .setDescription(description)
            .setParameters(parameters)
            .build(),
        null);
  }

  /**
   * A tool of any kind by its definition, a JSON object for the upstream as it is written: <code>{"type":"web_search"}
   * </code>. It is only declared.
   */
  public static Tool definition(String json) {
    return new Tool(dev.trunkline.v1.Tool.newBuilder().setDefinitionJson(json).build(), null);
  }

  /**
   * The same with a function, for what the model calls by the definition's name: a function, which gets a JSON object,
   * or a custom tool, which gets one text.
   */
  public static Tool definition(String json, Function<String> function) {
    return new Tool(definition(json).wire, Objects.requireNonNull(function));
  }

  /** A custom tool: it takes one text, which the model writes freely, and which is never parsed. */
  public static Tool custom(String name, String description, Function<String> function) {
    Map<String, String> fields = new LinkedHashMap<>();
    fields.put("type", "custom");
    fields.put("name", name);
    if (!description.isEmpty()) {
      fields.put("description", description);
    }
    return definition(Json.write(fields), function);
  }

  /** The same tool; the upstream forces the arguments to fit the schema, or does not. */
  public Tool strict(boolean strict) {
    return new Tool(wire.toBuilder().setStrict(strict).build(), function);
  }

  /** What the model calls it; empty for a hosted tool. */
  public String name() {
    return name;
  }

  /** The JSON Schema of its parameters. */
  public String parameters() {
    return wire.getParameters();
  }

  @Override
  public String toString() {
    return "Tool{" + name() + "}";
  }

  /** For requests that are put together by hand. */
  public dev.trunkline.v1.Tool toProto() {
    return wire;
  }

  /** Makes a call. The result is always a message: what went wrong is in it. */
  static CompletableFuture<Message> call(ToolCallPart call, Optional<Tool> tool) {
    String id = call.getCallId();
    if (tool.isEmpty() || tool.get().function == null) {
      return CompletableFuture.completedFuture(failed(id, "there is no tool named '" + call.getName() + "'"));
    }
    boolean custom = tool.get().custom;
    if (custom != (call.getKind() == ToolCallKind.TOOL_CALL_KIND_CUSTOM)) {
      String kind = custom ? "a custom one" : "not a custom one";
      return CompletableFuture.completedFuture(failed(id, "the tool '" + call.getName() + "' is " + kind));
    }
    try {
      if (!custom) {
        Json.object(call.getArguments());
      }
    } catch (IllegalArgumentException broken) {
      return CompletableFuture.completedFuture(failed(id, "the arguments are " + broken.getMessage()));
    }
    try {
      Object output = tool.get().function.call(call.getArguments());
      CompletionStage<?> later = output instanceof CompletionStage<?> stage ? stage : stageOf(output);
      return later
          .handle((value, error) -> error == null ? result(id, value) : failed(id, error))
          .toCompletableFuture();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      return CompletableFuture.completedFuture(failed(id, interrupted));
    } catch (Exception error) {
      return CompletableFuture.completedFuture(failed(id, error));
    }
  }

  private static CompletionStage<Object> stageOf(Object output) {
    return CompletableFuture.completedFuture(output);
  }

  private static Message result(String callId, Object output) {
    try {
      return Messages.toolResult(callId, parts(output), false);
    } catch (RuntimeException | StackOverflowError error) { // what cannot be written as JSON
      return failed(callId, error);
    }
  }

  private static List<Part> parts(Object output) {
    if (output == null) {
      return List.of();
    } else if (output instanceof String text) {
      return List.of(Parts.text(text));
    } else if (output instanceof Part part) {
      return List.of(part);
    } else if (output instanceof List<?> list
        && !list.isEmpty()
        && list.stream().allMatch(Part.class::isInstance)) {
      return list.stream().map(Part.class::cast).toList();
    }
    return List.of(Parts.text(Json.write(output)));
  }

  private static Message failed(String callId, Throwable error) {
    Throwable cause = error instanceof CompletionException && error.getCause() != null ? error.getCause() : error;
    String message = cause.getMessage() == null ? "" : ": " + cause.getMessage();
    return failed(callId, cause.getClass().getSimpleName() + message);
  }

  private static Message failed(String callId, String message) {
    return Messages.toolResult(callId, List.of(Parts.text(message)), true);
  }
}
