import dev.trunkline.Conversation;
import dev.trunkline.Done;
import dev.trunkline.Event;
import dev.trunkline.Trunkline;
import dev.trunkline.TrunklineException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;

/**
 * The smallest chat: type a line, watch the answer, Ctrl-D to leave.
 *
 * <p>Needs a service: {@code make run} in another terminal.
 */
public final class Chat {
  private Chat() {}

  /** Address and model may be given. */
  public static void main(String[] arguments) throws IOException {
    String address = arguments.length > 0 ? arguments[0] : "127.0.0.1:50051";
    String model = arguments.length > 1 ? arguments[1] : "gpt-5.6";
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    try (Trunkline client = Trunkline.connect(address)) {
      Conversation chat = client.conversation(model);
      System.out.print("> ");
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        answer(chat, line);
        System.out.print("> ");
      }
    }
  }

  private static void answer(Conversation chat, String line) {
    try {
      for (Event event : chat.stream(line)) {
        if (event instanceof Event.TextDelta text) {
          System.out.print(text.delta());
        } else if (event instanceof Done done) {
          var report = done.report();
          System.out.printf("%n[%s, %s: %s]%n", report.transport(), report.context(), report.contextReason());
        }
      }
    } catch (TrunklineException error) {
      System.out.println("\n" + error.getMessage());
    }
  }
}
