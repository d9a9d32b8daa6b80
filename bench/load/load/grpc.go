package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

const connections = 4
const ahead = 1 << 20 // bytes that a stream may buffer for its reader

// overGRPC spreads the streams over a few connections, as callers do.
func overGRPC(target, key string, history int) (func(int) talker, error) {
	var clients []pb.CompletionServiceClient
	for range connections {
		conn, err := grpc.NewClient("passthrough:///"+target,
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			// A fixed window keeps the client from estimating the bandwidth with a ping for each read.
			grpc.WithInitialWindowSize(ahead), grpc.WithInitialConnWindowSize(16*ahead),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
		if err != nil {
			return nil, err
		}
		clients = append(clients, pb.NewCompletionServiceClient(conn))
	}
	return func(i int) talker {
		talk := &caller{client: clients[i%connections], key: key, session: fmt.Sprintf("s%d", i)}
		if history > 0 {
			talk.keep = true
			talk.session = fmt.Sprintf("h%d", history)
			talk.messages = []*pb.Message{userMessage(strings.Repeat("history ", history/8))}
		}
		return talk
	}, nil
}

func userMessage(text string) *pb.Message {
	part := &pb.Part{Part: &pb.Part_Text{Text: &pb.TextPart{Text: text}}}
	return &pb.Message{Role: pb.Role_ROLE_USER, Parts: []*pb.Part{part}}
}

type caller struct {
	client       pb.CompletionServiceClient
	key, session string
	keep         bool // The conversation grows; otherwise each turn sends the same.
	messages     []*pb.Message
}

func (c *caller) turn(ctx context.Context, model string, on func([]byte)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if c.key != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.key)
	}
	asked := append(c.messages, userMessage("go"))
	stream, err := c.client.StreamCompletion(ctx,
		&pb.StreamCompletionRequest{SessionId: c.session, Model: model, Messages: asked})
	if err != nil {
		return err
	}
	for {
		event, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if delta := event.GetTextDelta(); delta != nil {
			on([]byte(delta.Delta))
		} else if done := event.GetDone(); done != nil && c.keep {
			c.messages = append(asked, done.Message)
		}
	}
}
