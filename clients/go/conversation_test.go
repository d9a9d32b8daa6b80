package trunkline_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	trunkline "github.com/trunkline/trunkline/clients/go"
	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

func TestAConversationKeepsItsMessages(t *testing.T) {
	said := trunkline.TextPart("Hello")
	said.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1))
	f := &fake{turns: []func(stream) error{say(nil, start(), done(said)), answer("Again")}}
	conversation := serve(t, f).NewConversation("m1")
	conversation.Instructions = "Be brief."
	conversation.Options = []trunkline.Option{trunkline.Temperature(0), trunkline.TopP(1)}
	for _, question := range []string{"One", "Two"} {
		turn := conversation.Stream(t.Context(), trunkline.User(question), trunkline.TopP(0.5))
		if _, err := trunkline.Result(turn); err != nil {
			t.Fatal(err)
		}
	}
	second := f.requests[1]
	if len(second.Messages) != 3 || !proto.Equal(second.Messages[1].Parts[0], said) {
		t.Errorf("the answer was not echoed as it came: %v", second.Messages)
	}
	if second.Model != "m1" || second.Instructions != "Be brief." || second.SessionId != conversation.SessionID ||
		len(second.SessionId) != 32 || second.Options.GetTemperature() != 0 || second.Options.GetTopP() != 0.5 {
		t.Errorf("sent %v", second)
	}
	if len(conversation.Messages) != 4 {
		t.Errorf("kept %v", conversation.Messages)
	}
}

func TestAConversationSendsTheLatestContinuation(t *testing.T) {
	stored := func(token string) func(stream) error {
		end := done(trunkline.TextPart("Hello"))
		end.GetDone().Continuation, end.GetDone().Report = token, &pb.TurnReport{Attached: true}
		return say(nil, start(), end)
	}
	f := &fake{
		turns: []func(stream) error{stored("t1"), say(status.Error(codes.Internal, "broken"), start()), answer("Hello")},
		completed: []func(context.Context) (*pb.CompleteResponse, error){func(context.Context) (*pb.CompleteResponse, error) {
			return &pb.CompleteResponse{Message: trunkline.Assistant("Hello"), Continuation: "t2"}, nil
		}},
	}
	client := serve(t, f)
	conversation := client.NewConversation("m1")
	end, err := trunkline.Result(conversation.Stream(t.Context(), trunkline.User("One")))
	if err != nil || end.Continuation != "t1" || !end.Report.Attached {
		t.Fatalf("got %+v, %v", end, err)
	}
	if _, err := trunkline.Result(conversation.Stream(t.Context(), trunkline.User("Two"))); err == nil {
		t.Error("no error")
	}
	if _, err := conversation.Complete(t.Context(), trunkline.User("Two")); err != nil {
		t.Fatal(err)
	}
	elsewhere := client.NewConversation("m1")
	elsewhere.Messages, elsewhere.Continuation = conversation.Messages, conversation.Continuation
	if _, err := trunkline.Result(elsewhere.Stream(t.Context(), trunkline.User("Three"))); err != nil {
		t.Fatal(err)
	}
	sent := []string{f.requests[0].Continuation, f.requests[1].Continuation, f.complete[0].Continuation, f.requests[2].Continuation}
	if want := []string{"", "t1", "t1", "t2"}; !slices.Equal(sent, want) || elsewhere.Continuation != "" {
		t.Errorf("sent %q, kept %q", sent, elsewhere.Continuation)
	}
}

func TestATurnThatFailsOrIsLeftChangesNothing(t *testing.T) {
	left := make(chan struct{})
	f := &fake{turns: []func(stream) error{
		say(status.Error(codes.Internal, "broken"), start(), text(0, "half")),
		hang(left, start(), text(0, "half")),
		answer("Hello"),
	}, completed: []func(context.Context) (*pb.CompleteResponse, error){
		func(context.Context) (*pb.CompleteResponse, error) {
			return nil, status.Error(codes.Internal, "broken")
		},
		func(context.Context) (*pb.CompleteResponse, error) {
			return &pb.CompleteResponse{Message: trunkline.Assistant("Hello")}, nil
		},
	}}
	conversation := serve(t, f).NewConversation("m1")
	if _, err := trunkline.Result(conversation.Stream(t.Context(), trunkline.User("Hi"))); err == nil {
		t.Error("no error")
	}
	for range conversation.Stream(t.Context(), trunkline.User("Hi")) {
		break
	}
	<-left
	if _, err := conversation.Complete(t.Context(), trunkline.User("Hi")); err == nil {
		t.Error("no error")
	}
	if len(conversation.Messages) != 0 {
		t.Errorf("kept %v", conversation.Messages)
	}
	if _, err := trunkline.Result(conversation.Stream(t.Context(), trunkline.User("Hi"))); err != nil {
		t.Error(err)
	}
	if _, err := conversation.Complete(t.Context(), trunkline.User("Hi")); err != nil {
		t.Error(err)
	}
	if len(conversation.Messages) != 4 {
		t.Errorf("kept %v", conversation.Messages)
	}
}

