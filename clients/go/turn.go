package trunkline

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

// settleTime bounds the wait for the status after Done: to leave earlier would look like a cancel to the service.
const settleTime = time.Second

// Stream runs a turn, all of it given; nothing is kept. A [Conversation] does this for you.
//
// The turn is sent when the sequence is ranged over, and each range is a turn of its own. It ends with a [*Done], or
// with one error, an [*Error] wherever a call was made. Leaving the loop early, or cancelling ctx, stops the turn down
// to the model.
func (c *Client) Stream(ctx context.Context, request Request, options ...Option) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		made := request.proto(options)
		ctx, cancel := c.withTimeout(ctx)
		defer cancel()
		for attempt := 1; ; attempt++ {
			heard, err := c.try(ctx, made, yield)
			if err != nil && !heard {
				if err = c.wait(ctx, attempt, err); err == nil {
					continue
				}
			}
			if err != nil {
				yield(nil, err)
			}
			return
		}
	}
}

// try makes the call once. It returns whether anything came, and no error if the turn ended well or was left.
func (c *Client) try(
	ctx context.Context, request *pb.StreamCompletionRequest, yield func(Event, error) bool,
) (heard bool, err error) {
	outgoing, err := c.outgoing(ctx, request.SessionId)
	if err != nil {
		return false, err
	}
	outgoing, cancel := context.WithCancel(outgoing)
	defer cancel()
	stream, err := c.completions.StreamCompletion(outgoing, request)
	if err != nil {
		return false, errorFrom(ctx, err, nil, nil)
	}
	var (
		reported *pb.Error // kept until the status comes: the caller gets both as one
		partial  partial
	)
	for {
		response, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return heard, unfinished(reported, partial.message())
		case err != nil:
			return heard, errorFrom(ctx, err, reported, partial.message())
		}
		heard = true
		if failure := response.GetError(); failure != nil {
			reported = failure
			continue
		}
		event := eventFrom(response)
		if event == nil {
			continue
		}
		partial.add(event)
		_, done := event.(*Done)
		if done {
			defer func() {
				defer time.AfterFunc(settleTime, cancel).Stop()
				_, _ = stream.Recv() // the answer is whole: what fails after it does not concern the caller
			}()
		}
		if !yield(event, nil) || done {
			return heard, nil
		}
	}
}

// unfinished is a call that ended with OK, which is correct only after Done.
func unfinished(reported *pb.Error, partial *Message) *Error {
	failed := &Error{Reason: "PROTOCOL_ERROR", Message: "the stream ended without done", Code: codes.OK}
	if reported != nil {
		failed = read(status.New(codes.OK, ""), reported)
	}
	if failed.Partial == nil {
		failed.Partial = partial
	}
	return failed
}

// Result reads a turn, or a run, to its end.
func Result(events iter.Seq2[Event, error]) (*Done, error) {
	var last *Done
	for event, err := range events {
		if err != nil {
			return nil, err
		}
		if done, ok := event.(*Done); ok {
			last = done
		}
	}
	return last, nil
}
