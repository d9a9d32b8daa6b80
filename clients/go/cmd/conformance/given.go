package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	trunkline "github.com/trunkline/trunkline/clients/go"
)

// What a scenario's JSON says, made into what the client takes.

type toolData struct {
	Description string
	Parameters  string
	Definition  string // a tool of any kind, as it is written
	Custom      bool
	Fails       bool
}

type turn struct {
	Text   *string
	Repeat struct {
		Of    string
		Count int
	}
	Items   []string // of the upstream, after the text
	Options struct {
		Transport         *string
		MaxOutputTokens   *int64                  `json:"max_output_tokens"`
		ParallelToolCalls *bool                   `json:"parallel_tool_calls"`
		ReasoningEffort   *trunkline.Effort       `json:"reasoning_effort"`
		ReasoningSummary  *trunkline.SummaryStyle `json:"reasoning_summary"`
		Include           []string
		ToolChoice        *string `json:"tool_choice"`
		Store             *bool
		Resume            bool
		Linger            *int // seconds
		Heartbeat         *int
	}
	TurnKey       string `json:"turn_key"`
	AfterSequence int64  `json:"after_sequence"`
	TimeoutMS     int    `json:"timeout_ms"`
	CancelOn      string `json:"cancel_on"`
	StopOn        string `json:"stop_on"`
	CutOn         string `json:"cut_on"`
	CutAfterMS    int    `json:"cut_after_ms"`
	Mask          bool
}

func tool(name string, data toolData) trunkline.Tool {
	type arguments struct {
		Query string `json:"query"`
	}
	if data.Custom {
		return trunkline.NewCustomTool(name, data.Description, func(_ context.Context, input string) (string, error) {
			return "found " + input, nil
		})
	}
	made := trunkline.NewTool(name, data.Description, func(_ context.Context, in arguments) (string, error) {
		if data.Fails {
			return "", errors.New("it failed")
		}
		return "found " + in.Query, nil
	})
	made.Parameters = data.Parameters
	if data.Definition == "" {
		return made
	}
	defined := trunkline.DefineTool(data.Definition)
	defined.Func = made.Func
	return defined
}

func (t turn) message() *trunkline.Message {
	if t.Text == nil {
		return nil
	}
	var items []*trunkline.Part
	for _, item := range t.Items {
		items = append(items, trunkline.UpstreamItem(item))
	}
	return trunkline.User(*t.Text+strings.Repeat(t.Repeat.Of, t.Repeat.Count), items...)
}

func (t turn) options() (options []trunkline.Option) {
	given := t.Options
	if given.Transport != nil {
		options = append(options, trunkline.Over(trunkline.Transport(*given.Transport)))
	}
	if given.MaxOutputTokens != nil {
		options = append(options, trunkline.MaxOutputTokens(*given.MaxOutputTokens))
	}
	if given.ParallelToolCalls != nil {
		options = append(options, trunkline.ParallelToolCalls(*given.ParallelToolCalls))
	}
	if given.ReasoningEffort != nil {
		options = append(options, trunkline.ReasoningEffort(*given.ReasoningEffort))
	}
	if given.ReasoningSummary != nil {
		options = append(options, trunkline.ReasoningSummary(*given.ReasoningSummary))
	}
	if given.Include != nil {
		options = append(options, trunkline.Include(given.Include...))
	}
	if given.ToolChoice != nil {
		options = append(options, trunkline.ChoiceDefinition(*given.ToolChoice))
	}
	if given.Store != nil {
		options = append(options, trunkline.Store(*given.Store))
	}
	if given.Linger != nil {
		options = append(options, trunkline.Linger(time.Duration(*given.Linger)*time.Second))
	}
	if given.Heartbeat != nil {
		options = append(options, trunkline.Heartbeat(time.Duration(*given.Heartbeat)*time.Second))
	}
	return options
}

// answers makes one item for each action, in order.
func (s step) answers(actions []*trunkline.UpstreamItemPart) ([]*trunkline.Part, error) {
	if len(actions) != len(s.Answers) {
		return nil, fmt.Errorf("%d actions wait, %d answers are given", len(actions), len(s.Answers))
	}
	var items []*trunkline.Part
	for i, action := range actions {
		item, err := answer(s.Answers[i], action)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

func answer(given string, action *trunkline.UpstreamItemPart) (*trunkline.Part, error) {
	if given == "approve" || given == "deny" {
		return trunkline.Approval(action, given == "approve", "")
	}
	var call struct {
		ID string `json:"call_id"`
	}
	if err := json.Unmarshal([]byte(action.Json), &call); err != nil {
		return nil, err
	}
	return trunkline.UpstreamItem(strings.ReplaceAll(given, "CALL", call.ID)), nil
}
