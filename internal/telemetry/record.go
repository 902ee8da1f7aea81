package telemetry

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/id"
)

// Kind is the kind of a record. Its number is stored on disk: new kinds go to the end.
type Kind uint8

// The kinds.
const (
	KindLog Kind = 1 + iota
	KindActionRun
	KindIssue
	KindActivity
	KindMessage
	KindEvent
	KindCustomEvent
	KindLLMCall
	KindUsage
)

var kindNames = [...]string{
	KindLog: "log", KindActionRun: "action_run", KindIssue: "issue", KindActivity: "activity", KindMessage: "message",
	KindEvent: "event", KindCustomEvent: "custom_event", KindLLMCall: "llm_call", KindUsage: "usage",
}

// String is the kind as senders write it in a record's "kind"; "" for an unknown one.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return ""
}

// KindNamed finds a kind by its name.
func KindNamed(name string) (Kind, bool) {
	for k, n := range kindNames {
		if n == name && n != "" {
			return Kind(k), true
		}
	}
	return 0, false
}

// Level is the severity of a log line. Its number is stored on disk.
type Level uint8

// The levels.
const (
	Debug Level = 1 + iota
	Info
	Warn
	Error
)

var levelNames = [...]string{Debug: "debug", Info: "info", Warn: "warn", Error: "error"}

// String is the level as senders write it; "" for an unknown one.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return ""
}

// LevelNamed finds a level by its name, which is in lower case.
func LevelNamed(name string) (Level, bool) {
	for l, n := range levelNames {
		if n == name && n != "" {
			return Level(l), true
		}
	}
	return 0, false
}

// Record is one thing that happened, as it was reported.
type Record struct {
	Kind Kind
	// ID is the one that the sender gave, or empty. Activities and action runs without
	// one get one from us. The ids of log lines are not stored with them.
	ID string
	// At is when it happened, in Unix milliseconds.
	At int64
	// Sequence numbers the records in the order in which they became durable. It is
	// unique, and assigned by Append.
	Sequence int64

	Workspace   id.Workspace // of the bot, or of the integration when there is no bot
	Bot         id.Bot       // empty when an integration logs outside of any bot
	Integration id.Integration

	User         string
	Conversation string
	Workflow     string

	// Level and Message are set for log lines only.
	Level   Level
	Message string
	// HiddenFromBot and HiddenFromIntegration hide a log line of an integration from
	// the owner of the bot, or from the owner of the integration.
	HiddenFromBot         bool
	HiddenFromIntegration bool

	// Body has the fields of this kind alone; nil for log lines.
	Body Body

	// made says that we made the ID up, so no duplicate can have it.
	made bool
}

// Time is At as a time, in UTC.
func (r *Record) Time() time.Time { return time.UnixMilli(r.At).UTC() }

// Body is the part of a record that differs from kind to kind: a pointer to one of the
// types below. Bodies are stored as JSON.
type Body interface {
	kind() Kind
	// check says what is wrong with the body, in words for the sender, or "". It
	// truncates the texts that may be truncated.
	check() string
}

// ActionRun is one call of an action of an integration.
type ActionRun struct {
	IntegrationName string         `json:"integrationName"`
	ActionType      string         `json:"actionType"`
	Input           jsontext.Value `json:"input,omitempty"`
	Output          jsontext.Value `json:"output,omitempty"`
	InputTruncated  bool           `json:"inputTruncated,omitempty"`
	OutputTruncated bool           `json:"outputTruncated,omitempty"`
	Status          string         `json:"status"` // SUCCESS or FAILURE
	DurationMs      float64        `json:"durationMs"`
	Cached          bool           `json:"cached,omitempty"`
	ErrorMessage    string         `json:"errorMessage,omitempty"`
	// CostNanoUSD is the cost that the run's output states; billable actions are charged it.
	CostNanoUSD int64 `json:"costNanoUsd,omitzero"`
}

// Issue is one occurrence of a lasting fault.
type Issue struct {
	Code           string                `json:"code"`
	Category       string                `json:"category"` // user_code, limits, configuration or other
	Title          string                `json:"title"`
	Description    string                `json:"description"`
	Data           map[string]IssueDatum `json:"data,omitempty"`
	GroupBy        []string              `json:"groupBy,omitempty"`
	ResolutionLink string                `json:"resolutionLink,omitempty"`
}

// IssueDatum is one value of an issue's data: raw, and formatted for people.
type IssueDatum struct {
	Raw    string `json:"raw"`
	Pretty string `json:"pretty,omitempty"`
}

// Activity is one step of a task.
type Activity struct {
	TaskID      string         `json:"taskId"`
	Category    string         `json:"category"`
	Description string         `json:"description"`
	Data        jsontext.Value `json:"data,omitempty"`
}

// Message is a message between a bot and the user Record.User, in
// Record.Conversation.
type Message struct {
	Direction string `json:"direction"` // incoming or outgoing
}

// Event is an event that a bot received.
type Event struct {
	Type string `json:"type"`
}

// CustomEvent is a counter of the bot's own.
type CustomEvent struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

// LLMCall is one call of a language model.
type LLMCall struct {
	Model        string  `json:"model,omitempty"`
	InputTokens  int64   `json:"inputTokens"`
	OutputTokens int64   `json:"outputTokens"`
	LatencyMs    float64 `json:"latencyMs"`
	CostNanoUSD  int64   `json:"costNanoUsd"`
	Error        string  `json:"error,omitempty"`
}

// Usage is a use of something that plans meter.
type Usage struct {
	Type     string         `json:"type"`
	Value    int64          `json:"value"`
	Metadata jsontext.Value `json:"metadata,omitempty"`
}

func (*ActionRun) kind() Kind   { return KindActionRun }
func (*Issue) kind() Kind       { return KindIssue }
func (*Activity) kind() Kind    { return KindActivity }
func (*Message) kind() Kind     { return KindMessage }
func (*Event) kind() Kind       { return KindEvent }
func (*CustomEvent) kind() Kind { return KindCustomEvent }
func (*LLMCall) kind() Kind     { return KindLLMCall }
func (*Usage) kind() Kind       { return KindUsage }

// newBody is an empty body for a kind; nil for log lines.
func newBody(k Kind) Body {
	switch k {
	case KindActionRun:
		return &ActionRun{}
	case KindIssue:
		return &Issue{}
	case KindActivity:
		return &Activity{}
	case KindMessage:
		return &Message{}
	case KindEvent:
		return &Event{}
	case KindCustomEvent:
		return &CustomEvent{}
	case KindLLMCall:
		return &LLMCall{}
	case KindUsage:
		return &Usage{}
	}
	return nil
}
