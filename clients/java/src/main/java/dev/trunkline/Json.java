package dev.trunkline;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonPrimitive;
import com.google.gson.Strictness;
import java.util.List;

/** The little JSON that tools and typed answers need. What goes to the service otherwise is the caller's own string. */
final class Json {
  private static final Gson GSON =
      new GsonBuilder().setStrictness(Strictness.STRICT).disableHtmlEscaping().serializeNulls().create();

  private Json() {}

  /** Throws {@link IllegalArgumentException}, which says what the text is not. */
  static JsonObject object(String text) {
    JsonElement read;
    try {
      read = GSON.fromJson(text, JsonElement.class);
    } catch (JsonParseException broken) {
      throw new IllegalArgumentException("not valid JSON");
    }
    if (read instanceof JsonObject object) {
      return object;
    }
    throw new IllegalArgumentException("not a JSON object");
  }

  /** The object of a text; without fields where the text is no object. */
  static JsonObject fields(String text) {
    try {
      return object(text);
    } catch (IllegalArgumentException other) {
      return new JsonObject();
    }
  }

  /** The text of a field; empty where it is absent or no string. */
  static String word(JsonObject fields, String name) {
    return fields.get(name) instanceof JsonPrimitive value && value.isString() ? value.getAsString() : "";
  }

  /** The elements of an array, each as JSON; none where the text is no array. */
  static List<String> elements(String text) {
    try {
      return GSON.fromJson(text, JsonElement.class) instanceof JsonArray array
          ? array.asList().stream().map(Json::write).toList()
          : List.of();
    } catch (JsonParseException broken) {
      return List.of();
    }
  }

  static String write(Object value) {
    return GSON.toJson(value);
  }
}
