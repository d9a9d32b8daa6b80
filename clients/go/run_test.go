package trunkline_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"

	trunkline "github.com/trunkline/trunkline/clients/go"
)

func TestARunResumesEachOfItsTurns(t *testing.T) {
	var first []*response
	_ = calls("a")(&collector{sent: &first})
	first = numbered(1, first...)
	f := &fake{turns: []func(stream) error{
		say(reset, first[:1]...), say(nil, first[1:]...), say(reset, poem()[:3]...), say(nil, poem()[3:]...),
	}}
	conversation := serve(t, f).NewConversation("m1")
	conversation.Resume = true
	count := 0
	conversation.Tools = []trunkline.Tool{lookup(func(context.Context, string) (string, error) { count++; return "found", nil })}
	end, err := trunkline.Result(conversation.Run(t.Context(), trunkline.User("Look.")))
	if err != nil || end.Text() != "abc" || count != 1 || len(conversation.Messages) != 4 {
		t.Fatalf("got %v, %v after %d calls of the tool", end, err, count)
	}
	var keys []string
	for _, request := range f.requests {
		keys = append(keys, request.TurnKey)
	}
	if keys[0] == "" || keys[0] != keys[1] || keys[2] != keys[3] || keys[0] == keys[2] || f.requests[3].AfterSequence != 3 {
		t.Errorf("sent the keys %v", keys)
	}
}

// collector is a stream that keeps what is sent.
type collector struct {
	grpc.ServerStream

	sent *[]*response
}

func (c *collector) Send(response *response) error { *c.sent = append(*c.sent, response); return nil }
