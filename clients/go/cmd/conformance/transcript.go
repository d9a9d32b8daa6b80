package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf16"

	trunkline "github.com/trunkline/trunkline/clients/go"
)

// A transcript writes finished lines, with the ids of one scenario replaced.
type transcript struct {
	*bufio.Writer
	run    string
	names  map[string]string
	counts map[string]int
}

var ids = regexp.MustCompile(`\b([a-z]{2,4})_[0-9a-z]{12,}`)

func (t *transcript) print(lines *lines) {
	lines.flush()
	for _, line := range lines.all {
		t.line(line.word, line.value)
	}
}

func (t *transcript) line(word string, value any) {
	line := word
	if value != nil {
		line += " " + encode(value)
	}
	line = strings.ReplaceAll(line, t.run, "RUN")
	fmt.Fprintln(t, ids.ReplaceAllStringFunc(line, t.placeholder))
}

func (t *transcript) placeholder(id string) string {
	if t.names == nil {
		t.names, t.counts = map[string]string{}, map[string]int{}
	}
	if t.names[id] == "" {
		prefix, _, _ := strings.Cut(id, "_")
		t.counts[prefix]++
		t.names[id] = fmt.Sprintf("<%s-%d>", prefix, t.counts[prefix])
	}
	return t.names[id]
}

// encode writes ASCII only. The order of keys is that of the struct's fields.
func encode(value any) string {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	var line strings.Builder
	for _, char := range strings.TrimSuffix(buffer.String(), "\n") {
		if char < 0x7f {
			line.WriteRune(char)
			continue
		}
		for _, unit := range utf16.Encode([]rune{char}) {
			fmt.Fprintf(&line, `\u%04x`, unit)
		}
	}
	return line.String()
}

// lines are those of one step, their deltas joined.
type lines struct {
	mask    bool
	details bool            // a line of them after each end
	kept    bool            // and one of what is kept of the turn
	ended   *trunkline.Done // the last end
	all     []line
	part    string // what the open delta belongs to
	delta   strings.Builder
	open    func(delta string) line
}

type line struct {
	word  string
	value any
}

func (l *lines) add(word string, value any) {
	l.flush()
	l.all = append(l.all, line{word, value})
}

func (l *lines) flush() {
	if l.open != nil {
		l.all = append(l.all, l.open(l.text(l.delta.String())))
		l.open, l.part = nil, ""
		l.delta.Reset()
	}
}

func (l *lines) piece(part, delta string, open func(string) line) {
	if l.part != part {
		l.flush()
		l.part, l.open = part, open
	}
	l.delta.WriteString(delta)
}

func (l *lines) event(event trunkline.Event, err error) {
	if err != nil {
		l.error(err)
		return
	}
	switch event := event.(type) {
	case *trunkline.Start:
		l.add("start", struct {
			TurnID    bool                `json:"turn_id"`
			Model     string              `json:"model"`
			Transport trunkline.Transport `json:"transport"`
			Context   trunkline.Context   `json:"context"`
		}{event.TurnID != "", event.Model, event.Transport, event.Context})
	case *trunkline.TextDelta:
		l.piece(fmt.Sprint("text ", event.ContentIndex), event.Delta, func(delta string) line {
			return line{"text", indexed{event.ContentIndex, delta}}
		})
	case *trunkline.RefusalDelta:
		l.piece(fmt.Sprint("refusal ", event.ContentIndex), event.Delta, func(delta string) line {
			return line{"refusal", indexed{event.ContentIndex, delta}}
		})
	case *trunkline.ReasoningDelta:
		l.piece(fmt.Sprint("reasoning ", event.ContentIndex, event.Of), event.Delta, func(delta string) line {
			return line{"reasoning", struct {
				Index int                     `json:"index"`
				Of    trunkline.ReasoningKind `json:"of"`
				Delta string                  `json:"delta"`
			}{event.ContentIndex, event.Of, delta}}
		})
	case *trunkline.ToolCallDelta:
		part := fmt.Sprint("call ", event.ContentIndex, event.CallID, " ", event.Name)
		l.piece(part, event.Delta, func(delta string) line {
			return line{"call", struct {
				Index  int    `json:"index"`
				CallID string `json:"call_id"`
				Name   string `json:"name"`
				Delta  string `json:"delta"`
			}{event.ContentIndex, event.CallID, event.Name, delta}}
		})
	case *trunkline.ItemProgress:
		l.add("progress", progress{event.ContentIndex, event.ItemType, event.EventType, event.JSON != ""})
	case *trunkline.Done:
		l.ended = event
		l.done(event)
		if l.details {
			l.add("details", detailsOf(event))
		}
		if l.kept {
			l.add("kept", keptOf(event))
		}
	}
}

