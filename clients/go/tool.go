package trunkline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"google.golang.org/protobuf/proto"

	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

// A Tool is what the model may call. [NewTool] makes one of a function.
type Tool struct {
	Name        string // 1 to 64 characters of A-Z a-z 0-9 _ -
	Description string // what it does, for the model
	Parameters  string // a JSON Schema object; empty: no parameters
	Strict      bool   // the upstream forces the arguments to fit the schema

	// Func is called by [Conversation.Run] with the arguments, a JSON object. An error is reported to the model. Without a
	// function the tool is only declared: answer its calls yourself.
	Func func(ctx context.Context, arguments json.RawMessage) ([]*Part, error)
}

// NewTool makes a tool of a function. In is a struct: the model sees its fields by their json names, their types, and
// what their tags `description:"…"` and `enum:"a,b"` say; fields that are pointers, or omitempty or omitzero, are
// optional. Out goes to the model as text if it is a string, as it is if it is a [*Part] or a []*Part, and else as JSON.
//
// It panics if In is no struct: that is a mistake in the program.
func NewTool[In, Out any](name, description string, function func(context.Context, In) (Out, error)) Tool {
	parameters, required := parametersOf(reflect.TypeFor[In]())
	return Tool{
		Name:        name,
		Description: description,
		Parameters:  parameters,
		Func: func(ctx context.Context, arguments json.RawMessage) ([]*Part, error) {
			var given map[string]json.RawMessage
			if err := json.Unmarshal(arguments, &given); err != nil {
				return nil, fmt.Errorf("the arguments do not fit: %w", err)
			}
			for _, name := range required {
				if _, ok := given[name]; !ok {
					return nil, fmt.Errorf("the argument %q is missing", name)
				}
			}
			var in In
			decoder := json.NewDecoder(bytes.NewReader(arguments))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&in); err != nil {
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
			if tool.Name == call.Name && tool.Func != nil {
				if !isObject(call.Arguments) {
					return nil, errors.New("the arguments are not a JSON object")
				}
				return tool.Func(ctx, json.RawMessage(call.Arguments))
			}
		}
		return nil, fmt.Errorf("there is no tool named %q", call.Name)
	}()
	if err != nil {
		return ToolFailure(call.CallId, err.Error())
	}
	return ToolResult(call.CallId, parts...)
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
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false) // it is for the model, not for a page
	if err := encoder.Encode(out); err != nil {
		return nil, fmt.Errorf("the result is not JSON: %w", err)
	}
	return []*Part{TextPart(strings.TrimSuffix(buffer.String(), "\n"))}, nil
}
