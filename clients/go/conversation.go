package trunkline

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync/atomic"
)

// ErrTurnOpen is the error of a second turn while the first one of the conversation still runs: of two answers to one
// history only one can be its next message.
var ErrTurnOpen = errors.New("trunkline: a turn of this conversation is still open: read it to its end, or leave it")

// A Conversation keeps the messages, and what the model said as it said it, so that each next turn is incremental.
// A turn that ends well adds what was asked and what was answered; one that fails, or that is left, adds nothing.
//
// All fields are yours to change between turns. After an edit of Messages the next turn is sent in full, and its
// report says so. A conversation is not for several goroutines at once.
//
// With Resume a turn outlives a broken connection: it has a key ([TurnKey]; where none is given, a random one), goes on at
// the service for as long as [Linger] says (60 s where it does not), and is called again: eight times without a new event at
// most (for 8 to 16 s), and never beyond its deadline. Each event comes once and in order. Leaving the loop, cancelling the context and
// closing the client stop the turn as ever; the client then cancels it by its key, in the background.
type Conversation struct {
	SessionID    string
	Model        string
	Instructions string
	Tools        []Tool
	Messages     []*Message
	Options      []Option // for each turn, before its own
	MaxRounds    int      // turns of one Run at most; zero: 32
	Resume       bool     // go on where the connection breaks
	Continuation string   // of the latest turn, sent with the next one; a conversation that goes on elsewhere takes it along

	client *Client
	open   atomic.Bool
}

// NewConversation begins a conversation, with a session id of its own.
func (c *Client) NewConversation(model string) *Conversation {
	return &Conversation{SessionID: randomID(), Model: model, client: c}
}

func randomID() string {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // it never fails
	return hex.EncodeToString(id)
}

// Stream runs one turn: all messages, then the one that is given, if any. See [Client.Stream].
func (c *Conversation) Stream(ctx context.Context, message *Message, options ...Option) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		settle, err := c.begin(message)
		if err != nil {
			yield(nil, err)
			return
		}
		defer settle(nil)
		for event, err := range c.client.Stream(ctx, c.request(message), c.options(options)...) {
			if done, ok := event.(*Done); ok {
				settle(done)
			}
			if !yield(event, err) {
				return
			}
		}
	}
}

// Complete runs the same turn and returns it in one piece.
func (c *Conversation) Complete(ctx context.Context, message *Message, options ...Option) (*Done, error) {
	settle, err := c.begin(message)
	if err != nil {
		return nil, err
	}
	done, err := c.client.Complete(ctx, c.request(message), c.options(options)...)
	settle(done)
	return done, err
}

// Warm opens the connection before the first turn, and sends model, instructions and tools ahead.
func (c *Conversation) Warm(ctx context.Context) (*Session, error) {
	return c.client.Warm(ctx, WarmRequest{
		SessionID: c.SessionID, Model: c.Model, Instructions: c.Instructions, Tools: c.Tools, Prime: true,
	})
}

// Release lets the service forget the session. The conversation itself is kept here and can go on.
func (c *Conversation) Release(ctx context.Context) error {
	return c.client.Release(ctx, c.SessionID)
}

// OpenCalls returns the calls of the last answer that no message, and no item beside them, has answered yet.
func (c *Conversation) OpenCalls() []*ToolCall {
	answered := map[string]bool{}
	for _, message := range slices.Backward(c.Messages) {
		maps.Copy(answered, answeredIn(message))
		if calls := ToolCalls(message); len(calls) > 0 {
			return slices.DeleteFunc(calls, func(call *ToolCall) bool { return answered[call.CallId] })
		}
	}
	return nil
}

// begin opens a turn. Call settle with its end: nil if it failed or was left. Only the first call counts.
func (c *Conversation) begin(message *Message) (settle func(*Done), err error) {
	if !c.open.CompareAndSwap(false, true) {
		return nil, ErrTurnOpen
	}
	settled := false
	return func(done *Done) {
		if settled {
			return
		}
		settled = true
		if done != nil {
			c.Messages = append(c.asked(message), done.Message)
			c.Continuation = done.Continuation
		}
		c.open.Store(false)
	}, nil
}

func (c *Conversation) asked(message *Message) []*Message {
	if message == nil {
		return slices.Clone(c.Messages)
	}
	return append(slices.Clip(c.Messages), message)
}

func (c *Conversation) request(message *Message) Request {
	return Request{
		SessionID: c.SessionID, Model: c.Model, Instructions: c.Instructions,
		Messages: c.asked(message), Tools: c.Tools, Continuation: c.Continuation, Resume: c.Resume,
	}
}

func (c *Conversation) options(more []Option) []Option {
	return slices.Concat(c.Options, more)
}
