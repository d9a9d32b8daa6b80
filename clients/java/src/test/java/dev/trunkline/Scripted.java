package dev.trunkline;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.trunkline.v1.CancelTurnRequest;
import dev.trunkline.v1.CompactRequest;
import dev.trunkline.v1.CompactResponse;
import dev.trunkline.v1.CompleteRequest;
import dev.trunkline.v1.CompleteResponse;
import dev.trunkline.v1.CompletionServiceGrpc;
import dev.trunkline.v1.Error;
import dev.trunkline.v1.Message;
import dev.trunkline.v1.Part;
import dev.trunkline.v1.Role;
import dev.trunkline.v1.StopReason;
import dev.trunkline.v1.StreamCompletionRequest;
import dev.trunkline.v1.StreamCompletionResponse;
import dev.trunkline.v1.TextDelta;
import dev.trunkline.v1.ToolCallPart;
import dev.trunkline.v1.Transport;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A service that does what a test says. A call takes the next script; a step is a message, a status to end with, or a
 * wait until the caller leaves.
 */
final class Scripted implements AutoCloseable {
  static final Object WAIT = new Object();
  static final Status.Code UNAVAILABLE = Status.Code.UNAVAILABLE;
  static final StreamCompletionResponse START =
      StreamCompletionResponse.newBuilder()
          .setStart(
              dev.trunkline.v1.Start.newBuilder().setTurnId("t1").setTransport(Transport.TRANSPORT_WEBSOCKET))
          .build();
  static final StatusRuntimeException DRAINING = fail(UNAVAILABLE, "SHUTTING_DOWN", "false", null);
  static final StatusRuntimeException LOST = fail(Status.Code.ABORTED, "CONNECTION_LOST", "true", null);

  final List<StreamCompletionRequest> requests = Collections.synchronizedList(new ArrayList<>());
  final List<CompactRequest> compactions = Collections.synchronizedList(new ArrayList<>());
  final BlockingQueue<CancelTurnRequest> cancelled = new LinkedBlockingQueue<>();
  final List<Metadata> metadata = Collections.synchronizedList(new ArrayList<>());
  final List<Deadline> deadlines = Collections.synchronizedList(new ArrayList<>());
  final List<Duration> delays = Collections.synchronizedList(new ArrayList<>());
  final CountDownLatch waiting = new CountDownLatch(1);
  final CountDownLatch left = new CountDownLatch(1);

  /** What waits for its time, while {@link #hold}. */
  final BlockingQueue<Runnable> held = new LinkedBlockingQueue<>();

  private volatile boolean holding;
  private final Queue<List<Object>> scripts = new ConcurrentLinkedQueue<>();
  private final String name = InProcessServerBuilder.generateName();
  private final Server server;

  Scripted() {
    try {
      server =
          InProcessServerBuilder.forName(name)
              .addService(new Completions())
              .addService(new ScriptedSessions(scripts, cancelled))
              .intercept(new Notes())
              .build()
              .start();
    } catch (IOException failed) {
      throw new IllegalStateException(failed);
    }
  }

  /** What the next call is answered with. */
  Scripted then(Object... steps) {
    scripts.add(List.of(steps));
    return this;
  }

  /** A client whose waits take no time and are noted. */
  Trunkline client() {
    return client(Trunkline.builder("unused"));
  }

  Trunkline client(TrunklineBuilder builder) {
    return builder
        .waiter(
            (delay, run) -> {
              if (delay.equals(TurnCall.SETTLE)) {
                Connection.wait(Duration.ofMillis(50), run);
              } else {
                delays.add(delay);
                if (holding) {
                  held.add(run);
                } else {
                  Connection.wait(Duration.ZERO, run);
                }
              }
            })
        .build(InProcessChannelBuilder.forName(name));
  }

  /** From now on no wait ends by itself. */
  void hold() {
    holding = true;
  }

  void awaitLeft() throws InterruptedException {
    if (!left.await(5, TimeUnit.SECONDS)) {
      throw new AssertionError("nobody left");
    }
  }

  @Override
  public void close() {
    server.shutdownNow();
  }

  /** A connection that breaks: a status, and not a word of the service. */
  static StatusRuntimeException broken(Status.Code code) {
    return new StatusRuntimeException(code.toStatus());
  }

  /** These events with their numbers, the first one's being {@code first}. */
  static Object[] numbered(long first, Object... events) {
    Object[] steps = events.clone();
    for (int i = 0; i < steps.length; i++) {
      steps[i] = ((StreamCompletionResponse) events[i]).toBuilder().setSequence(first + i).build();
    }
    return steps;
  }

  static StreamCompletionResponse delta(String text) {
    return StreamCompletionResponse.newBuilder().setTextDelta(TextDelta.newBuilder().setDelta(text)).build();
  }

