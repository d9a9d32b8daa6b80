package trunkline_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	trunkline "github.com/trunkline/trunkline/clients/go"
	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

func TestEventsAreTyped(t *testing.T) {
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	client := serve(t, &fake{turns: []func(stream) error{say(nil,
		start(),
		&response{Event: &pb.StreamCompletionResponse_ReasoningDelta{ReasoningDelta: &pb.ReasoningDelta{
			Delta: "hm", Kind: pb.ReasoningKind_REASONING_KIND_SUMMARY,
		}}},
		text(1, "Hel"),
		&response{Event: &pb.StreamCompletionResponse_RefusalDelta{RefusalDelta: &pb.RefusalDelta{
			ContentIndex: 2, Delta: "no",
		}}},
		&response{Event: &pb.StreamCompletionResponse_ToolCallDelta{ToolCallDelta: &pb.ToolCallDelta{
			ContentIndex: 3, CallId: "c1", Name: "f", ArgumentsDelta: "{",
		}}},
		&response{Event: &pb.StreamCompletionResponse_Done{Done: &pb.Done{
			Message: trunkline.Assistant("Hello"), StopReason: 17, Model: "m2", Provider: "p",
			CreatedAt: timestamppb.New(created), Usage: &pb.Usage{InputTokens: 3, TotalTokens: 5},
			Report: &pb.TurnReport{
				Transport: pb.Transport_TRANSPORT_SSE, Context: pb.Context_CONTEXT_INCREMENTAL, BytesSaved: 7,
				Timings: &pb.Timings{Total: durationpb.New(time.Second)},
			},
		}}},
	)}})
	var got []trunkline.Event
	for event, err := range client.Stream(t.Context(), request()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, event)
	}
	if len(got) != 6 {
		t.Fatalf("got %d events", len(got))
	}
	for i, want := range []trunkline.Event{
		&trunkline.Start{TurnID: "t1", Model: "m1", Transport: trunkline.TransportWebSocket, Context: trunkline.ContextFull},
		&trunkline.ReasoningDelta{Delta: "hm", Of: trunkline.ReasoningSummaryText},
		&trunkline.TextDelta{ContentIndex: 1, Delta: "Hel"},
		&trunkline.RefusalDelta{ContentIndex: 2, Delta: "no"},
		&trunkline.ToolCallDelta{ContentIndex: 3, CallID: "c1", Name: "f", Delta: "{"},
	} {
		if !reflect.DeepEqual(got[i], want) {
			t.Errorf("got %+v", got[i])
		}
	}
	end := got[5].(*trunkline.Done)
	if end.Text() != "Hello" || end.StopReason != "17" || !end.CreatedAt.Equal(created) || end.Usage.TotalTokens != 5 {
		t.Errorf("got %+v", end)
	}
	if r := end.Report; r.Transport != "sse" || r.Context != "incremental" || r.BytesSaved != 7 || r.Timings.Total != time.Second {
		t.Errorf("got %+v", r)
	}
}

func TestUnknownEventKindsAreIgnored(t *testing.T) {
	unknown := &response{}
	field := protowire.AppendTag(nil, 14, protowire.BytesType)
	unknown.ProtoReflect().SetUnknown(protowire.AppendString(field, "from the future"))
	client := serve(t, &fake{turns: []func(stream) error{say(nil, start(), unknown, text(0, "a"), unknown, done())}})
	count := 0
	for _, err := range client.Stream(t.Context(), request()) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	if count != 3 {
		t.Errorf("got %d events, want 3", count)
	}
}

func TestEventsAreCountedAndHeartbeatsAreNot(t *testing.T) {
	heartbeat := &response{Event: &pb.StreamCompletionResponse_Heartbeat{Heartbeat: &pb.Heartbeat{}}, Sequence: 1}
	events := []*response{start(), text(0, "a"), done()}
	for i, sequence := range []int64{1, 3, 4} { // the second is of a kind that is left out
		events[i].Sequence = sequence
	}
	f := &fake{turns: []func(stream) error{say(nil, events[0], heartbeat, heartbeat, events[1], events[2])}}
	var got []int64
	for event, err := range serve(t, f).Stream(t.Context(), request(), trunkline.TurnKey("k"), trunkline.AfterSequence(0)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, event.Sequence())
	}
	if !slices.Equal(got, []int64{1, 3, 4}) {
		t.Errorf("got %v", got)
	}
}
