package dev.trunkline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonParser;
import dev.trunkline.v1.Part;
import dev.trunkline.v1.RefusalPart;
import dev.trunkline.v1.TextPart;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OutputTest {
  enum Sky {
    CLEAR,
    CLOUDY
  }

  record Day(String name, @Description("In Celsius.") Optional<Integer> heat) {}

  record Forecast(Sky sky, List<Day> days) {}

  record Weights(Map<String, Integer> weights) {}

  private static final String LIMA =
      """
      {"sky": "CLEAR", "days": [{"name": "Monday", "heat": 21}, {"name": "Tuesday", "heat": null}]}""";

  private final Scripted service = new Scripted();
  private final Trunkline client = service.client();
  private final Conversation chat = client.conversation("m", "s");

  @AfterEach
  void close() {
    client.close();
    service.close();
  }

  private static Part commentary(String text) {
    return Part.newBuilder().setText(TextPart.newBuilder().setText(text).setPhase("commentary")).build();
  }

  private static Object[] answers(Part... parts) {
    return new Object[] {Scripted.START, Scripted.done(parts)};
  }

  @Test
  void anAnswerIsARecord() {
    service.then(answers(commentary("I look it up."), Parts.text(LIMA)));
    Parsed<Forecast> answer = chat.parse(Forecast.class, "Lima?");
    Day monday = new Day("Monday", Optional.of(21));
    assertEquals(new Forecast(Sky.CLEAR, List.of(monday, new Day("Tuesday", Optional.empty()))), answer.value());
    assertEquals(chat.messages().get(1), answer.done().message());
  }

  @Test
  void theUpstreamIsGivenAStrictSchema() {
    service.then(answers(Parts.text(LIMA)));
    chat.parse(Forecast.class, "Lima?");
    var format = service.requests.get(0).getOptions().getText().getJsonSchema();
    assertEquals("Forecast", format.getName());
    assertTrue(format.getStrict());
    String wanted =
        """
        {"type": "object", "properties": {
          "sky": {"type": "string", "enum": ["CLEAR", "CLOUDY"]},
          "days": {"type": "array", "items": {"type": "object", "properties": {
              "name": {"type": "string"},
              "heat": {"anyOf": [{"type": "integer"}, {"type": "null"}], "description": "In Celsius."}},
            "required": ["name", "heat"], "additionalProperties": false}}},
         "required": ["sky", "days"], "additionalProperties": false}""";
    assertEquals(JsonParser.parseString(wanted), JsonParser.parseString(format.getSchema()));
  }

  @Test
  void oneTurnIsAskedForARecordAndNotTheNext() {
    service.then(answers(Parts.text(LIMA))).then(Scripted.says("fine"));
    chat.parse(Forecast.class, "Lima?");
    chat.complete("Thanks.");
    assertTrue(!service.requests.get(1).getOptions().hasText());
  }

  @Test
  void aStreamedAnswerIsARecordToo() {
    service.then(answers(Parts.text(LIMA)));
    Done done = chat.with(o -> o.jsonSchema(Forecast.class)).stream("Lima?").result();
    assertEquals(Sky.CLEAR, done.parsed(Forecast.class).sky());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "sun                                             | not valid JSON",
        "[]                                              | not a JSON object",
        "''                                              | not a JSON object",
        "{\"sky\": \"CLEAR\"}                              | days is missing",
        "{\"sky\": \"GREEN\", \"days\": []}                | sky has a value that it cannot have",
        "{\"sky\": \"CLEAR\", \"days\": [{\"name\": 1}]}   | days[0].name is of the wrong type",
        "{\"sky\": \"CLEAR\", \"days\": [], \"wind\": 1}   | wind is unknown",
      })
  void anAnswerThatDoesNotFitIsNamed(String text, String why) {
    service.then(answers(Parts.text(text)));
    var error = assertThrows(OutputParsingException.class, () -> chat.parse(Forecast.class, "Lima?"));
    assertEquals("the answer is no Forecast: " + why, error.getMessage());
    assertEquals(text, error.done().text());
    assertEquals(2, chat.messages().size());
  }

  @Test
  void aRefusalIsNoAnswer() {
    Part no = Part.newBuilder().setRefusal(RefusalPart.newBuilder().setText("I will not.")).build();
    service.then(answers(no));
    var error = assertThrows(OutputParsingException.class, () -> chat.parse(Forecast.class, "Lima?"));
    assertEquals("the answer is no Forecast: the model refused: I will not.", error.getMessage());
  }

  @Test
  void anAnswerThatIsCutShortIsNone() {
    var whole = Scripted.done(Parts.text("{\"sky\""));
    var cut = whole.toBuilder();
    cut.getDoneBuilder().setStopReason(dev.trunkline.v1.StopReason.STOP_REASON_LENGTH);
    service.then(Scripted.START, cut.build());
    var error = assertThrows(OutputParsingException.class, () -> chat.parse(Forecast.class, "Lima?"));
    assertEquals("the answer is no Forecast: the model stopped because of length", error.getMessage());
  }

  @Test
  void aMapHasNoStrictSchema() {
    var error = assertThrows(IllegalArgumentException.class, () -> Options.NONE.jsonSchema(Weights.class));
    assertTrue(error.getMessage().endsWith("a strict schema has no maps; use a List of records"));
  }
}
