package trunkline

import (
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
)

// Retry says how often and how patiently a call is tried of which the service itself says that nothing was sent
// upstream: UNAVAILABLE with its ErrorInfo. Everything else may have cost money, and is the caller's decision.
type Retry struct {
	Attempts int           // tries in all; 1 or less: never again
	Base     time.Duration // the wait before the second try, doubled for each further one, jittered
	Max      time.Duration // where the doubling ends
	Patience time.Duration // a service that says "later than this" is not waited for
}

// DefaultRetry is the [Retry] of a [Client] without [WithRetry].
var DefaultRetry = Retry{Attempts: 4, Base: 100 * time.Millisecond, Max: 5 * time.Second, Patience: 30 * time.Second}

// A retryRule returns how long to wait after a try that failed, counted from 1, and whether there is another.
type retryRule func(attempt int, err *Error) (time.Duration, bool)

func (r Retry) rule(resumes bool) retryRule {
	if resumes {
		return r.broken
	}
	return r.unsent
}

// unsent is the rule of every call.
func (r Retry) unsent(attempt int, err *Error) (time.Duration, bool) {
	unsent := err.Code == codes.Unavailable && err.Sent == SentNo
	if !unsent || attempt >= r.Attempts || err.RetryAfter > r.Patience {
		return 0, false
	}
	return r.delay(attempt, err), true
}

// broken is the rule of a turn that is resumed. Attempt counts what failed since the last event.
func (r Retry) broken(attempt int, err *Error) (time.Duration, bool) {
	if err.broken() && attempt <= resumeTries && err.RetryAfter <= r.Patience {
		return r.delay(attempt, err), true
	}
	return r.unsent(attempt, err)
}

func (r Retry) delay(attempt int, err *Error) time.Duration {
	spread := r.Max
	if doublings := attempt - 1; doublings < 32 && r.Base<<doublings>>doublings == r.Base {
		spread = min(r.Max, r.Base<<doublings)
	}
	// Never earlier than RetryInfo, and spread after it: all callers got the same one.
	return err.RetryAfter + time.Duration(float64(spread)*(0.5+rand.Float64()/2))
}
