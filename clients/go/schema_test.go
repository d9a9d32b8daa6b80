package trunkline_test

import (
	"context"
	"encoding/json"
	"testing"

	trunkline "github.com/trunkline/trunkline/clients/go"
)

func TestSchemas(t *testing.T) {
	type place struct {
		City string `json:"city" description:"Its name, in \"English\"."`
	}
	type Embedded struct {
		Deep int8
	}
	type arguments struct {
		place
		Embedded
		Where   place           `json:"where" description:"Where to look."`
		Unit    string          `json:"unit,omitempty" enum:"c,f"`
		Days    *int            `json:"days"`
		Ratio   float32         `json:"ratio,omitzero"`
		Tags    []string        `json:"tags"`
		Blob    []byte          `json:"blob"`
		More    map[string]bool `json:"more"`
		Any     any             `json:"any" description:"Anything."`
		Raw     json.RawMessage `json:"raw"`
		Ignored string          `json:"-"`
	}
	tool := trunkline.NewTool("f", "", func(context.Context, arguments) (string, error) { return "", nil })
	want := `{"type":"object","properties":{` +
		`"city":{"type":"string","description":"Its name, in \"English\"."},` +
		`"Deep":{"type":"integer"},` +
		`"where":{"type":"object","properties":{"city":{"type":"string","description":"Its name, in \"English\"."}},` +
		`"required":["city"],"additionalProperties":false,"description":"Where to look."},` +
		`"unit":{"type":"string","enum":["c","f"]},"days":{"type":"integer"},"ratio":{"type":"number"},` +
		`"tags":{"type":"array","items":{"type":"string"}},"blob":{"type":"string"},` +
		`"more":{"type":"object","additionalProperties":{"type":"boolean"}},"any":{"description":"Anything."},"raw":{}},` +
		`"required":["city","Deep","where","tags","blob","more","any","raw"],"additionalProperties":false}`
	if tool.Parameters != want || !json.Valid([]byte(tool.Parameters)) {
		t.Errorf("got  %s\nwant %s", tool.Parameters, want)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	trunkline.NewTool("f", "", func(context.Context, string) (string, error) { return "", nil })
}

func TestASchemaOfATypeInsideItself(t *testing.T) {
	type node struct {
		Next *node `json:"next"`
	}
	tool := trunkline.NewTool("f", "", func(context.Context, node) (string, error) { return "", nil })
	if want := `{"type":"object","properties":{"next":{}},"required":[],"additionalProperties":false}`; tool.Parameters != want {
		t.Errorf("got %s", tool.Parameters)
	}
}
