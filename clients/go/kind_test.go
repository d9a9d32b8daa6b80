package trunkline_test

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	trunkline "github.com/trunkline/trunkline/clients/go"
)

// allKinds has the special case before the general one.
var allKinds = []error{
	trunkline.ErrContextLength, trunkline.ErrInvalidRequest, trunkline.ErrUnauthenticated, trunkline.ErrPermissionDenied,
	trunkline.ErrNotFound, trunkline.ErrRateLimited, trunkline.ErrQuotaExhausted, trunkline.ErrOverloaded,
	trunkline.ErrConnectionFailed, trunkline.ErrTimedOut, trunkline.ErrUpstreamFailed, trunkline.ErrInternal,
	trunkline.ErrCancelled, trunkline.ErrTakenOver,
}

// kindsOf returns all kinds that a failure is of.
func kindsOf(err error) (found []error) {
	for _, kind := range allKinds {
		if errors.Is(err, kind) {
			found = append(found, kind)
		}
	}
	return found
}

func TestEveryReasonOfTheServiceHasAKind(t *testing.T) {
	page, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	table := strings.Split(string(page), "## ")[1]
	rows := regexp.MustCompile(`(?m)^\| ([A-Z_]+) \|`).FindAllStringSubmatch(table, -1)
	if len(rows) < 20 {
		t.Fatalf("found %d reasons", len(rows))
	}
	for _, row := range rows {
		err := &trunkline.Error{Reason: row[1]}
		found := kindsOf(err)
		if row[1] == "CONTEXT_LENGTH_EXCEEDED" {
			found = found[:len(found)-1] // an invalid request, too
		}
		if len(found) != 1 {
			t.Errorf("%s is %v", row[1], found)
		}
	}
	if found := kindsOf(&trunkline.Error{Reason: "NEWER"}); found != nil {
		t.Errorf("a newer reason is %v", found)
	}
}

func TestAKindIsFoundInWhatACallReturns(t *testing.T) {
	cases := []struct {
		given error
		kinds []error
	}{
		{failure(codes.ResourceExhausted, "RATE_LIMITED", "true"), []error{trunkline.ErrRateLimited}},
		{
			failure(codes.InvalidArgument, "CONTEXT_LENGTH_EXCEEDED", "true"),
			[]error{trunkline.ErrContextLength, trunkline.ErrInvalidRequest},
		},
		{failure(codes.Internal, "INTERNAL", "false"), []error{trunkline.ErrInternal}},
		{status.Error(codes.Internal, "a proxy"), []error{trunkline.ErrConnectionFailed}},
		{nil, []error{trunkline.ErrConnectionFailed}}, // the stream ends without done
		{status.Error(codes.ResourceExhausted, "a proxy"), nil},
		{status.Error(codes.PermissionDenied, "a proxy"), []error{trunkline.ErrPermissionDenied}},
	}
	for _, c := range cases {
		client := serve(t, &fake{turns: []func(stream) error{say(c.given, start())}})
		_, err := trunkline.Result(client.NewConversation("m").Stream(t.Context(), trunkline.User("x")))
		if found := kindsOf(err); len(found) != len(c.kinds) || len(found) > 0 && found[0] != c.kinds[0] {
			t.Errorf("%v is %v", err, found)
		}
	}
}

func TestTheCallersOwnEndHasAKind(t *testing.T) {
	client := serve(t, &fake{turns: []func(stream) error{answer("x")}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := trunkline.Result(client.NewConversation("m").Stream(ctx, trunkline.User("x")))
	if found := kindsOf(err); len(found) != 1 || found[0] != trunkline.ErrCancelled {
		t.Errorf("%v is %v", err, found)
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not the context's", err)
	}
}
