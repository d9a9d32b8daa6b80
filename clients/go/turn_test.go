package trunkline_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	trunkline "github.com/trunkline/trunkline/clients/go"
	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

func failed(t *testing.T, err error) *trunkline.Error {
	t.Helper()
	var failed *trunkline.Error
	if !errors.As(err, &failed) {
		t.Fatalf("got %v, want an Error", err)
	}
	return failed
}

func TestAFailedStreamRaisesOnceWithThePartial(t *testing.T) {
	reported := &response{Event: &pb.StreamCompletionResponse_Error{Error: &pb.Error{
		Reason: "RATE_LIMITED", Message: "slower", Retryable: true, RetryAfter: durationpb.New(7 * time.Second),
		Upstream: &pb.UpstreamError{Code: "rate_limit_exceeded", Status: 429},
		Partial:  trunkline.Assistant("as the service reports it"),
		Usage:    &pb.Usage{TotalTokens: 9}, Report: &pb.TurnReport{Attempts: 2},
	}}}
	client := serve(t, &fake{turns: []func(stream) error{
		say(failure(codes.ResourceExhausted, "RATE_LIMITED", "true", retryIn(time.Second)), start(), text(0, "half"), reported),
	}})
	var errs []error
	for _, err := range client.Stream(t.Context(), request()) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) != 1 {
		t.Fatalf("got %v, want one error", errs)
	}
	e := failed(t, errs[0])
	if e.Reason != "RATE_LIMITED" || e.Message != "slower" || !e.Retryable || e.RetryAfter != 7*time.Second ||
		e.Sent != trunkline.SentYes || e.Code != codes.ResourceExhausted || e.Upstream.Status != 429 ||
		trunkline.Text(e.Partial) != "as the service reports it" || e.Usage.TotalTokens != 9 || e.Report.Attempts != 2 {
		t.Errorf("got %+v", e)
	}
	if status.Code(errs[0]) != codes.ResourceExhausted {
		t.Errorf("status.Code does not see through it: %v", status.Code(errs[0]))
	}
}

func TestABrokenStreamHasThePartialThatWasGathered(t *testing.T) {
	reasoning := &response{Event: &pb.StreamCompletionResponse_ReasoningDelta{
		ReasoningDelta: &pb.ReasoningDelta{Delta: "why"},
	}}
	call := &response{Event: &pb.StreamCompletionResponse_ToolCallDelta{ToolCallDelta: &pb.ToolCallDelta{ContentIndex: 2}}}
	client := serve(t, &fake{turns: []func(stream) error{
		say(status.Error(codes.Unavailable, "reset"), start(), reasoning, text(1, "ha"), text(1, "lf"), call),
	}})
	_, err := trunkline.Result(client.Stream(t.Context(), request()))
	e := failed(t, err)
	want := &pb.Message{Role: pb.Role_ROLE_ASSISTANT, Parts: []*pb.Part{
		{Part: &pb.Part_Reasoning{Reasoning: &pb.ReasoningPart{Summary: []string{"why"}}}}, trunkline.TextPart("half"),
	}}
	if e.Reason != "UNAVAILABLE" || e.Sent != trunkline.SentUnknown || e.Retryable || !proto.Equal(e.Partial, want) {
		t.Errorf("got %+v", e)
	}
}

func TestAStreamThatEndsWithoutDoneIsAnError(t *testing.T) {
	reported := &response{Event: &pb.StreamCompletionResponse_Error{Error: &pb.Error{Reason: "INTERNAL"}}}
	for reason, script := range map[string]func(stream) error{
		"PROTOCOL_ERROR": say(nil, start(), text(0, "half")),
		"INTERNAL":       say(nil, start(), text(0, "half"), reported),
	} {
		client := serve(t, &fake{turns: []func(stream) error{script}})
		_, err := trunkline.Result(client.Stream(t.Context(), request()))
		if e := failed(t, err); e.Reason != reason || trunkline.Text(e.Partial) != "half" {
			t.Errorf("got %+v, want %s", e, reason)
		}
	}
}

func TestWhatFollowsDoneIsNotTheCallers(t *testing.T) {
	cancelled := make(chan bool, 1)
	client := serve(t, &fake{turns: []func(stream) error{func(out stream) error {
		err := answer("Hello")(out)
		select {
		case <-out.Context().Done():
			cancelled <- true
		case <-time.After(100 * time.Millisecond):
			cancelled <- false
		}
		if err != nil {
			return err
		}
		return status.Error(codes.Internal, "after the answer")
	}}})
	for event, err := range client.Stream(t.Context(), request()) {
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := event.(*trunkline.Done); ok {
			break
		}
	}
	if <-cancelled {
		t.Error("the call was cancelled after done")
	}
}

func TestLeavingStopsTheTurn(t *testing.T) {
	left := make(chan struct{})
	client := serve(t, &fake{turns: []func(stream) error{hang(left, start())}})
	for _, err := range client.Stream(t.Context(), request()) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	<-left
}

