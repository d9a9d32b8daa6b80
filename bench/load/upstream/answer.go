package main

import (
	"time"

	"github.com/trunkline/trunkline/bench/load/ws"
)

// An answer is under way: so many of its deltas are left, the next of them is due then.
type answer struct {
	script *script
	to     pipe
	buffer []byte // Framed, and not yet written.
	left   int
	gap    time.Duration // 0: as fast as the reader takes them.
	due    time.Time

	plain *ws.Conn      // If the pacer can write it.
	turn  time.Duration // When the pacer comes back to it.
	back  chan struct{} // The pacer has left it.
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

// run writes the whole answer. Where the pacer cannot, or has not managed to, it waits for the reader.
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

// delta frames the next delta, which is written at once, or at full speed with others.
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

// offer writes what the socket takes without waiting; false if something is left.
func (a *answer) offer() bool {
	n := a.plain.Offer(a.buffer)
	a.buffer = a.buffer[:copy(a.buffer, a.buffer[n:])]
	return len(a.buffer) == 0
}
