package main

import (
	"math"
	"slices"
	"strconv"
	"time"
)

const (
	digits  = 20
	starved = int64(time.Second) // A stream that receives nothing for so long within the window has starved.
	intime  = int64(500 * time.Millisecond)
)

// A tape records what one stream received within the window. All times are nanoseconds.
type tape struct {
	opens, closes     int64
	started, heard    int64 // Of the turn: its start, and the last arrival; 0: none yet.
	previous, silence int64 // Of the window: the last arrival, and the longest wait.
	deltas, turns     int
	ttft, gap, delay  []int64
}

func (t *tape) begin() { t.started, t.heard = time.Now().UnixNano(), 0 }

func (t *tape) end() {
	if now := time.Now().UnixNano(); now >= t.opens && now < t.closes {
		t.turns++
	}
}

func (t *tape) piece(text []byte) {
	now := time.Now().UnixNano()
	last := t.heard
	t.heard = now
	if now < t.opens || now >= t.closes {
		return
	}
	t.silence = max(t.silence, now-max(t.previous, t.opens))
	t.previous = now
	if last == 0 && t.started >= t.opens {
		t.ttft = append(t.ttft, now-t.started)
	} else if last != 0 {
		t.gap = append(t.gap, now-last)
	}
	for ; len(text) >= digits; text = text[digits:] {
		sent, _ := strconv.ParseInt(string(text[:digits]), 10, 64)
		t.deltas++
		t.delay = append(t.delay, now-sent)
	}
}

func summary(all []*tape, seconds float64) map[string]any {
	var ttft, gap, delay []int64
	var deltas, turns, hungry, messages, waiting int
	for _, t := range all {
		ttft, gap, delay = append(ttft, t.ttft...), append(gap, t.gap...), append(delay, t.delay...)
		deltas, turns, messages = deltas+t.deltas, turns+t.turns, messages+len(t.ttft)+len(t.gap)
		if max(t.silence, t.closes-max(t.previous, t.opens)) > starved {
			hungry++
		}
		if t.heard == 0 && t.started >= t.opens {
			waiting++
		}
	}
	punctual := 0
	for _, d := range delay {
		if d <= intime {
			punctual++
		}
	}
	return map[string]any{
		"streams": len(all), "seconds": seconds, "deltas": deltas, "turns": turns, "starved": hungry,
		"messages": messages, "deltas_per_s": float64(deltas) / seconds, "within_500ms": punctual,
		"ttft_count": len(ttft), "ttft_open": waiting, "ttft_p50_ms": milli(ttft, 0.5), "ttft_p99_ms": milli(ttft, 0.99),
		"gap_p50_ms": milli(gap, 0.5), "gap_p99_ms": milli(gap, 0.99),
		"delay_p50_ms": milli(delay, 0.5), "delay_p99_ms": milli(delay, 0.99),
	}
}

// milli returns a quantile in milliseconds, -1 without values.
func milli(values []int64, quantile float64) float64 {
	if len(values) == 0 {
		return -1
	}
	slices.Sort(values)
	index := int(math.Ceil(quantile*float64(len(values)))) - 1
	return float64(values[max(index, 0)]) / 1e6
}
