package main

import (
	"container/heap"
	"time"
)

// A pacer sends the deltas of all paced answers that go over plain sockets, each when it is due. It wakes once for all
// that are due together; if each answer slept for itself, 1,000 of them would wake the scheduler 50,000 times a second.
type pacer struct {
	joining chan *answer
	under   underWay
}

var (
	paced = newPacer()
	began = time.Now() // Turns are told from here, so that they are numbers.
)

func newPacer() *pacer {
	p := &pacer{joining: make(chan *answer, 1024)}
	go p.run()
	return p
}

// carry returns when all deltas are sent, or when the socket has not taken one as a whole: its reader is slow, or
// gone, and nobody else is to wait for it. Who calls it owns the socket, and does not close it meanwhile.
func (p *pacer) carry(a *answer) {
	a.turn = a.due.Sub(began)
	p.joining <- a
	<-a.back
}

func (p *pacer) run() {
	timer := time.NewTimer(time.Hour)
	for {
		if len(p.under) > 0 {
			timer.Reset(p.under[0].turn - time.Since(began))
		}
		select {
		case a := <-p.joining:
			heap.Push(&p.under, a)
		case <-timer.C:
			for range len(p.joining) { // All of them: when it is late, the select would let in one a round.
				heap.Push(&p.under, <-p.joining)
			}
			p.round(time.Since(began))
		}
	}
}

// round sends what is due now, one delta of each answer: who is behind catches up in turns with all others.
func (p *pacer) round(now time.Duration) {
	for len(p.under) > 0 && p.under[0].turn < now {
		a := p.under[0]
		a.delta()
		if a.offer() && a.left > 0 {
			a.turn = max(a.due.Sub(began), now)
			heap.Fix(&p.under, 0)
		} else {
			heap.Pop(&p.under)
			a.back <- struct{}{}
		}
	}
}

// underWay is a heap: first comes the answer whose turn is first.
type underWay []*answer

func (u underWay) Len() int           { return len(u) }
func (u underWay) Less(i, j int) bool { return u[i].turn < u[j].turn }
func (u underWay) Swap(i, j int)      { u[i], u[j] = u[j], u[i] }
func (u *underWay) Push(a any)        { *u = append(*u, a.(*answer)) }

func (u *underWay) Pop() any {
	last := len(*u) - 1
	a := (*u)[last]
	(*u)[last] = nil
	*u = (*u)[:last]
	return a
}
