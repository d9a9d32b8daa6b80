package trunkline

import (
	"encoding/json"
	"fmt"
	"strings"

	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

// UpstreamItemPart is an item of the upstream that has no part of its own, such as the call of a hosted tool: its type,
// and its JSON as the upstream or the caller wrote it.
type UpstreamItemPart = pb.UpstreamItemPart

const approvalRequest = "mcp_approval_request"

// UpstreamItem is an item for the upstream as it is written: a JSON object with its "type". For example what answers a
// call of the model ("shell_call_output"), or an "item_reference". The service refuses an item without a type.
func UpstreamItem(object string) *Part {
	return itemPart(textField(fieldsOf(object), "type"), object)
}

// ActionResult is what answers the actions of an answer. [Conversation.Answer] also sends it.
func ActionResult(items ...*Part) *Message {
	return &Message{Role: pb.Role_ROLE_TOOL, Parts: items}
}

// Approval answers an item of type "mcp_approval_request". The reason may be empty. Any other item is an error.
func Approval(request *UpstreamItemPart, approve bool, reason string) (*Part, error) {
	id := textField(fieldsOf(request.GetJson()), "id")
	if request.GetType() != approvalRequest || id == "" {
		return nil, fmt.Errorf("trunkline: an item of type %q is not an %s with an id", request.GetType(), approvalRequest)
	}
	const kind = "mcp_approval_response"
	return itemPart(kind, mustEncode(struct {
		Type    string `json:"type"`
		ID      string `json:"approval_request_id"`
		Approve bool   `json:"approve"`
		Reason  string `json:"reason,omitempty"`
	}{kind, id, approve, reason})), nil
}

// UpstreamItems returns the items of a message that have no part of their own.
func UpstreamItems(message *Message) []*UpstreamItemPart {
	var items []*UpstreamItemPart
	for _, part := range message.GetParts() {
		if item := part.GetUpstreamItem(); item != nil {
			items = append(items, item)
		}
	}
	return items
}

// Annotations returns the citations of all texts, in order, each a JSON object as the upstream wrote it.
func Annotations(message *Message) []json.RawMessage {
	return joined(message, (*pb.TextPart).GetAnnotationsJson)
}

// Logprobs returns the log probabilities of all texts, token by token, each a JSON object as the upstream wrote it.
func Logprobs(message *Message) []json.RawMessage {
	return joined(message, (*pb.TextPart).GetLogprobsJson)
}

// answeredIn returns the ids of the calls that the message answers: by results of tools, and by output items of any kind.
func answeredIn(message *Message) map[string]bool {
	answered := map[string]bool{}
	for _, part := range message.GetParts() {
		if result := part.GetToolResult(); result != nil {
			answered[result.CallId] = true
		}
		if item := part.GetUpstreamItem(); strings.HasSuffix(item.GetType(), "_output") {
			answered[textField(fieldsOf(item.Json), "call_id")] = true
		}
	}
	return answered
}

// actions returns the items that ask for an answer which no other item of the message gives. A call asks by its call_id
// and a request for approval by its id. A hosted tool's call has no call_id, or its output is in the same message.
func actions(message *Message) []*UpstreamItemPart {
	type question struct {
		name string
		item *UpstreamItemPart
	}
	var asked []question
	answered := answeredIn(message)
	answered[""] = true // what has no name asks nothing
	for _, item := range UpstreamItems(message) {
		fields := fieldsOf(item.Json)
		answered[textField(fields, "approval_request_id")] = true
		switch {
		case item.Type == approvalRequest:
			asked = append(asked, question{textField(fields, "id"), item})
		case strings.HasSuffix(item.Type, "_call"):
			asked = append(asked, question{textField(fields, "call_id"), item})
		}
	}
	var open []*UpstreamItemPart
	for _, one := range asked {
		if !answered[one.name] {
			open = append(open, one.item)
		}
	}
	return open
}

func itemPart(kind, object string) *Part {
	return &Part{Part: &pb.Part_UpstreamItem{UpstreamItem: &UpstreamItemPart{Type: kind, Json: object}}}
}

// joined leaves out a list that is not valid JSON.
func joined(message *Message, list func(*pb.TextPart) string) []json.RawMessage {
	var all []json.RawMessage
	for _, part := range message.GetParts() {
		var items []json.RawMessage
		if json.Unmarshal([]byte(list(part.GetText())), &items) == nil {
			all = append(all, items...)
		}
	}
	return all
}
