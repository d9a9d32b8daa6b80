package trunkline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"google.golang.org/protobuf/proto"

	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

// A Tool is what the model may call. [NewTool] and [NewCustomTool] make one of a function, [DefineTool] one of any kind.
type Tool struct {
	Name        string // by which the model calls it; a hosted tool may have none
	Description string // what it does, for the model
	Parameters  string // a JSON Schema object; empty: no parameters
	Strict      bool   // the upstream forces the arguments to fit the schema

	// Definition is a JSON object that declares a tool of another kind, for the upstream as it is written. The fields
	// above are then not sent.
	Definition string

	// Func is called by [Conversation.Run] with the arguments, a JSON object. An error is reported to the model. Without a
	// function the tool is only declared: answer its calls yourself.
	Func func(ctx context.Context, arguments json.RawMessage) ([]*Part, error)

	// Custom is the function of a custom tool: it is called with one text, never parsed.
	Custom func(ctx context.Context, input string) ([]*Part, error)
}

// DefineTool makes a tool of any kind by its definition, a JSON object: {"type":"web_search"}. It is only declared: set
// Func of a function, Custom of a custom tool, to have it called.
func DefineTool(definition string) Tool {
	tool := Tool{Definition: definition}
	fields := fieldsOf(definition)
	switch textField(fields, "type") {
	case "function", "custom":
		tool.Name = textField(fields, "name")
	}
	return tool
}

// NewCustomTool makes a custom tool of a function: it takes one text, which the model writes freely. Out is as for
// [NewTool]. For a text that follows a grammar set Custom of a [DefineTool].
func NewCustomTool[Out any](name, description string, function func(context.Context, string) (Out, error)) Tool {
	tool := DefineTool(mustEncode(struct {
		Type        string `json:"type"`
		Name        string `json:"name"`
		Description string `json:"description,omitempty"`
	}{"custom", name, description}))
	tool.Custom = func(ctx context.Context, input string) ([]*Part, error) {
		out, err := function(ctx, input)
		if err != nil {
			return nil, err
		}
		return partsOf(out)
	}
	return tool
}

// NewTool makes a tool of a function. In is a struct: the model sees its fields by their json names, their types, and
// what their tags `description:"…"` and `enum:"a,b"` say; fields that are pointers, or omitempty or omitzero, are
// optional. Out goes to the model as text if it is a string, as it is if it is a [*Part] or a []*Part, and else as JSON.
//
// It panics if In is no struct: that is a mistake in the program.
func NewTool[In, Out any](name, description string, function func(context.Context, In) (Out, error)) Tool {
	return Tool{
		Name:        name,
		Description: description,
		Parameters:  parametersOf(reflect.TypeFor[In]()),
		Func: func(ctx context.Context, arguments json.RawMessage) ([]*Part, error) {
			var in In
			if err := decode(arguments, reflect.TypeFor[In](), &in); err != nil {
				return nil, fmt.Errorf("the arguments do not fit: %w", err)
			}
			out, err := function(ctx, in)
			if err != nil {
				return nil, err
			}
			return partsOf(out)
		},
	}
}

func toolProtos(tools []Tool) []*pb.Tool {
	protos := make([]*pb.Tool, len(tools))
	for i, tool := range tools {
		if tool.Definition != "" {
			protos[i] = &pb.Tool{DefinitionJson: tool.Definition}
			continue
		}
		protos[i] = &pb.Tool{Name: tool.Name, Description: tool.Description, Parameters: tool.Parameters}
		if tool.Strict {
			protos[i].Strict = proto.Bool(true)
		}
	}
	return protos
}

// callTool always returns a result: errors are reported to the model.
func callTool(ctx context.Context, tools []Tool, call *ToolCall) *Message {
	parts, err := func() ([]*Part, error) {
		for _, tool := range tools {
			if tool.Name == call.Name && (tool.Func != nil || tool.Custom != nil) {
				return tool.call(ctx, call)
			}
		}
		return nil, fmt.Errorf("there is no tool named %q", call.Name)
	}()
	if err != nil {
		return ToolFailure(call.CallId, err.Error())
	}
	return ToolResult(call.CallId, parts...)
}

func (t Tool) call(ctx context.Context, call *ToolCall) ([]*Part, error) {
	switch custom := call.Kind == pb.ToolCallKind_TOOL_CALL_KIND_CUSTOM; {
	case custom && t.Custom == nil:
		return nil, fmt.Errorf("the tool %q is not a custom one", t.Name)
	case custom:
		return t.Custom(ctx, call.Arguments)
	case t.Func == nil:
		return nil, fmt.Errorf("the tool %q is a custom one", t.Name)
	case !isObject(call.Arguments):
		return nil, errors.New("the arguments are not a JSON object")
	}
	return t.Func(ctx, json.RawMessage(call.Arguments))
}

func isObject(text string) bool {
	return strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") && json.Valid([]byte(text))
}

func partsOf(out any) ([]*Part, error) {
	switch out := out.(type) {
	case nil:
		return nil, nil
	case string:
		return []*Part{TextPart(out)}, nil
	case *Part:
		return []*Part{out}, nil
	case []*Part:
		return out, nil
	}
	text, err := encode(out)
	if err != nil {
		return nil, fmt.Errorf("the result is not JSON: %w", err)
	}
	return []*Part{TextPart(text)}, nil
}
