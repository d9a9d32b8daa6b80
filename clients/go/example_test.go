package trunkline_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	trunkline "github.com/trunkline/trunkline/clients/go"
)

func Example() {
	client, err := trunkline.Dial("127.0.0.1:50051")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	conversation := client.NewConversation("gpt-5.6")
	for event, err := range conversation.Stream(context.Background(), trunkline.User("What is a trunk line?")) {
		if err != nil {
			log.Fatal(err)
		}
		switch event := event.(type) {
		case *trunkline.TextDelta:
			fmt.Print(event.Delta)
		case *trunkline.Done:
			fmt.Println(event.Report.Context, event.Report.ContextReason)
		}
	}
}

func ExampleConversation_Run() {
	client, err := trunkline.Dial("127.0.0.1:50051")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	type place struct {
		City string `json:"city" description:"In English."`
	}
	conversation := client.NewConversation("gpt-5.6")
	conversation.Tools = []trunkline.Tool{trunkline.NewTool("forecast", "The weather of tomorrow.",
		func(_ context.Context, in place) (string, error) { return "sun in " + in.City, nil })}
	done, err := trunkline.Result(conversation.Run(context.Background(), trunkline.User("An umbrella for Lima?")))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(done.Text())
}

func ExampleError() {
	var err error // of a call
	var failed *trunkline.Error
	if errors.As(err, &failed) && failed.Retryable && failed.Sent == trunkline.SentNo {
		time.Sleep(failed.RetryAfter)
	}
}
