package trunkline_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	trunkline "github.com/trunkline/trunkline/clients/go"
	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

type day struct {
	Name string `json:"name"`
	Heat *int   `json:"heat" description:"In Celsius."`
}

type forecast struct {
	Sky  string `json:"sky" enum:"clear,cloudy"`
	Days []day  `json:"days"`
}

const lima = `{"sky": "clear", "days": [{"name": "Monday", "heat": 21}, {"name": "Tuesday", "heat": null}]}`

func parse(t *testing.T, parts ...*trunkline.Part) (*fake, *trunkline.Conversation, forecast, error) {
	t.Helper()
	f := &fake{completed: []func(context.Context) (*pb.CompleteResponse, error){
		func(context.Context) (*pb.CompleteResponse, error) {
			answer := done(parts...).GetDone()
			return &pb.CompleteResponse{Message: answer.Message, StopReason: answer.StopReason}, nil
		},
	}}
	conversation := serve(t, f).NewConversation("m")
	value, _, err := trunkline.Parse[forecast](t.Context(), conversation, trunkline.User("Lima?"))
	return f, conversation, value, err
}

func TestAnAnswerIsAStruct(t *testing.T) {
	said := trunkline.TextPart("I look it up.")
	said.GetText().Phase = "commentary"
	f, conversation, value, err := parse(t, said, trunkline.TextPart(lima))
	heat := 21
	want := forecast{"clear", []day{{"Monday", &heat}, {"Tuesday", nil}}}
	if err != nil || !reflect.DeepEqual(value, want) || len(conversation.Messages) != 2 {
		t.Errorf("got %+v, %v", value, err)
	}
	format := f.complete[0].Options.Text.GetJsonSchema()
	schema := `{"type":"object","properties":{"sky":{"type":"string","enum":["clear","cloudy"]},` +
		`"days":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},` +
		`"heat":{"anyOf":[{"type":"integer","description":"In Celsius."},{"type":"null"}]}},` +
		`"required":["name","heat"],"additionalProperties":false}}},` +
		`"required":["sky","days"],"additionalProperties":false}`
	if format.Name != "forecast" || format.Schema != schema || !format.GetStrict() {
		t.Errorf("sent %v", format)
	}
}

func TestAStreamedAnswerIsAStructToo(t *testing.T) {
	client := serve(t, &fake{turns: []func(stream) error{say(nil, start(), done(trunkline.TextPart(lima)))}})
	conversation := client.NewConversation("m")
	done, err := trunkline.Result(
		conversation.Run(t.Context(), trunkline.User("Lima?"), trunkline.JSONSchemaOf[forecast]()))
	if err != nil {
		t.Fatal(err)
	}
	if value, err := trunkline.Parsed[forecast](done); err != nil || value.Sky != "clear" {
		t.Errorf("got %+v, %v", value, err)
	}
}

func TestAnAnswerThatDoesNotFitIsNamed(t *testing.T) {
	refusal := &trunkline.Part{Part: &pb.Part_Refusal{Refusal: &pb.RefusalPart{Text: "I will not."}}}
	for _, test := range []struct {
		part *trunkline.Part
		want string
	}{
		{trunkline.TextPart("sun"), `not a JSON object`},
		{trunkline.TextPart(""), `not a JSON object`},
		{trunkline.TextPart(`{"sky":"clear"}`), `"days" is missing`},
		{trunkline.TextPart(`{"sky":null,"days":[]}`), `"sky" is missing`},
		{trunkline.TextPart(`{"sky":"clear","days":[{"heat":1}]}`), `"days[0].name" is missing`},
		{trunkline.TextPart(`{"sky":1,"days":[]}`), `json: cannot unmarshal number into Go struct field forecast.sky of type string`},
		{trunkline.TextPart(`{"sky":"clear","days":[],"wind":1}`), `json: unknown field "wind"`},
		{refusal, `the model refused: I will not.`},
	} {
		_, conversation, value, err := parse(t, test.part)
		var unfit *trunkline.ParseError
		if !errors.As(err, &unfit) || err.Error() != "trunkline: the answer is no trunkline_test.forecast: "+test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
		if value.Sky != "" || unfit.Done.Text() != test.part.GetText().GetText() || len(conversation.Messages) != 2 {
			t.Errorf("%s: got %+v", test.want, value)
		}
	}
}

func TestAnAnswerThatIsCutShortIsNone(t *testing.T) {
	cut := &trunkline.Done{Message: trunkline.Assistant(`{"sky"`), StopReason: trunkline.StopReasonLength}
	_, err := trunkline.Parsed[forecast](cut)
	if want := "trunkline: the answer is no trunkline_test.forecast: the model stopped because of length"; err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestWhatHasNoStrictSchema(t *testing.T) {
	type node struct{ Next *node }
	for name, ask := range map[string]func() trunkline.Option{
		"a map":         trunkline.JSONSchemaOf[struct{ M map[string]int }],
		"any":           trunkline.JSONSchemaOf[struct{ A any }],
		"no struct":     trunkline.JSONSchemaOf[string],
		"inside itself": trunkline.JSONSchemaOf[node],
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			ask()
		}()
	}
}
