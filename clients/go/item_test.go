package trunkline_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	trunkline "github.com/trunkline/trunkline/clients/go"
	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

const request1 = `{"type":"mcp_approval_request","id":"mcpr_1"}`

// waiting is a turn in which the model waits for the caller.
func waiting(parts ...*trunkline.Part) func(stream) error {
	return say(nil, start(), &response{Event: &pb.StreamCompletionResponse_Done{Done: &pb.Done{
		Message:     &pb.Message{Role: pb.Role_ROLE_ASSISTANT, Parts: parts},
		StopReason:  pb.StopReason_STOP_REASON_ACTION_REQUIRED,
		ServiceTier: "flex",
		Usage:       &pb.Usage{DetailsJson: `{"total_tokens":1}`},
		Report:      &pb.TurnReport{IgnoredEvents: map[string]int32{"response.odd": 2}},
	}}})
}

func types(items []*trunkline.UpstreamItemPart) (found []string) {
	for _, item := range items {
		found = append(found, item.Type)
	}
	return found
}

func TestItemsAreKeptAsTheyAreWritten(t *testing.T) {
	for written, kind := range map[string]string{
		`{ "type": "item_reference", "id": "x" }`: "item_reference",
		`{"type":7}`:   "",
		`{"id":"x"}`:   "",
		`["type"]`:     "",
		`{"type":"x"`:  "",
		`{"Type":"x"}`: "",
	} {
		item := trunkline.UpstreamItem(written).GetUpstreamItem()
		if item.Type != kind || item.Json != written {
			t.Errorf("%s became %v", written, item)
		}
	}
}

func TestApprovals(t *testing.T) {
	request := trunkline.UpstreamItem(request1).GetUpstreamItem()
	for _, want := range []struct {
		approve bool
		reason  string
		json    string
	}{
		{true, "", `{"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":true}`},
		{false, "<no>", `{"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":false,"reason":"<no>"}`},
	} {
		part, err := trunkline.Approval(request, want.approve, want.reason)
		if err != nil || part.GetUpstreamItem().Json != want.json {
			t.Errorf("got %v, %v", part, err)
		}
	}
	for _, written := range []string{`{"type":"shell_call","id":"x"}`, `{"type":"mcp_approval_request"}`} {
		if _, err := trunkline.Approval(trunkline.UpstreamItem(written).GetUpstreamItem(), true, ""); err == nil {
			t.Errorf("%s was approved", written)
		}
	}
}

func TestActionsAreTheItemsThatNothingAnswers(t *testing.T) {
	var parts []*trunkline.Part
	for _, written := range []string{
		`{"type":"web_search_call","id":"ws_1"}`,
		`{"type":"shell_call","call_id":"c1"}`,
		`{"type":"shell_call","call_id":"c2"}`,
		`{"type":"shell_call_output","call_id":"c1"}`,
		request1,
		`{"type":"mcp_approval_request","id":"mcpr_2"}`,
		`{"type":"mcp_call","approval_request_id":"mcpr_2"}`,
		`{"type":"apply_patch_call","call_id":7}`,
		`not JSON`,
	} {
		parts = append(parts, trunkline.UpstreamItem(written))
	}
	done := &trunkline.Done{
		Message:    &trunkline.Message{Parts: append(parts, trunkline.TextPart("Wait."))},
		StopReason: trunkline.StopReasonActionRequired,
	}
	if found := types(done.Actions()); !slices.Equal(found, []string{"shell_call", "mcp_approval_request"}) {
		t.Errorf("got %v", found)
	}
	if len(done.UpstreamItems()) != 9 {
		t.Errorf("got %v", done.UpstreamItems())
	}
	if done.StopReason = trunkline.StopReasonStop; done.Actions() != nil {
		t.Errorf("a turn that stopped waits for %v", done.Actions())
	}
}

func TestCitationsAndLogprobsOfAllTexts(t *testing.T) {
	first, second, third := trunkline.TextPart("a"), trunkline.TextPart("b"), trunkline.TextPart("c")
	first.GetText().AnnotationsJson = `[{"url":"1"}, {"url":"2"}]`
	second.GetText().AnnotationsJson = `[{`
	third.GetText().AnnotationsJson = `[{"url":"3"}]`
	third.GetText().LogprobsJson = `[{"token":"c"}]`
	done := &trunkline.Done{Message: &trunkline.Message{Parts: []*trunkline.Part{first, second, third}}}
	var urls string
	for _, annotation := range done.Annotations() {
		var fields struct{ URL string }
		if err := json.Unmarshal(annotation, &fields); err != nil {
			t.Fatal(err)
		}
		urls += fields.URL
	}
	if urls != "123" || len(done.Logprobs()) != 1 || string(done.Logprobs()[0]) != `{"token":"c"}` {
		t.Errorf("got %s, %s", urls, done.Logprobs())
	}
}

