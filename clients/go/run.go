package trunkline

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"sync"
)

const defaultMaxRounds = 32

// Run calls the tools that the model asks for, turn after turn, until it stops asking. It yields the events of all
// turns, each with its [*Start] and [*Done]; [Result] returns the last. It also ends where the model waits for an
// action ([StopReasonActionRequired]): [Conversation.Answer] goes on with what answers [Done.Actions].
//
// The calls of one answer run side by side, and their errors are reported to the model. Results join the
// conversation as soon as all are there, so that no tool runs twice: calls that a run left open (after MaxRounds turns,
// or in a turn that failed) are answered by the next.
func (c *Conversation) Run(ctx context.Context, message *Message, options ...Option) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		rounds := c.MaxRounds
		if rounds == 0 {
			rounds = defaultMaxRounds
		}
		for given := message; rounds > 0; rounds-- {
			if err := c.answerCalls(ctx); err != nil {
				yield(nil, err)
				return
			}
			waits := false
			for event, err := range c.Stream(ctx, given, options...) {
				if done, ok := event.(*Done); ok {
					waits = done.StopReason == StopReasonActionRequired
				}
				if !yield(event, err) || err != nil {
					return
				}
			}
			if given = nil; waits || len(c.OpenCalls()) == 0 {
				return
			}
		}
	}
}

// Answer sends what answers the actions of the last answer (see [Done.Actions]), and goes on as [Conversation.Run] does.
func (c *Conversation) Answer(ctx context.Context, items []*Part, options ...Option) iter.Seq2[Event, error] {
	return c.Run(ctx, ActionResult(items...), options...)
}

// answerCalls makes the open calls and adds their results, in the order of the calls.
func (c *Conversation) answerCalls(ctx context.Context) error {
	calls := c.OpenCalls()
	results := make([]*Message, len(calls))
	crash := make(chan string, 1)
	var group sync.WaitGroup
	for i, call := range calls {
		group.Add(1)
		go func() {
			defer group.Done()
			defer func() {
				if value := recover(); value != nil {
					select {
					case crash <- fmt.Sprintf("trunkline: tool %s: %v\n\n%s", call.Name, value, debug.Stack()):
					default:
					}
				}
			}()
			results[i] = callTool(ctx, c.Tools, call)
		}()
	}
	group.Wait()
	select {
	case message := <-crash:
		panic(message) // in the goroutine of the caller, who may recover; a bug is no news for the model
	default:
	}
	if ctx.Err() != nil && len(calls) > 0 {
		ended := contextError(ctx)
		ended.Sent = SentNo
		return ended
	}
	c.Messages = append(c.Messages, results...)
	return nil
}
