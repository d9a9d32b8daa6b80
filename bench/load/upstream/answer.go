package main

import (
	"time"

	"github.com/trunkline/trunkline/bench/load/ws"
)

// An answer is being sent: `left` deltas remain, the next one is due at `due`.
type answer struct {
	script *script
	to     pipe
	buffer []byte // Framed, and not yet written.
	left   int
	gap    time.Duration // 0: as fast as the reader takes them.
	due    time.Time

	plain *ws.Conn      // Set if the pacer can write to it.
	turn  time.Duration // When the pacer sends its next delta.
	back  chan struct{} // Signalled when the pacer has finished with it.
}

func newAnswer(script *script, to pipe, deltas int, gap time.Duration) *answer {
	a := &answer{script: script, to: to, left: deltas, gap: gap, back: make(chan struct{}, 1)}
	if over, ok := to.(socket); ok && over.Plain() {
		a.plain = over.Conn
	}
	a.buffer = script.begin(make([]byte, 0, chunk+1024), to)
	a.due = time.Now()
	return a
}

// run writes the whole answer. What the pacer cannot write without waiting is written here, waiting for the reader.
func (a *answer) run() error {
	for a.left > 0 {
		wait := time.Duration(0)
		if a.gap > 0 {
			wait = time.Until(a.due)
		}
		if wait > 0 && a.plain != nil {
			paced.carry(a)
		} else {
			time.Sleep(wait)
			a.delta()
		}
		if a.gap > 0 || len(a.buffer) > chunk {
			if err := a.flush(); err != nil {
				return err
			}
		}
	}
	return a.to.write(a.script.end(a.buffer, a.to))
}

// delta frames the next delta. It is written immediately; at full speed, together with others.
func (a *answer) delta() {
	now := time.Now()
	if a.gap > 0 && now.Sub(a.due) > late {
		tardy.Add(1)
	}
	a.buffer = a.script.delta(a.buffer, a.to, now)
	a.left--
	a.due = a.due.Add(a.gap)
	sent.Add(1)
}

func (a *answer) flush() error {
	if len(a.buffer) == 0 {
		return nil
	}
	err := a.to.write(a.buffer)
	a.buffer = a.buffer[:0]
	return err
}

// offer writes what the socket accepts without waiting; it returns false if something is left.
func (a *answer) offer() bool {
	n := a.plain.Offer(a.buffer)
	a.buffer = a.buffer[:copy(a.buffer, a.buffer[n:])]
	return len(a.buffer) == 0
}
