package trunkline

// The words that options take. These sets are open: a word that is newer than this client is a value like any other, as
// in ReasoningEffort("newer").
type (
	// Effort is how hard the model thinks.
	Effort string
	// SummaryStyle is how the model's reasoning is summarized.
	SummaryStyle string
	// VerbosityLevel is how much the model writes.
	VerbosityLevel string
	// Tier is how soon, and for what price, the upstream serves a request.
	Tier string
	// TruncationMode is what the upstream does with a conversation that does not fit the model.
	TruncationMode string
)

const (
	EffortNone    Effort = "none"
	EffortMinimal Effort = "minimal"
	EffortLow     Effort = "low"
	EffortMedium  Effort = "medium"
	EffortHigh    Effort = "high"
	EffortXHigh   Effort = "xhigh"
	EffortMax     Effort = "max"

	SummaryAuto     SummaryStyle = "auto"
	SummaryConcise  SummaryStyle = "concise"
	SummaryDetailed SummaryStyle = "detailed"

	VerbosityLow    VerbosityLevel = "low"
	VerbosityMedium VerbosityLevel = "medium"
	VerbosityHigh   VerbosityLevel = "high"

	TierAuto     Tier = "auto" // as the upstream's project says
	TierDefault  Tier = "default"
	TierFlex     Tier = "flex"     // slower, for less
	TierScale    Tier = "scale"    // with what the project has bought
	TierPriority Tier = "priority" // sooner, for more

	TruncationAuto     TruncationMode = "auto" // it leaves out items from the middle
	TruncationDisabled TruncationMode = "disabled"
)

// What [Include] may name, among others.
const (
	IncludeFileSearchResults      = "file_search_call.results"
	IncludeWebSearchResults       = "web_search_call.results"
	IncludeWebSearchSources       = "web_search_call.action.sources"
	IncludeCodeInterpreterOutputs = "code_interpreter_call.outputs"
	IncludeComputerScreenshots    = "computer_call_output.output.image_url"
	IncludeInputImages            = "message.input_image.image_url"
	IncludeLogprobs               = "message.output_text.logprobs"
)
