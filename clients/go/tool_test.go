package trunkline_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	trunkline "github.com/trunkline/trunkline/clients/go"
	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

func customCall(id, name, input string) *trunkline.Part {
	call := &pb.ToolCallPart{CallId: id, Name: name, Arguments: input, Kind: pb.ToolCallKind_TOOL_CALL_KIND_CUSTOM}
	return &pb.Part{Part: &pb.Part_ToolCall{ToolCall: call}}
}

func TestToolsAreDeclaredByTheirDefinition(t *testing.T) {
	shout := trunkline.NewCustomTool("shout", "Takes <any> text.", func(context.Context, string) (string, error) {
		return "", nil
	})
	search := trunkline.DefineTool(`{ "type": "web_search", "name": "unused" }`)
	f := &fake{turns: []func(stream) error{answer("Hello")}}
	asked := request()
	asked.Tools = []trunkline.Tool{shout, search, trunkline.DefineTool("{")}
	_, err := trunkline.Result(serve(t, f).Stream(t.Context(), asked,
		trunkline.ChoiceDefinition(`{"type":"web_search"}`), trunkline.Include("a", "b")))
	if err != nil {
		t.Fatal(err)
	}
	sent := f.requests[0]
	for i, definition := range []string{
		`{"type":"custom","name":"shout","description":"Takes <any> text."}`, `{ "type": "web_search", "name": "unused" }`, "{",
	} {
		if !proto.Equal(sent.Tools[i], &pb.Tool{DefinitionJson: definition}) {
			t.Errorf("sent %v", sent.Tools[i])
		}
	}
	if shout.Name != "shout" || search.Name != "" {
		t.Errorf("named %q and %q", shout.Name, search.Name)
	}
	if sent.Options.ToolChoice.GetDefinitionJson() != `{"type":"web_search"}` ||
		!slices.Equal(sent.Options.Include, []string{"a", "b"}) {
		t.Errorf("sent %v", sent.Options)
	}
}

func TestRunCallsCustomToolsWithTheirText(t *testing.T) {
	function := &pb.ToolCallPart{CallId: "c3", Name: "shout", Arguments: "{}"}
	f := &fake{turns: []func(stream) error{say(nil, start(), done(
		customCall("c1", "shout", "{not: json"), customCall("c2", "lookup", "x"),
		&pb.Part{Part: &pb.Part_ToolCall{ToolCall: function}}, customCall("c4", "shout", "fail"),
	)), answer("Done")}}
	conversation := serve(t, f).NewConversation("m1")
	conversation.Tools = []trunkline.Tool{
		lookup(func(context.Context, string) (string, error) { return "", nil }),
		trunkline.NewCustomTool("shout", "", func(_ context.Context, input string) (string, error) {
			if input == "fail" {
				return "", errors.New("it failed")
			}
			return "found " + input, nil
		}),
	}
	if _, err := trunkline.Result(conversation.Run(t.Context(), trunkline.User("Go"))); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"c1=found {not: json", `c2=the tool "lookup" is not a custom one!`,
		`c3=the tool "shout" is a custom one!`, "c4=it failed!",
	}
	if got := results(f.requests[1].Messages); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
