package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net"
	"os"
	"slices"
	"time"

	trunkline "github.com/trunkline/trunkline/clients/go"
)

// turns are those of "together", or true: a session's are printed.
type turns struct {
	all   []turn
	shown bool
}

func (t *turns) UnmarshalJSON(data []byte) error {
	if data[0] == '[' {
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		return decoder.Decode(&t.all)
	}
	return json.Unmarshal(data, &t.shown)
}

func (p *player) turns(ctx context.Context, step step, lines *lines) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	message, options := step.message(), step.options()
	p.conversation.MaxRounds, p.conversation.Resume = step.MaxRounds, step.Options.Resume
	read := func(events iter.Seq2[trunkline.Event, error]) error {
		return p.read(ctx, events, step.turn, lines, cancel)
	}
	switch step.Do {
	case "complete":
		cut := make(chan error, 1)
		go func() { cut <- cutAfter(step.CutAfterMS) }()
		done, err := p.conversation.Complete(ctx, message, options...)
		lines.event(done, err)
		return <-cut
	case "answer":
		if p.ended == nil {
			return errors.New("no turn has ended")
		}
		items, err := step.answers(p.ended.Actions())
		if err != nil {
			return err
		}
		return read(p.conversation.Answer(ctx, items, options...))
	case "together":
		return p.together(ctx, step.Turns.all, lines)
	case "call":
		return read(p.beside(ctx, step.turn))
	case "run":
		return read(p.conversation.Run(ctx, message, options...))
	}
	return read(p.conversation.Stream(ctx, message, options...))
}

// read prints the events of a turn, and does at its first start or text what the turn says.
func (p *player) read(
	ctx context.Context, events iter.Seq2[trunkline.Event, error], turn turn, lines *lines, cancel func(),
) error {
	silent, id, seen := false, "", map[string]bool{}
	for event, err := range events {
		if silent && err == nil {
			continue
		}
		lines.event(event, err)
		kind := ""
		switch event := event.(type) {
		case *trunkline.Start:
			kind, id = "start", event.TurnID
		case *trunkline.TextDelta:
			kind = "text"
		}
		if kind == "" || seen[kind] {
			continue
		}
		seen[kind] = true
		switch kind {
		case turn.CancelOn:
			silent = true
			cancel()
		case turn.StopOn:
			silent = true
			if err := p.client.CancelTurn(ctx, p.base, id); err != nil {
				lines.error(err)
			}
		case turn.CutOn:
			if err := cut(); err != nil {
				return err
			}
		}
	}
	return nil
}

// cut breaks the client's connections.
func cut() error {
	connection, err := net.Dial("tcp", os.Getenv("CONFORMANCE_CUT"))
	if err != nil {
		return err
	}
	defer connection.Close()
	_, err = io.Copy(io.Discard, connection)
	return err
}

func cutAfter(milliseconds int) error {
	if milliseconds == 0 {
		return nil
	}
	time.Sleep(time.Duration(milliseconds) * time.Millisecond)
	return cut()
}

// beside is a turn of the client, which leaves the conversation as it is.
func (p *player) beside(ctx context.Context, turn turn) iter.Seq2[trunkline.Event, error] {
	options := append(turn.options(), trunkline.TurnKey(turn.TurnKey), trunkline.AfterSequence(turn.AfterSequence))
	return p.client.Stream(ctx, trunkline.Request{
		SessionID:    p.base,
		Model:        p.conversation.Model,
		Instructions: p.conversation.Instructions,
		Messages:     append(slices.Clip(p.conversation.Messages), turn.message()),
		Tools:        p.conversation.Tools,
		Resume:       turn.Options.Resume,
	}, options...)
}

// together runs two turns of the session at once: the second while the first is between its start and its end.
func (p *player) together(ctx context.Context, turns []turn, first *lines) error {
	if len(turns) != 2 {
		return errors.New("two turns are expected")
	}
	second := &lines{}
	for event, err := range p.beside(ctx, turns[0]) {
		first.event(event, err)
		if _, ok := event.(*trunkline.Start); ok {
			for event, err := range p.beside(ctx, turns[1]) {
				second.event(event, err)
			}
		}
	}
	first.add("and", nil)
	second.flush()
	first.all = append(first.all, second.all...)
	return nil
}
