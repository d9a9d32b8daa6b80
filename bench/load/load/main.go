// Program load runs streams against one contender and reports what arrived, as JSON.
//
// After a warm-up (the streams start evenly over it, each runs turn after turn) it prints "open", measures for the
// window, prints "close", and leaves: whoever started it reads the contender's CPU at these two lines.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A talker runs turns of one conversation. `on` gets the text as it comes, in pieces of whole deltas, and keeps none.
type talker interface {
	turn(ctx context.Context, model string, on func([]byte)) error
}

var (
	mode    = flag.String("mode", "grpc", "grpc, ws or sse")
	target  = flag.String("target", "", "host:port; of sse an address up to /responses")
	key     = flag.String("key", "", "the bearer token")
	model   = flag.String("model", "bench-125x20", "deltas and milliseconds between them")
	streams = flag.Int("streams", 50, "how many at once")
	warm    = flag.Duration("warm", 2500*time.Millisecond, "the streams start evenly over this")
	window  = flag.Duration("window", 5*time.Second, "what is measured")
	turns   = flag.Int("turns", 0, "instead of a window: so many turns of each stream, `streams` at once")
	people  = flag.Int("sessions", 0, "with -turns: so many conversations, `streams` of them at a time")
	history = flag.Int("history", 0, "with -turns: the conversation begins with so many bytes, and grows")
	stats   = flag.String("stats", "", "with -turns: the address at which the upstream reports the bytes received")
)

func main() {
	flag.Parse()
	dial, err := dialer(*mode)
	if err != nil {
		fail(err)
	}
	if *turns > 0 {
		converse(dial)
		return
	}
	report(measure(dial))
}

func dialer(mode string) (func(int) talker, error) {
	switch mode {
	case "grpc":
		return overGRPC(*target, *key, *history)
	case "ws":
		return func(int) talker { return &overSocket{address: *target} }, nil
	case "sse":
		client := newHTTP()
		return func(int) talker { return newSSE(client, *target, *key, *history) }, nil
	}
	return nil, fmt.Errorf("no mode %q", mode)
}

// Contenders receive the deadline, too, and may reach it first.
const slack = 50 * time.Millisecond

func measure(dial func(int) talker) map[string]any {
	opens := time.Now().Add(*warm)
	closes := opens.Add(*window)
	ctx, cancel := context.WithDeadline(context.Background(), closes)
	defer cancel()
	all := make([]*tape, *streams)
	var failed atomic.Int64
	var first atomic.Value
	var group sync.WaitGroup
	for i := range all {
		all[i] = &tape{opens: opens.UnixNano(), closes: closes.UnixNano()}
		group.Add(1)
		go func() {
			defer group.Done()
			time.Sleep(time.Duration(i) * *warm / time.Duration(*streams))
			talk := dial(i)
			for ctx.Err() == nil {
				all[i].begin()
				if err := talk.turn(ctx, *model, all[i].piece); err == nil {
					all[i].end()
				} else if time.Until(closes) > slack {
					failed.Add(1)
					first.CompareAndSwap(nil, err.Error())
					time.Sleep(50 * time.Millisecond) // Do not retry a refusing contender without a pause.
				}
			}
		}()
	}
	time.Sleep(time.Until(opens))
	lag := watchLag(ctx)
	before := cpu()
	fmt.Println("open")
	time.Sleep(time.Until(closes))
	fmt.Println("close")
	used := cpu() - before
	group.Wait()
	result := summary(all, window.Seconds())
	result["own_cpu"] = used / window.Seconds()
	result["own_lag_p99_ms"] = <-lag
	result["failed"], result["first_error"] = failed.Load(), first.Load()
	return result
}

// watchLag measures how late timers of this process fire (p99): any latency reported here may be too high by that.
func watchLag(ctx context.Context) <-chan float64 {
	lag := make(chan float64, 1)
	go func() {
		var lags []int64
		for ctx.Err() == nil {
			due := time.Now().Add(10 * time.Millisecond)
			time.Sleep(time.Until(due))
			lags = append(lags, int64(time.Since(due)))
		}
		lag <- milli(lags, 0.99)
	}()
	return lag
}

func cpu() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func report(result any) {
	_ = json.NewEncoder(os.Stdout).Encode(result)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "load:", strings.TrimSpace(err.Error()))
	os.Exit(1)
}
