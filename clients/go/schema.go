package trunkline

import (
	"bytes"
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

// parametersOf returns the JSON Schema of a struct. The fields stand in their order: the same type always gives the same
// bytes, as another schema would cost the chain.
func parametersOf(kind reflect.Type) string {
	mustBeStruct(kind, "the arguments of a tool")
	return schemas{}.object(kind, nil)
}

// strictSchemaOf returns a schema that the upstream can force an answer to fit. It must require every field, so one that
// is optional is there and may be null, and it has no place for a type that admits any value, or any key.
func strictSchemaOf(kind reflect.Type) string {
	mustBeStruct(kind, "an answer")
	return schemas{strict: true}.object(kind, nil)
}

func mustBeStruct(kind reflect.Type, what string) {
	if kind.Kind() != reflect.Struct {
		panic(fmt.Sprintf("trunkline: %s must be a struct, not %s", what, kind))
	}
}

type schemas struct{ strict bool }

// any is for a type without a schema of its own.
func (s schemas) any(kind reflect.Type) string {
	if s.strict {
		panic(fmt.Sprintf("trunkline: %s has no strict schema: use a struct, or give the schema yourself", kind))
	}
	return `{}`
}

// of knows the types that tools use. One that it does not know admits any value.
func (s schemas) of(kind reflect.Type, inside []reflect.Type) string {
	pointer := reflect.PointerTo(kind)
	switch {
	case pointer.Implements(jsonUnmarshaler) && !pointer.Implements(textUnmarshaler):
		return s.any(kind)
	case pointer.Implements(textUnmarshaler):
		return `{"type":"string"}`
	}
	switch kind.Kind() {
	case reflect.Pointer:
		return s.of(kind.Elem(), inside)
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
		return `{"type":"array","items":` + s.of(kind.Elem(), inside) + `}`
	case reflect.Map:
		if !s.strict {
			return `{"type":"object","additionalProperties":` + s.of(kind.Elem(), inside) + `}`
		}
	case reflect.Struct:
		if !slices.Contains(inside, kind) { // a type inside itself has no end
			return s.object(kind, inside)
		}
	}
	return s.any(kind)
}

func (s schemas) object(kind reflect.Type, inside []reflect.Type) string {
	inside = append(slices.Clip(inside), kind)
	properties := []string{}
	required := []string{}
	for _, field := range jsonFieldsOf(kind) {
		schema := described(s.of(field.Type, inside), field.Tag)
		if s.strict && field.optional {
			schema = `{"anyOf":[` + schema + `,{"type":"null"}]}`
		}
		properties = append(properties, quote(field.name)+":"+schema)
		if s.strict || !field.optional {
			required = append(required, field.name)
		}
	}
	names, _ := json.Marshal(required)
	return `{"type":"object","properties":{` + strings.Join(properties, ",") +
		`},"required":` + string(names) + `,"additionalProperties":false}`
}

// A jsonField is a field of a struct as encoding/json sees it.
type jsonField struct {
	reflect.StructField
	name     string
	optional bool // a pointer, or omitempty or omitzero
}

func jsonFieldsOf(kind reflect.Type) (fields []jsonField) {
	for _, field := range reflect.VisibleFields(kind) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !field.IsExported() || name == "-" && options == "" || field.Anonymous && name == "" {
			continue // the fields of an embedded struct are among the visible ones
		}
		if name == "" {
			name = field.Name
		}
		words := strings.Split(options, ",")
		optional := field.Type.Kind() == reflect.Pointer ||
			slices.Contains(words, "omitempty") || slices.Contains(words, "omitzero")
		fields = append(fields, jsonField{field, name, optional})
	}
	return fields
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

// decode reads a JSON object into a struct. The error names what is missing, unknown, or of the wrong type.
func decode(object []byte, kind reflect.Type, into any) error {
	if path := missing(kind, object, ""); path != "" {
		return fmt.Errorf("%q is missing", path)
	}
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// missing returns the path of the first required field that a value does not have, or that is null, and else "". What has
// the wrong type is the decoder's to name.
func missing(kind reflect.Type, value json.RawMessage, path string) string {
	if pointer := reflect.PointerTo(kind); pointer.Implements(jsonUnmarshaler) || pointer.Implements(textUnmarshaler) {
		return ""
	}
	switch kind.Kind() {
	case reflect.Pointer:
		return missing(kind.Elem(), value, path)
	case reflect.Slice, reflect.Array:
		var elements []json.RawMessage
		_ = json.Unmarshal(value, &elements)
		for i, element := range elements {
			if found := missing(kind.Elem(), element, fmt.Sprintf("%s[%d]", path, i)); found != "" {
				return found
			}
		}
	case reflect.Struct:
		given := fieldsOf(string(value))
		if given == nil {
			return "" // null, or no object
		}
		for _, field := range jsonFieldsOf(kind) {
			here := strings.TrimPrefix(path+"."+field.name, ".")
			one, ok := given[field.name]
			if !field.optional && (!ok || string(one) == "null" && !nullable(field.Type)) {
				return here
			}
			if found := missing(field.Type, one, here); found != "" {
				return found
			}
		}
	}
	return ""
}

// nullable reports whether a value of the type may be null.
func nullable(kind reflect.Type) bool {
	switch kind.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return true
	}
	return reflect.PointerTo(kind).Implements(jsonUnmarshaler)
}

func quote(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}
