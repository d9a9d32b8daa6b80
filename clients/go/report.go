package trunkline

import (
	"time"

	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

// Usage counts tokens. Cached and cache-write tokens are part of input, reasoning tokens of output.
type Usage struct {
	InputTokens       int64
	CachedInputTokens int64
	CacheWriteTokens  int64
	OutputTokens      int64
	ReasoningTokens   int64
	TotalTokens       int64
	DetailsJSON       string // the upstream's usage as it wrote it
}

// Report says how a turn ran: over what, with how much of the conversation, and why. The reasons are words such as
// "preferred" or "history_edited"; docs/protocol.md lists them.
type Report struct {
	ResponseID       string // the upstream's id of the response
	Transport        Transport
	TransportReason  string
	Context          Context
	ContextReason    string
	Attempts         int  // requests written upstream, warm-ups excluded
	ConnectionReused bool // the line was open before the turn
	Timings          Timings
	BytesSent        int64          // payload of the last request
	BytesSaved       int64          // what the same request would have had more, sent in full
	IgnoredEvents    map[string]int // events of the upstream that were skipped: how many of each type
	Attached         bool           // the call did not start the turn: it attached to one that its key names
	Upstream         string         // the name of the upstream that answered; empty: the only one
	UpstreamReason   string         // why it was that one: "preferred", "connect_failed", …; empty: it is the only one
}

// Timings says how long each phase took. The last three count from the start of the turn; zero: it did not happen.
type Timings struct {
	Queue        time.Duration
	Connect      time.Duration
	FirstEvent   time.Duration
	FirstContent time.Duration
	Total        time.Duration
}

// The getters below read an absent message as zeros, and so is an absent duration.

func usageFrom(usage *pb.Usage) Usage {
	return Usage{
		InputTokens:       usage.GetInputTokens(),
		CachedInputTokens: usage.GetCachedInputTokens(),
		CacheWriteTokens:  usage.GetCacheWriteTokens(),
		OutputTokens:      usage.GetOutputTokens(),
		ReasoningTokens:   usage.GetReasoningTokens(),
		TotalTokens:       usage.GetTotalTokens(),
		DetailsJSON:       usage.GetDetailsJson(),
	}
}

func reportFrom(report *pb.TurnReport) Report {
	timings := report.GetTimings()
	ignored := make(map[string]int, len(report.GetIgnoredEvents()))
	for kind, count := range report.GetIgnoredEvents() {
		ignored[kind] = int(count)
	}
	return Report{
		ResponseID:       report.GetResponseId(),
		Transport:        word[Transport](report.GetTransport(), "TRANSPORT_"),
		TransportReason:  report.GetTransportReason(),
		Context:          word[Context](report.GetContext(), "CONTEXT_"),
		ContextReason:    report.GetContextReason(),
		Attempts:         int(report.GetAttempts()),
		ConnectionReused: report.GetConnectionReused(),
		Timings: Timings{
			Queue:        timings.GetQueue().AsDuration(),
			Connect:      timings.GetConnect().AsDuration(),
			FirstEvent:   timings.GetFirstEvent().AsDuration(),
			FirstContent: timings.GetFirstContent().AsDuration(),
			Total:        timings.GetTotal().AsDuration(),
		},
		BytesSent:      report.GetBytesSent(),
		BytesSaved:     report.GetBytesSaved(),
		IgnoredEvents:  ignored,
		Attached:       report.GetAttached(),
		Upstream:       report.GetUpstream(),
		UpstreamReason: report.GetUpstreamReason(),
	}
}
