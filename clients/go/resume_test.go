package trunkline_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	trunkline "github.com/trunkline/trunkline/clients/go"
	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

var reset = status.Error(codes.Unavailable, "reset")

// numbered counts events from a number on. It copies them.
func numbered(first int64, responses ...*response) []*response {
	counted := make([]*response, len(responses))
	for i, response := range responses {
		counted[i] = proto.CloneOf(response)
		counted[i].Sequence = first + int64(i)
	}
	return counted
}

// poem is a turn of five events.
func poem() []*response {
	return numbered(1, start(), text(0, "a"), text(0, "b"), text(0, "c"), done(trunkline.TextPart("abc")))
}

func heartbeat(sequence int64) *response {
	return &response{Event: &pb.StreamCompletionResponse_Heartbeat{Heartbeat: &pb.Heartbeat{}}, Sequence: sequence}
}

func resumable() trunkline.Request {
	made := request()
	made.Resume = true
	return made
}

// later is a proxy's status: try again in an hour.
func later() error {
	state, _ := status.New(codes.Unavailable, "a proxy").WithDetails(retryIn(time.Hour))
	return state.Err()
}

// read returns the texts of a turn, its end as a word, and its error.
func read(client *trunkline.Client, ctx context.Context, options ...trunkline.Option) (words string, err error) {
	for event, failure := range client.Stream(ctx, resumable(), options...) {
		switch event := event.(type) {
		case *trunkline.Start:
			words += "start "
		case *trunkline.TextDelta:
			words += fmt.Sprintf("%d%s ", event.Sequence(), event.Delta)
		case *trunkline.Done:
			words += "done"
		}
		err = failure
	}
	return words, err
}

const whole = "start 2a 3b 4c done"

func TestATurnIsResumedAfterEveryEvent(t *testing.T) {
	breaks := map[string]error{
		"unavailable": reset, "internal": status.Error(codes.Internal, "RST_STREAM"), "cancelled": status.Error(codes.Canceled, "a proxy"),
		"unknown": status.Error(codes.Unknown, "?"), "another domain": foreign(), "no ending": nil,
	}
	for name, broken := range breaks {
		for index := range 5 {
			t.Run(fmt.Sprint(name, " after ", index), func(t *testing.T) {
				f := &fake{turns: []func(stream) error{say(broken, poem()[:index]...), say(nil, poem()[index:]...)}}
				words, err := read(serve(t, f), t.Context())
				if err != nil || words != whole {
					t.Fatalf("got %s, %v", words, err)
				}
				first, second := f.requests[0], f.requests[1]
				if len(first.TurnKey) != 32 || first.AfterSequence != 0 || first.Options.Linger.AsDuration() != time.Minute {
					t.Errorf("sent %v", first)
				}
				first.AfterSequence = int64(index)
				if !proto.Equal(first, second) {
					t.Errorf("sent %v, then %v", first, second)
				}
			})
		}
	}
}

func TestABreakBehindDoneIsNoBreak(t *testing.T) {
	f := &fake{turns: []func(stream) error{say(reset, poem()...)}}
	words, err := read(serve(t, f), t.Context(), trunkline.TurnKey("k"), trunkline.Linger(time.Second))
	if err != nil || words != whole || len(f.requests) != 1 {
		t.Errorf("got %s, %v after %d calls", words, err, len(f.requests))
	}
	if got := f.requests[0]; got.TurnKey != "k" || got.Options.Linger.AsDuration() != time.Second {
		t.Errorf("sent %v", got)
	}
}

func TestEachEventComesOnce(t *testing.T) {
	f := &fake{turns: []func(stream) error{
		say(reset, poem()[:2]...),
		say(reset, slices.Concat([]*response{heartbeat(2)}, poem()[1:3])...), // the first has come before
		say(reset, heartbeat(3)),
		say(nil, poem()[3:]...),
	}}
	words, err := read(serve(t, f), t.Context())
	if err != nil || words != whole {
		t.Errorf("got %s, %v", words, err)
	}
	var after []int64
	for _, request := range f.requests {
		after = append(after, request.AfterSequence)
	}
	if !slices.Equal(after, []int64{0, 2, 3, 3}) {
		t.Errorf("asked for what follows %v", after)
	}
}