func TestOneTurnAtATime(t *testing.T) {
	conversation := serve(t, &fake{turns: []func(stream) error{answer("Hello")}}).NewConversation("m1")
	second := func() error {
		_, err := trunkline.Result(conversation.Stream(t.Context(), nil))
		return err
	}
	for event, err := range conversation.Stream(t.Context(), trunkline.User("Hi")) {
		if err != nil {
			t.Fatal(err)
		}
		if _, ended := event.(*trunkline.Done); ended {
			if err := second(); err != nil { // the conversation has the answer already
				t.Error(err)
			}
			continue
		}
		if err := second(); !errors.Is(err, trunkline.ErrTurnOpen) {
			t.Errorf("got %v", err)
		}
		if _, err := conversation.Complete(t.Context(), nil); !errors.Is(err, trunkline.ErrTurnOpen) {
			t.Errorf("got %v", err)
		}
	}
	if len(conversation.Messages) != 3 {
		t.Errorf("kept %v", conversation.Messages)
	}
}

func lookup(call func(ctx context.Context, query string) (string, error)) trunkline.Tool {
	type arguments struct {
		Query string `json:"query"`
	}
	return trunkline.NewTool("lookup", "Looks something up.", func(ctx context.Context, in arguments) (string, error) {
		return call(ctx, in.Query)
	})
}

func results(messages []*trunkline.Message) (found []string) {
	for _, message := range messages {
		for _, part := range message.Parts {
			if result := part.GetToolResult(); result != nil {
				word := result.CallId + "=" + trunkline.Text(&trunkline.Message{Parts: result.Parts})
				if result.IsError {
					word += "!"
				}
				found = append(found, word)
			}
		}
	}
	return found
}

func TestRunCallsToolsSideBySide(t *testing.T) {
	f := &fake{turns: []func(stream) error{calls("a", "b"), calls("c"), answer("Well.")}}
	conversation := serve(t, f).NewConversation("m1")
	var together sync.WaitGroup
	together.Add(2)
	conversation.Tools = []trunkline.Tool{lookup(func(_ context.Context, query string) (string, error) {
		if query != "c" {
			together.Done()
			together.Wait() // hangs unless both are called at once
		}
		return "found " + query, nil
	})}
	end, err := trunkline.Result(conversation.Run(t.Context(), trunkline.User("Look.")))
	if err != nil || end.Text() != "Well." {
		t.Fatalf("got %v, %v", end, err)
	}
	if got := results(conversation.Messages); !slices.Equal(got, []string{"a=found a", "b=found b", "c=found c"}) {
		t.Errorf("got %v", got)
	}
	if got := f.requests[2].Messages; len(got) != 6 || f.requests[0].Tools[0].Name != "lookup" {
		t.Errorf("sent %v", got)
	}
}

func TestToolErrorsAreReportedToTheModel(t *testing.T) {
	call := func(name, arguments string) func(stream) error {
		part := &pb.ToolCallPart{CallId: "a", Name: name, Arguments: arguments}
		return say(nil, start(), done(&pb.Part{Part: &pb.Part_ToolCall{ToolCall: part}}))
	}
	tool := lookup(func(context.Context, string) (string, error) { return "", errors.New("no luck") })
	for _, test := range []struct{ name, arguments, want string }{
		{"lookup", `{"query":"x"}`, "a=no luck!"},
		{"lookup", `{"query": unquoted,}`, "a=the arguments are not a JSON object!"},
		{"lookup", `null`, "a=the arguments are not a JSON object!"},
		{"lookup", `{}`, `a=the arguments do not fit: "query" is missing!`},
		{"lookup", `{"query":1}`, "a=the arguments do not fit: "},
		{"lookup", `{"query":"x","more":1}`, "a=the arguments do not fit: "},
		{"other", `{}`, `a=there is no tool named "other"!`},
		{"declared", `{}`, `a=there is no tool named "declared"!`},
	} {
		f := &fake{turns: []func(stream) error{call(test.name, test.arguments), answer("Well.")}}
		conversation := serve(t, f).NewConversation("m1")
		conversation.Tools = []trunkline.Tool{tool, {Name: "declared"}}
		if _, err := trunkline.Result(conversation.Run(t.Context(), nil)); err != nil {
			t.Fatal(err)
		}
		got := results(conversation.Messages)
		if len(got) != 1 || !strings.HasPrefix(got[0], test.want) || !strings.HasSuffix(got[0], "!") {
			t.Errorf("%s: got %v, want %s", test.arguments, got, test.want)
		}
	}
}

