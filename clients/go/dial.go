package trunkline

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

const (
	defaultKeepalive = 30 * time.Second
	keepaliveTimeout = 10 * time.Second
	// The service takes requests of 32 MiB at most; an answer may echo images.
	defaultMaxMessageSize = 64 << 20
)

// By itself grpc pauses for a second after one refused connection, and for two minutes after many.
var reconnect = grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
	MinConnectTimeout: 20 * time.Second,
}

// How many bytes may be on the way before they are read: of one answer, and of all on a connection.
const (
	streamWindow = 1 << 20
	connWindow   = 16 << 20
)

// A DialOption changes how a [Client] reaches the service.
type DialOption func(*settings)

type settings struct {
	credentials    credentials.TransportCredentials
	token          func(context.Context) (string, error)
	timeout        time.Duration
	retry          Retry
	keepalive      time.Duration
	maxMessageSize int
	inject         func(context.Context, http.Header)
	dial           []grpc.DialOption
}

func defaults() settings {
	return settings{
		credentials:    insecure.NewCredentials(),
		retry:          DefaultRetry,
		keepalive:      defaultKeepalive,
		maxMessageSize: defaultMaxMessageSize,
	}
}

// WithTLS encrypts the connection. Without a configuration (nil) the system's roots are trusted.
func WithTLS(config *tls.Config) DialOption {
	return func(s *settings) { s.credentials = credentials.NewTLS(config) }
}

// WithToken authenticates the caller: it is sent as "authorization: Bearer …".
func WithToken(token string) DialOption {
	return WithTokenSource(func(context.Context) (string, error) { return token, nil })
}

// WithTokenSource asks for the token before each try of a call, so that it may be renewed meanwhile.
func WithTokenSource(source func(context.Context) (string, error)) DialOption {
	return func(s *settings) { s.token = source }
}

// WithTimeout bounds each call, retries included. A context may have an earlier deadline.
func WithTimeout(timeout time.Duration) DialOption {
	return func(s *settings) { s.timeout = timeout }
}

// WithRetry changes how often and how patiently a call of which nothing was sent upstream is tried.
func WithRetry(retry Retry) DialOption {
	return func(s *settings) { s.retry = retry }
}

// WithKeepalive changes how often a silent connection with a running call is probed. Zero: never.
func WithKeepalive(interval time.Duration) DialOption {
	return func(s *settings) { s.keepalive = interval }
}

// WithMaxMessageSize changes how many bytes one message may have, either way.
func WithMaxMessageSize(bytes int) DialOption {
	return func(s *settings) { s.maxMessageSize = bytes }
}

// WithPropagator sends the caller's trace along: inject writes it into the headers of each call. With OpenTelemetry:
//
//	trunkline.WithPropagator(func(ctx context.Context, header http.Header) {
//		otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(header))
//	})
func WithPropagator(inject func(ctx context.Context, header http.Header)) DialOption {
	return func(s *settings) { s.inject = inject }
}

// WithGRPC hands options on to grpc: a stats handler, an interceptor, a dialer. They win over those of this package.
func WithGRPC(options ...grpc.DialOption) DialOption {
	return func(s *settings) { s.dial = append(s.dial, options...) }
}

func (s *settings) dialOptions() []grpc.DialOption {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(s.credentials),
		grpc.WithUserAgent("trunkline-go/" + Version),
		// A retry policy found in DNS would repeat what must not be repeated.
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(reconnect),
		// With windows of its own choice grpc does not measure the connection, which costs the service a ping for each delta.
		grpc.WithInitialWindowSize(streamWindow),
		grpc.WithInitialConnWindowSize(connWindow),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(s.maxMessageSize), grpc.MaxCallSendMsgSize(s.maxMessageSize)),
	}
	if s.keepalive > 0 {
		options = append(options, grpc.WithKeepaliveParams(
			keepalive.ClientParameters{Time: s.keepalive, Timeout: keepaliveTimeout}))
	}
	return append(options, s.dial...)
}
