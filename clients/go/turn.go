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
		ctx, cancel := c.withTimeout(ctx)
		defer cancel()
		turn := &turn{client: c, request: request.proto(options), resumes: request.Resume, yield: yield}
		turn.run(ctx)
	}
}

// A turn is read by one call, or, where it is resumed, by several: each goes on where the one before broke.
type turn struct {
	client  *Client
	request *pb.StreamCompletionRequest // its AfterSequence is the last event that came
	resumes bool
	yield   func(Event, error) bool
	tries   int     // calls since that event
	heard   bool    // something came in the current call
	unknown bool    // a call broke: nobody knows whether it was sent
	partial partial // the answer so far
	over    bool    // it ended, or is lost: nothing is left to cancel
}

func (t *turn) run(ctx context.Context) {
	end := t.client.linger(ctx, t.request, t.resumes)
	defer func() { end(!t.over) }() // where the caller's loop panics, too
	again := t.client.settings.retry.rule(t.resumes)
	for {
		t.tries++
		err := t.try(ctx)
		if err == nil {
			return
		}
		broken := isBroken(err)
		t.unknown = t.unknown || broken
		if !t.heard || t.resumes && broken {
			if err = t.client.wait(ctx, t.tries, again, err); err == nil {
				continue
			}
		}
		t.over = !endedByCaller(err)
		t.yield(nil, final(err, t.request, t.unknown))
		return
	}
}

// try makes one call. It returns no error if the turn ended well or was left.
func (t *turn) try(ctx context.Context) error {
	t.heard = false
	outgoing, err := t.client.outgoing(ctx, t.request.SessionId)
	if err != nil {
		return err
	}
	outgoing, cancel := context.WithCancel(outgoing)
	defer cancel()
	stream, err := t.client.completions.StreamCompletion(outgoing, t.request)
	if err != nil {
		return errorFrom(ctx, err, nil, t.partial.message())
	}
	var reported *pb.Error // kept until the status comes: the caller gets both as one
	for {
		response, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return unfinished(reported, t.partial.message())
		case err != nil:
			return errorFrom(ctx, err, reported, t.partial.message())
		}
		if next, err := t.isNext(ctx, response); err != nil {
			return err
		} else if !next {
			continue
		}
		if failure := response.GetError(); failure != nil {
			reported = failure
			continue
		}
		event := eventFrom(response)
		if event == nil {
			continue
		}
		t.partial.add(event)
		if _, t.over = event.(*Done); t.over {
			defer func() {
				defer time.AfterFunc(settleTime, cancel).Stop()
				_, _ = stream.Recv() // the answer is whole: what fails after it does not concern the caller
			}()
		}
		if !t.yield(event, nil) || t.over {
			return nil
		}
	}
}

// unfinished is a call that ended with OK, which is correct only after Done.
func unfinished(reported *pb.Error, partial *Message) *Error {
	failed := &Error{Reason: "PROTOCOL_ERROR", Message: "the stream ended without done", Code: codes.OK, bare: true}
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
