package dev.trunkline;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.lang.reflect.Constructor;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Records as JSON: the schema of one, and the record that a JSON object is. They are the parameters of a tool, or the
 * form of an answer.
 *
 * <p>Supports String, int, long, double, boolean, enums, List, Map with String keys, Optional, and records of these.
 * For anything else, write the schema.
 */
final class Records {
  private static final Set<Class<?>> INTEGERS = Set.of(int.class, Integer.class, long.class, Long.class);
  private static final Set<Class<?>> NUMBERS = Set.of(double.class, Double.class);
  private static final Set<Class<?>> BOOLEANS = Set.of(boolean.class, Boolean.class);

  private Records() {}

  /** What may be left out, an Optional, is not required. */
  static String schemaOf(Class<? extends Record> kind) {
    return schema(kind, false).toString();
  }

  /**
   * A schema that the upstream can force an answer to fit: it must require every field, so an Optional is there and may
   * be null. A Map is an {@link IllegalArgumentException}: its keys cannot be named.
   */
  static String strictSchemaOf(Class<? extends Record> kind) {
    return schema(kind, true).toString();
  }

  /** Throws {@link IllegalArgumentException} with words for the model. */
  static <A extends Record> A read(JsonObject given, Class<A> kind) {
    return kind.cast(record(given, kind, ""));
  }

  private static JsonObject schema(Type type, boolean strict) {
    JsonObject schema = new JsonObject();
    Class<?> kind = raw(type);
    if (kind == Optional.class) {
      JsonObject present = schema(argument(type, 0), strict);
      return strict ? nullable(present) : present;
    } else if (kind == List.class) {
      schema.addProperty("type", "array");
      schema.add("items", schema(argument(type, 0), strict));
    } else if (kind == Map.class && argument(type, 0) == String.class) {
      if (strict) {
        throw new IllegalArgumentException(type + ": a strict schema has no maps; use a List of records");
      }
      schema.addProperty("type", "object");
      schema.add("additionalProperties", schema(argument(type, 1), false));
    } else if (kind.isEnum()) {
      schema.addProperty("type", "string");
      JsonArray names = new JsonArray();
      Arrays.stream(kind.getEnumConstants()).forEach(constant -> names.add(((Enum<?>) constant).name()));
      schema.add("enum", names);
    } else if (kind.isRecord()) {
      return recordSchema(kind, strict);
    } else {
      schema.addProperty("type", word(kind));
    }
    return schema;
  }

  private static JsonObject recordSchema(Class<?> kind, boolean strict) {
    JsonObject properties = new JsonObject();
    JsonArray required = new JsonArray();
    for (RecordComponent component : kind.getRecordComponents()) {
      JsonObject one = schema(component.getGenericType(), strict);
      Description description = component.getAnnotation(Description.class);
      if (description != null) {
        one.addProperty("description", description.value());
      }
      properties.add(component.getName(), one);
      if (strict || component.getType() != Optional.class) {
        required.add(component.getName());
      }
    }
    JsonObject schema = new JsonObject();
    schema.addProperty("type", "object");
    schema.add("properties", properties);
    schema.add("required", required);
    schema.addProperty("additionalProperties", false);
    return schema;
  }

  private static JsonObject nullable(JsonObject present) {
    JsonObject none = new JsonObject();
    none.addProperty("type", "null");
    JsonArray either = new JsonArray();
    either.add(present);
    either.add(none);
    JsonObject schema = new JsonObject();
    schema.add("anyOf", either);
    return schema;
  }

  private static String word(Class<?> kind) {
    if (kind == String.class) {
      return "string";
    } else if (INTEGERS.contains(kind)) {
      return "integer";
    } else if (NUMBERS.contains(kind)) {
      return "number";
    } else if (BOOLEANS.contains(kind)) {
      return "boolean";
    }
    throw new IllegalArgumentException(kind.getName() + ": no schema is known for it; write the schema yourself");
  }

  private static Object value(JsonElement given, Type type, String path) {
    Class<?> kind = raw(type);
    if (kind == Optional.class) {
      return given.isJsonNull() ? Optional.empty() : Optional.of(value(given, argument(type, 0), path));
    } else if (kind == List.class && given instanceof JsonArray array) {
      List<Object> list = new ArrayList<>();
      array.forEach(one -> list.add(value(one, argument(type, 0), path + "[" + list.size() + "]")));
      return List.copyOf(list);
    } else if (kind == Map.class && given instanceof JsonObject object) {
      Map<String, Object> map = new LinkedHashMap<>();
      object.asMap().forEach((key, one) -> map.put(key, value(one, argument(type, 1), path + "." + key)));
      return map;
    } else if (kind.isRecord() && given instanceof JsonObject object) {
      return record(object, kind, path + ".");
    } else if (given instanceof JsonPrimitive primitive) {
      return primitive(primitive, kind, path);
    }
    throw new IllegalArgumentException(path + (given.isJsonNull() ? " is missing" : " is of the wrong type"));
  }

  private static Object primitive(JsonPrimitive given, Class<?> kind, String path) {
    try {
      if (given.isString() && kind == String.class) {
        return given.getAsString();
      } else if (given.isString() && kind.isEnum()) {
        return Arrays.stream(kind.getEnumConstants())
            .filter(constant -> ((Enum<?>) constant).name().equals(given.getAsString()))
            .findFirst()
            .orElseThrow(IllegalArgumentException::new);
      } else if (given.isBoolean() && BOOLEANS.contains(kind)) {
        return given.getAsBoolean();
      } else if (given.isNumber() && NUMBERS.contains(kind)) {
        return given.getAsDouble();
      } else if (given.isNumber() && (kind == int.class || kind == Integer.class)) {
        return given.getAsBigDecimal().intValueExact();
      } else if (given.isNumber() && INTEGERS.contains(kind)) {
        return given.getAsBigDecimal().longValueExact();
      }
    } catch (ArithmeticException | IllegalArgumentException wrong) {
      throw new IllegalArgumentException(path + " has a value that it cannot have");
    }
    throw new IllegalArgumentException(path + " is of the wrong type");
  }

  private static Object record(JsonObject given, Class<?> kind, String path) {
    RecordComponent[] components = kind.getRecordComponents();
    Object[] values = new Object[components.length];
    Class<?>[] types = new Class<?>[components.length];
    Set<String> left = new LinkedHashSet<>(given.keySet());
    for (int i = 0; i < components.length; i++) {
      String name = components[i].getName();
      JsonElement one = given.get(name);
      values[i] = value(one == null ? JsonNull.INSTANCE : one, components[i].getGenericType(), path + name);
      types[i] = components[i].getType();
      left.remove(name);
    }
    if (!left.isEmpty()) {
      throw new IllegalArgumentException(path + left.iterator().next() + " is unknown");
    }
    try {
      Constructor<?> constructor = kind.getDeclaredConstructor(types);
      constructor.setAccessible(true);
      return constructor.newInstance(values);
    } catch (ReflectiveOperationException refused) {
      throw new IllegalArgumentException(
          refused.getCause() == null ? refused.toString() : refused.getCause().getMessage(), refused);
    }
  }

  private static Class<?> raw(Type type) {
    return (Class<?>) (type instanceof ParameterizedType generic ? generic.getRawType() : type);
  }

  private static Type argument(Type type, int index) {
    if (type instanceof ParameterizedType generic) {
      return generic.getActualTypeArguments()[index];
    }
    throw new IllegalArgumentException(type + ": name its type arguments");
  }
}
