package dev.trunkline.conformance;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Writes the lines of a transcript: their JSON, and placeholders for ids. */
final class Transcript {
  private static final Pattern IDS = Pattern.compile("\\b([a-z]{2,4})_[0-9a-z]{12,}");

  private final PrintStream out;
  private final String run = String.format("%012x", ThreadLocalRandom.current().nextLong(1L << 48));
  private final Map<String, String> ids = new HashMap<>();
  private final Map<String, Integer> counts = new HashMap<>();

  Transcript(PrintStream out) {
    this.out = out;
  }

  String run() {
    return run;
  }

  void scenario(String name) {
    ids.clear();
    counts.clear();
    write("== " + name);
  }

  void step(String does) {
    write("> " + does);
  }

  void line(String word) {
    write(word);
  }

  void line(String word, Object value) {
    write(word + " " + json(value));
  }

  private void write(String line) {
    String finished = IDS.matcher(line.replace(run, "RUN")).replaceAll(this::shown);
    byte[] bytes = (finished + "\n").getBytes(StandardCharsets.UTF_8);
    out.write(bytes, 0, bytes.length);
    out.flush();
  }

  private String shown(java.util.regex.MatchResult id) {
    String prefix = id.group(1);
    return Matcher.quoteReplacement(
        ids.computeIfAbsent(id.group(), seen -> "<" + prefix + "-" + counts.merge(prefix, 1, Integer::sum) + ">"));
  }

  private static String json(Object value) {
    if (value instanceof Map<?, ?> map) {
      return map.entrySet().stream()
          .map(entry -> string((String) entry.getKey()) + ":" + json(entry.getValue()))
          .collect(Collectors.joining(",", "{", "}"));
    } else if (value instanceof List<?> list) {
      return list.stream().map(Transcript::json).collect(Collectors.joining(",", "[", "]"));
    }
    return value instanceof String text ? string(text) : String.valueOf(value);
  }

  private static String string(String text) {
    StringBuilder json = new StringBuilder("\"");
    for (char unit : text.toCharArray()) {
      int control = "\b\f\n\r\t".indexOf(unit);
      if (control >= 0) {
        json.append('\\').append("bfnrt".charAt(control));
      } else if (unit == '"' || unit == '\\') {
        json.append('\\').append(unit);
      } else if (unit < ' ' || unit > '~') {
        json.append(String.format("\\u%04x", (int) unit));
      } else {
        json.append(unit);
      }
    }
    return json.append('"').toString();
  }
}
