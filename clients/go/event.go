package trunkline

import (
	"encoding/json"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

// An Event of a streamed turn: [*Start], [*TextDelta], [*ReasoningDelta], [*RefusalDelta], [*ToolCallDelta],
// [*ItemProgress] or [*Done].
// Kinds that this version does not know are left out, and so are heartbeats, which only show that the connection lives.
type Event interface {
	// Sequence counts the events of the turn from 1, those that are left out too, but no heartbeats. It is what
	// [AfterSequence] takes. Zero: of [Client.Complete].
	Sequence() int64

	place(sequence int64)
}

type position struct{ sequence int64 }

func (p *position) Sequence() int64      { return p.sequence }
func (p *position) place(sequence int64) { p.sequence = sequence }

// Start says that the upstream began the turn. The report of [Done] has what was true at the end.
type Start struct {
	TurnID    string
	Model     string
	Transport Transport
	Context   Context

	position
}

// TextDelta is a piece of text. ContentIndex is the index of the part in Done.Message.Parts, here and below.
type TextDelta struct {
	ContentIndex int
	Delta        string

	position
}

// ReasoningDelta is a piece of reasoning.
type ReasoningDelta struct {
	ContentIndex int
	Delta        string
	Of           ReasoningKind

	position
}

// RefusalDelta is a piece of a refusal.
type RefusalDelta struct {
	ContentIndex int
	Delta        string

	position
}

// ToolCallDelta is a piece of a tool call's arguments: JSON, or a custom tool's text. It is empty when the call is first
// seen.
type ToolCallDelta struct {
	ContentIndex int
	CallID       string
	Name         string
	Delta        string

	position
}

// ItemProgress is what the upstream says of an item that grows: a search that runs, a piece of code, a partial image.
type ItemProgress struct {
	ContentIndex int
	ItemType     string // empty where the upstream did not announce the item
	EventType    string // for example "response.web_search_call.searching"
	JSON         string // the upstream's event as it wrote it; empty: it was too large for a message

	position
}

// Done says that the turn ended well.
type Done struct {
	Message     *Message // the whole answer; a conversation echoes it unchanged
	StopReason  StopReason
	Usage       Usage
	Model       string // the one that answered
	Provider    string
	ServiceTier string // the one that the upstream used; empty: it names none
	CreatedAt   time.Time
	Report      Report
	// Continuation goes with the next request of the conversation ([Request.Continuation]), so that it is incremental on
	// any replica. It is opaque, and empty where the upstream does not store the response. A hint: a turn needs none.
	Continuation string

	position
}

// Text returns all text of the answer, joined.
func (d *Done) Text() string { return Text(d.Message) }

// Refusal returns the text of a refusal.
func (d *Done) Refusal() string { return Refusal(d.Message) }

// ToolCalls returns the calls that the answer makes.
func (d *Done) ToolCalls() []*ToolCall { return ToolCalls(d.Message) }

// UpstreamItems returns the items that have no part of their own, such as the calls of hosted tools.
func (d *Done) UpstreamItems() []*UpstreamItemPart { return UpstreamItems(d.Message) }

// Annotations returns the citations of the text.
func (d *Done) Annotations() []json.RawMessage { return Annotations(d.Message) }

// Logprobs returns the log probabilities of the text, where they were asked for.
func (d *Done) Logprobs() []json.RawMessage { return Logprobs(d.Message) }

// Actions returns the items for which the model waits: an approval, a shell, a patch. See [Conversation.Answer].
func (d *Done) Actions() []*UpstreamItemPart {
	if d.StopReason != StopReasonActionRequired {
		return nil
	}
	return actions(d.Message)
}

// The words of the protocol. These sets are open: a value that is newer than this client comes through as it is, and
// one that is absent is empty.
type (
	// Transport is how a turn reaches the upstream.
	Transport string
	// Context is how much of the conversation was sent.
	Context string
	// StopReason is why the model stopped.
	StopReason string
	// ReasoningKind is what a piece of reasoning is.
	ReasoningKind string
	// LineState is the state of a session's connection.
	LineState string
)

const (
	TransportAuto      Transport = "auto" // the session's WebSocket; HTTP SSE where that is unavailable
	TransportWebSocket Transport = "websocket"
	TransportSSE       Transport = "sse"

	ContextFull        Context = "full"
	ContextIncremental Context = "incremental" // only what the upstream had not seen yet

	StopReasonStop           StopReason = "stop"
	StopReasonToolUse        StopReason = "tool_use" // it waits for the results of tools
	StopReasonLength         StopReason = "length"
	StopReasonContentFilter  StopReason = "content_filter"
	StopReasonActionRequired StopReason = "action_required" // it waits for Done.Actions to be answered

	ReasoningSummaryText ReasoningKind = "summary" // made for people
	ReasoningFullText    ReasoningKind = "text"

	LineNone    LineState = "none"
	LineDialing LineState = "dialing"
	LineIdle    LineState = "idle"
	LineBusy    LineState = "busy"
)

// word turns TRANSPORT_SSE into "sse", unspecified into "", and a number without a name into its digits.
func word[W ~string](enum interface{ String() string }, prefix string) W {
	name := strings.ToLower(strings.TrimPrefix(enum.String(), prefix))
	if name == "unspecified" {
		return ""
	}
	return W(name)
}

// eventFrom returns nil for a heartbeat, and for an event kind that this client does not know.
func eventFrom(response *pb.StreamCompletionResponse) Event {
	event := contentOf(response)
	if event != nil {
		event.place(response.Sequence)
	}
	return event
}

func contentOf(response *pb.StreamCompletionResponse) Event {
	switch event := response.Event.(type) {
	case *pb.StreamCompletionResponse_Start:
		return &Start{
			TurnID:    event.Start.TurnId,
			Model:     event.Start.Model,
			Transport: word[Transport](event.Start.Transport, "TRANSPORT_"),
			Context:   word[Context](event.Start.Context, "CONTEXT_"),
		}
	case *pb.StreamCompletionResponse_TextDelta:
		return &TextDelta{ContentIndex: int(event.TextDelta.ContentIndex), Delta: event.TextDelta.Delta}
	case *pb.StreamCompletionResponse_ReasoningDelta:
		delta := event.ReasoningDelta
		kind := word[ReasoningKind](delta.Kind, "REASONING_KIND_")
		return &ReasoningDelta{ContentIndex: int(delta.ContentIndex), Delta: delta.Delta, Of: kind}
	case *pb.StreamCompletionResponse_RefusalDelta:
		return &RefusalDelta{ContentIndex: int(event.RefusalDelta.ContentIndex), Delta: event.RefusalDelta.Delta}
	case *pb.StreamCompletionResponse_ToolCallDelta:
		delta := event.ToolCallDelta
		return &ToolCallDelta{
			ContentIndex: int(delta.ContentIndex), CallID: delta.CallId, Name: delta.Name, Delta: delta.ArgumentsDelta,
		}
	case *pb.StreamCompletionResponse_ItemProgress:
		progress := event.ItemProgress
		return &ItemProgress{
			ContentIndex: int(progress.ContentIndex), ItemType: progress.ItemType,
			EventType: progress.EventType, JSON: progress.Json,
		}
	case *pb.StreamCompletionResponse_Done:
		return doneFrom(event.Done)
	}
	return nil
}

// ending is what Done and CompleteResponse have in common: everything.
type ending interface {
	GetMessage() *pb.Message
	GetStopReason() pb.StopReason
	GetUsage() *pb.Usage
	GetModel() string
	GetProvider() string
	GetServiceTier() string
	GetCreatedAt() *timestamppb.Timestamp
	GetReport() *pb.TurnReport
	GetContinuation() string
}

func doneFrom(done ending) *Done {
	return &Done{
		Message:      done.GetMessage(),
		StopReason:   word[StopReason](done.GetStopReason(), "STOP_REASON_"),
		Usage:        usageFrom(done.GetUsage()),
		Model:        done.GetModel(),
		Provider:     done.GetProvider(),
		ServiceTier:  done.GetServiceTier(),
		CreatedAt:    timeFrom(done.GetCreatedAt()),
		Report:       reportFrom(done.GetReport()),
		Continuation: done.GetContinuation(),
	}
}

// timeFrom returns the zero time for an absent timestamp; AsTime would make it 1970.
func timeFrom(stamp *timestamppb.Timestamp) time.Time {
	if stamp == nil {
		return time.Time{}
	}
	return stamp.AsTime()
}
