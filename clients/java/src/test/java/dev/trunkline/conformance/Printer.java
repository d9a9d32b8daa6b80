package dev.trunkline.conformance;

import com.google.gson.JsonObject;
import dev.trunkline.Done;
import dev.trunkline.Event;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Prints events until {@code cancel_on} or {@code stop_on} strikes; after {@code cut_on} it goes on. */
final class Printer implements Consumer<Event> {
  private static final Map<String, Class<? extends Event>> KINDS =
      Map.of("start", Event.Start.class, "text", Event.TextDelta.class);

  private final Lines lines;
  private final List<Done> ended;
  private final Map<Class<?>, Runnable> strikes = new HashMap<>();
  private String turnId = "";
  private boolean silent;

  /** {@code stop} gets the id of the turn; {@code ended} gets the ends. */
  Printer(JsonObject step, Lines lines, List<Done> ended, Runnable cancel, Consumer<String> stop) {
    this.lines = lines;
    this.ended = ended;
    strike(step, "cancel_on", () -> silence(cancel));
    strike(step, "stop_on", () -> silence(() -> stop.accept(turnId)));
    strike(step, "cut_on", Cut::now);
  }

  @Override
  public void accept(Event event) {
    if (silent) {
      return;
    }
    lines.event(event);
    if (event instanceof Event.Start start) {
      turnId = start.turnId();
    } else if (event instanceof Done done) {
      ended.add(done);
    }
    Runnable strike = strikes.remove(event.getClass());
    if (strike != null) {
      strike.run();
    }
  }

  private void strike(JsonObject step, String name, Runnable strike) {
    if (step.has(name)) {
      strikes.put(KINDS.get(step.get(name).getAsString()), strike);
    }
  }

  private void silence(Runnable strike) {
    silent = true;
    strike.run();
  }
}
