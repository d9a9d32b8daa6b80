package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/trunkline/trunkline/bench/load/ws"
)

var (
	delta = []byte(`response.output_text.delta"`)
	field = []byte(`"delta":`)
	ended = []byte(`"type":"response.completed"`)
)

// textOf cuts the text out of a delta's event without parsing the rest; empty if it is another event.
func textOf(event []byte) []byte {
	if !bytes.Contains(event, delta) {
		return nil
	}
	_, rest, _ := bytes.Cut(event, field)
	_, rest, _ = bytes.Cut(rest, []byte{'"'})
	text, _, _ := bytes.Cut(rest, []byte{'"'})
	return text
}

// overSocket keeps one WebSocket to the upstream, opened by its first turn.
type overSocket struct {
	address string
	conn    *ws.Conn
}

func (o *overSocket) turn(ctx context.Context, model string, on func([]byte)) (err error) {
	if o.conn == nil {
		if o.conn, err = ws.Dial(o.address, "/v1/responses"); err != nil {
			return err
		}
	}
	defer context.AfterFunc(ctx, func() { o.conn.Close() })()
	if err := o.conn.Send(body(map[string]any{"type": "response.create", "model": model, "input": "go"})); err != nil {
		return err
	}
	for {
		event, err := o.conn.Read()
		if err != nil {
			return err
		}
		if text := textOf(event); len(text) > 0 {
			on(text)
		} else if bytes.HasPrefix(event, append([]byte{'{'}, ended...)) {
			return nil
		}
	}
}

// overSSE sends the whole conversation with each turn, as HTTP must.
type overSSE struct {
	client   *http.Client
	url, key string
	keep     bool
	input    []map[string]string
}

func newHTTP() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 20000}}
}

func newSSE(client *http.Client, url, key string, history int) *overSSE {
	talk := &overSSE{client: client, url: url + "/responses", key: key, keep: history > 0}
	if talk.keep {
		talk.say("user", strings.Repeat("history ", history/8))
	}
	return talk
}

func (o *overSSE) say(role, text string) {
	o.input = append(o.input, map[string]string{"role": role, "content": text})
}

func (o *overSSE) turn(ctx context.Context, model string, on func([]byte)) error {
	if !o.keep {
		o.input = nil
	}
	o.say("user", "go")
	asked := body(map[string]any{"model": model, "input": o.input, "stream": true})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url, bytes.NewReader(asked))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+o.key)
	response, err := o.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 300))
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	answer := ""
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(make([]byte, 32<<10), 64<<20)
	for lines.Scan() {
		if text := textOf(lines.Bytes()); len(text) > 0 {
			on(text)
			if o.keep {
				answer += string(text)
			}
		}
	}
	o.say("assistant", answer)
	return lines.Err()
}

func body(value any) []byte {
	encoded, err := json.Marshal(value)
	if err != nil {
		fail(err)
	}
	return encoded
}
