package main

import (
	"encoding/json"

	trunkline "github.com/trunkline/trunkline/clients/go"
)

type progress struct {
	Index     int    `json:"index"`
	ItemType  string `json:"item_type"`
	EventType string `json:"event_type"`
	JSON      bool   `json:"json"`
}

type customCall struct {
	ID    string `json:"custom"`
	Name  string `json:"name"`
	Input string `json:"input"`
}

type item struct {
	Type string `json:"item"`
	JSON string `json:"json"`
}

type citation struct {
	Type   string `json:"type"`
	Source string `json:"source"`
}

type details struct {
	Tier        string         `json:"tier"`
	Usage       bool           `json:"usage"`
	Annotations []citation     `json:"annotations"`
	Logprobs    int            `json:"logprobs"`
	Actions     []string       `json:"actions"`
	Ignored     map[string]int `json:"ignored"`
}

func detailsOf(done *trunkline.Done) details {
	shown := details{
		Tier:        done.ServiceTier,
		Usage:       done.Usage.DetailsJSON != "",
		Annotations: []citation{},
		Logprobs:    len(done.Logprobs()),
		Actions:     []string{},
		Ignored:     done.Report.IgnoredEvents,
	}
	for _, annotation := range done.Annotations() {
		shown.Annotations = append(shown.Annotations, citationOf(annotation))
	}
	for _, action := range done.Actions() {
		shown.Actions = append(shown.Actions, action.Type)
	}
	return shown
}

func citationOf(annotation json.RawMessage) citation {
	var fields struct {
		Type   string `json:"type"`
		URL    string `json:"url"`
		FileID string `json:"file_id"`
	}
	if err := json.Unmarshal(annotation, &fields); err != nil {
		fatal(err.Error())
	}
	if fields.URL == "" {
		fields.URL = fields.FileID
	}
	return citation{fields.Type, fields.URL}
}

// item prints the JSON whole, whatever its length: it is passed on as it is written.
func (l *lines) item(one *trunkline.UpstreamItemPart) item {
	if l.mask {
		return item{one.Type, "<text>"}
	}
	return item{one.Type, one.Json}
}

type kept struct {
	Attached     bool `json:"attached"`
	Continuation bool `json:"continuation"`
}

func keptOf(done *trunkline.Done) kept {
	return kept{done.Report.Attached, done.Continuation != ""}
}

func (l *lines) compaction(compaction *trunkline.Compaction, err error) {
	if err != nil {
		l.error(err)
		return
	}
	l.add("compacted", struct {
		Messages   []string `json:"messages"`
		Usage      *usage   `json:"usage"`
		ResponseID bool     `json:"response_id"`
		Provider   string   `json:"provider"`
		Created    bool     `json:"created"`
	}{
		history(compaction.Messages), l.usage(&compaction.Usage), compaction.ResponseID != "", compaction.Provider,
		!compaction.CreatedAt.IsZero(),
	})
}
