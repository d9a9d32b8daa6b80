package dev.trunkline.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * The sessions of the caller on this replica.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class SessionServiceGrpc {

  private SessionServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "trunkline.v1.SessionService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.trunkline.v1.WarmSessionRequest,
      dev.trunkline.v1.WarmSessionResponse> getWarmSessionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "WarmSession",
      requestType = dev.trunkline.v1.WarmSessionRequest.class,
      responseType = dev.trunkline.v1.WarmSessionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.trunkline.v1.WarmSessionRequest,
      dev.trunkline.v1.WarmSessionResponse> getWarmSessionMethod() {
    io.grpc.MethodDescriptor<dev.trunkline.v1.WarmSessionRequest, dev.trunkline.v1.WarmSessionResponse> getWarmSessionMethod;
    if ((getWarmSessionMethod = SessionServiceGrpc.getWarmSessionMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getWarmSessionMethod = SessionServiceGrpc.getWarmSessionMethod) == null) {
          SessionServiceGrpc.getWarmSessionMethod = getWarmSessionMethod =
              io.grpc.MethodDescriptor.<dev.trunkline.v1.WarmSessionRequest, dev.trunkline.v1.WarmSessionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "WarmSession"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.trunkline.v1.WarmSessionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.trunkline.v1.WarmSessionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("WarmSession"))
              .build();
        }
      }
    }
    return getWarmSessionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.trunkline.v1.GetSessionRequest,
      dev.trunkline.v1.GetSessionResponse> getGetSessionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetSession",
      requestType = dev.trunkline.v1.GetSessionRequest.class,
      responseType = dev.trunkline.v1.GetSessionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.trunkline.v1.GetSessionRequest,
      dev.trunkline.v1.GetSessionResponse> getGetSessionMethod() {
    io.grpc.MethodDescriptor<dev.trunkline.v1.GetSessionRequest, dev.trunkline.v1.GetSessionResponse> getGetSessionMethod;
    if ((getGetSessionMethod = SessionServiceGrpc.getGetSessionMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getGetSessionMethod = SessionServiceGrpc.getGetSessionMethod) == null) {
          SessionServiceGrpc.getGetSessionMethod = getGetSessionMethod =
              io.grpc.MethodDescriptor.<dev.trunkline.v1.GetSessionRequest, dev.trunkline.v1.GetSessionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetSession"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.trunkline.v1.GetSessionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.trunkline.v1.GetSessionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("GetSession"))
              .build();
        }
      }
    }
    return getGetSessionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.trunkline.v1.ListSessionsRequest,
      dev.trunkline.v1.ListSessionsResponse> getListSessionsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListSessions",
      requestType = dev.trunkline.v1.ListSessionsRequest.class,
      responseType = dev.trunkline.v1.ListSessionsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.trunkline.v1.ListSessionsRequest,
      dev.trunkline.v1.ListSessionsResponse> getListSessionsMethod() {
    io.grpc.MethodDescriptor<dev.trunkline.v1.ListSessionsRequest, dev.trunkline.v1.ListSessionsResponse> getListSessionsMethod;
    if ((getListSessionsMethod = SessionServiceGrpc.getListSessionsMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getListSessionsMethod = SessionServiceGrpc.getListSessionsMethod) == null) {
          SessionServiceGrpc.getListSessionsMethod = getListSessionsMethod =
              io.grpc.MethodDescriptor.<dev.trunkline.v1.ListSessionsRequest, dev.trunkline.v1.ListSessionsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListSessions"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.trunkline.v1.ListSessionsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.trunkline.v1.ListSessionsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("ListSessions"))
              .build();
        }
      }
    }
    return getListSessionsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.trunkline.v1.ReleaseSessionRequest,
      dev.trunkline.v1.ReleaseSessionResponse> getReleaseSessionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ReleaseSession",
      requestType = dev.trunkline.v1.ReleaseSessionRequest.class,
      responseType = dev.trunkline.v1.ReleaseSessionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.trunkline.v1.ReleaseSessionRequest,
      dev.trunkline.v1.ReleaseSessionResponse> getReleaseSessionMethod() {
    io.grpc.MethodDescriptor<dev.trunkline.v1.ReleaseSessionRequest, dev.trunkline.v1.ReleaseSessionResponse> getReleaseSessionMethod;
    if ((getReleaseSessionMethod = SessionServiceGrpc.getReleaseSessionMethod) == null) {
      synchronized (SessionServiceGrpc.class) {
        if ((getReleaseSessionMethod = SessionServiceGrpc.getReleaseSessionMethod) == null) {
          SessionServiceGrpc.getReleaseSessionMethod = getReleaseSessionMethod =
              io.grpc.MethodDescriptor.<dev.trunkline.v1.ReleaseSessionRequest, dev.trunkline.v1.ReleaseSessionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ReleaseSession"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.trunkline.v1.ReleaseSessionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.trunkline.v1.ReleaseSessionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new SessionServiceMethodDescriptorSupplier("ReleaseSession"))
              .build();
        }
      }
    }
    return getReleaseSessionMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static SessionServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<SessionServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<SessionServiceStub>() {
        @java.lang.Override
        public SessionServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new SessionServiceStub(channel, callOptions);
        }
      };
    return SessionServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static SessionServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<SessionServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<SessionServiceBlockingV2Stub>() {
        @java.lang.Override
        public SessionServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new SessionServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return SessionServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static SessionServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<SessionServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<SessionServiceBlockingStub>() {
        @java.lang.Override
        public SessionServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new SessionServiceBlockingStub(channel, callOptions);
        }
      };
    return SessionServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static SessionServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<SessionServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<SessionServiceFutureStub>() {
        @java.lang.Override
        public SessionServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new SessionServiceFutureStub(channel, callOptions);
        }
      };
    return SessionServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * The sessions of the caller on this replica.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Opens the session's line before the first message, and optionally primes it. Answered when the line is open.
     * </pre>
     */
    default void warmSession(dev.trunkline.v1.WarmSessionRequest request,
        io.grpc.stub.StreamObserver<dev.trunkline.v1.WarmSessionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getWarmSessionMethod(), responseObserver);
    }

    /**
     * <pre>
     * One session. Unknown: NOT_FOUND with reason SESSION_NOT_FOUND.
     * </pre>
     */
    default void getSession(dev.trunkline.v1.GetSessionRequest request,
        io.grpc.stub.StreamObserver<dev.trunkline.v1.GetSessionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetSessionMethod(), responseObserver);
    }

    /**
     * <pre>
     * The caller's sessions on this replica, by session id.
     * </pre>
     */
    default void listSessions(dev.trunkline.v1.ListSessionsRequest request,
        io.grpc.stub.StreamObserver<dev.trunkline.v1.ListSessionsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListSessionsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Forgets a session and closes its line now. A running turn finishes first; an unknown session is a no-op.
     * </pre>
     */
    default void releaseSession(dev.trunkline.v1.ReleaseSessionRequest request,
        io.grpc.stub.StreamObserver<dev.trunkline.v1.ReleaseSessionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getReleaseSessionMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service SessionService.
   * <pre>
   * The sessions of the caller on this replica.
   * </pre>
   */
  public static abstract class SessionServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return SessionServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service SessionService.
   * <pre>
   * The sessions of the caller on this replica.
   * </pre>
   */
  public static final class SessionServiceStub
      extends io.grpc.stub.AbstractAsyncStub<SessionServiceStub> {
    private SessionServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected SessionServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new SessionServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Opens the session's line before the first message, and optionally primes it. Answered when the line is open.
     * </pre>
     */
    public void warmSession(dev.trunkline.v1.WarmSessionRequest request,
        io.grpc.stub.StreamObserver<dev.trunkline.v1.WarmSessionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getWarmSessionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * One session. Unknown: NOT_FOUND with reason SESSION_NOT_FOUND.
     * </pre>
     */
    public void getSession(dev.trunkline.v1.GetSessionRequest request,
        io.grpc.stub.StreamObserver<dev.trunkline.v1.GetSessionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetSessionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * The caller's sessions on this replica, by session id.
     * </pre>
     */
    public void listSessions(dev.trunkline.v1.ListSessionsRequest request,
        io.grpc.stub.StreamObserver<dev.trunkline.v1.ListSessionsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListSessionsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Forgets a session and closes its line now. A running turn finishes first; an unknown session is a no-op.
     * </pre>
     */
    public void releaseSession(dev.trunkline.v1.ReleaseSessionRequest request,
        io.grpc.stub.StreamObserver<dev.trunkline.v1.ReleaseSessionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getReleaseSessionMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service SessionService.
   * <pre>
   * The sessions of the caller on this replica.
   * </pre>
   */
  public static final class SessionServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<SessionServiceBlockingV2Stub> {
    private SessionServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected SessionServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new SessionServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Opens the session's line before the first message, and optionally primes it. Answered when the line is open.
     * </pre>
     */
    public dev.trunkline.v1.WarmSessionResponse warmSession(dev.trunkline.v1.WarmSessionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getWarmSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * One session. Unknown: NOT_FOUND with reason SESSION_NOT_FOUND.
     * </pre>
     */
    public dev.trunkline.v1.GetSessionResponse getSession(dev.trunkline.v1.GetSessionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * The caller's sessions on this replica, by session id.
     * </pre>
     */
    public dev.trunkline.v1.ListSessionsResponse listSessions(dev.trunkline.v1.ListSessionsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListSessionsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Forgets a session and closes its line now. A running turn finishes first; an unknown session is a no-op.
     * </pre>
     */
    public dev.trunkline.v1.ReleaseSessionResponse releaseSession(dev.trunkline.v1.ReleaseSessionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getReleaseSessionMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service SessionService.
   * <pre>
   * The sessions of the caller on this replica.
   * </pre>
   */
  public static final class SessionServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<SessionServiceBlockingStub> {
    private SessionServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected SessionServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new SessionServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Opens the session's line before the first message, and optionally primes it. Answered when the line is open.
     * </pre>
     */
    public dev.trunkline.v1.WarmSessionResponse warmSession(dev.trunkline.v1.WarmSessionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getWarmSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * One session. Unknown: NOT_FOUND with reason SESSION_NOT_FOUND.
     * </pre>
     */
    public dev.trunkline.v1.GetSessionResponse getSession(dev.trunkline.v1.GetSessionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetSessionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * The caller's sessions on this replica, by session id.
     * </pre>
     */
    public dev.trunkline.v1.ListSessionsResponse listSessions(dev.trunkline.v1.ListSessionsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListSessionsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Forgets a session and closes its line now. A running turn finishes first; an unknown session is a no-op.
     * </pre>
     */
    public dev.trunkline.v1.ReleaseSessionResponse releaseSession(dev.trunkline.v1.ReleaseSessionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getReleaseSessionMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service SessionService.
   * <pre>
   * The sessions of the caller on this replica.
   * </pre>
   */
  public static final class SessionServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<SessionServiceFutureStub> {
    private SessionServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected SessionServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new SessionServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Opens the session's line before the first message, and optionally primes it. Answered when the line is open.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.trunkline.v1.WarmSessionResponse> warmSession(
        dev.trunkline.v1.WarmSessionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getWarmSessionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * One session. Unknown: NOT_FOUND with reason SESSION_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.trunkline.v1.GetSessionResponse> getSession(
        dev.trunkline.v1.GetSessionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetSessionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * The caller's sessions on this replica, by session id.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.trunkline.v1.ListSessionsResponse> listSessions(
        dev.trunkline.v1.ListSessionsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListSessionsMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Forgets a session and closes its line now. A running turn finishes first; an unknown session is a no-op.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.trunkline.v1.ReleaseSessionResponse> releaseSession(
        dev.trunkline.v1.ReleaseSessionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getReleaseSessionMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_WARM_SESSION = 0;
  private static final int METHODID_GET_SESSION = 1;
  private static final int METHODID_LIST_SESSIONS = 2;
  private static final int METHODID_RELEASE_SESSION = 3;

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
        case METHODID_WARM_SESSION:
          serviceImpl.warmSession((dev.trunkline.v1.WarmSessionRequest) request,
              (io.grpc.stub.StreamObserver<dev.trunkline.v1.WarmSessionResponse>) responseObserver);
          break;
        case METHODID_GET_SESSION:
          serviceImpl.getSession((dev.trunkline.v1.GetSessionRequest) request,
              (io.grpc.stub.StreamObserver<dev.trunkline.v1.GetSessionResponse>) responseObserver);
          break;
        case METHODID_LIST_SESSIONS:
          serviceImpl.listSessions((dev.trunkline.v1.ListSessionsRequest) request,
              (io.grpc.stub.StreamObserver<dev.trunkline.v1.ListSessionsResponse>) responseObserver);
          break;
        case METHODID_RELEASE_SESSION:
          serviceImpl.releaseSession((dev.trunkline.v1.ReleaseSessionRequest) request,
              (io.grpc.stub.StreamObserver<dev.trunkline.v1.ReleaseSessionResponse>) responseObserver);
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
          getWarmSessionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.trunkline.v1.WarmSessionRequest,
              dev.trunkline.v1.WarmSessionResponse>(
                service, METHODID_WARM_SESSION)))
        .addMethod(
          getGetSessionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.trunkline.v1.GetSessionRequest,
              dev.trunkline.v1.GetSessionResponse>(
                service, METHODID_GET_SESSION)))
        .addMethod(
          getListSessionsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.trunkline.v1.ListSessionsRequest,
              dev.trunkline.v1.ListSessionsResponse>(
                service, METHODID_LIST_SESSIONS)))
        .addMethod(
          getReleaseSessionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.trunkline.v1.ReleaseSessionRequest,
              dev.trunkline.v1.ReleaseSessionResponse>(
                service, METHODID_RELEASE_SESSION)))
        .build();
  }

  private static abstract class SessionServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    SessionServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.trunkline.v1.SessionOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("SessionService");
    }
  }

  private static final class SessionServiceFileDescriptorSupplier
      extends SessionServiceBaseDescriptorSupplier {
    SessionServiceFileDescriptorSupplier() {}
  }

  private static final class SessionServiceMethodDescriptorSupplier
      extends SessionServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    SessionServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (SessionServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new SessionServiceFileDescriptorSupplier())
              .addMethod(getWarmSessionMethod())
              .addMethod(getGetSessionMethod())
              .addMethod(getListSessionsMethod())
              .addMethod(getReleaseSessionMethod())
              .build();
        }
      }
    }
    return result;
  }
}