func TestATurnIsResumedEightTimesWithoutAnEvent(t *testing.T) {
	f := &fake{turns: []func(stream) error{
		say(reset), say(reset), say(reset, poem()[:2]...), say(reset, heartbeat(2)), say(reset, poem()[1]), say(reset),
	}}
	words, err := read(serve(t, f), t.Context(), trunkline.TurnKey("k"))
	e := failed(t, err)
	if words != "start 2a " || len(f.requests) != 11 {
		t.Errorf("got %s after %d calls", words, len(f.requests))
	}
	if e.Reason != "UNAVAILABLE" || e.Sent != trunkline.SentUnknown || trunkline.Text(e.Partial) != "a" || e.TurnKey != "k" || e.Sequence != 2 {
		t.Errorf("got %+v", e)
	}
}

func TestWhatTheServiceSaysIsFinal(t *testing.T) {
	reported := &response{Event: &pb.StreamCompletionResponse_Error{Error: &pb.Error{Reason: "UPSTREAM_ERROR"}}, Sequence: 3}
	unsent := failure(codes.Unavailable, "SHUTTING_DOWN", "false")
	for name, test := range map[string]struct {
		turn   func(stream) error
		reason string
		sent   trunkline.Sent
		calls  int
	}{
		"it was taken over":             {say(failure(codes.Aborted, "TAKEN_OVER", "true")), "TAKEN_OVER", trunkline.SentYes, 2},
		"it failed":                     {say(failure(codes.Internal, "UPSTREAM_ERROR", "true"), reported), "UPSTREAM_ERROR", trunkline.SentYes, 2},
		"it failed, and broke":          {say(reset, reported), "UPSTREAM_ERROR", trunkline.SentYes, 2},
		"a proxy asks to wait for long": {say(later()), "UNAVAILABLE", trunkline.SentUnknown, 2},
		"a limit of gRPC":               {say(status.Error(codes.ResourceExhausted, "too large")), "RESOURCE_EXHAUSTED", trunkline.SentUnknown, 2},
		"a try that was not sent":       {say(unsent), "SHUTTING_DOWN", trunkline.SentUnknown, 3},
		"the same, after an event":      {say(unsent, poem()[2]), "SHUTTING_DOWN", trunkline.SentUnknown, 2},
		"an event of it is left out":    {say(nil, poem()[3]), "UNAVAILABLE", trunkline.SentUnknown, 2},
		"it is another one":             {say(nil, poem()...), "UNAVAILABLE", trunkline.SentUnknown, 2},
		"another one that has failed":   {say(nil, numbered(1, reported)...), "UNAVAILABLE", trunkline.SentUnknown, 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{turns: []func(stream) error{say(reset, poem()[:2]...), test.turn}}
			words, err := read(serve(t, f), t.Context())
			e := failed(t, err)
			if !strings.HasPrefix(words, "start 2a ") || e.Reason != test.reason || e.Sent != test.sent || len(f.requests) != test.calls {
				t.Errorf("got %s, %+v after %d calls", words, e, len(f.requests))
			}
			if !strings.HasPrefix(trunkline.Text(e.Partial), "a") || e.TurnKey != f.requests[0].TurnKey {
				t.Errorf("got %+v", e)
			}
		})
	}
}

