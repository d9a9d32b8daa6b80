package trunkline

import (
	"bytes"
	"encoding/json"
	"strings"
)

// fieldsOf returns nil for a text that is no JSON object.
func fieldsOf(text string) map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &fields) != nil {
		return nil
	}
	return fields
}

// textField returns "" for a field that is absent or no string.
func textField(fields map[string]json.RawMessage, name string) string {
	var text string
	if json.Unmarshal(fields[name], &text) != nil {
		return ""
	}
	return text
}

func encode(value any) (string, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false) // it is for the model, not for a page
	err := encoder.Encode(value)
	return strings.TrimSuffix(buffer.String(), "\n"), err
}

// mustEncode is for values that always have a JSON text.
func mustEncode(value any) string {
	text, err := encode(value)
	if err != nil {
		panic(err)
	}
	return text
}
