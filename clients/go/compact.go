package trunkline

import (
	"context"
	"slices"
	"time"

	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

// A Compaction is a conversation that the upstream has shortened.
type Compaction struct {
	// Messages replace those of the request, unchanged: some of them, and an item of type "compaction" that stands for the rest.
	Messages   []*Message
	Usage      Usage
	ResponseID string // the upstream's id of the compaction
	CreatedAt  time.Time
	Provider   string
}

// Compact lets the upstream shorten a conversation. Tools and Continuation of the request do not count, and of the
// options only [RequestID], [Store], [PromptCacheKey] and [ServiceTier]. It fails as any call does.
func (c *Client) Compact(ctx context.Context, request Request, options ...Option) (*Compaction, error) {
	made := request.proto(options)
	response, err := call(ctx, c, made.SessionId, c.completions.Compact, &pb.CompactRequest{
		SessionId:      made.SessionId,
		Model:          made.Model,
		Instructions:   made.Instructions,
		Messages:       made.Messages,
		RequestId:      made.RequestId,
		Store:          made.Options.Store,
		PromptCacheKey: made.Options.PromptCacheKey,
		ServiceTier:    made.Options.ServiceTier,
	})
	if err != nil {
		return nil, err
	}
	return &Compaction{
		Messages:   response.GetMessages(),
		Usage:      usageFrom(response.GetUsage()),
		ResponseID: response.GetResponseId(),
		CreatedAt:  timeFrom(response.GetCreatedAt()),
		Provider:   response.GetProvider(),
	}, nil
}

// Compact replaces the messages by fewer that mean the same to the model. Where it fails nothing changes. It counts as a
// turn: while one is open, or the other way round, there is [ErrTurnOpen].
func (c *Conversation) Compact(ctx context.Context, options ...Option) (*Compaction, error) {
	settle, err := c.begin(nil)
	if err != nil {
		return nil, err
	}
	defer settle(nil)
	compaction, err := c.client.Compact(ctx, c.request(nil), c.options(options)...)
	if err != nil {
		return nil, err
	}
	c.Messages = slices.Clone(compaction.Messages)
	return compaction, nil
}
