package trunkline

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

const (
	domain = "trunkline"
	// ReasonCancelled and ReasonDeadline are the reasons of calls that this side ended.
	ReasonCancelled = "CANCELLED"
	ReasonDeadline  = "DEADLINE_EXCEEDED"
)

// Error says how a call failed. It is returned once, with everything that is known:
//
//	var failed *trunkline.Error
//	if errors.As(err, &failed) && failed.Retryable { … }
//
// errors.Is finds its kind ([ErrRateLimited] and its like), and [context.Canceled] and [context.DeadlineExceeded] in a call that its context ended.
type Error struct {
	// Reason is one of docs/protocol.md ("RATE_LIMITED", an open set), or, where the failure is not the service's own,
	// the name of the gRPC status ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED").
	Reason  string
	Message string
	Code    codes.Code
	// Retryable: the same request may succeed later. Sent says whether that may cost money twice.
	Retryable  bool
	RetryAfter time.Duration // when to try again; zero: unknown
	Sent       Sent
	Partial    *Message          // the answer as far as it came, or nil
	Upstream   *UpstreamError    // what the upstream said, or nil
	Usage      *Usage            // what it cost, or nil
	Report     *Report           // how the turn ran, or nil
	Violations []Violation       // what is wrong with the request
	Metadata   map[string]string // ErrorInfo's own, for what has no name here
	TurnKey    string            // of the turn, where it has one ([TurnKey]): with it the rest may still be read …
	Sequence   int64             // … after this event, the last that came

	cause error
	bare  bool // the service itself says nothing: a status of gRPC or of a proxy, or no ending at all
}

// Sent says whether a request reached the upstream.
type Sent int

const (
	SentUnknown Sent = iota // nobody knows
	SentNo
	SentYes
)

func (s Sent) String() string {
	switch s {
	case SentNo:
		return "no"
	case SentYes:
		return "yes"
	}
	return "unknown"
}

// UpstreamError is the upstream's own error. Status is of HTTP, or the close code of the WebSocket; 0: none.
type UpstreamError struct {
	Code      string
	Type      string
	Status    int
	RequestID string
}

// Violation is one thing that is wrong with the request: the path of the field, and what to do.
type Violation struct {
	Field       string
	Description string
}

func (e *Error) Error() string {
	if e.Message == "" {
		return "trunkline: " + e.Reason
	}
	return "trunkline: " + e.Reason + ": " + e.Message
}

// broken says that the connection ended, not the turn.
func (e *Error) broken() bool {
	switch e.Code {
	case codes.OK, codes.Canceled, codes.Unknown, codes.Internal, codes.Unavailable:
		return e.bare
	}
	return false
}

// Unwrap returns the error of the context that ended the call, or the gRPC status.
func (e *Error) Unwrap() error { return e.cause }

// errorFrom reads a status, its details, and the error event if there was one. Where they disagree the event wins,
// since it carries more. Partial is what this side has gathered; what the service reports takes precedence.
func errorFrom(ctx context.Context, err error, event *pb.Error, partial *Message) error {
	if mine := (*tokenError)(nil); errors.As(err, &mine) {
		return err
	}
	state := status.Convert(err)
	failed := read(state, event)
	failed.cause = err
	if failed.Partial == nil {
		failed.Partial = partial
	}
	if ended := endOf(ctx); ended != nil && (failed.Reason == ReasonCancelled || failed.Reason == ReasonDeadline) {
		own := status.FromContextError(ended)
		failed.Reason, failed.Code, failed.cause, failed.bare = codeName(own.Code()), own.Code(), ended, false
	}
	return failed
}

// endOf returns why a context ended, or nil. The service knows the deadline too, and may be the first to notice.
func endOf(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && time.Until(deadline) <= 0 {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// contextError is the error of a call that its context ended before a status came.
func contextError(ctx context.Context) *Error {
	state := status.FromContextError(ctx.Err())
	return &Error{Reason: codeName(state.Code()), Message: state.Message(), Code: state.Code(), cause: ctx.Err()}
}

func read(state *status.Status, event *pb.Error) *Error {
	found := parse(state)
	reported := event
	if reported == nil {
		reported = found.reported
	}
	failed := &Error{
		Reason:     first(reported.GetReason(), found.info.GetReason(), codeName(state.Code())),
		Message:    first(reported.GetMessage(), state.Message()),
		Code:       state.Code(),
		Retryable:  reported.GetRetryable(),
		RetryAfter: found.retry.GetRetryDelay().AsDuration(),
		Sent:       found.sent(state.Code(), event),
		Partial:    reported.GetPartial(),
		Upstream:   found.upstream(reported),
		Metadata:   found.info.GetMetadata(),
		bare:       found.info == nil && reported == nil,
	}
	if reported.GetReason() == "" {
		// A status that came alone has two ways to invite another try.
		failed.Retryable = found.info != nil && (state.Code() == codes.Unavailable || found.retry != nil)
	}
	if reported.GetRetryAfter() != nil {
		failed.RetryAfter = reported.RetryAfter.AsDuration()
	}
	if reported.GetUsage() != nil {
		usage := usageFrom(reported.Usage)
		failed.Usage = &usage
	}
	if reported.GetReport() != nil {
		report := reportFrom(reported.Report)
		failed.Report = &report
	}
	for _, bad := range found.bad.GetFieldViolations() {
		failed.Violations = append(failed.Violations, Violation{bad.GetField(), bad.GetDescription()})
	}
	return failed
}

// details of a status. All may be nil; a proxy may have made some up.
type details struct {
	info     *errdetails.ErrorInfo // only the service's own: other domains may use the same reasons
	bad      *errdetails.BadRequest
	retry    *errdetails.RetryInfo
	reported *pb.Error
}

func parse(state *status.Status) (found details) {
	for _, detail := range state.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == domain {
				found.info = detail
			}
		case *errdetails.BadRequest:
			found.bad = detail
		case *errdetails.RetryInfo:
			found.retry = detail
		case *pb.Error:
			found.reported = detail
		}
	}
	return found
}

func (d details) sent(code codes.Code, event *pb.Error) Sent {
	switch d.info.GetMetadata()["sent"] {
	case "true":
		return SentYes
	case "false":
		return SentNo
	}
	switch {
	case event != nil:
		return SentYes // it comes once a turn is dispatched, and only then
	case d.info != nil && code == codes.Unavailable:
		return SentNo
	}
	return SentUnknown
}

func (d details) upstream(reported *pb.Error) *UpstreamError {
	if said := reported.GetUpstream(); said != nil {
		return &UpstreamError{said.Code, said.Type, int(said.Status), said.RequestId}
	}
	facts := d.info.GetMetadata()
	number, _ := strconv.Atoi(facts["upstream_status"])
	said := UpstreamError{facts["upstream_code"], facts["upstream_type"], number, facts["upstream_request_id"]}
	if said == (UpstreamError{}) {
		return nil
	}
	return &said
}

func first(words ...string) string {
	if i := slices.IndexFunc(words, func(word string) bool { return word != "" }); i >= 0 {
		return words[i]
	}
	return ""
}

// codeName returns the name that the gRPC specification gives a status; codes.Code has names of its own.
func codeName(code codes.Code) string {
	if int(code) < len(codeNames) {
		return codeNames[code]
	}
	return "UNKNOWN"
}

var codeNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
	"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}
