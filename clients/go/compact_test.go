package trunkline_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	trunkline "github.com/trunkline/trunkline/clients/go"
	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

func shortened() (*pb.CompactResponse, error) {
	return &pb.CompactResponse{
		Messages: []*pb.Message{
			trunkline.User("One"),
			trunkline.User("", trunkline.UpstreamItem(`{"type":"compaction","id":"cmp_1"}`)),
		},
		Usage: &pb.Usage{InputTokens: 40, OutputTokens: 2, TotalTokens: 42}, ResponseId: "resp_1",
		CreatedAt: timestamppb.New(time.Unix(7, 0)), Provider: "p",
	}, nil
}

func TestCompact(t *testing.T) {
	f := &fake{compacted: []func() (*pb.CompactResponse, error){
		func() (*pb.CompactResponse, error) { return nil, failure(codes.Unavailable, "CONNECT_FAILED", "false") },
		shortened,
	}}
	made := request()
	made.Instructions = "Be brief."
	compaction, err := serve(t, f).Compact(t.Context(), made,
		trunkline.RequestID("r1"), trunkline.Store(false), trunkline.PromptCacheKey("k"), trunkline.ServiceTier("flex"))
	if err != nil || len(f.compact) != 2 {
		t.Fatalf("got %v after %d tries", err, len(f.compact))
	}
	want := &pb.CompactRequest{
		SessionId: "s1", Model: "m1", Instructions: "Be brief.", Messages: made.Messages, RequestId: "r1",
		Store: proto.Bool(false), PromptCacheKey: "k", ServiceTier: "flex",
	}
	if !proto.Equal(f.compact[1], want) {
		t.Errorf("sent %v", f.compact[1])
	}
	if len(compaction.Messages) != 2 || compaction.Usage.TotalTokens != 42 || compaction.ResponseID != "resp_1" ||
		!compaction.CreatedAt.Equal(time.Unix(7, 0)) || compaction.Provider != "p" {
		t.Errorf("got %+v", compaction)
	}
}

func TestAConversationIsCompacted(t *testing.T) {
	f := &fake{turns: []func(stream) error{answer("Hello")}, compacted: []func() (*pb.CompactResponse, error){shortened}}
	conversation := serve(t, f).NewConversation("m1")
	conversation.Options = []trunkline.Option{trunkline.Store(true)}
	for _, question := range []string{"One", "Two"} {
		if _, err := trunkline.Result(conversation.Stream(t.Context(), trunkline.User(question))); err != nil {
			t.Fatal(err)
		}
	}
	compaction, err := conversation.Compact(t.Context(), trunkline.RequestID("r1"))
	if err != nil {
		t.Fatal(err)
	}
	if sent := f.compact[0]; len(sent.Messages) != 4 || !sent.GetStore() || sent.RequestId != "r1" || sent.SessionId != conversation.SessionID {
		t.Errorf("sent %v", sent)
	}
	if !slices.Equal(conversation.Messages, compaction.Messages) {
		t.Errorf("kept %v", conversation.Messages)
	}
	if _, err := trunkline.Result(conversation.Stream(t.Context(), trunkline.User("Three"))); err != nil {
		t.Fatal(err)
	}
	if sent := f.requests[2].Messages; len(sent) != 3 || !proto.Equal(sent[1], compaction.Messages[1]) || len(compaction.Messages) != 2 {
		t.Errorf("sent %v", sent)
	}
}

func TestACompactionThatFailsChangesNothing(t *testing.T) {
	f := &fake{turns: []func(stream) error{answer("Hello")}, compacted: []func() (*pb.CompactResponse, error){
		func() (*pb.CompactResponse, error) { return nil, failure(codes.Internal, "UPSTREAM_ERROR", "true") },
	}}
	conversation := serve(t, f).NewConversation("m1")
	for event, err := range conversation.Stream(t.Context(), trunkline.User("Hi")) {
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := event.(*trunkline.Start); ok {
			if _, err := conversation.Compact(t.Context()); !errors.Is(err, trunkline.ErrTurnOpen) || len(f.compact) != 0 {
				t.Errorf("got %v beside a turn", err)
			}
		}
	}
	_, err := conversation.Compact(t.Context())
	if e := failed(t, err); e.Reason != "UPSTREAM_ERROR" || e.Sent != trunkline.SentYes || len(conversation.Messages) != 2 {
		t.Errorf("got %+v, kept %v", e, conversation.Messages)
	}
	if _, err := trunkline.Result(conversation.Stream(t.Context(), nil)); err != nil {
		t.Errorf("the conversation is still closed to turns: %v", err)
	}
}
