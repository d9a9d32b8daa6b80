package dev.trunkline;

/** What {@link Options#include} may name. It takes any other name, too. */
public final class Include {
  /** What a file search found. */
  public static final String FILE_SEARCH_RESULTS = "file_search_call.results";

  /** What a web search found. */
  public static final String WEB_SEARCH_RESULTS = "web_search_call.results";

  /** The sources of a web search. */
  public static final String WEB_SEARCH_SOURCES = "web_search_call.action.sources";

  /** What a piece of code printed, and what came of it. */
  public static final String CODE_INTERPRETER_OUTPUTS = "code_interpreter_call.outputs";

  /** The screenshots of a computer. */
  public static final String COMPUTER_SCREENSHOTS = "computer_call_output.output.image_url";

  /** The addresses of images in the conversation. */
  public static final String INPUT_IMAGES = "message.input_image.image_url";

  /** The log probabilities of the text. */
  public static final String LOGPROBS = "message.output_text.logprobs";

  private Include() {}
}
