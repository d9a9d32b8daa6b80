// Command conformance runs the shared scenarios against a service and prints the transcript that
// clients/conformance/README.md describes.
//
//	conformance ADDRESS SCENARIOS [NAME…]
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	trunkline "github.com/trunkline/trunkline/clients/go"
)

type file struct {
	Model     string
	Tools     map[string]toolData
	Scenarios []scenario
}

type scenario struct {
	Name         string
	Session      *string
	Instructions string
	Tools        []string
	Steps        []step
}

type step struct {
	Do string
	turn
	MaxRounds int `json:"max_rounds"`
	Turns     turns
	Answers   []string // one for each action of the scenario's last end
	Details   bool
	Kept      bool
	Index     int
	Key       *string
	Prime     bool
	PageSize  int `json:"page_size"`
}

func main() {
	if len(os.Args) < 3 {
		fatal("usage: conformance ADDRESS SCENARIOS [NAME…]")
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fatal(err.Error())
	}
}

func fatal(problem string) {
	fmt.Fprintln(os.Stderr, "conformance:", problem)
	os.Exit(1)
}

func run(address, path string, names []string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var data file
	decoder := json.NewDecoder(strings.NewReader(string(content)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&data); err != nil {
		return err
	}
	client, err := trunkline.Dial(address)
	if err != nil {
		return err
	}
	defer client.Close()
	random := make([]byte, 6)
	_, _ = rand.Read(random)
	token := hex.EncodeToString(random)
	output := bufio.NewWriter(os.Stdout)
	defer output.Flush()
	for _, scenario := range data.Scenarios {
		if len(names) > 0 && !slices.Contains(names, scenario.Name) {
			continue
		}
		out := &transcript{Writer: output, run: token}
		out.line("== "+scenario.Name, nil)
		p := player{client: client, out: out, scenario: scenario, base: "conformance." + token + "." + scenario.Name}
		if scenario.Session != nil {
			p.base = *scenario.Session
		}
		p.conversation = client.NewConversation(data.Model)
		p.conversation.SessionID = p.base
		p.conversation.Instructions = scenario.Instructions
		for _, name := range scenario.Tools {
			p.conversation.Tools = append(p.conversation.Tools, tool(name, data.Tools[name]))
		}
		for _, step := range scenario.Steps {
			if err := p.play(context.Background(), step); err != nil {
				return fmt.Errorf("%s: %s: %w", scenario.Name, step.Do, err)
			}
			output.Flush()
		}
	}
	return nil
}

// A player plays the steps of one scenario.
type player struct {
	client       *trunkline.Client
	conversation *trunkline.Conversation
	out          *transcript
	scenario     scenario
	base         string          // the session id
	ended        *trunkline.Done // the last end
}

func (p *player) play(ctx context.Context, step step) error {
	p.out.line("> "+step.Do, nil)
	if step.TimeoutMS > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(step.TimeoutMS)*time.Millisecond)
		defer cancel()
	}
	id := p.base
	if step.Key != nil {
		id += "." + *step.Key
	}
	lines := &lines{mask: step.Mask, details: step.Details, kept: step.Kept, ended: p.ended}
	switch step.Do {
	case "stream", "run", "answer", "complete", "together", "call":
		if err := p.turns(ctx, step, lines); err != nil {
			return err
		}
		p.ended = lines.ended
	case "compact":
		lines.compaction(p.conversation.Compact(ctx))
	case "edit":
		p.conversation.Messages[step.Index] = trunkline.User(*step.Text)
	case "wait":
		p.wait(ctx, id)
	case "warm":
		session, err := p.client.Warm(ctx, trunkline.WarmRequest{
			SessionID: id, Model: p.conversation.Model, Instructions: p.conversation.Instructions,
			Tools: p.conversation.Tools, Prime: step.Prime,
		})
		lines.session(session, err)
	case "get":
		session, err := p.client.Session(ctx, id)
		lines.session(session, err)
		if step.Turns.shown && err == nil {
			lines.turns(session.RunningTurns)
		}
	case "list":
		p.list(ctx, step.PageSize, lines)
	case "release":
		if err := p.client.Release(ctx, id); err != nil {
			lines.error(err)
		} else {
			lines.add("released", nil)
		}
	case "cancel_turn":
		if err := p.client.CancelTurnKey(ctx, id, step.TurnKey); err != nil {
			lines.error(err)
		} else {
			lines.add("cancelled", nil)
		}
	default:
		return errors.New("no such step")
	}
	p.out.print(lines)
	switch step.Do {
	case "stream", "run", "answer", "complete", "together", "compact":
		p.out.line("history", history(p.conversation.Messages))
	}
	return nil
}

func (p *player) wait(ctx context.Context, id string) {
	for range 200 {
		session, err := p.client.Session(ctx, id)
		if err != nil || session.LineState != trunkline.LineBusy && session.LineState != trunkline.LineDialing {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (p *player) list(ctx context.Context, size int, lines *lines) {
	for token := ""; ; {
		page, err := p.client.SessionPage(ctx, size, token)
		if err != nil {
			lines.error(err)
			return
		}
		for _, session := range page.Sessions {
			if strings.HasPrefix(session.SessionID, p.base+".") {
				lines.session(session, nil)
			}
		}
		if token = page.NextPageToken; token == "" {
			return
		}
	}
}
