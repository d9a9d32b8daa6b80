package trunkline

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

// partial is the answer received so far, for a turn whose connection broke before the service could report it. Tool
// calls are left out, as the service leaves them out: half a call is no call.
type partial map[partialKey]*strings.Builder

type partialKey struct {
	index int
	kind  string
}

func (p *partial) add(event Event) {
	switch event := event.(type) {
	case *TextDelta:
		p.append(partialKey{event.ContentIndex, "text"}, event.Delta)
	case *RefusalDelta:
		p.append(partialKey{event.ContentIndex, "refusal"}, event.Delta)
	case *ReasoningDelta:
		p.append(partialKey{event.ContentIndex, "reasoning"}, event.Delta)
	}
}

func (p *partial) append(key partialKey, delta string) {
	if *p == nil {
		*p = partial{}
	}
	if (*p)[key] == nil {
		(*p)[key] = &strings.Builder{}
	}
	(*p)[key].WriteString(delta)
}

// message returns nil where nothing has come.
func (p partial) message() *Message {
	if len(p) == 0 {
		return nil
	}
	message := &Message{Role: pb.Role_ROLE_ASSISTANT}
	for _, key := range slices.SortedFunc(maps.Keys(p), func(a, b partialKey) int {
		return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(a.kind, b.kind))
	}) {
		part := TextPart(p[key].String())
		switch key.kind {
		case "refusal":
			part = &Part{Part: &pb.Part_Refusal{Refusal: &pb.RefusalPart{Text: p[key].String()}}}
		case "reasoning":
			part = &Part{Part: &pb.Part_Reasoning{Reasoning: &pb.ReasoningPart{Summary: []string{p[key].String()}}}}
		}
		message.Parts = append(message.Parts, part)
	}
	return message
}
