package trunkline

import (
	"maps"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/trunkline/trunkline/clients/go/gen/trunkline/v1"
)

// An Option says how to run a turn. What is not given is not sent; zero, false and "" are values. Options of a
// conversation are defaults: those of a turn come after them.
//
// It changes the request that will be sent, so a function of your own can set whatever has no name here.
type Option func(*pb.StreamCompletionRequest)

// RequestID is your correlation id, at most 128 characters: in logs, spans and errors. Not an idempotency key.
func RequestID(id string) Option {
	return func(r *pb.StreamCompletionRequest) { r.RequestId = id }
}

// TurnKey names the turn: 1 to 128 characters of A-Z a-z 0-9 _ . : -, unique in the session. A second call with the same
// key and the same content attaches to the turn that runs or has run, and never starts another; it takes the turn over
// from the first. With other content it is refused. Where the turn is no longer known another one starts, and
// [Report.Attached] is false.
func TurnKey(key string) Option {
	return func(r *pb.StreamCompletionRequest) { r.TurnKey = key }
}

// AfterSequence goes on after an event that you have, by its Sequence, of the turn that [TurnKey] names.
func AfterSequence(sequence int64) Option {
	return func(r *pb.StreamCompletionRequest) { r.AfterSequence = sequence }
}

// Linger is how long a turn with a [TurnKey] goes on after its caller is gone, and how long it can still be read once it
// has ended. It then outlives a cancelled context and a loop that is left, and [Client.CancelTurnKey] stops it; where the
// turn has Resume, the client does that itself.
func Linger(duration time.Duration) Option {
	return option(func(o *pb.CompletionOptions) { o.Linger = durationpb.New(duration) })
}

// Heartbeat makes the service send something so often while the model is silent, at least 1 s apart: proxies see that the
// connection is used. You do not.
func Heartbeat(interval time.Duration) Option {
	return option(func(o *pb.CompletionOptions) { o.Heartbeat = durationpb.New(interval) })
}

// Over says how the turn reaches the upstream.
func Over(transport Transport) Option {
	return option(func(o *pb.CompletionOptions) {
		// An unknown word becomes a number that the service refuses, naming the field.
		o.Transport = -1
		switch transport {
		case "":
			o.Transport = pb.Transport_TRANSPORT_UNSPECIFIED
		case TransportAuto:
			o.Transport = pb.Transport_TRANSPORT_AUTO
		case TransportWebSocket:
			o.Transport = pb.Transport_TRANSPORT_WEBSOCKET
		case TransportSSE:
			o.Transport = pb.Transport_TRANSPORT_SSE
		}
	})
}

// Temperature of the sampling, 0 to 2.
func Temperature(value float64) Option {
	return option(func(o *pb.CompletionOptions) { o.Temperature = proto.Float64(value) })
}

// TopP is for nucleus sampling, 0 to 1.
func TopP(value float64) Option {
	return option(func(o *pb.CompletionOptions) { o.TopP = proto.Float64(value) })
}

// MaxOutputTokens bounds the answer, reasoning included.
func MaxOutputTokens(count int64) Option {
	return option(func(o *pb.CompletionOptions) { o.MaxOutputTokens = proto.Int64(count) })
}

// ParallelToolCalls says whether the model may call several tools at once.
func ParallelToolCalls(allowed bool) Option {
	return option(func(o *pb.CompletionOptions) { o.ParallelToolCalls = proto.Bool(allowed) })
}

// Store says whether the upstream keeps the response.
func Store(keep bool) Option {
	return option(func(o *pb.CompletionOptions) { o.Store = proto.Bool(keep) })
}

// ToolsAuto lets the model decide whether to call a tool.
func ToolsAuto() Option { return toolMode(pb.ToolChoiceMode_TOOL_CHOICE_MODE_AUTO) }

// NoTools lets the model call none.
func NoTools() Option { return toolMode(pb.ToolChoiceMode_TOOL_CHOICE_MODE_NONE) }

// SomeTool makes the model call at least one.
func SomeTool() Option { return toolMode(pb.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED) }

// ForceTool makes the model call this one.
func ForceTool(name string) Option {
	return toolChoice(&pb.ToolChoice{Choice: &pb.ToolChoice_Function{Function: name}})
}

// AllowTools lets the model call only these. What is declared, so the chain, stays the same.
func AllowTools(names ...string) Option {
	return allowed(pb.ToolChoiceMode_TOOL_CHOICE_MODE_AUTO, names)
}

// RequireTools makes the model call at least one of these.
func RequireTools(names ...string) Option {
	return allowed(pb.ToolChoiceMode_TOOL_CHOICE_MODE_REQUIRED, names)
}

