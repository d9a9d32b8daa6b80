package trunkline

import (
	"strings"

	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

// What a conversation is made of is the wire's own, never a copy of it in another shape: what the service answered
// goes back byte for byte, with fields that this version does not know. The functions below are short names for it.
type (
	// Message is one message of the conversation.
	Message = pb.Message
	// Part is one part of a message.
	Part = pb.Part
	// ToolCall is a call that the model makes.
	ToolCall = pb.ToolCallPart
)

// User is a message of the person or program that asks. With parts the text may be empty, and is then left out.
func User(text string, parts ...*Part) *Message {
	return message(pb.Role_ROLE_USER, text, parts)
}

// System holds system rules inside the conversation.
func System(text string, parts ...*Part) *Message {
	return message(pb.Role_ROLE_SYSTEM, text, parts)
}

// Developer holds developer rules inside the conversation.
func Developer(text string, parts ...*Part) *Message {
	return message(pb.Role_ROLE_DEVELOPER, text, parts)
}

// Assistant is an answer that the model did not write itself. Real answers are added by the conversation.
func Assistant(text string, parts ...*Part) *Message {
	return message(pb.Role_ROLE_ASSISTANT, text, parts)
}

// ToolResult is what a call returned.
func ToolResult(callID string, parts ...*Part) *Message {
	return toolMessage(&pb.ToolResultPart{CallId: callID, Parts: parts})
}

// ToolFailure says that a call failed, and why.
func ToolFailure(callID, why string) *Message {
	return toolMessage(&pb.ToolResultPart{CallId: callID, Parts: []*Part{TextPart(why)}, IsError: true})
}

// TextPart is text.
func TextPart(text string) *Part {
	return &Part{Part: &pb.Part_Text{Text: &pb.TextPart{Text: text}}}
}

// ImageURL is an image at an https or data URL.
func ImageURL(url string) *Part {
	return image(&pb.ImagePart{Source: &pb.ImagePart_Url{Url: url}})
}

// ImageData is an image, and what it is ("image/png").
func ImageData(data []byte, mimeType string) *Part {
	return image(&pb.ImagePart{Source: &pb.ImagePart_Data{Data: data}, MimeType: mimeType})
}

// ImageID is an image that was uploaded to the upstream.
func ImageID(fileID string) *Part {
	return image(&pb.ImagePart{Source: &pb.ImagePart_FileId{FileId: fileID}})
}

// FileURL is a file at an https URL.
func FileURL(url string) *Part {
	return file(&pb.FilePart{Source: &pb.FilePart_Url{Url: url}})
}

// FileData is a file, its name, and what it is ("application/pdf").
func FileData(data []byte, filename, mimeType string) *Part {
	return file(&pb.FilePart{Source: &pb.FilePart_Data{Data: data}, Filename: filename, MimeType: mimeType})
}

// FileID is a file that was uploaded to the upstream.
func FileID(fileID string) *Part {
	return file(&pb.FilePart{Source: &pb.FilePart_FileId{FileId: fileID}})
}

// Text returns all text of a message, joined; refusals, reasoning and tool calls are not text.
func Text(message *Message) string {
	var text strings.Builder
	for _, part := range message.GetParts() {
		text.WriteString(part.GetText().GetText())
	}
	return text.String()
}

// Refusal returns the text of a refusal.
func Refusal(message *Message) string {
	var text strings.Builder
	for _, part := range message.GetParts() {
		text.WriteString(part.GetRefusal().GetText())
	}
	return text.String()
}

// ToolCalls returns the calls that a message makes.
func ToolCalls(message *Message) []*ToolCall {
	var calls []*ToolCall
	for _, part := range message.GetParts() {
		if call := part.GetToolCall(); call != nil {
			calls = append(calls, call)
		}
	}
	return calls
}

func message(role pb.Role, text string, parts []*Part) *Message {
	if text != "" || len(parts) == 0 {
		parts = append([]*Part{TextPart(text)}, parts...)
	}
	return &Message{Role: role, Parts: parts}
}

func toolMessage(result *pb.ToolResultPart) *Message {
	part := &Part{Part: &pb.Part_ToolResult{ToolResult: result}}
	return &Message{Role: pb.Role_ROLE_TOOL, Parts: []*Part{part}}
}

func image(image *pb.ImagePart) *Part { return &Part{Part: &pb.Part_Image{Image: image}} }
func file(file *pb.FilePart) *Part    { return &Part{Part: &pb.Part_File{File: file}} }