  static StreamCompletionResponse done(Part... parts) {
    boolean asks = Arrays.stream(parts).anyMatch(Part::hasToolCall);
    return StreamCompletionResponse.newBuilder()
        .setDone(
            dev.trunkline.v1.Done.newBuilder()
                .setMessage(
                    Message.newBuilder().setRole(Role.ROLE_ASSISTANT).addAllParts(Arrays.asList(parts)))
                .setStopReason(asks ? StopReason.STOP_REASON_TOOL_USE : StopReason.STOP_REASON_STOP))
        .build();
  }

  static StreamCompletionResponse failed(String reason) {
    return StreamCompletionResponse.newBuilder()
        .setError(Error.newBuilder().setReason(reason).setMessage("reported").setRetryable(true))
        .build();
  }

  static Object[] says(String text) {
    return new Object[] {START, delta(text), done(Parts.text(text))};
  }

  /** Three strings for each call: id, name, arguments. */
  static Object[] asks(String... calls) {
    List<Part> parts = new ArrayList<>();
    for (int i = 0; i < calls.length; i += 3) {
      parts.add(
          Part.newBuilder()
              .setToolCall(
                  ToolCallPart.newBuilder().setCallId(calls[i]).setName(calls[i + 1]).setArguments(calls[i + 2]))
              .build());
    }
    return new Object[] {START, done(parts.toArray(Part[]::new))};
  }

  static StatusRuntimeException fail(Status.Code code, String reason, String sent, Duration retryAfter) {
    var status = com.google.rpc.Status.newBuilder().setCode(code.value()).setMessage("scripted");
    if (!reason.isEmpty()) {
      status.addDetails(
          Any.pack(
              ErrorInfo.newBuilder().setReason(reason).setDomain("trunkline").putMetadata("sent", sent).build()));
    }
    if (retryAfter != null) {
      var delay =
          com.google.protobuf.Duration.newBuilder()
              .setSeconds(retryAfter.getSeconds())
              .setNanos(retryAfter.getNano());
      status.addDetails(Any.pack(RetryInfo.newBuilder().setRetryDelay(delay).build()));
    }
    return StatusProto.toStatusRuntimeException(status.build());
  }

  private <R> void play(Class<R> kind, StreamObserver<R> caller) {
    for (Object step : scripts.remove()) {
      if (step == WAIT) {
        waiting.countDown();
        return;
      } else if (step instanceof StatusRuntimeException failure) {
        caller.onError(failure);
        return;
      }
      caller.onNext(kind.cast(step));
    }
    caller.onCompleted();
  }

  private final class Completions extends CompletionServiceGrpc.CompletionServiceImplBase {
    @Override
    public void streamCompletion(StreamCompletionRequest request, StreamObserver<StreamCompletionResponse> caller) {
      ((ServerCallStreamObserver<StreamCompletionResponse>) caller).setOnCancelHandler(left::countDown);
      requests.add(request);
      play(StreamCompletionResponse.class, caller);
    }

    @Override
    public void complete(CompleteRequest request, StreamObserver<CompleteResponse> caller) {
      ((ServerCallStreamObserver<CompleteResponse>) caller).setOnCancelHandler(left::countDown);
      requests.add(reread(request, StreamCompletionRequest.getDefaultInstance()));
      play(
          StreamCompletionResponse.class,
          new StreamObserver<>() {
            @Override
            public void onNext(StreamCompletionResponse message) {
              if (message.hasDone()) {
                caller.onNext(reread(message.getDone(), CompleteResponse.getDefaultInstance()));
              }
            }

            @Override
            public void onError(Throwable failure) {
              caller.onError(failure);
            }

            @Override
            public void onCompleted() {
              caller.onCompleted();
            }
          });
    }

    @Override
    public void compact(CompactRequest request, StreamObserver<CompactResponse> caller) {
      ((ServerCallStreamObserver<CompactResponse>) caller).setOnCancelHandler(left::countDown);
      compactions.add(request);
      play(CompactResponse.class, caller);
    }
  }

  /** Both have the same fields. */
  private static <M extends com.google.protobuf.Message> M reread(com.google.protobuf.Message from, M kind) {
    try {
      @SuppressWarnings("unchecked") // a parser parses its own kind
      M read = (M) kind.getParserForType().parseFrom(from.toByteString());
      return read;
    } catch (InvalidProtocolBufferException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  private final class Notes implements ServerInterceptor {
    @Override
    public <Q, R> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
      metadata.add(headers);
      Deadline deadline = Context.current().getDeadline();
      deadlines.add(deadline == null ? Deadline.after(1, TimeUnit.DAYS) : deadline);
      return next.startCall(call, headers);
    }
  }
}
