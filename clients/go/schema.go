package trunkline

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// parametersOf returns the JSON Schema of a struct, and the names of its required fields. The fields stand in their
// order: the same type always gives the same bytes, as another schema would cost the chain.
func parametersOf(kind reflect.Type) (schema string, required []string) {
	if kind.Kind() != reflect.Struct {
		panic(fmt.Sprintf("trunkline: the arguments of a tool must be a struct, not %s", kind))
	}
	return objectOf(kind, nil)
}

// schemaOf knows the types that tools use. One that it does not know admits any value.
func schemaOf(kind reflect.Type, inside []reflect.Type) string {
	pointer := reflect.PointerTo(kind)
	switch {
	case pointer.Implements(jsonUnmarshaler) && !pointer.Implements(textUnmarshaler):
		return `{}`
	case pointer.Implements(textUnmarshaler):
		return `{"type":"string"}`
	}
	switch kind.Kind() {
	case reflect.Pointer:
		return schemaOf(kind.Elem(), inside)
	case reflect.String:
		return `{"type":"string"}`
	case reflect.Bool:
		return `{"type":"boolean"}`
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return `{"type":"integer"}`
	case reflect.Float32, reflect.Float64:
		return `{"type":"number"}`
	case reflect.Slice, reflect.Array:
		if kind.Kind() == reflect.Slice && kind.Elem().Kind() == reflect.Uint8 {
			return `{"type":"string"}` // encoding/json: base64
		}
		return `{"type":"array","items":` + schemaOf(kind.Elem(), inside) + `}`
	case reflect.Map:
		return `{"type":"object","additionalProperties":` + schemaOf(kind.Elem(), inside) + `}`
	case reflect.Struct:
		if !slices.Contains(inside, kind) { // a type inside itself has no end
			schema, _ := objectOf(kind, inside)
			return schema
		}
	}
	return `{}`
}

func objectOf(kind reflect.Type, inside []reflect.Type) (schema string, required []string) {
	inside = append(slices.Clip(inside), kind)
	properties := []string{}
	required = []string{}
	for _, field := range reflect.VisibleFields(kind) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !field.IsExported() || name == "-" && options == "" || field.Anonymous && name == "" {
			continue // the fields of an embedded struct are among the visible ones
		}
		if name == "" {
			name = field.Name
		}
		property := described(schemaOf(field.Type, inside), field.Tag)
		properties = append(properties, quote(name)+":"+property)
		words := strings.Split(options, ",")
		optional := slices.Contains(words, "omitempty") || slices.Contains(words, "omitzero")
		if !optional && field.Type.Kind() != reflect.Pointer {
			required = append(required, name)
		}
	}
	names, _ := json.Marshal(required)
	return `{"type":"object","properties":{` + strings.Join(properties, ",") +
		`},"required":` + string(names) + `,"additionalProperties":false}`, required
}

func described(schema string, tag reflect.StructTag) string {
	more := ""
	if description := tag.Get("description"); description != "" {
		more += `,"description":` + quote(description)
	}
	if enum := tag.Get("enum"); enum != "" {
		words, _ := json.Marshal(strings.Split(enum, ","))
		more += `,"enum":` + string(words)
	}
	if schema == `{}` {
		return "{" + strings.TrimPrefix(more, ",") + "}"
	}
	return strings.TrimSuffix(schema, "}") + more + "}"
}

func quote(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}
