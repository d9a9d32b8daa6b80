package trunkline

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

// A Client calls one Trunkline service. Make one and keep it: its calls share a connection, from any number of goroutines.
type Client struct {
	settings    settings
	connection  *grpc.ClientConn
	completions pb.CompletionServiceClient
	sessions    pb.SessionServiceClient
	lingering   lingering
}

// Dial makes a client of the service at address (host:port, or any other target of grpc). Nothing is connected
// before the first call. Without [WithTLS] the connection is plain text.
func Dial(address string, options ...DialOption) (*Client, error) {
	settings := defaults()
	for _, option := range options {
		option(&settings)
	}
	connection, err := grpc.NewClient(address, settings.dialOptions()...)
	if err != nil {
		return nil, fmt.Errorf("trunkline: %w", err)
	}
	return &Client{
		settings:    settings,
		connection:  connection,
		completions: pb.NewCompletionServiceClient(connection),
		sessions:    pb.NewSessionServiceClient(connection),
	}, nil
}

// Close ends the connection and all running calls. Turns that would outlive them, since they can be resumed, are cancelled
// first, which takes 2 s at most.
func (c *Client) Close() error {
	c.lingering.close()
	return c.connection.Close()
}

// A Request is one turn, all of it given. A [Conversation] makes them for you.
type Request struct {
	SessionID    string     // names the conversation: 1 to 128 characters of A-Z a-z 0-9 _ . : -
	Model        string     // required
	Instructions string     // for this turn; not part of the history
	Messages     []*Message // the whole conversation, oldest first
	Tools        []Tool     // what the model may call; [Conversation.Run] calls it
	Continuation string     // [Done.Continuation] of the conversation's latest turn, if any
	Resume       bool       // go on where the connection breaks; see [Conversation]
}

// Nothing is validated here: the service does, names the field, and its answer is the same in every language.
func (r Request) proto(options []Option) *pb.StreamCompletionRequest {
	request := &pb.StreamCompletionRequest{
		SessionId:    r.SessionID,
		Model:        r.Model,
		Instructions: r.Instructions,
		Messages:     r.Messages,
		Tools:        toolProtos(r.Tools),
		Continuation: r.Continuation,
		Options:      &pb.CompletionOptions{},
	}
	for _, option := range options {
		option(request)
	}
	if r.Resume {
		makeResumable(request)
	}
	return request
}

// Complete runs a turn and returns it in one piece. Nothing is kept.
func (c *Client) Complete(ctx context.Context, request Request, options ...Option) (*Done, error) {
	made := request.proto(options)
	end := c.linger(ctx, made, request.Resume)
	response, unknown, err := callAgain(ctx, c, c.settings.retry.rule(request.Resume), made.SessionId, c.completions.Complete, &pb.CompleteRequest{
		SessionId:     made.SessionId,
		Model:         made.Model,
		Instructions:  made.Instructions,
		Messages:      made.Messages,
		Tools:         made.Tools,
		Options:       made.Options,
		RequestId:     made.RequestId,
		TurnKey:       made.TurnKey,
		AfterSequence: made.AfterSequence,
		Continuation:  made.Continuation,
	})
	end(endedByCaller(err))
	if err != nil {
		return nil, final(err, made, unknown)
	}
	return doneFrom(response), nil
}

// call makes a unary call, and retries it where nothing was sent.
func call[In, Out proto.Message](
	ctx context.Context, c *Client, sessionID string,
	method func(context.Context, In, ...grpc.CallOption) (Out, error), in In,
) (Out, error) {
	out, _, err := callAgain(ctx, c, c.settings.retry.unsent, sessionID, method, in)
	return out, err
}

// callAgain does so by another rule. Unknown says that a try broke, of which nobody knows whether it was sent.
func callAgain[In, Out proto.Message](
	ctx context.Context, c *Client, again retryRule, sessionID string,
	method func(context.Context, In, ...grpc.CallOption) (Out, error), in In,
) (out Out, unknown bool, err error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	for attempt := 1; ; attempt++ {
		out, err := func() (out Out, err error) {
			outgoing, err := c.outgoing(ctx, sessionID)
			if err != nil {
				return out, err
			}
			return method(outgoing, in)
		}()
		if err == nil {
			return out, unknown, nil
		}
		err = errorFrom(ctx, err, nil, nil)
		unknown = unknown || isBroken(err)
		if err = c.wait(ctx, attempt, again, err); err != nil {
			var none Out
			return none, unknown, err
		}
	}
}

// wait returns nil when it is time for another try, or the error to return.
func (c *Client) wait(ctx context.Context, attempt int, again retryRule, err error) error {
	var failed *Error
	if !errors.As(err, &failed) || c.lingering.isClosed() {
		return err
	}
	delay, ok := again(attempt, failed)
	if deadline, limited := ctx.Deadline(); !ok || limited && time.Until(deadline) <= delay {
		return err
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		ended := contextError(ctx)
		ended.Sent, ended.Partial = failed.Sent, failed.Partial
		return ended
	}
}

func (c *Client) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.settings.timeout > 0 {
		return context.WithTimeout(ctx, c.settings.timeout)
	}
	return context.WithCancel(ctx)
}

// outgoing adds the metadata of a try to what the caller has set.
func (c *Client) outgoing(ctx context.Context, sessionID string) (context.Context, error) {
	pairs := []string{}
	if c.settings.inject != nil {
		header := http.Header{}
		c.settings.inject(ctx, header)
		for key := range header {
			pairs = append(pairs, key, header.Get(key))
		}
	}
	if c.settings.token != nil {
		token, err := c.settings.token(ctx)
		if err != nil {
			return nil, &tokenError{err}
		}
		if token != "" {
			pairs = append(pairs, "authorization", "Bearer "+token)
		}
	}
	if sessionID != "" && isPrintable(sessionID) {
		// For the load balancer. grpc would fail on a bad id; the service names the field.
		pairs = append(pairs, "x-session-id", sessionID)
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...), nil
}

func isPrintable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// tokenError is what the caller's own token source returned: no call was made.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return "trunkline: token: " + e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }
