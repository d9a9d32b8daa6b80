// Package trunkline is the Go client of Trunkline, a gRPC service that keeps each conversation on a warm
// connection to the model.
//
//	client, err := trunkline.Dial("127.0.0.1:50051")
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//
//	conversation := client.NewConversation("gpt-5.6")
//	for event, err := range conversation.Stream(ctx, trunkline.User("What is a trunk line?")) {
//		if err != nil {
//			return err
//		}
//		if text, ok := event.(*trunkline.TextDelta); ok {
//			fmt.Print(text.Delta)
//		}
//	}
//
// A [Conversation] keeps the messages, and what the model said as it said it, so that every following turn sends only
// what is new. A turn ends with [Done], or with one [*Error] that says why, whether trying again may cost money twice,
// and how much of the answer had come. Cancelling the context, or leaving the loop, stops the turn down to the model. With
// [Conversation].Resume a turn goes on by itself where its connection breaks.
package trunkline

// Version is the version of this client.
const Version = "0.1.0"
