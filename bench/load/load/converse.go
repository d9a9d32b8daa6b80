package main

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// converse runs a number of whole turns instead of a window. With -stats it reports for each turn how many bytes the
// upstream received, which is meaningful with one stream only.
func converse(dial func(int) talker) {
	type result struct {
		TTFT  float64 `json:"ttft_ms"`
		Bytes int64   `json:"bytes"`
	}
	var lock sync.Mutex
	var group sync.WaitGroup
	list := []result{}
	failed := ""
	places := make(chan struct{}, *streams)
	for i := range max(*people, *streams) {
		places <- struct{}{}
		group.Add(1)
		go func() {
			defer group.Done()
			defer func() { <-places }()
			talk := dial(i)
			for range *turns {
				before, began, first := received(), time.Now(), time.Duration(0)
				err := talk.turn(context.Background(), *model, func([]byte) {
					if first == 0 {
						first = time.Since(began)
					}
				})
				after := received()
				lock.Lock()
				if err != nil {
					failed = err.Error()
				}
				list = append(list, result{float64(first) / 1e6, after - before})
				lock.Unlock()
			}
		}()
	}
	group.Wait()
	report(map[string]any{"turns": list, "first_error": failed})
}

func received() int64 {
	if *stats == "" {
		return 0
	}
	response, err := http.Get(*stats)
	if err != nil {
		fail(err)
	}
	defer response.Body.Close()
	var counts map[string]int64
	if err := json.NewDecoder(response.Body).Decode(&counts); err != nil {
		fail(err)
	}
	return counts["bytes"]
}
