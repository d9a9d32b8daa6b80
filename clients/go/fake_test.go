package trunkline_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	trunkline "github.com/trunkline/trunkline/clients/go"
	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

type (
	stream   = grpc.ServerStreamingServer[pb.StreamCompletionResponse]
	response = pb.StreamCompletionResponse
)

// A fake service answers each call with the next of its scripts, and keeps what was asked.
type fake struct {
	pb.UnimplementedCompletionServiceServer
	pb.UnimplementedSessionServiceServer

	mu        sync.Mutex
	turns     []func(stream) error // the last one stays
	completed []func(context.Context) (*pb.CompleteResponse, error)
	requests  []*pb.StreamCompletionRequest
	complete  []*pb.CompleteRequest
	warm      []*pb.WarmSessionRequest
	compacted []func() (*pb.CompactResponse, error)
	compact   []*pb.CompactRequest
	released  []string
	session   *pb.Session // the only one; nil: none
	cancelled chan string // session and id or key of each turn; made by serve
	metadata  []metadata.MD
}

func next[F any](f *fake, ctx context.Context, scripts *[]F) F {
	f.mu.Lock()
	defer f.mu.Unlock()
	md, _ := metadata.FromIncomingContext(ctx)
	f.metadata = append(f.metadata, md)
	script := (*scripts)[0]
	if len(*scripts) > 1 {
		*scripts = (*scripts)[1:]
	}
	return script
}

func (f *fake) StreamCompletion(request *pb.StreamCompletionRequest, out stream) error {
	script := next(f, out.Context(), &f.turns)
	f.mu.Lock()
	f.requests = append(f.requests, request)
	f.mu.Unlock()
	return script(out)
}

func (f *fake) Complete(ctx context.Context, request *pb.CompleteRequest) (*pb.CompleteResponse, error) {
	script := next(f, ctx, &f.completed)
	f.mu.Lock()
	f.complete = append(f.complete, request)
	f.mu.Unlock()
	return script(ctx)
}

func (f *fake) Compact(ctx context.Context, request *pb.CompactRequest) (*pb.CompactResponse, error) {
	script := next(f, ctx, &f.compacted)
	f.mu.Lock()
	f.compact = append(f.compact, request)
	f.mu.Unlock()
	return script()
}

func (f *fake) WarmSession(_ context.Context, request *pb.WarmSessionRequest) (*pb.WarmSessionResponse, error) {
	f.warm = append(f.warm, request)
	session := &pb.Session{SessionId: request.SessionId, Live: true, LineState: pb.LineState_LINE_STATE_IDLE}
	return &pb.WarmSessionResponse{Session: session}, nil
}

func (f *fake) GetSession(context.Context, *pb.GetSessionRequest) (*pb.GetSessionResponse, error) {
	if f.session == nil {
		return nil, failure(codes.NotFound, "SESSION_NOT_FOUND", "false")
	}
	return &pb.GetSessionResponse{Session: f.session}, nil
}

func (f *fake) CancelTurn(_ context.Context, request *pb.CancelTurnRequest) (*pb.CancelTurnResponse, error) {
	if request.GetTurnKey() == "unknown" {
		return nil, failure(codes.NotFound, "TURN_NOT_FOUND", "false")
	}
	f.cancelled <- request.SessionId + " " + request.GetTurnId() + request.GetTurnKey()
	return &pb.CancelTurnResponse{}, nil
}

// turnsCancelled waits until so many turns were cancelled, and returns them in order.
func (f *fake) turnsCancelled(t *testing.T, count int) (turns []string) {
	t.Helper()
	for range count {
		select {
		case turn := <-f.cancelled:
			turns = append(turns, turn)
		case <-time.After(10 * time.Second):
			t.Fatalf("only %v were cancelled", turns)
		}
	}
	return turns
}