func TestAnotherTurnThatBeganIsCancelled(t *testing.T) {
	left := make(chan struct{})
	f := &fake{turns: []func(stream) error{say(reset, poem()[:2]...), hang(left, poem()...)}}
	words, err := read(serve(t, f), t.Context())
	e := failed(t, err)
	if words != "start 2a " || e.Code != codes.Unavailable || e.Retryable || e.Sequence != 2 || status.Code(err) != codes.Unavailable {
		t.Errorf("got %s, %+v", words, e)
	}
	<-left
	if got := f.turnsCancelled(t, 1); got[0] != "s1 t1" {
		t.Errorf("cancelled %v", got)
	}
	// Without an event before it, it is the turn that was asked for.
	f = &fake{turns: []func(stream) error{say(reset), say(nil, poem()...)}}
	if words, err := read(serve(t, f), t.Context()); err != nil || words != whole {
		t.Errorf("got %s, %v", words, err)
	}
}

func TestNothingIsResumedThatDoesNotAskForIt(t *testing.T) {
	f := &fake{turns: []func(stream) error{say(reset, poem()[:2]...)}}
	client := serve(t, f)
	options := []trunkline.Option{trunkline.TurnKey("k"), trunkline.Linger(time.Minute), trunkline.AfterSequence(7)}
	_, err := trunkline.Result(client.Stream(t.Context(), request(), options...))
	if e := failed(t, err); e.TurnKey != "k" || e.Sequence != 2 || len(f.requests) != 1 || f.requests[0].AfterSequence != 7 {
		t.Errorf("got %+v after %d calls", e, len(f.requests))
	}
}

func TestAResumedTurnKeepsItsDeadline(t *testing.T) {
	f := &fake{turns: []func(stream) error{say(reset, poem()[:2]...)}}
	client := serve(t, f, trunkline.WithRetry(trunkline.Retry{Base: time.Minute, Max: time.Minute}), trunkline.WithTimeout(10*time.Second))
	_, err := read(client, t.Context())
	if e := failed(t, err); e.Code != codes.Unavailable || len(f.requests) != 1 {
		t.Errorf("got %+v after %d calls", e, len(f.requests))
	}
}

func TestATurnIsResumedOverANewConnection(t *testing.T) {
	const outage = time.Second
	listen := func(address string) net.Listener {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		return listener
	}
	began := make(chan struct{})
	f := &fake{turns: []func(stream) error{hang(began, poem()[:2]...), say(nil, poem()[2:]...)}}
	begin := func(listener net.Listener) *grpc.Server {
		server := grpc.NewServer()
		pb.RegisterCompletionServiceServer(server, f)
		go func() { _ = server.Serve(listener) }()
		t.Cleanup(server.Stop)
		return server
	}
	listener := listen("127.0.0.1:0")
	server := begin(listener)
	client, err := trunkline.Dial(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	words := ""
	for event, err := range client.Stream(t.Context(), resumable()) {
		if err != nil {
			t.Fatal(err)
		}
		if delta, ok := event.(*trunkline.TextDelta); ok {
			if words == "" {
				server.Stop()
				time.AfterFunc(outage, func() { begin(listen(listener.Addr().String())) })
			}
			words += delta.Delta
		}
	}
	if words != "abc" || len(f.requests) != 2 {
		t.Errorf("got %s after %d calls", words, len(f.requests))
	}
}

func TestTheContextEndsTheWaitForAnotherCall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f := &fake{turns: []func(stream) error{say(reset, poem()[:2]...)}}
	client := serve(t, f, trunkline.WithRetry(trunkline.Retry{Base: time.Minute, Max: time.Minute}))
	var err error
	for event, failure := range client.Stream(ctx, resumable()) {
		if _, ok := event.(*trunkline.TextDelta); ok {
			time.AfterFunc(20*time.Millisecond, cancel) // by then it waits; if not, the error is the same
		}
		err = failure
	}
	e := failed(t, err)
	if !errors.Is(err, context.Canceled) || e.Sent != trunkline.SentUnknown || trunkline.Text(e.Partial) != "a" || e.Sequence != 2 {
		t.Errorf("got %+v", e)
	}
	if got := f.turnsCancelled(t, 1); got[0] != "s1 "+f.requests[0].TurnKey {
		t.Errorf("cancelled %v", got)
	}
}
