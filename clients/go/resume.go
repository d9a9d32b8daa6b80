package trunkline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

const (
	// resumeTries is how often in a row a turn is called again without a new event. With the default pauses that is 8 to
	// 16 s: a proxy or a network that is gone for 5 s costs no answer.
	resumeTries = 8
	// resumeLinger is how long the service keeps a resumable turn for its caller, unless the caller says how long.
	resumeLinger = 60 * time.Second
)

func makeResumable(request *pb.StreamCompletionRequest) {
	if request.TurnKey == "" {
		request.TurnKey = randomID()
	}
	if request.Options.Linger == nil {
		request.Options.Linger = durationpb.New(resumeLinger)
	}
}

// isNext says whether a response is the next event: of a turn that is resumed each comes once and in order. A turn that
// is not what its caller has read so far is lost, and cancelled.
func (t *turn) isNext(ctx context.Context, response *pb.StreamCompletionResponse) (bool, error) {
	if response.GetHeartbeat() != nil {
		return false, nil // it has the number of the event before it
	}
	first := !t.heard
	t.heard = true
	if last := t.request.AfterSequence; t.resumes {
		switch {
		case first && response.Sequence == 1 && last > 0:
			cancel := byKey(t.request)
			if id := response.GetStart().GetTurnId(); id != "" {
				cancel.Turn = &pb.CancelTurnRequest_TurnId{TurnId: id}
			}
			return false, t.lose(ctx, "the service began another one, which is cancelled", cancel)
		case response.Sequence <= last:
			return false, nil
		case response.Sequence > last+1:
			why := fmt.Sprintf("event %d came where event %d was due", response.Sequence, last+1)
			return false, t.lose(ctx, why, byKey(t.request))
		}
		t.tries = 1 // this call is the first since the new event
	}
	t.request.AfterSequence = response.Sequence
	return true, nil
}

func (t *turn) lose(ctx context.Context, why string, cancel *pb.CancelTurnRequest) error {
	t.client.lingering.cancel(t.client.canceller(ctx, cancel))
	state := status.New(codes.Unavailable, "the turn was lost with its connection: "+why)
	failed := read(state, nil)
	failed.Partial, failed.cause, failed.bare = t.partial.message(), state.Err(), false
	return failed
}

func isBroken(err error) bool {
	var failed *Error
	return errors.As(err, &failed) && failed.broken()
}

// endedByCaller says that the call's own context ended it.
func endedByCaller(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// final completes the error that ends a turn, of which a try before may have been sent though nobody knows.
func final(err error, request *pb.StreamCompletionRequest, unknown bool) error {
	var failed *Error
	if errors.As(err, &failed) {
		failed.TurnKey, failed.Sequence = request.TurnKey, request.AfterSequence
		if unknown && failed.Sent == SentNo {
			failed.Sent = SentUnknown
		}
	}
	return err
}
