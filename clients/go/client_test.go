package trunkline_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"google.golang.org/genproto/googleapis/rpc/errdetails"

	trunkline "github.com/trunkline/trunkline/clients/go"
	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

func TestSessions(t *testing.T) {
	f := &fake{}
	client := serve(t, f)
	conversation := client.NewConversation("m1")
	conversation.Instructions = "Be brief."
	conversation.Tools = []trunkline.Tool{{Name: "f", Strict: true}}
	session, err := conversation.Warm(t.Context())
	if err != nil || !session.Live || session.LineState != trunkline.LineIdle || !session.CreatedAt.IsZero() {
		t.Errorf("got %+v, %v", session, err)
	}
	if got := f.warm[0]; !got.Prime || got.Model != "m1" || got.Instructions != "Be brief." || !got.Tools[0].GetStrict() {
		t.Errorf("sent %v", got)
	}
	_, err = client.Session(t.Context(), "unknown")
	if e := failed(t, err); e.Reason != "SESSION_NOT_FOUND" || e.Code != codes.NotFound || e.Sent != trunkline.SentNo {
		t.Errorf("got %+v", e)
	}
	var ids []string
	for session, err := range client.Sessions(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, session.SessionID)
	}
	if !slices.Equal(ids, []string{"a", "b", "c"}) {
		t.Errorf("got %v", ids)
	}
	if err := conversation.Release(t.Context()); err != nil || f.released[0] != conversation.SessionID {
		t.Errorf("got %v, released %v", err, f.released)
	}
}

func TestTurnsOfASession(t *testing.T) {
	began := time.Unix(7, 0)
	f := &fake{session: &pb.Session{SessionId: "s1", RunningTurns: []*pb.SessionTurn{
		{TurnKey: "k1"},
		{TurnId: "t2", StartedAt: timestamppb.New(began), Attached: true, Ended: true, LastSequence: 7},
	}}}
	client := serve(t, f)
	session, err := client.Session(t.Context(), "s1")
	if err != nil || len(session.RunningTurns) != 2 || session.RunningTurns[0] != (trunkline.SessionTurn{TurnKey: "k1"}) {
		t.Fatalf("got %+v, %v", session, err)
	}
	if got := session.RunningTurns[1]; got.TurnID != "t2" || !got.StartedAt.Equal(began) || !got.Attached || !got.Ended || got.LastSequence != 7 {
		t.Errorf("got %+v", got)
	}
	if err := client.CancelTurn(t.Context(), "s1", "t2"); err != nil {
		t.Error(err)
	}
	if err := client.CancelTurnKey(t.Context(), "s1", "k1"); err != nil {
		t.Error(err)
	}
	if got := f.turnsCancelled(t, 2); !slices.Equal(got, []string{"s1 t2", "s1 k1"}) {
		t.Errorf("cancelled %v", got)
	}
	err = client.CancelTurnKey(t.Context(), "s1", "unknown")
	if e := failed(t, err); e.Reason != "TURN_NOT_FOUND" || e.Code != codes.NotFound {
		t.Errorf("got %+v", e)
	}
}

func TestErrorsOfARequest(t *testing.T) {
	bad := &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
		{Field: "messages[0].role", Description: "must be set"},
	}}
	f := &fake{turns: []func(stream) error{say(failure(codes.InvalidArgument, "INVALID_REQUEST", "false", bad))}}
	_, err := trunkline.Result(serve(t, f).Stream(t.Context(), request()))
	e := failed(t, err)
	want := []trunkline.Violation{{Field: "messages[0].role", Description: "must be set"}}
	if !slices.Equal(e.Violations, want) || e.Sent != trunkline.SentNo || e.Retryable || e.Partial != nil {
		t.Errorf("got %+v", e)
	}
	if e.Error() != "trunkline: INVALID_REQUEST: what happened" || e.Sent.String() != "no" || e.Metadata["sent"] != "false" {
		t.Errorf("got %v, %v", e, e.Sent)
	}
}