func TestTheContextStopsTheTurn(t *testing.T) {
	left := make(chan struct{})
	client := serve(t, &fake{turns: []func(stream) error{hang(left, start(), text(0, "half"))}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got error
	for event, err := range client.Stream(ctx, request()) {
		if _, ok := event.(*trunkline.TextDelta); ok {
			cancel()
		}
		got = err
	}
	<-left
	e := failed(t, got)
	if e.Reason != trunkline.ReasonCancelled || trunkline.Text(e.Partial) != "half" || e.Sent != trunkline.SentUnknown {
		t.Errorf("got %+v", e)
	}
	if !errors.Is(got, context.Canceled) {
		t.Errorf("%v is no context.Canceled", got)
	}
}

func TestDeadlines(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for name, run := range map[string]func() error{
		"context": func() error {
			client := serve(t, &fake{turns: []func(stream) error{hang(make(chan struct{}), start())}})
			_, err := trunkline.Result(client.Stream(ctx, request()))
			return err
		},
		"client": func() error {
			client := serve(t, &fake{turns: []func(stream) error{hang(make(chan struct{}), start())}},
				trunkline.WithTimeout(50*time.Millisecond))
			_, err := trunkline.Result(client.Stream(t.Context(), request()))
			return err
		},
		"complete": func() error {
			client := serve(t, &fake{completed: []func(context.Context) (*pb.CompleteResponse, error){
				func(ctx context.Context) (*pb.CompleteResponse, error) { <-ctx.Done(); return nil, ctx.Err() },
			}}, trunkline.WithTimeout(50*time.Millisecond))
			_, err := client.Complete(t.Context(), request())
			return err
		},
	} {
		err := run()
		if e := failed(t, err); e.Reason != trunkline.ReasonDeadline || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %+v", name, e)
		}
	}
}

func TestTheServicesTimeoutIsNoDeadline(t *testing.T) {
	client := serve(t, &fake{turns: []func(stream) error{say(failure(codes.DeadlineExceeded, "TIMEOUT", "true"))}})
	_, err := trunkline.Result(client.Stream(t.Context(), request()))
	if e := failed(t, err); e.Reason != "TIMEOUT" || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %+v", e)
	}
}

func TestComplete(t *testing.T) {
	f := &fake{completed: []func(context.Context) (*pb.CompleteResponse, error){
		func(context.Context) (*pb.CompleteResponse, error) {
			return &pb.CompleteResponse{Message: trunkline.Assistant("Hi"), StopReason: pb.StopReason_STOP_REASON_LENGTH}, nil
		},
		func(context.Context) (*pb.CompleteResponse, error) {
			return nil, failure(codes.Internal, "UPSTREAM_ERROR", "true", protoV1(&pb.Error{
				Reason: "UPSTREAM_ERROR", Message: "it broke", Retryable: true, Report: &pb.TurnReport{Attempts: 1},
			}))
		},
	}}
	client := serve(t, f)
	end, err := client.Complete(t.Context(), request(),
		trunkline.RequestID("r1"), trunkline.MaxOutputTokens(0), trunkline.TurnKey("k1"), trunkline.AfterSequence(2))
	if err != nil || end.Text() != "Hi" || end.StopReason != trunkline.StopReasonLength || !end.CreatedAt.IsZero() {
		t.Errorf("got %+v, %v", end, err)
	}
	if got := f.complete[0]; got.RequestId != "r1" || got.SessionId != "s1" || got.Options.MaxOutputTokens == nil ||
		got.TurnKey != "k1" || got.AfterSequence != 2 {
		t.Errorf("sent %v", got)
	}
	_, err = client.Complete(t.Context(), request())
	if e := failed(t, err); e.Message != "it broke" || !e.Retryable || e.Sent != trunkline.SentYes || e.Report.Attempts != 1 {
		t.Errorf("got %+v", e)
	}
}

func TestMetadata(t *testing.T) {
	f := &fake{turns: []func(stream) error{answer("Hello")}}
	tokens := []string{"one", "two", ""}
	client := serve(t, f,
		trunkline.WithTokenSource(func(context.Context) (string, error) {
			token := tokens[0]
			tokens = tokens[1:]
			return token, nil
		}),
		trunkline.WithPropagator(traceparent))
	for _, id := range []string{"s1", "bad\nid", "naïve"} {
		made := request()
		made.SessionID = id
		if _, err := trunkline.Result(client.Stream(t.Context(), made)); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.metadata[0]; !slices.Equal(got["authorization"], []string{"Bearer one"}) ||
		!slices.Equal(got["x-session-id"], []string{"s1"}) || !slices.Equal(got["traceparent"], []string{"00-1-2-01"}) ||
		!strings.HasPrefix(got["user-agent"][0], "trunkline-go/") {
		t.Errorf("got %v", got)
	}
	if got := f.metadata[1]; !slices.Equal(got["authorization"], []string{"Bearer two"}) || got["x-session-id"] != nil {
		t.Errorf("got %v", got)
	}
	if got := f.metadata[2]; got["authorization"] != nil || got["x-session-id"] != nil {
		t.Errorf("got %v", got)
	}
}

func TestATokenSourceThatFails(t *testing.T) {
	mine := errors.New("no token today")
	client := serve(t, &fake{}, trunkline.WithTokenSource(func(context.Context) (string, error) { return "", mine }))
	if _, err := trunkline.Result(client.Stream(t.Context(), request())); !errors.Is(err, mine) {
		t.Errorf("got %v", err)
	}
	if _, err := client.Session(t.Context(), "s1"); !errors.Is(err, mine) {
		t.Errorf("got %v", err)
	}
}
