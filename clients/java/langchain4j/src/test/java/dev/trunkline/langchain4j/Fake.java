package dev.trunkline.langchain4j;

import com.google.protobuf.Any;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Status;
import dev.trunkline.Done;
import dev.trunkline.Retry;
import dev.trunkline.Trunkline;
import dev.trunkline.TrunklineException;
import dev.trunkline.v1.CompleteRequest;
import dev.trunkline.v1.CompleteResponse;
import dev.trunkline.v1.CompletionServiceGrpc;
import dev.trunkline.v1.Error;
import dev.trunkline.v1.StreamCompletionRequest;
import dev.trunkline.v1.StreamCompletionResponse;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/** A service that answers each call with the next list of events, then with an error, if the last one is a status. */
final class Fake extends CompletionServiceGrpc.CompletionServiceImplBase implements AutoCloseable {
  final List<StreamCompletionRequest> requests = Collections.synchronizedList(new ArrayList<>());
  final Trunkline client;
  private final Queue<List<Object>> scripts = new ConcurrentLinkedQueue<>();
  private final Server server;
  private CompleteResponse answer;

  Fake() {
    try {
      server = Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create()).addService(this).build().start();
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
    client = Trunkline.builder("127.0.0.1:" + server.getPort()).retry(Retry.NONE).build();
  }

  Fake then(Object... steps) {
    scripts.add(List.of(steps));
    return this;
  }

  /** The end of a turn, as the client reads it. */
  Done done(CompleteResponse answer) {
    this.answer = answer;
    return client.complete(CompleteRequest.getDefaultInstance());
  }

  /** The failure of a turn, as the client reads it. */
  TrunklineException failure(Object... steps) {
    then(steps);
    try (var turn = client.stream(StreamCompletionRequest.getDefaultInstance())) {
      turn.result();
    } catch (TrunklineException failed) {
      return failed;
    }
    throw new AssertionError("it did not fail");
  }

  static Status status(io.grpc.Status.Code code, String reason, String sent) {
    ErrorInfo info = ErrorInfo.newBuilder().setReason(reason).setDomain("trunkline").putMetadata("sent", sent).build();
    return Status.newBuilder().setCode(code.value()).addDetails(Any.pack(info)).build();
  }

  static StreamCompletionResponse error(String reason, boolean retryable) {
    Error error = Error.newBuilder().setReason(reason).setRetryable(retryable).build();
    return StreamCompletionResponse.newBuilder().setError(error).build();
  }

  static StreamCompletionResponse text(String delta) {
    StreamCompletionResponse.Builder event = StreamCompletionResponse.newBuilder();
    event.getTextDeltaBuilder().setDelta(delta);
    return event.build();
  }

  @Override
  public void complete(CompleteRequest request, StreamObserver<CompleteResponse> caller) {
    caller.onNext(answer);
    caller.onCompleted();
  }

  @Override
  public void streamCompletion(StreamCompletionRequest request, StreamObserver<StreamCompletionResponse> caller) {
    requests.add(request);
    for (Object step : scripts.remove()) {
      if (step instanceof Status status) {
        caller.onError(StatusProto.toStatusRuntimeException(status));
        return;
      }
      caller.onNext((StreamCompletionResponse) step);
    }
    caller.onCompleted();
  }

  @Override
  public void close() {
    client.close();
    server.shutdownNow();
  }
}
