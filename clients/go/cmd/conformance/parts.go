package main

import (
	"crypto/sha256"
	"fmt"
	"strings"

	trunkline "github.com/trunkline/trunkline/clients/go"
	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

// parts returns nil, which is null, for no message.
func (l *lines) parts(message *trunkline.Message) []any {
	if message == nil {
		return nil
	}
	parts := []any{}
	for _, part := range message.Parts {
		switch part := part.Part.(type) {
		case *pb.Part_Text:
			parts = append(parts, struct {
				Text  string `json:"text"`
				Phase string `json:"phase"`
			}{l.text(part.Text.Text), part.Text.Phase})
		case *pb.Part_Reasoning:
			parts = append(parts, struct {
				Reasoning []string `json:"reasoning"`
				Content   []string `json:"content"`
				Encrypted bool     `json:"encrypted"`
			}{l.texts(part.Reasoning.Summary), l.texts(part.Reasoning.Content), part.Reasoning.EncryptedContent != ""})
		case *pb.Part_Refusal:
			parts = append(parts, struct {
				Refusal string `json:"refusal"`
			}{l.text(part.Refusal.Text)})
		case *pb.Part_ToolCall:
			if part.ToolCall.Kind == pb.ToolCallKind_TOOL_CALL_KIND_CUSTOM {
				parts = append(parts, customCall{part.ToolCall.CallId, part.ToolCall.Name, l.text(part.ToolCall.Arguments)})
				continue
			}
			parts = append(parts, struct {
				Call      string `json:"call"`
				Name      string `json:"name"`
				Arguments string `json:"arguments"`
			}{part.ToolCall.CallId, part.ToolCall.Name, l.text(part.ToolCall.Arguments)})
		case *pb.Part_UpstreamItem:
			parts = append(parts, l.item(part.UpstreamItem))
		default:
			fatal(fmt.Sprintf("an answer holds %T", part))
		}
	}
	return parts
}

func (l *lines) texts(texts []string) []string {
	printed := []string{}
	for _, text := range texts {
		printed = append(printed, l.text(text))
	}
	return printed
}

func (l *lines) text(text string) string {
	switch {
	case l.mask:
		return "<text>"
	case len(text) > 200:
		return fmt.Sprintf("<%d bytes, sha256 %x>", len(text), sha256.Sum256([]byte(text)))
	}
	return text
}

func history(messages []*trunkline.Message) []string {
	words := []string{}
	for _, message := range messages {
		kinds := []string{}
		for _, part := range message.Parts {
			kinds = append(kinds, kind(part))
		}
		role := strings.ToLower(strings.TrimPrefix(message.Role.String(), "ROLE_"))
		words = append(words, role+":"+strings.Join(kinds, ","))
	}
	return words
}

func kind(part *trunkline.Part) string {
	switch part := part.Part.(type) {
	case *pb.Part_Text:
		return "text"
	case *pb.Part_Image:
		return "image"
	case *pb.Part_File:
		return "file"
	case *pb.Part_ToolCall:
		if part.ToolCall.Kind == pb.ToolCallKind_TOOL_CALL_KIND_CUSTOM {
			return "custom"
		}
		return "call"
	case *pb.Part_UpstreamItem:
		return "item"
	case *pb.Part_ToolResult:
		if part.ToolResult.IsError {
			return "failed"
		}
		return "result"
	case *pb.Part_Reasoning:
		return "reasoning"
	case *pb.Part_Refusal:
		return "refusal"
	}
	return ""
}
