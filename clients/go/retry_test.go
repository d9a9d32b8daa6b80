package trunkline_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	trunkline "github.com/trunkline/trunkline/clients/go"
	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

func protoV1(message protoadapt.MessageV2) protoadapt.MessageV1 {
	return protoadapt.MessageV1Of(message)
}

func traceparent(_ context.Context, header http.Header) { header.Set("traceparent", "00-1-2-01") }

func foreign() error {
	info := &errdetails.ErrorInfo{Reason: "CONNECT_FAILED", Domain: "example.com", Metadata: map[string]string{"sent": "false"}}
	state, _ := status.New(codes.Unavailable, "a proxy").WithDetails(info)
	return state.Err()
}

func TestOnlyWhatWasNotSentIsTriedAgain(t *testing.T) {
	unsent := failure(codes.Unavailable, "CONNECT_FAILED", "false")
	for name, test := range map[string]struct {
		fails error
		tries int
	}{
		"nothing was sent":               {unsent, 3},
		"the service asks to wait":       {failure(codes.Unavailable, "SHUTTING_DOWN", "false", retryIn(time.Millisecond)), 3},
		"it asks to wait for too long":   {failure(codes.Unavailable, "SHUTTING_DOWN", "false", retryIn(time.Minute)), 1},
		"nobody knows":                   {status.Error(codes.Unavailable, "reset"), 1},
		"another domain":                 {foreign(), 1},
		"it was sent":                    {failure(codes.Unavailable, "CONNECT_FAILED", "true"), 1},
		"retryable, but another status":  {failure(codes.ResourceExhausted, "OVERLOADED", "false", retryIn(time.Millisecond)), 1},
		"it was sent and may cost twice": {failure(codes.Aborted, "CONNECTION_LOST", "true"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{
				turns: []func(stream) error{say(test.fails)},
				completed: []func(context.Context) (*pb.CompleteResponse, error){
					func(context.Context) (*pb.CompleteResponse, error) { return nil, test.fails },
				},
			}
			client := serve(t, f)
			if _, err := trunkline.Result(client.Stream(t.Context(), request())); failed(t, err).Code != status.Code(test.fails) {
				t.Errorf("got %v", err)
			}
			if len(f.requests) != test.tries {
				t.Errorf("streamed %d times, want %d", len(f.requests), test.tries)
			}
			if _, err := client.Complete(t.Context(), request()); failed(t, err).Code != status.Code(test.fails) {
				t.Errorf("got %v", err)
			}
			if len(f.complete) != test.tries {
				t.Errorf("completed %d times, want %d", len(f.complete), test.tries)
			}
		})
	}
}

func TestARetrySucceeds(t *testing.T) {
	unsent := failure(codes.Unavailable, "CONNECT_FAILED", "false")
	f := &fake{turns: []func(stream) error{say(unsent), say(unsent), answer("Hello")}}
	end, err := trunkline.Result(serve(t, f).Stream(t.Context(), request()))
	if err != nil || end.Text() != "Hello" || len(f.requests) != 3 {
		t.Errorf("got %v, %v after %d tries", end, err, len(f.requests))
	}
}

func TestNothingIsRetriedAfterAnEvent(t *testing.T) {
	f := &fake{turns: []func(stream) error{say(failure(codes.Unavailable, "CONNECT_FAILED", "false"), start())}}
	if _, err := trunkline.Result(serve(t, f).Stream(t.Context(), request())); err == nil || len(f.requests) != 1 {
		t.Errorf("got %v after %d tries", err, len(f.requests))
	}
}

func TestARetryDoesNotOutliveItsCall(t *testing.T) {
	patient := trunkline.WithRetry(trunkline.Retry{Attempts: 3, Base: time.Minute, Max: time.Minute})
	t.Run("a wait beyond the deadline is not begun", func(t *testing.T) {
		f := &fake{turns: []func(stream) error{say(failure(codes.Unavailable, "CONNECT_FAILED", "false"))}}
		client := serve(t, f, patient, trunkline.WithTimeout(10*time.Second))
		_, err := trunkline.Result(client.Stream(t.Context(), request()))
		if e := failed(t, err); e.Reason != "CONNECT_FAILED" || len(f.requests) != 1 {
			t.Errorf("got %+v after %d tries", e, len(f.requests))
		}
	})
	t.Run("a cancel ends the wait", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := &fake{turns: []func(stream) error{func(stream) error {
			time.AfterFunc(20*time.Millisecond, cancel)
			return failure(codes.Unavailable, "CONNECT_FAILED", "false")
		}}}
		_, err := trunkline.Result(serve(t, f, patient).Stream(ctx, request()))
		e := failed(t, err)
		if e.Reason != trunkline.ReasonCancelled || e.Sent != trunkline.SentNo || !errors.Is(err, context.Canceled) {
			t.Errorf("got %+v", e)
		}
	})
}
