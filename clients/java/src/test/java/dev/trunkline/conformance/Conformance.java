package dev.trunkline.conformance;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.trunkline.Trunkline;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** {@code conformance [--async] ADDRESS SCENARIOS [NAME…]}: runs the scenarios and prints the transcript. */
public final class Conformance {
  private Conformance() {}

  /** Exits with 1 on anything that the specification does not describe. */
  public static void main(String[] arguments) throws IOException {
    List<String> given = new ArrayList<>(Arrays.asList(arguments));
    boolean async = given.remove("--async");
    if (given.size() < 2) {
      System.err.println("conformance [--async] ADDRESS SCENARIOS [NAME…]");
      System.exit(2);
    }
    JsonObject data = JsonParser.parseString(Files.readString(Path.of(given.get(1)))).getAsJsonObject();
    List<String> names = given.subList(2, given.size());
    try (Trunkline client = Trunkline.connect(given.get(0))) {
      Transcript transcript = new Transcript(System.out);
      for (JsonElement one : data.getAsJsonArray("scenarios")) {
        JsonObject scenario = one.getAsJsonObject();
        if (names.isEmpty() || names.contains(scenario.get("name").getAsString())) {
          new Scenario(client, async, transcript, data, scenario).run();
        }
      }
    } catch (RuntimeException unexpected) {
      unexpected.printStackTrace();
      System.exit(1);
    }
  }
}
