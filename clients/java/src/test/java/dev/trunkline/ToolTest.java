package dev.trunkline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonParser;
import dev.trunkline.v1.Part;
import dev.trunkline.v1.ToolCallPart;
import dev.trunkline.v1.ToolResultPart;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ToolTest {
  enum Unit {
    CELSIUS,
    FAHRENHEIT
  }

  record Place(String city, Optional<String> country) {}

  record Forecast(
      @Description("Where.") Place place,
      int days,
      long since,
      double limit,
      boolean wind,
      Unit unit,
      List<String> tags,
      Map<String, Integer> weights,
      Optional<Integer> hour) {}

  private static final String FULL =
      """
      {"place": {"city": "Lima"}, "days": 2.0, "since": 9007199254740993, "limit": 1, "wind": true,
       "unit": "CELSIUS", "tags": ["a"], "weights": {"x": 1}, "hour": null}""";

  private static ToolResultPart call(Tool tool, String arguments) {
    var call = ToolCallPart.newBuilder().setCallId("c").setName("t").setArguments(arguments).build();
    return Tool.call(call, Optional.ofNullable(tool)).join().getParts(0).getToolResult();
  }

  private static String text(ToolResultPart result) {
    return result.getParts(0).getText().getText();
  }

  @Test
  void aRecordIsASchema() {
    String schema = Tool.of("t", "", Forecast.class, forecast -> "").parameters();
    String wanted =
        """
        {"type": "object", "properties": {
          "place": {"type": "object", "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
                    "required": ["city"], "additionalProperties": false, "description": "Where."},
          "days": {"type": "integer"}, "since": {"type": "integer"}, "limit": {"type": "number"},
          "wind": {"type": "boolean"}, "unit": {"type": "string", "enum": ["CELSIUS", "FAHRENHEIT"]},
          "tags": {"type": "array", "items": {"type": "string"}},
          "weights": {"type": "object", "additionalProperties": {"type": "integer"}},
          "hour": {"type": "integer"}},
         "required": ["place", "days", "since", "limit", "wind", "unit", "tags", "weights"],
         "additionalProperties": false}""";
    assertEquals(JsonParser.parseString(wanted), JsonParser.parseString(schema));
  }

  @Test
  void argumentsAreARecord() {
    Tool tool =
        Tool.of(
            "t",
            "",
            Forecast.class,
            forecast -> {
              assertEquals(
                  new Forecast(
                      new Place("Lima", Optional.empty()),
                      2,
                      9007199254740993L,
                      1,
                      true,
                      Unit.CELSIUS,
                      List.of("a"),
                      Map.of("x", 1),
                      Optional.empty()),
                  forecast);
              return "sun";
            });
    ToolResultPart result = call(tool, FULL);
    assertEquals("sun", text(result));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{\"city\": 1}            | city is of the wrong type",
        "{}                       | city is missing",
        "{\"city\": null}         | city is missing",
        "{\"city\": \"a\", \"x\": 1} | x is unknown",
        "[]                       | the arguments are not a JSON object",
        "null                     | the arguments are not a JSON object",
        "{city: 1}                | the arguments are not valid JSON",
        "{\"city\": NaN}          | the arguments are not valid JSON",
        "{} {}                    | the arguments are not valid JSON",
        "''                       | the arguments are not a JSON object",
      })
  void invalidArgumentsAreReportedToTheModel(String arguments, String wanted) {
    ToolResultPart result = call(Tool.of("t", "", Place.class, place -> ""), arguments);
    assertTrue(result.getIsError());
    assertTrue(text(result).endsWith(wanted), text(result));
  }

  @ParameterizedTest
  @CsvSource({"days, 1.5", "days, 3000000000", "since, 1e99", "unit, \"KELVIN\"", "tags, [1]", "weights, {\"x\": {}}"})
  void wrongValuesToo(String name, String value) {
    var arguments = JsonParser.parseString(FULL).getAsJsonObject();
    arguments.add(name, JsonParser.parseString(value));
    ToolResultPart result = call(Tool.of("t", "", Forecast.class, forecast -> ""), arguments.toString());
    assertTrue(result.getIsError());
    assertTrue(text(result).contains(name), text(result));
  }

  @Test
  void typesThatHaveNoSchemaAreRefused() {
    record Odd(Thread thread) {}
    assertThrows(IllegalArgumentException.class, () -> Tool.of("t", "", Odd.class, odd -> ""));
  }

  @Test
  void whatAToolMayReturn() {
    Part image = Parts.imageUrl("https://example.com/x.png");
    Map<Object, List<Part>> cases =
        Map.of(
            "text", List.of(Parts.text("text")),
            image, List.of(image),
            List.of(image, Parts.text("x")), List.of(image, Parts.text("x")),
            7, List.of(Parts.text("7")),
            List.of(1, "<ä>"), List.of(Parts.text("[1,\"<ä>\"]")),
            new Place("Lima", Optional.empty()).city(), List.of(Parts.text("Lima")));
    cases.forEach(
        (output, parts) -> assertEquals(parts, call(Tool.ofJson("t", "", "", json -> output), "{}").getPartsList()));
    assertEquals(0, call(Tool.ofJson("t", "", "", json -> null), "{}").getPartsCount());
    ToolResultPart unwritable = call(Tool.ofJson("t", "", "", json -> Double.NaN), "{}");
    assertTrue(unwritable.getIsError());
  }

  @Test
  void whatAToolThrowsIsReportedToTheModel() {
    Tool tool =
        Tool.ofJson(
            "t",
            "",
            "",
            json -> {
              throw new java.io.IOException("no network");
            });
    assertEquals("IOException: no network", text(call(tool, "{}")));
    assertEquals("there is no tool named 't'", text(call(null, "{}")));
    assertTrue(call(Tool.declared("t", "", "{}"), "{}").getIsError());
  }

  @Test
  void strictIsAValue() {
    Tool tool = Tool.declared("t", "", "{}");
    assertEquals(false, tool.toProto().hasStrict());
    assertEquals(true, tool.strict(false).toProto().hasStrict());
  }
}
