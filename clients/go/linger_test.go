package trunkline_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	trunkline "github.com/trunkline/trunkline/clients/go"
)

func TestAResumableTurnThatIsStoppedIsCancelled(t *testing.T) {
	for name, stop := range map[string]func(client *trunkline.Client){
		"the loop is left": func(client *trunkline.Client) {
			for range client.Stream(context.Background(), resumable()) {
				break
			}
		},
		"the loop panics": func(client *trunkline.Client) {
			defer func() { _ = recover() }()
			for range client.Stream(context.Background(), resumable()) {
				panic("a bug of the caller")
			}
		},
		"the context is cancelled": func(client *trunkline.Client) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for _, err := range client.Stream(ctx, resumable()) {
				if err == nil {
					cancel()
				} else if !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			}
		},
		"the deadline passes": func(client *trunkline.Client) {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			if _, err := read(client, ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		},
		"the client is closed": func(client *trunkline.Client) {
			for event, err := range client.Stream(context.Background(), resumable()) {
				if event != nil {
					_ = client.Close()
				} else if e := failed(t, err); e.Code != codes.Canceled && e.Code != codes.Unavailable {
					t.Errorf("got %+v", e)
				}
			}
		},
		"a client is closed after it": func(client *trunkline.Client) {
			for range client.Stream(context.Background(), resumable()) {
				break
			}
			_ = client.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			left := make(chan struct{})
			f := &fake{turns: []func(stream) error{hang(left, poem()[:1]...)}}
			stop(serve(t, f))
			<-left
			if got := f.turnsCancelled(t, 1); got[0] != "s1 "+f.requests[0].TurnKey || len(f.cancelled) != 0 || len(f.requests) != 1 {
				t.Errorf("cancelled %v in %d calls", got, len(f.requests))
			}
		})
	}
}

func TestATurnThatHasEndedIsNotCancelled(t *testing.T) {
	f := &fake{turns: []func(stream) error{
		say(nil, poem()...), say(failure(codes.Internal, "UPSTREAM_ERROR", "true"), poem()[:2]...), hang(make(chan struct{}), start()),
	}}
	client := serve(t, f)
	for event := range client.Stream(t.Context(), resumable()) {
		if _, ok := event.(*trunkline.Done); ok {
			break
		}
	}
	if _, err := read(client, t.Context()); err == nil {
		t.Error("no error")
	}
	// It asks for no more than to outlive its connection: that its caller leaves is none of the client's business.
	for range client.Stream(t.Context(), request(), trunkline.TurnKey("k"), trunkline.Linger(time.Minute)) {
		break
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if len(f.cancelled) != 0 {
		t.Errorf("cancelled %v", f.turnsCancelled(t, 1))
	}
}