func TestRunStopsWhereTheModelWaits(t *testing.T) {
	open := &pb.ToolCallPart{CallId: "c1", Name: "lookup", Arguments: `{"query":"q"}`}
	f := &fake{turns: []func(stream) error{
		waiting(trunkline.UpstreamItem(request1), &pb.Part{Part: &pb.Part_ToolCall{ToolCall: open}}), answer("Done"),
	}}
	conversation := serve(t, f).NewConversation("m1")
	conversation.Tools = []trunkline.Tool{
		lookup(func(_ context.Context, query string) (string, error) { return "found " + query, nil }),
	}
	done, err := trunkline.Result(conversation.Run(t.Context(), trunkline.User("Go")))
	if err != nil || done.StopReason != trunkline.StopReasonActionRequired || len(f.requests) != 1 {
		t.Fatalf("got %v, %v after %d turns", done, err, len(f.requests))
	}
	if done.ServiceTier != "flex" || done.Usage.DetailsJSON == "" || done.Report.IgnoredEvents["response.odd"] != 2 {
		t.Errorf("got %+v", done)
	}
	approval, err := trunkline.Approval(done.Actions()[0], true, "")
	if err != nil {
		t.Fatal(err)
	}
	items := []*trunkline.Part{approval}
	if _, err := trunkline.Result(conversation.Answer(t.Context(), items)); err != nil {
		t.Fatal(err)
	}
	sent := f.requests[1].Messages // the question, the answer, the result of the open call, what answers the action
	if len(sent) != 4 || sent[2].Parts[0].GetToolResult() == nil || sent[3].Role != pb.Role_ROLE_TOOL ||
		!proto.Equal(sent[3].Parts[0], approval) {
		t.Errorf("sent %v", sent)
	}
}

func TestACallThatAnItemAnswersIsNotOpen(t *testing.T) {
	answer := trunkline.Assistant("Well.")
	for _, id := range []string{"c1", "c2"} {
		call := &pb.ToolCallPart{CallId: id, Name: "lookup"}
		answer.Parts = append(answer.Parts, &pb.Part{Part: &pb.Part_ToolCall{ToolCall: call}})
	}
	answer.Parts = append(answer.Parts, trunkline.UpstreamItem(`{"type":"function_call_output","call_id":"c1"}`),
		trunkline.UpstreamItem(`{"type":"shell_call","call_id":"c2"}`))
	conversation := serve(t, &fake{}).NewConversation("m1")
	conversation.Messages = []*trunkline.Message{trunkline.User("Go"), answer}
	if open := conversation.OpenCalls(); len(open) != 1 || open[0].CallId != "c2" {
		t.Errorf("open are %v", open)
	}
	output := trunkline.UpstreamItem(`{"type":"custom_tool_call_output","call_id":"c2"}`)
	conversation.Messages = append(conversation.Messages, trunkline.ActionResult(output))
	if open := conversation.OpenCalls(); len(open) != 0 {
		t.Errorf("open are %v", open)
	}
}

func TestProgressIsAnEvent(t *testing.T) {
	f := &fake{turns: []func(stream) error{say(nil, start(), &response{
		Event: &pb.StreamCompletionResponse_ItemProgress{ItemProgress: &pb.ItemProgress{
			ContentIndex: 2, ItemType: "web_search_call", EventType: "response.web_search_call.searching", Json: "{}",
		}},
	}, done())}}
	var seen []trunkline.Event
	for event, err := range serve(t, f).Stream(t.Context(), request()) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, event)
	}
	progress, ok := seen[1].(*trunkline.ItemProgress)
	want := trunkline.ItemProgress{ContentIndex: 2, ItemType: "web_search_call",
		EventType: "response.web_search_call.searching", JSON: "{}"}
	if !ok || *progress != want {
		t.Errorf("got %v", seen[1])
	}
}