// ListSessions has three sessions, one a page.
func (f *fake) ListSessions(_ context.Context, request *pb.ListSessionsRequest) (*pb.ListSessionsResponse, error) {
	following := map[string]string{"": "a", "a": "b", "b": "c"}[request.PageToken]
	page := &pb.ListSessionsResponse{Sessions: []*pb.Session{{SessionId: following}}, Replica: "r1"}
	if following != "c" {
		page.NextPageToken = following
	}
	return page, nil
}

func (f *fake) ReleaseSession(_ context.Context, request *pb.ReleaseSessionRequest) (*pb.ReleaseSessionResponse, error) {
	f.released = append(f.released, request.SessionId)
	return &pb.ReleaseSessionResponse{}, nil
}

// serve starts the fake and returns a client that retries without waiting long.
func serve(t *testing.T, f *fake, options ...trunkline.DialOption) *trunkline.Client {
	t.Helper()
	f.cancelled = make(chan string, 10)
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	pb.RegisterCompletionServiceServer(server, f)
	pb.RegisterSessionServiceServer(server, f)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	options = append([]trunkline.DialOption{
		trunkline.WithRetry(trunkline.Retry{
			Attempts: 3, Base: time.Millisecond, Max: time.Millisecond, Patience: time.Second,
		}),
		trunkline.WithGRPC(grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return listener.DialContext(ctx)
		})),
	}, options...)
	client, err := trunkline.Dial("passthrough:///fake", options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// say is a turn that sends these and then ends with this error.
func say(err error, responses ...*response) func(stream) error {
	return func(out stream) error {
		for _, response := range responses {
			if err := out.Send(response); err != nil {
				return err
			}
		}
		return err
	}
}

// hang sends these, then waits until the caller leaves, and reports it.
func hang(left chan<- struct{}, responses ...*response) func(stream) error {
	return func(out stream) error {
		_ = say(nil, responses...)(out)
		<-out.Context().Done()
		close(left)
		return status.FromContextError(out.Context().Err()).Err()
	}
}

func start() *response {
	return &response{Event: &pb.StreamCompletionResponse_Start{Start: &pb.Start{
		TurnId: "t1", Model: "m1", Transport: pb.Transport_TRANSPORT_WEBSOCKET, Context: pb.Context_CONTEXT_FULL,
	}}}
}

func text(index int32, delta string) *response {
	return &response{Event: &pb.StreamCompletionResponse_TextDelta{
		TextDelta: &pb.TextDelta{ContentIndex: index, Delta: delta},
	}}
}

func done(parts ...*trunkline.Part) *response {
	return &response{Event: &pb.StreamCompletionResponse_Done{Done: &pb.Done{
		Message:    &pb.Message{Role: pb.Role_ROLE_ASSISTANT, Parts: parts},
		StopReason: pb.StopReason_STOP_REASON_STOP,
	}}}
}

func answer(words string) func(stream) error {
	return say(nil, start(), text(0, words), done(trunkline.TextPart(words)))
}

func calls(ids ...string) func(stream) error {
	var parts []*trunkline.Part
	for _, id := range ids {
		call := &pb.ToolCallPart{CallId: id, Name: "lookup", Arguments: `{"query":"` + id + `"}`}
		parts = append(parts, &pb.Part{Part: &pb.Part_ToolCall{ToolCall: call}})
	}
	return say(nil, start(), done(parts...))
}

// failure is a status as the service makes it.
func failure(code codes.Code, reason, sent string, more ...protoadapt.MessageV1) error {
	info := &errdetails.ErrorInfo{Reason: reason, Domain: "trunkline", Metadata: map[string]string{"sent": sent}}
	state, err := status.New(code, "what happened").WithDetails(append([]protoadapt.MessageV1{info}, more...)...)
	if err != nil {
		panic(err)
	}
	return state.Err()
}

func retryIn(delay time.Duration) *errdetails.RetryInfo {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(delay)}
}

func request() trunkline.Request {
	return trunkline.Request{SessionID: "s1", Model: "m1", Messages: []*trunkline.Message{trunkline.User("Hello")}}
}
