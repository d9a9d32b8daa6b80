package trunkline

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
)

// The kinds of failure that call for different handling, for [errors.Is]. A reason that is newer than this client is of none.
var (
	// ErrInvalidRequest: the service or the upstream refuses the request. Violations names the fields.
	ErrInvalidRequest = errors.New("trunkline: the request is invalid")
	// ErrContextLength: the conversation does not fit the model; [Conversation.Compact] shortens it. It is an ErrInvalidRequest.
	ErrContextLength = fmt.Errorf("%w: the conversation does not fit the model", ErrInvalidRequest)
	// ErrUnauthenticated: the service does not know the caller. Correct the token or the key.
	ErrUnauthenticated = errors.New("trunkline: the caller is unknown")
	// ErrPermissionDenied: the caller may not do this: use this model, or bring a key.
	ErrPermissionDenied = errors.New("trunkline: the caller may not do this")
	// ErrNotFound: the replica has no such session or turn.
	ErrNotFound = errors.New("trunkline: not found")
	// ErrRateLimited: a rate limit of the upstream. Try again after RetryAfter.
	ErrRateLimited = errors.New("trunkline: rate limited")
	// ErrQuotaExhausted: the upstream's quota is used up, or its bill is not paid. Do not try again.
	ErrQuotaExhausted = errors.New("trunkline: the quota is exhausted")
	// ErrOverloaded: a limit of the service. Try again after RetryAfter.
	ErrOverloaded = errors.New("trunkline: the service is overloaded")
	// ErrConnectionFailed: the service or its upstream was not reached, or was lost. Sent: whether a try may cost twice.
	ErrConnectionFailed = errors.New("trunkline: the connection failed")
	// ErrTimedOut: the time was up: the caller's own, or a wait of the service, which the message names.
	ErrTimedOut = errors.New("trunkline: timed out")
	// ErrUpstreamFailed: the upstream failed, refuses the service's key, or answered what is invalid. See Upstream.
	ErrUpstreamFailed = errors.New("trunkline: the upstream failed")
	// ErrInternal: a bug of the service. Its log has the details.
	ErrInternal = errors.New("trunkline: the service failed")
	// ErrCancelled: the turn was stopped: by its caller, by [Client.CancelTurn], or since nobody read it.
	ErrCancelled = errors.New("trunkline: cancelled")
	// ErrTakenOver: a newer call with the same turn key reads the turn now.
	ErrTakenOver = errors.New("trunkline: another call took the turn over")
)

// kinds is the kind of each reason that the service reports, and of calls that this side ended.
var kinds = map[string]error{
	"INVALID_REQUEST":         ErrInvalidRequest,
	"MESSAGE_TOO_BIG":         ErrInvalidRequest,
	"CONTEXT_LENGTH_EXCEEDED": ErrContextLength,
	"UNAUTHENTICATED":         ErrUnauthenticated,
	"PERMISSION_DENIED":       ErrPermissionDenied,
	"SESSION_NOT_FOUND":       ErrNotFound,
	"TURN_NOT_FOUND":          ErrNotFound,
	"RATE_LIMITED":            ErrRateLimited,
	"QUOTA_EXHAUSTED":         ErrQuotaExhausted,
	"OVERLOADED":              ErrOverloaded,
	"CONNECT_FAILED":          ErrConnectionFailed,
	"CONNECTION_LOST":         ErrConnectionFailed,
	"INTERRUPTED":             ErrConnectionFailed,
	"SHUTTING_DOWN":           ErrConnectionFailed,
	"TIMEOUT":                 ErrTimedOut,
	ReasonDeadline:            ErrTimedOut,
	"UPSTREAM_AUTH":           ErrUpstreamFailed,
	"UPSTREAM_ERROR":          ErrUpstreamFailed,
	"PROTOCOL_ERROR":          ErrUpstreamFailed,
	"INTERNAL":                ErrInternal,
	ReasonCancelled:           ErrCancelled,
	"TAKEN_OVER":              ErrTakenOver,
}

// bareKinds is the kind of a status that comes alone: from gRPC itself, or from a proxy. OK: a stream that just ends.
var bareKinds = map[codes.Code]error{
	codes.OK:               ErrConnectionFailed,
	codes.Unknown:          ErrConnectionFailed,
	codes.Internal:         ErrConnectionFailed,
	codes.Unavailable:      ErrConnectionFailed,
	codes.DeadlineExceeded: ErrTimedOut,
	codes.Canceled:         ErrCancelled,
	codes.Unauthenticated:  ErrUnauthenticated,
	codes.PermissionDenied: ErrPermissionDenied,
}

// Is reports whether the failure is of a kind: errors.Is(err, trunkline.ErrRateLimited).
func (e *Error) Is(kind error) bool {
	if e.bare {
		return errors.Is(bareKinds[e.Code], kind)
	}
	return errors.Is(kinds[e.Reason], kind)
}