func TestOptions(t *testing.T) {
	f := &fake{turns: []func(stream) error{answer("Hello")}}
	client := serve(t, f)
	for _, test := range []struct {
		options []trunkline.Option
		want    string
	}{
		{nil, `{}`},
		{[]trunkline.Option{
			trunkline.Temperature(0), trunkline.TopP(0.5), trunkline.MaxOutputTokens(0), trunkline.ParallelToolCalls(false),
			trunkline.Store(false), trunkline.PromptCacheKey("k"), trunkline.ServiceTier(trunkline.TierFlex), trunkline.Truncation("auto"),
			trunkline.SafetyIdentifier("u"), trunkline.WarmUp(), trunkline.ExtraBody(`{"a":1}`),
			trunkline.Labels(map[string]string{"a": "b"}),
		}, `{"temperature":0,"topP":0.5,"maxOutputTokens":"0","parallelToolCalls":false,"store":false,"promptCacheKey":"k",
			"serviceTier":"flex","truncation":"auto","safetyIdentifier":"u","warmUp":true,"extraBodyJson":"{\"a\":1}",
			"metadata":{"a":"b"}}`},
		{[]trunkline.Option{trunkline.Linger(90 * time.Second), trunkline.Heartbeat(1500 * time.Millisecond)},
			`{"linger":"90s","heartbeat":"1.500s"}`},
		{[]trunkline.Option{trunkline.Over(""), trunkline.ReasoningEffort("low"), trunkline.ReasoningSummary(trunkline.SummaryAuto)},
			`{"reasoning":{"effort":"low","summary":"auto"}}`},
		{[]trunkline.Option{trunkline.Over(trunkline.TransportAuto), trunkline.ReasoningSummary("auto"), trunkline.ToolsAuto()},
			`{"transport":"TRANSPORT_AUTO","reasoning":{"summary":"auto"},"toolChoice":{"mode":"TOOL_CHOICE_MODE_AUTO"}}`},
		{[]trunkline.Option{trunkline.Over(trunkline.TransportSSE), trunkline.NoTools(), trunkline.PlainText()},
			`{"transport":"TRANSPORT_SSE","toolChoice":{"mode":"TOOL_CHOICE_MODE_NONE"},"text":{"plain":{}}}`},
		{[]trunkline.Option{trunkline.Over(trunkline.TransportWebSocket), trunkline.SomeTool(), trunkline.JSONObject()},
			`{"transport":"TRANSPORT_WEBSOCKET","toolChoice":{"mode":"TOOL_CHOICE_MODE_REQUIRED"},"text":{"jsonObject":{}}}`},
		{[]trunkline.Option{trunkline.Over("pigeon"), trunkline.ForceTool("f"), trunkline.Verbosity("low"),
			trunkline.JSONSchema("n", "{}", true)},
			`{"transport":-1,"toolChoice":{"function":"f"},
			"text":{"verbosity":"low","jsonSchema":{"name":"n","schema":"{}","strict":true}}}`},
		{[]trunkline.Option{trunkline.ForceTool("f"), trunkline.AllowTools("f", "g")},
			`{"toolChoice":{"allowed":{"mode":"TOOL_CHOICE_MODE_AUTO","functions":["f","g"]}}}`},
		{[]trunkline.Option{trunkline.RequireTools("f")},
			`{"toolChoice":{"allowed":{"mode":"TOOL_CHOICE_MODE_REQUIRED","functions":["f"]}}}`},
	} {
		if _, err := trunkline.Result(client.Stream(t.Context(), request(), test.options...)); err != nil {
			t.Fatal(err)
		}
		want := &pb.CompletionOptions{}
		if err := protojson.Unmarshal([]byte(test.want), want); err != nil {
			t.Fatal(err)
		}
		got := f.requests[len(f.requests)-1].Options
		if protojson.Format(got) != protojson.Format(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestMessages(t *testing.T) {
	data := []byte("…")
	for _, test := range []struct {
		message *trunkline.Message
		want    string
	}{
		{trunkline.User(""), `{"role":"ROLE_USER","parts":[{"text":{"text":""}}]}`},
		{trunkline.User("", trunkline.ImageURL("u")), `{"role":"ROLE_USER","parts":[{"image":{"url":"u"}}]}`},
		{trunkline.User("Look:", trunkline.ImageData(data, "image/png"), trunkline.ImageID("f")), `{"role":"ROLE_USER","parts":[
			{"text":{"text":"Look:"}},{"image":{"data":"4oCm","mimeType":"image/png"}},{"image":{"fileId":"f"}}]}`},
		{trunkline.User("", trunkline.FileURL("u"), trunkline.FileData(data, "n", "t"), trunkline.FileID("f")),
			`{"role":"ROLE_USER","parts":[{"file":{"url":"u"}},
			{"file":{"data":"4oCm","filename":"n","mimeType":"t"}},{"file":{"fileId":"f"}}]}`},
		{trunkline.System("s"), `{"role":"ROLE_SYSTEM","parts":[{"text":{"text":"s"}}]}`},
		{trunkline.Developer("d"), `{"role":"ROLE_DEVELOPER","parts":[{"text":{"text":"d"}}]}`},
		{trunkline.ToolResult("c"), `{"role":"ROLE_TOOL","parts":[{"toolResult":{"callId":"c"}}]}`},
		{trunkline.ToolFailure("c", "w"),
			`{"role":"ROLE_TOOL","parts":[{"toolResult":{"callId":"c","parts":[{"text":{"text":"w"}}],"isError":true}}]}`},
	} {
		want := &pb.Message{}
		if err := protojson.Unmarshal([]byte(test.want), want); err != nil {
			t.Fatal(err)
		}
		if protojson.Format(test.message) != protojson.Format(want) {
			t.Errorf("got %v, want %v", test.message, want)
		}
	}
	refused := &pb.Message{Parts: []*pb.Part{{Part: &pb.Part_Refusal{Refusal: &pb.RefusalPart{Text: "no"}}}}}
	if (&trunkline.Done{Message: refused}).Refusal() != "no" || trunkline.Text(refused) != "" || trunkline.Text(nil) != "" {
		t.Error("a refusal is no text")
	}
}

func TestTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate
	web.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: web.TLS.Certificates})))
	pb.RegisterCompletionServiceServer(server, &fake{turns: []func(stream) error{answer("Hello")}})
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	for name, test := range map[string]struct {
		options []trunkline.DialOption
		fails   bool
	}{
		"trusted":    {[]trunkline.DialOption{trunkline.WithTLS(&tls.Config{RootCAs: roots})}, false},
		"unknown":    {[]trunkline.DialOption{trunkline.WithTLS(nil)}, true},
		"plain text": {nil, true},
	} {
		client, err := trunkline.Dial(listener.Addr().String(), append(test.options, trunkline.WithToken("secret"))...)
		if err != nil {
			t.Fatal(err)
		}
		_, err = trunkline.Result(client.Stream(context.Background(), request()))
		if (err != nil) != test.fails {
			t.Errorf("%s: got %v", name, err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAnInvalidAddress(t *testing.T) {
	if _, err := trunkline.Dial("\x00"); err == nil {
		t.Error("no error")
	}
}

func TestCompleteIsResumed(t *testing.T) {
	f := &fake{completed: []func(context.Context) (*pb.CompleteResponse, error){
		func(context.Context) (*pb.CompleteResponse, error) { return nil, reset },
		func(context.Context) (*pb.CompleteResponse, error) {
			return nil, failure(codes.Unavailable, "SHUTTING_DOWN", "false")
		},
		func(context.Context) (*pb.CompleteResponse, error) {
			return &pb.CompleteResponse{Message: trunkline.Assistant("Hi"), Report: &pb.TurnReport{Attached: true, Upstream: "azure", UpstreamReason: "cooldown"}}, nil
		},
		func(context.Context) (*pb.CompleteResponse, error) { return nil, reset },
	}}
	client := serve(t, f)
	end, err := client.Complete(t.Context(), resumable())
	if err != nil || end.Text() != "Hi" || !end.Report.Attached || end.Report.Upstream != "azure" || end.Report.UpstreamReason != "cooldown" || len(f.complete) != 3 {
		t.Fatalf("got %+v, %v after %d calls", end, err, len(f.complete))
	}
	if got := f.complete[0]; len(got.TurnKey) != 32 || got.Options.Linger.AsDuration() != time.Minute || !proto.Equal(got, f.complete[2]) {
		t.Errorf("sent %v, then %v", got, f.complete[2])
	}
	_, err = client.Complete(t.Context(), resumable())
	if e := failed(t, err); e.Sent != trunkline.SentUnknown || len(f.complete) != 12 || e.TurnKey != f.complete[11].TurnKey {
		t.Errorf("got %+v after %d calls", e, len(f.complete))
	}
}

func TestAnErrorThatNothingWasSentIsNotBelievedAfterABreak(t *testing.T) {
	f := &fake{completed: []func(context.Context) (*pb.CompleteResponse, error){
		func(context.Context) (*pb.CompleteResponse, error) { return nil, reset },
		func(context.Context) (*pb.CompleteResponse, error) {
			return nil, failure(codes.Unavailable, "SHUTTING_DOWN", "false")
		},
	}}
	_, err := serve(t, f).Complete(t.Context(), resumable())
	if e := failed(t, err); e.Reason != "SHUTTING_DOWN" || e.Sent != trunkline.SentUnknown || len(f.complete) != 3 {
		t.Errorf("got %+v after %d calls", e, len(f.complete))
	}
}

func TestCompleteThatIsStoppedIsCancelled(t *testing.T) {
	left := make(chan struct{})
	f := &fake{completed: []func(context.Context) (*pb.CompleteResponse, error){
		func(ctx context.Context) (*pb.CompleteResponse, error) {
			<-ctx.Done()
			close(left)
			return nil, ctx.Err()
		},
	}}
	client := serve(t, f, trunkline.WithTimeout(50*time.Millisecond))
	if _, err := client.Complete(t.Context(), resumable()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	<-left
	if got := f.turnsCancelled(t, 1); got[0] != "s1 "+f.complete[0].TurnKey {
		t.Errorf("cancelled %v", got)
	}
}
