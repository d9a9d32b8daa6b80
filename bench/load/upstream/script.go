package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A script is one answer in the upstream's order of events. What does not change between deltas is built once.
type script struct {
	id       string
	head     string
	model    string
	sequence int64
	event    []byte
	text     []byte
}

const created = `"object":"response","created_at":1767225600,"error":null,"incomplete_details":null,` +
	`"instructions":null,"max_output_tokens":null,"parallel_tool_calls":true,"previous_response_id":null,` +
	`"reasoning":{"effort":null,"summary":null},"store":false,"temperature":1.0,"tool_choice":"auto","tools":[],` +
	`"top_p":1.0,"truncation":"disabled","metadata":{}`

func newScript(number int64, model string, deltas int) *script {
	id := fmt.Sprintf("%024d", number)
	return &script{
		id:    id,
		model: model,
		head:  `,"item_id":"msg_` + id + `","output_index":0,"content_index":0,`,
		text:  make([]byte, 0, deltas*20),
	}
}

func (s *script) say(buffer []byte, to pipe, kind, rest string) []byte {
	s.event = append(append(append(s.event[:0], `{"type":"`...), kind...), `","sequence_number":`...)
	s.event = append(strconv.AppendInt(s.event, s.sequence, 10), rest...)
	s.sequence++
	return to.frame(buffer, kind, append(s.event, '}'))
}

func (s *script) response(status, output, usage string) string {
	return `,"response":{"id":"resp_` + s.id + `",` + s.model + `,"status":"` + status + `",` + created +
		`,"output":[` + output + `],"usage":` + usage + `}`
}

func (s *script) begin(buffer []byte, to pipe) []byte {
	begun := s.response("in_progress", "", "null")
	buffer = s.say(buffer, to, "response.created", begun)
	buffer = s.say(buffer, to, "response.in_progress", begun)
	buffer = s.say(buffer, to, "response.output_item.added", `,"output_index":0,"item":{"id":"msg_`+s.id+
		`","type":"message","status":"in_progress","role":"assistant","content":[]}`)
	return s.say(buffer, to, "response.content_part.added", s.head+
		`"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}`)
}

func (s *script) delta(buffer []byte, to pipe) []byte {
	now := strconv.FormatInt(time.Now().UnixNano(), 10)
	piece := "00000000000000000000"[len(now):] + now
	s.text = append(s.text, piece...)
	return s.say(buffer, to, "response.output_text.delta", s.head+`"delta":"`+piece+`","logprobs":[]`)
}

func (s *script) end(buffer []byte, to pipe) []byte {
	text := string(s.text)
	part := `{"type":"output_text","text":"` + text + `","annotations":[],"logprobs":[]}`
	item := `{"id":"msg_` + s.id + `","type":"message","status":"completed","role":"assistant","content":[` + part + `]}`
	usage := strings.ReplaceAll(`{"input_tokens":10,"input_tokens_details":{"cached_tokens":0},"output_tokens":N,`+
		`"output_tokens_details":{"reasoning_tokens":0},"total_tokens":N}`, "N", strconv.Itoa(len(text)/20+10))
	buffer = s.say(buffer, to, "response.output_text.done", s.head+`"text":"`+text+`","logprobs":[]`)
	buffer = s.say(buffer, to, "response.content_part.done", s.head+`"part":`+part)
	buffer = s.say(buffer, to, "response.output_item.done", `,"output_index":0,"item":`+item)
	return s.say(buffer, to, "response.completed", s.response("completed", item, usage))
}
