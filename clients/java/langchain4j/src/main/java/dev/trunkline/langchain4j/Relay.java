package dev.trunkline.langchain4j;

import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.CompleteToolCall;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.PartialThinking;
import dev.langchain4j.model.chat.response.PartialThinkingContext;
import dev.langchain4j.model.chat.response.PartialToolCall;
import dev.langchain4j.model.chat.response.PartialToolCallContext;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.chat.response.StreamingHandle;
import dev.trunkline.Done;
import dev.trunkline.Event;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Flow;

/**
 * Hands the events of a turn to LangChain4j's handler. What the handler throws goes to its {@code onError}, and the turn
 * goes on, as in LangChain4j's own models. Once it is cancelled nothing more comes.
 */
final class Relay implements Flow.Subscriber<Event>, StreamingHandle {
  private final StreamingChatResponseHandler handler;
  private final Sessions.Turn turn;
  private final List<String> calls = new ArrayList<>();
  private Flow.Subscription subscription;
  private volatile boolean cancelled;

  Relay(StreamingChatResponseHandler handler, Sessions.Turn turn) {
    this.handler = handler;
    this.turn = turn;
  }

  @Override
  public void onSubscribe(Flow.Subscription subscription) {
    this.subscription = subscription;
    subscription.request(Long.MAX_VALUE);
  }

  @Override
  public void onNext(Event event) {
    if (cancelled) {
      return;
    }
    if (event instanceof Done done) {
      end(Answers.response(done, turn), done);
    } else {
      guarded(() -> content(event));
    }
  }

  @Override
  public void onError(Throwable error) {
    turn.failed();
    if (!cancelled) {
      report(error instanceof RuntimeException failed ? Errors.of(failed) : error);
    }
  }

  @Override
  public void onComplete() {}

  @Override
  public void cancel() {
    if (!cancelled) {
      cancelled = true;
      subscription.cancel();
      turn.failed();
    }
  }

  @Override
  public boolean isCancelled() {
    return cancelled;
  }

  private void content(Event event) {
    if (event instanceof Event.TextDelta text) {
      partial(text.delta());
    } else if (event instanceof Event.RefusalDelta refusal) {
      partial(refusal.delta());
    } else if (event instanceof Event.ReasoningDelta thought) {
      handler.onPartialThinking(new PartialThinking(thought.delta()), new PartialThinkingContext(this));
    } else if (event instanceof Event.ToolCallDelta call) {
      call(call);
    } else {
      handler.onUnmappedRawEvent(event);
    }
  }

  private void partial(String text) {
    handler.onPartialResponse(new PartialResponse(text), new PartialResponseContext(this));
  }

  private void call(Event.ToolCallDelta call) {
    if (!calls.contains(call.callId())) {
      calls.add(call.callId());
    }
    if (!call.delta().isEmpty()) {
      PartialToolCall partial =
          PartialToolCall.builder()
              .index(calls.indexOf(call.callId()))
              .id(call.callId())
              .name(call.name())
              .partialArguments(call.delta())
              .build();
      handler.onPartialToolCall(partial, new PartialToolCallContext(this));
    }
  }

  private void end(ChatResponse response, Done done) {
    for (int i = 0; i < done.toolCalls().size(); i++) {
      CompleteToolCall call = new CompleteToolCall(i, Answers.call(done.toolCalls().get(i)));
      guarded(() -> handler.onCompleteToolCall(call));
    }
    guarded(() -> handler.onCompleteResponse(response));
  }

  private void guarded(Runnable callback) {
    try {
      callback.run();
    } catch (Exception thrown) {
      report(thrown);
    }
  }

  private void report(Throwable error) {
    try {
      handler.onError(error);
    } catch (Exception thrown) {
      error.addSuppressed(thrown); // nobody is left who could be asked
    }
  }
}