// ChoiceDefinition is any other choice, a JSON object for the upstream as it is written: a hosted tool, a custom one, a set.
func ChoiceDefinition(object string) Option {
	return toolChoice(&pb.ToolChoice{Choice: &pb.ToolChoice_DefinitionJson{DefinitionJson: object}})
}

// ReasoningEffort is how hard the model thinks: [EffortLow] and its like.
func ReasoningEffort(effort Effort) Option {
	return option(func(o *pb.CompletionOptions) {
		if o.Reasoning == nil {
			o.Reasoning = &pb.ReasoningOptions{}
		}
		o.Reasoning.Effort = string(effort)
	})
}

// ReasoningSummary asks for a summary of the reasoning: [SummaryAuto] and its like.
func ReasoningSummary(style SummaryStyle) Option {
	return option(func(o *pb.CompletionOptions) {
		if o.Reasoning == nil {
			o.Reasoning = &pb.ReasoningOptions{}
		}
		o.Reasoning.Summary = string(style)
	})
}

// PlainText makes the text plain.
func PlainText() Option {
	return text(func(t *pb.TextOptions) { t.Format = &pb.TextOptions_Plain{Plain: &pb.PlainFormat{}} })
}

// JSONObject makes the text any JSON object.
func JSONObject() Option {
	return text(func(t *pb.TextOptions) {
		t.Format = &pb.TextOptions_JsonObject{JsonObject: &pb.JsonObjectFormat{}}
	})
}

// JSONSchema makes the text JSON that fits a schema: a JSON object. Strict: the upstream forces it to fit.
func JSONSchema(name, schema string, strict bool) Option {
	return text(func(t *pb.TextOptions) {
		format := &pb.JsonSchemaFormat{Name: name, Schema: schema, Strict: proto.Bool(strict)}
		t.Format = &pb.TextOptions_JsonSchema{JsonSchema: format}
	})
}

// Verbosity is how much the model writes: [VerbosityLow] and its like.
func Verbosity(level VerbosityLevel) Option {
	return text(func(t *pb.TextOptions) { t.Verbosity = string(level) })
}

// Labels are for the upstream ("metadata"): at most 16; keys up to 64, values up to 512 characters.
func Labels(labels map[string]string) Option {
	return option(func(o *pb.CompletionOptions) { o.Metadata = maps.Clone(labels) })
}

// PromptCacheKey groups requests that share a prefix in the upstream's prompt cache.
func PromptCacheKey(key string) Option {
	return option(func(o *pb.CompletionOptions) { o.PromptCacheKey = key })
}

// ServiceTier is how soon, and for what price, the upstream serves the request: [TierFlex] and its like.
func ServiceTier(tier Tier) Option {
	return option(func(o *pb.CompletionOptions) { o.ServiceTier = string(tier) })
}

// Truncation is what happens to a conversation that does not fit the model: [TruncationAuto] or [TruncationDisabled].
func Truncation(mode TruncationMode) Option {
	return option(func(o *pb.CompletionOptions) { o.Truncation = string(mode) })
}

// SafetyIdentifier is a stable, hashed id of the end user, at most 64 characters.
func SafetyIdentifier(id string) Option {
	return option(func(o *pb.CompletionOptions) { o.SafetyIdentifier = id })
}

// Include asks for more of what the upstream can include in its answer: [IncludeFileSearchResults] and its like.
func Include(names ...string) Option {
	return option(func(o *pb.CompletionOptions) { o.Include = names })
}

// WarmUp primes a new connection with instructions and tools before the turn.
func WarmUp() Option {
	return option(func(o *pb.CompletionOptions) { o.WarmUp = true })
}

// ExtraBody is a JSON object of upstream keys that have no name here.
func ExtraBody(object string) Option {
	return option(func(o *pb.CompletionOptions) { o.ExtraBodyJson = object })
}

func option(set func(*pb.CompletionOptions)) Option {
	return func(r *pb.StreamCompletionRequest) { set(r.Options) }
}

func text(set func(*pb.TextOptions)) Option {
	return option(func(o *pb.CompletionOptions) {
		if o.Text == nil {
			o.Text = &pb.TextOptions{}
		}
		set(o.Text)
	})
}

func toolChoice(choice *pb.ToolChoice) Option {
	return option(func(o *pb.CompletionOptions) { o.ToolChoice = choice })
}

func toolMode(mode pb.ToolChoiceMode) Option {
	return toolChoice(&pb.ToolChoice{Choice: &pb.ToolChoice_Mode{Mode: mode}})
}

func allowed(mode pb.ToolChoiceMode, names []string) Option {
	return toolChoice(&pb.ToolChoice{Choice: &pb.ToolChoice_Allowed{
		Allowed: &pb.AllowedTools{Mode: mode, Functions: names},
	}})
}
