package trunkline

import (
	"context"
	"sync"
	"time"

	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

// cancelTime bounds the cancel of a turn that was left, and so what closing a client waits for.
const cancelTime = 2 * time.Second

// lingering are the resumable turns of a client. They go on without their calls, so whoever leaves one, or closes the
// client, has it cancelled by its key.
type lingering struct {
	mu      sync.Mutex
	closed  bool
	added   int
	turns   map[int]func() // what cancels each
	cancels sync.WaitGroup // those that are under way
}

func (l *lingering) add(cancel func()) (remove func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.turns == nil {
		l.turns = map[int]func(){}
	}
	l.added++
	number := l.added
	l.turns[number] = cancel
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.turns, number)
	}
}

// cancel cancels a turn in the background.
func (l *lingering) cancel(cancel func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.start(cancel)
	}
}

func (l *lingering) start(cancel func()) {
	l.cancels.Add(1)
	go func() {
		defer l.cancels.Done()
		cancel()
	}()
}

// close cancels all turns and waits for it.
func (l *lingering) close() {
	l.mu.Lock()
	l.closed = true
	for _, cancel := range l.turns {
		l.start(cancel)
	}
	l.turns = nil
	l.mu.Unlock()
	l.cancels.Wait()
}

func (l *lingering) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// linger begins a turn. Call end with its end: left says that its caller is gone before it was over.
func (c *Client) linger(ctx context.Context, request *pb.StreamCompletionRequest, resumes bool) (end func(left bool)) {
	if !resumes {
		return func(bool) {}
	}
	cancel := c.canceller(ctx, byKey(request))
	remove := c.lingering.add(cancel)
	return func(left bool) {
		remove()
		if left {
			c.lingering.cancel(cancel)
		}
	}
}

// canceller returns what sends a cancel. It may fail: the turn then ends with its linger.
func (c *Client) canceller(ctx context.Context, request *pb.CancelTurnRequest) func() {
	ctx = context.WithoutCancel(ctx)
	return func() {
		ctx, cancel := context.WithTimeout(ctx, cancelTime)
		defer cancel()
		_ = c.cancelTurn(ctx, request)
	}
}

func byKey(request *pb.StreamCompletionRequest) *pb.CancelTurnRequest {
	return &pb.CancelTurnRequest{
		SessionId: request.SessionId, Turn: &pb.CancelTurnRequest_TurnKey{TurnKey: request.TurnKey},
	}
}
