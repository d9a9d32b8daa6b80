// Command chat is the smallest chat: type a line, watch the answer; Ctrl-C stops the answer, Ctrl-D leaves.
//
// It needs a service: `make run` in another terminal. Another address or model: chat HOST:PORT MODEL.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	trunkline "github.com/trunkline/trunkline/clients/go"
)

func main() {
	arguments := append(os.Args[1:], []string{"127.0.0.1:50051", "gpt-5.6"}[min(len(os.Args)-1, 2):]...)
	client, err := trunkline.Dial(arguments[0])
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	conversation := client.NewConversation(arguments[1])
	for lines := bufio.NewScanner(os.Stdin); prompt() && lines.Scan(); {
		if lines.Text() != "" {
			answer(conversation, lines.Text())
		}
	}
}

func prompt() bool {
	fmt.Print("> ")
	return true
}

func answer(conversation *trunkline.Conversation, question string) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for event, err := range conversation.Stream(ctx, trunkline.User(question)) {
		if err != nil {
			fmt.Printf("\n%v\n", err)
			return
		}
		switch event := event.(type) {
		case *trunkline.TextDelta:
			fmt.Print(event.Delta)
		case *trunkline.Done:
			fmt.Printf("\n[%s, %s: %s]\n", event.Report.Transport, event.Report.Context, event.Report.ContextReason)
		}
	}
}