func TestRunGoesOnWhereItStopped(t *testing.T) {
	count := 0
	tool := lookup(func(context.Context, string) (string, error) { count++; return "found", nil })
	f := &fake{turns: []func(stream) error{
		calls("a"), calls("b"), say(status.Error(codes.Internal, "broken")), calls("c"), answer("Well."),
	}}
	conversation := serve(t, f).NewConversation("m1")
	conversation.Tools = []trunkline.Tool{tool}
	conversation.MaxRounds = 2
	end, err := trunkline.Result(conversation.Run(t.Context(), trunkline.User("Look.")))
	if err != nil || len(end.ToolCalls()) != 1 || len(conversation.OpenCalls()) != 1 {
		t.Fatalf("got %v, %v", end, err)
	}
	if _, err := trunkline.Result(conversation.Run(t.Context(), nil)); err == nil || count != 2 {
		t.Fatalf("got %v after %d calls", err, count)
	}
	end, err = trunkline.Result(conversation.Run(t.Context(), nil))
	if err != nil || end.Text() != "Well." || count != 3 {
		t.Errorf("got %v, %v after %d calls", end, err, count)
	}
}

func TestACancelledRunKeepsNoResults(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	conversation := serve(t, &fake{turns: []func(stream) error{calls("a")}}).NewConversation("m1")
	conversation.Tools = []trunkline.Tool{lookup(func(ctx context.Context, _ string) (string, error) {
		cancel()
		return "", ctx.Err()
	})}
	_, err := trunkline.Result(conversation.Run(ctx, trunkline.User("Look.")))
	if e := failed(t, err); e.Reason != trunkline.ReasonCancelled || len(conversation.OpenCalls()) != 1 {
		t.Errorf("got %+v, open %v", e, conversation.OpenCalls())
	}
}

func TestAPanicOfAToolReachesTheCaller(t *testing.T) {
	conversation := serve(t, &fake{turns: []func(stream) error{calls("a")}}).NewConversation("m1")
	conversation.Tools = []trunkline.Tool{lookup(func(context.Context, string) (string, error) { panic("a bug") })}
	defer func() {
		if value, _ := recover().(string); !strings.Contains(value, "tool lookup: a bug") {
			t.Errorf("recovered %v", value)
		}
	}()
	_, _ = trunkline.Result(conversation.Run(t.Context(), trunkline.User("Look.")))
	t.Error("no panic")
}

func TestResultsOfTools(t *testing.T) {
	picture := trunkline.ImageURL("https://example.com/a.png")
	for _, test := range []struct {
		tool trunkline.Tool
		want []*trunkline.Part
	}{
		{returning("a <b>"), []*trunkline.Part{trunkline.TextPart("a <b>")}},
		{returning(picture), []*trunkline.Part{picture}},
		{returning([]*trunkline.Part{picture, picture}), []*trunkline.Part{picture, picture}},
		{returning(map[string]string{"k": "<é>"}), []*trunkline.Part{trunkline.TextPart(`{"k":"<é>"}`)}},
		{returning[any](nil), nil},
	} {
		got, err := test.tool.Func(t.Context(), json.RawMessage(`{}`))
		if err != nil || !slices.Equal(got, test.want) && trunkline.Text(&pb.Message{Parts: got}) != trunkline.Text(&pb.Message{Parts: test.want}) {
			t.Errorf("got %v, %v, want %v", got, err, test.want)
		}
	}
	if _, err := returning(func() {}).Func(t.Context(), json.RawMessage(`{}`)); err == nil {
		t.Error("a function is no JSON")
	}
}

func returning[Out any](out Out) trunkline.Tool {
	return trunkline.NewTool("f", "", func(context.Context, struct{}) (Out, error) { return out, nil })
}
