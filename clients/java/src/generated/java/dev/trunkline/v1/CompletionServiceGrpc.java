package dev.trunkline.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Turns. Every request carries the whole conversation; the service sends the model what it has not seen yet.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class CompletionServiceGrpc {

  private CompletionServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "trunkline.v1.CompletionService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.trunkline.v1.StreamCompletionRequest,
      dev.trunkline.v1.StreamCompletionResponse> getStreamCompletionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "StreamCompletion",
      requestType = dev.trunkline.v1.StreamCompletionRequest.class,
      responseType = dev.trunkline.v1.StreamCompletionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<dev.trunkline.v1.StreamCompletionRequest,
      dev.trunkline.v1.StreamCompletionResponse> getStreamCompletionMethod() {
    io.grpc.MethodDescriptor<dev.trunkline.v1.StreamCompletionRequest, dev.trunkline.v1.StreamCompletionResponse> getStreamCompletionMethod;
    if ((getStreamCompletionMethod = CompletionServiceGrpc.getStreamCompletionMethod) == null) {
      synchronized (CompletionServiceGrpc.class) {
        if ((getStreamCompletionMethod = CompletionServiceGrpc.getStreamCompletionMethod) == null) {
          CompletionServiceGrpc.getStreamCompletionMethod = getStreamCompletionMethod =
              io.grpc.MethodDescriptor.<dev.trunkline.v1.StreamCompletionRequest, dev.trunkline.v1.StreamCompletionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "StreamCompletion"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.trunkline.v1.StreamCompletionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.trunkline.v1.StreamCompletionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CompletionServiceMethodDescriptorSupplier("StreamCompletion"))
              .build();
        }
      }
    }
    return getStreamCompletionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.trunkline.v1.CompleteRequest,
      dev.trunkline.v1.CompleteResponse> getCompleteMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Complete",
      requestType = dev.trunkline.v1.CompleteRequest.class,
      responseType = dev.trunkline.v1.CompleteResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.trunkline.v1.CompleteRequest,
      dev.trunkline.v1.CompleteResponse> getCompleteMethod() {
    io.grpc.MethodDescriptor<dev.trunkline.v1.CompleteRequest, dev.trunkline.v1.CompleteResponse> getCompleteMethod;
    if ((getCompleteMethod = CompletionServiceGrpc.getCompleteMethod) == null) {
      synchronized (CompletionServiceGrpc.class) {
        if ((getCompleteMethod = CompletionServiceGrpc.getCompleteMethod) == null) {
          CompletionServiceGrpc.getCompleteMethod = getCompleteMethod =
              io.grpc.MethodDescriptor.<dev.trunkline.v1.CompleteRequest, dev.trunkline.v1.CompleteResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Complete"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.trunkline.v1.CompleteRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.trunkline.v1.CompleteResponse.getDefaultInstance()))
              .setSchemaDescriptor(new CompletionServiceMethodDescriptorSupplier("Complete"))
              .build();
        }
      }
    }
    return getCompleteMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static CompletionServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<CompletionServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<CompletionServiceStub>() {
        @java.lang.Override
        public CompletionServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new CompletionServiceStub(channel, callOptions);
        }
      };
    return CompletionServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static CompletionServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<CompletionServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<CompletionServiceBlockingV2Stub>() {
        @java.lang.Override
        public CompletionServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new CompletionServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return CompletionServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static CompletionServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<CompletionServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<CompletionServiceBlockingStub>() {
        @java.lang.Override
        public CompletionServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new CompletionServiceBlockingStub(channel, callOptions);
        }
      };
    return CompletionServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static CompletionServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<CompletionServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<CompletionServiceFutureStub>() {
        @java.lang.Override
        public CompletionServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new CompletionServiceFutureStub(channel, callOptions);
        }
      };
    return CompletionServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Turns. Every request carries the whole conversation; the service sends the model what it has not seen yet.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * One turn, streamed: `start (content)* done`, or `[start (content)*] error` and a status that mirrors it.
     * A call of which nothing was sent upstream fails with the status alone.
     * </pre>
     */
    default void streamCompletion(dev.trunkline.v1.StreamCompletionRequest request,
        io.grpc.stub.StreamObserver<dev.trunkline.v1.StreamCompletionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getStreamCompletionMethod(), responseObserver);
    }

    /**
     * <pre>
     * The same turn for callers that do not stream. A failure carries `Error` (without `partial`) as a status detail.
     * </pre>
     */
    default void complete(dev.trunkline.v1.CompleteRequest request,
        io.grpc.stub.StreamObserver<dev.trunkline.v1.CompleteResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCompleteMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service CompletionService.
   * <pre>
   * Turns. Every request carries the whole conversation; the service sends the model what it has not seen yet.
   * </pre>
   */
  public static abstract class CompletionServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return CompletionServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service CompletionService.
   * <pre>
   * Turns. Every request carries the whole conversation; the service sends the model what it has not seen yet.
   * </pre>
   */
  public static final class CompletionServiceStub
      extends io.grpc.stub.AbstractAsyncStub<CompletionServiceStub> {
    private CompletionServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected CompletionServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new CompletionServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * One turn, streamed: `start (content)* done`, or `[start (content)*] error` and a status that mirrors it.
     * A call of which nothing was sent upstream fails with the status alone.
     * </pre>
     */
    public void streamCompletion(dev.trunkline.v1.StreamCompletionRequest request,
        io.grpc.stub.StreamObserver<dev.trunkline.v1.StreamCompletionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getStreamCompletionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * The same turn for callers that do not stream. A failure carries `Error` (without `partial`) as a status detail.
     * </pre>
     */
    public void complete(dev.trunkline.v1.CompleteRequest request,
        io.grpc.stub.StreamObserver<dev.trunkline.v1.CompleteResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCompleteMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service CompletionService.
   * <pre>
   * Turns. Every request carries the whole conversation; the service sends the model what it has not seen yet.
   * </pre>
   */
  public static final class CompletionServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<CompletionServiceBlockingV2Stub> {
    private CompletionServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected CompletionServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new CompletionServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * One turn, streamed: `start (content)* done`, or `[start (content)*] error` and a status that mirrors it.
     * A call of which nothing was sent upstream fails with the status alone.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, dev.trunkline.v1.StreamCompletionResponse>
        streamCompletion(dev.trunkline.v1.StreamCompletionRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getStreamCompletionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * The same turn for callers that do not stream. A failure carries `Error` (without `partial`) as a status detail.
     * </pre>
     */
    public dev.trunkline.v1.CompleteResponse complete(dev.trunkline.v1.CompleteRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCompleteMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service CompletionService.
   * <pre>
   * Turns. Every request carries the whole conversation; the service sends the model what it has not seen yet.
   * </pre>
   */
  public static final class CompletionServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<CompletionServiceBlockingStub> {
    private CompletionServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected CompletionServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new CompletionServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * One turn, streamed: `start (content)* done`, or `[start (content)*] error` and a status that mirrors it.
     * A call of which nothing was sent upstream fails with the status alone.
     * </pre>
     */
    public java.util.Iterator<dev.trunkline.v1.StreamCompletionResponse> streamCompletion(
        dev.trunkline.v1.StreamCompletionRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getStreamCompletionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * The same turn for callers that do not stream. A failure carries `Error` (without `partial`) as a status detail.
     * </pre>
     */
    public dev.trunkline.v1.CompleteResponse complete(dev.trunkline.v1.CompleteRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCompleteMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service CompletionService.
   * <pre>
   * Turns. Every request carries the whole conversation; the service sends the model what it has not seen yet.
   * </pre>
   */
  public static final class CompletionServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<CompletionServiceFutureStub> {
    private CompletionServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected CompletionServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new CompletionServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * The same turn for callers that do not stream. A failure carries `Error` (without `partial`) as a status detail.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.trunkline.v1.CompleteResponse> complete(
        dev.trunkline.v1.CompleteRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCompleteMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_STREAM_COMPLETION = 0;
  private static final int METHODID_COMPLETE = 1;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_STREAM_COMPLETION:
          serviceImpl.streamCompletion((dev.trunkline.v1.StreamCompletionRequest) request,
              (io.grpc.stub.StreamObserver<dev.trunkline.v1.StreamCompletionResponse>) responseObserver);
          break;
        case METHODID_COMPLETE:
          serviceImpl.complete((dev.trunkline.v1.CompleteRequest) request,
              (io.grpc.stub.StreamObserver<dev.trunkline.v1.CompleteResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getStreamCompletionMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              dev.trunkline.v1.StreamCompletionRequest,
              dev.trunkline.v1.StreamCompletionResponse>(
                service, METHODID_STREAM_COMPLETION)))
        .addMethod(
          getCompleteMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.trunkline.v1.CompleteRequest,
              dev.trunkline.v1.CompleteResponse>(
                service, METHODID_COMPLETE)))
        .build();
  }

  private static abstract class CompletionServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    CompletionServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.trunkline.v1.Completion.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("CompletionService");
    }
  }

  private static final class CompletionServiceFileDescriptorSupplier
      extends CompletionServiceBaseDescriptorSupplier {
    CompletionServiceFileDescriptorSupplier() {}
  }

  private static final class CompletionServiceMethodDescriptorSupplier
      extends CompletionServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    CompletionServiceMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (CompletionServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new CompletionServiceFileDescriptorSupplier())
              .addMethod(getStreamCompletionMethod())
              .addMethod(getCompleteMethod())
              .build();
        }
      }
    }
    return result;
  }
}
