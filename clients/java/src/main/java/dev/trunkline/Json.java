package dev.trunkline;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.Strictness;

/** The little JSON that tools need. What goes to the service otherwise is the caller's own string. */
final class Json {
  private static final Gson GSON =
      new GsonBuilder().setStrictness(Strictness.STRICT).disableHtmlEscaping().serializeNulls().create();

  private Json() {}

  /** Throws {@link IllegalArgumentException} with words for the model. */
  static JsonObject object(String text) {
    JsonElement read;
    try {
      read = GSON.fromJson(text, JsonElement.class);
    } catch (JsonParseException broken) {
      throw new IllegalArgumentException("the arguments are not valid JSON");
    }
    if (read instanceof JsonObject object) {
      return object;
    }
    throw new IllegalArgumentException("the arguments are not a JSON object");
  }

  static String write(Object value) {
    return GSON.toJson(value);
  }
}
