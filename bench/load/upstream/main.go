// Program upstream is a Responses upstream that is faster than what is measured on it.
//
// It answers WebSockets (GET) and SSE (POST) on /v1/responses. The model's name says what: `bench-500x20` is 500
// deltas, one each 20 ms; a pace of 0 is as fast as the reader takes them. Each delta is the time at which it was
// sent, 20 digits. GET /stats reports what was received and sent, and how many deltas were late. Any other POST is
// accepted and discarded, as by a collector of traces.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/trunkline/trunkline/bench/load/ws"
)

const (
	late  = 20 * time.Millisecond // A delta that is sent this much after its time is late.
	chunk = 16 << 10              // At full speed so many bytes are written at once.
)

var (
	asked                           = regexp.MustCompile(`bench-(\d+)x(\d+)`)
	field                           = regexp.MustCompile(`"model":\s*"([^"]*)"`)
	requests, received, sent, tardy atomic.Int64
)

// A pipe carries one answer: it frames an event, and writes what has been framed.
type pipe interface {
	frame(buffer []byte, kind string, event []byte) []byte
	write(buffer []byte) error
}

type socket struct{ *ws.Conn }

func (s socket) frame(buffer []byte, _ string, event []byte) []byte { return ws.Append(buffer, event) }
func (s socket) write(buffer []byte) error                          { _, err := s.Write(buffer); return err }

type sse struct{ http.ResponseWriter }

func (s sse) frame(buffer []byte, kind string, event []byte) []byte {
	buffer = append(append(append(buffer, "event: "...), kind...), "\ndata: "...)
	return append(append(buffer, event...), "\n\n"...)
}

func (s sse) write(buffer []byte) error {
	_, err := s.Write(buffer)
	s.ResponseWriter.(http.Flusher).Flush()
	return err
}

// reply says what the model's name asks for, or the path before /v1 (for proxies that insist on known models).
func reply(path string, request []byte, to pipe) error {
	number := requests.Add(1)
	received.Add(int64(len(request)))
	model := field.FindSubmatch(request)
	if model == nil {
		return fmt.Errorf("no model in %.200s", request)
	}
	match := asked.FindStringSubmatch(path + string(model[1]))
	if match == nil {
		return fmt.Errorf("the bench does not know the model %s", model[1])
	}
	deltas, _ := strconv.Atoi(match[1])
	pace, _ := strconv.Atoi(match[2])
	return newAnswer(newScript(number, string(model[0]), deltas), to, deltas, time.Duration(pace)*time.Millisecond).run()
}

func responses(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			w.Header().Set("Content-Type", "text/event-stream")
			err = reply(r.URL.Path, body, sse{w})
		}
		if err != nil {
			log.Print(err)
		}
		return
	}
	conn, err := ws.Accept(w, r)
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		message, err := conn.Read()
		if err != nil {
			return
		}
		if err := reply("", message, socket{conn}); err != nil {
			return
		}
	}
}

func stats(w http.ResponseWriter, _ *http.Request) {
	_ = json.NewEncoder(w).Encode(map[string]int64{
		"requests": requests.Load(), "bytes": received.Load(), "sent": sent.Load(), "late": tardy.Load(),
	})
}

func main() {
	address := flag.String("listen", "127.0.0.1:0", "where to listen")
	certificate := flag.String("tls", "", "serve https; write the certificate to this file")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	scheme := "http"
	if *certificate != "" {
		scheme = "https"
		listener = secure(listener, *certificate)
	}
	http.HandleFunc("/v1/responses", responses)
	http.HandleFunc("/{script}/v1/responses", responses)
	http.HandleFunc("/stats", stats)
	http.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	fmt.Printf("listening on %s://%s\n", scheme, listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
