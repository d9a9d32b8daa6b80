package trunkline

import (
	"context"
	"errors"
	"fmt"
	"reflect"
)

// A ParseError says that a turn ended well, and that its answer is not the value that was asked for: the model refused,
// the answer was cut short, or it does not fit. A conversation has the answer all the same.
type ParseError struct {
	Done *Done // the turn; its Text is what the model said instead

	kind  reflect.Type
	cause error
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("trunkline: the answer is no %s: %v", e.kind, e.cause)
}

// Unwrap returns what does not fit.
func (e *ParseError) Unwrap() error { return e.cause }

// JSONSchemaOf makes the text JSON that the upstream forces to fit a struct, which [Parsed] reads. The fields are as for
// [NewTool]; optional ones may be null. It panics if T is no struct, or has a type without a strict schema, such as a map
// or any: that is a mistake in the program.
func JSONSchemaOf[T any]() Option {
	kind := reflect.TypeFor[T]()
	schema := strictSchemaOf(kind)
	name := kind.Name()
	if name == "" {
		name = "answer"
	}
	return JSONSchema(name, schema, true)
}

// Parse runs one turn whose answer is a value: see [JSONSchemaOf]. Done is nil only if the turn failed; an answer that is no
// T is a [*ParseError].
func Parse[T any](
	ctx context.Context, conversation *Conversation, message *Message, options ...Option,
) (value T, done *Done, err error) {
	done, err = conversation.Complete(ctx, message, append(options, JSONSchemaOf[T]())...)
	if err == nil {
		value, err = Parsed[T](done)
	}
	return value, done, err
}

// Parsed reads an answer that [JSONSchemaOf] asked for, without what the model said on its way to it. One that is no T is a
// [*ParseError].
func Parsed[T any](done *Done) (value T, err error) {
	kind := reflect.TypeFor[T]()
	switch text := finalText(done.Message); {
	case done.Refusal() != "":
		err = fmt.Errorf("the model refused: %s", done.Refusal())
	case done.StopReason != StopReasonStop:
		err = fmt.Errorf("the model stopped because of %s", done.StopReason)
	case !isObject(text):
		err = errors.New("not a JSON object")
	default:
		err = decode([]byte(text), kind, &value)
	}
	if err != nil {
		var zero T
		return zero, &ParseError{Done: done, kind: kind, cause: err}
	}
	return value, nil
}

func finalText(message *Message) (text string) {
	for _, part := range message.GetParts() {
		if part.GetText().GetPhase() != "commentary" {
			text += part.GetText().GetText()
		}
	}
	return text
}
