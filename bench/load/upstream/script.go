package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const digits = 20

// A script is one answer in the upstream's order of events. What does not change between deltas is built once.
type script struct {
	id       string
	head     string
	model    string
	sequence int64
	event    []byte
	text     []byte
	framed   []byte // The last delta, in which these two places change from one to the next.
	number   int
	piece    int
	longer   int64 // The number that has a digit more.
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
		text:  make([]byte, 0, deltas*digits),
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

// delta is the last one with another number and text, which is all that changes. A time in nanoseconds has 19 digits
// until the year 2286.
func (s *script) delta(buffer []byte, to pipe, now time.Time) []byte {
	if s.sequence >= s.longer {
		s.pattern(to)
	}
	s.text = strconv.AppendInt(append(s.text, '0'), now.UnixNano(), 10)
	strconv.AppendInt(s.framed[:s.number], s.sequence, 10)
	copy(s.framed[s.piece:], s.text[len(s.text)-digits:])
	s.sequence++
	return append(buffer, s.framed...)
}

// pattern frames a delta whose number has as many digits as the next one's.
func (s *script) pattern(to pipe) {
	const number, piece = `"sequence_number":`, `"delta":"`
	next := s.sequence
	for s.longer = 10; s.longer <= next; {
		s.longer *= 10
	}
	s.framed = s.say(s.framed[:0], to, "response.output_text.delta",
		s.head+piece+strings.Repeat("0", digits)+`","logprobs":[]`)
	s.sequence = next
	s.number = bytes.Index(s.framed, []byte(number)) + len(number)
	s.piece = bytes.Index(s.framed, []byte(piece)) + len(piece)
}

func (s *script) end(buffer []byte, to pipe) []byte {
	text := string(s.text)
	part := `{"type":"output_text","text":"` + text + `","annotations":[],"logprobs":[]}`
	item := `{"id":"msg_` + s.id + `","type":"message","status":"completed","role":"assistant","content":[` + part + `]}`
	usage := strings.ReplaceAll(`{"input_tokens":10,"input_tokens_details":{"cached_tokens":0},"output_tokens":N,`+
		`"output_tokens_details":{"reasoning_tokens":0},"total_tokens":N}`, "N", strconv.Itoa(len(text)/digits+10))
	buffer = s.say(buffer, to, "response.output_text.done", s.head+`"text":"`+text+`","logprobs":[]`)
	buffer = s.say(buffer, to, "response.content_part.done", s.head+`"part":`+part)
	buffer = s.say(buffer, to, "response.output_item.done", `,"output_index":0,"item":`+item)
	return s.say(buffer, to, "response.completed", s.response("completed", item, usage))
}