type indexed struct {
	Index int    `json:"index"`
	Delta string `json:"delta"`
}

type usage struct {
	Input     int64 `json:"input"`
	Cached    int64 `json:"cached"`
	Written   int64 `json:"written"`
	Output    int64 `json:"output"`
	Reasoning int64 `json:"reasoning"`
	Total     int64 `json:"total"`
}

func (l *lines) usage(tokens *trunkline.Usage) *usage {
	if tokens == nil || l.mask {
		return nil
	}
	return &usage{
		tokens.InputTokens, tokens.CachedInputTokens, tokens.CacheWriteTokens,
		tokens.OutputTokens, tokens.ReasoningTokens, tokens.TotalTokens,
	}
}

type report struct {
	ResponseID      bool                `json:"response_id"`
	Transport       trunkline.Transport `json:"transport"`
	TransportReason string              `json:"transport_reason"`
	Context         trunkline.Context   `json:"context"`
	ContextReason   string              `json:"context_reason"`
	Attempts        int                 `json:"attempts"`
	Reused          bool                `json:"reused"`
	Saved           bool                `json:"saved"`
	Timed           bool                `json:"timed"`
}

func (l *lines) done(done *trunkline.Done) {
	summary := done.Report
	l.add("done", struct {
		StopReason trunkline.StopReason `json:"stop_reason"`
		Model      string               `json:"model"`
		Provider   string               `json:"provider"`
		Created    bool                 `json:"created"`
		Parts      []any                `json:"parts"`
		Usage      *usage               `json:"usage"`
		Report     report               `json:"report"`
	}{
		done.StopReason, done.Model, done.Provider, !done.CreatedAt.IsZero(), l.parts(done.Message), l.usage(&done.Usage),
		report{
			summary.ResponseID != "", summary.Transport, summary.TransportReason, summary.Context, summary.ContextReason,
			summary.Attempts, summary.ConnectionReused, summary.BytesSaved > 0, summary.Timings.Total > 0,
		},
	})
}

type upstream struct {
	Code      string `json:"code"`
	Type      string `json:"type"`
	Status    int    `json:"status"`
	RequestID bool   `json:"request_id"`
}

type violation struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

type failure struct {
	Reason     string      `json:"reason"`
	Status     int         `json:"status"`
	Message    *string     `json:"message"`
	Retryable  bool        `json:"retryable"`
	RetryAfter *int64      `json:"retry_after"`
	Sent       string      `json:"sent"`
	Partial    []any       `json:"partial"`
	Upstream   *upstream   `json:"upstream"`
	Usage      *usage      `json:"usage"`
	Attempts   *int        `json:"attempts"`
	Violations []violation `json:"violations"`
}

func (l *lines) error(err error) {
	var failed *trunkline.Error
	if !errors.As(err, &failed) {
		fatal(err.Error())
	}
	shown := failure{
		Reason:     failed.Reason,
		Status:     int(failed.Code),
		Message:    &failed.Message,
		Retryable:  failed.Retryable,
		Sent:       map[trunkline.Sent]string{trunkline.SentYes: "true", trunkline.SentNo: "false"}[failed.Sent],
		Partial:    l.parts(failed.Partial),
		Usage:      l.usage(failed.Usage),
		Violations: []violation{},
	}
	if failed.Reason == trunkline.ReasonCancelled || failed.Reason == trunkline.ReasonDeadline {
		shown.Message = nil
	}
	if failed.RetryAfter > 0 {
		seconds := int64(failed.RetryAfter.Round(time.Second) / time.Second)
		shown.RetryAfter = &seconds
	}
	if shown.Sent == "" {
		shown.Sent = "unknown"
	}
	if said := failed.Upstream; said != nil {
		shown.Upstream = &upstream{said.Code, said.Type, said.Status, said.RequestID != ""}
	}
	if failed.Report != nil {
		shown.Attempts = &failed.Report.Attempts
	}
	for _, bad := range failed.Violations {
		shown.Violations = append(shown.Violations, violation{bad.Field, bad.Description})
	}
	l.add("error", shown)
}
