package telemetry

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/wire"
)

// The limits of records. Sizes are in bytes. The limits of messages, issues and action
// runs are those of the public API; the others are ours.
const (
	maxLine       = 1 << 20 // one record as it is sent
	maxMessage    = 131_072 // a log line; longer ones are truncated
	maxName       = 200     // types, names, codes and ids
	maxText       = 2_000   // titles, descriptions and error messages; longer ones are truncated
	maxData       = 131_072 // the data of an issue or activity
	maxPayload    = 190_000 // the input and output of an action run; longer ones are truncated
	maxGroups     = 20
	maxCount      = 1_000_000_000_000
	maxFuture     = 10 * time.Minute // how far a sender's clock may run ahead
	truncatedMark = "…"
)

// incoming is the direction of messages from users.
const incoming = "incoming"

var (
	issueCategories    = []string{"user_code", "limits", "configuration", "other"}
	activityCategories = []string{
		"unknown", "capture", "bot_message", "user_message", "agent_message", "event", "action", "task_status", "subtask_status", "exception",
	}
	directions = []string{incoming, "outgoing"}
	outcomes   = []string{"SUCCESS", "FAILURE"}
)

// Check says what is wrong with a record, in words for its sender, or "". It truncates
// the texts that may be truncated: messages, descriptions, inputs and outputs.
func (r *Record) Check() string {
	for name, text := range map[string]string{"id": r.ID, "userId": r.User, "conversationId": r.Conversation, "workflowId": r.Workflow} {
		if wrong := nameProblem(name, text, false); wrong != "" {
			return wrong
		}
	}
	if r.Kind == KindLog {
		if r.Level.String() == "" {
			return "a log record needs a level: debug, info, warn or error"
		}
		r.Message = cut(r.Message, maxMessage)
		return ""
	}
	if r.Body == nil || r.Body.kind() != r.Kind {
		return fmt.Sprintf("kind is %d; it must be one of %s", r.Kind, strings.Join(kindNames[1:], ", "))
	}
	return r.Body.check()
}

// cut truncates text to limit bytes, at a character boundary.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit - len(truncatedMark)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + truncatedMark
}

// nameProblem says what is wrong with a short text, or "".
func nameProblem(field, text string, required bool) string {
	switch {
	case required && text == "":
		return field + " is missing"
	case len(text) > maxName:
		return fmt.Sprintf("%s has %d bytes; at most %d are allowed", field, len(text), maxName)
	case strings.IndexByte(text, 0) >= 0:
		return field + " holds the character U+0000, which cannot be kept"
	}
	return ""
}

func choiceProblem(field, value string, choices []string) string {
	if slices.Contains(choices, value) {
		return ""
	}
	return fmt.Sprintf("%s is %.40q; it must be %s", field, value, strings.Join(choices, ", "))
}

func countProblem(field string, n, least int64) string {
	if n < least || n > maxCount {
		return fmt.Sprintf("%s is %d; it must be from %d to %d", field, n, least, int64(maxCount))
	}
	return ""
}

func durationProblem(field string, ms float64) string {
	if !(ms >= 0 && ms <= maxCount) { // NaN is neither
		return fmt.Sprintf("%s is %v; it must be from 0 to %d", field, ms, int64(maxCount))
	}
	return ""
}

// objectProblem says what is wrong with a JSON object in a record, or "". JSON that only
// lenient parsers accept is repaired, so that it can be stored in a block and returned in
// an answer.
func objectProblem(field string, v *jsontext.Value, limit int) string {
	switch {
	case len(*v) == 0:
		return ""
	case v.Kind() != '{':
		return field + " must be a JSON object"
	case len(*v) > limit:
		return fmt.Sprintf("%s has %d bytes; at most %d are allowed", field, len(*v), limit)
	}
	if at, deep := wire.TooDeep(*v); deep {
		return fmt.Sprintf("%s is nested more than %d levels deep, at %s", field, wire.MaxDepth, at)
	}
	if !v.IsValid() {
		repaired, err := repair(*v)
		if err != nil {
			return field + " cannot be read: " + plain(err)
		}
		*v = repaired
	}
	return ""
}

// repair rewrites JSON that JavaScript accepts and this program does not: half a
// surrogate pair becomes U+FFFD, and of members with the same name the last one wins.
// Numbers keep their digits.
func repair(text jsontext.Value) (jsontext.Value, error) {
	numbers := json.WithUnmarshalers(json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *any) error {
		if d.PeekKind() != '0' {
			return errors.ErrUnsupported
		}
		number, err := d.ReadValue()
		*v = number.Clone()
		return err
	}))
	var members map[string]any
	if err := json.Unmarshal(text, &members, lenient, numbers); err != nil {
		return nil, err
	}
	return json.Marshal(members, json.Deterministic(true))
}

// firstProblem is the first that is not empty.
func firstProblem(problems ...string) string {
	for _, p := range problems {
		if p != "" {
			return p
		}
	}
	return ""
}

func (a *ActionRun) check() string {
	a.ErrorMessage = cut(a.ErrorMessage, maxText)
	if len(a.Output) == 4 && a.Output.Kind() == 'n' {
		a.Output = nil // an action that failed has the output null
	}
	problem := firstProblem(
		nameProblem("integrationName", a.IntegrationName, true), nameProblem("actionType", a.ActionType, true),
		choiceProblem("status", a.Status, outcomes), durationProblem("durationMs", a.DurationMs),
		objectProblem("input", &a.Input, maxLine), objectProblem("output", &a.Output, maxLine),
	)
	if problem == "" {
		a.CostNanoUSD = costOf(a.Output)
		a.Input, a.InputTruncated = truncate(a.Input)
		a.Output, a.OutputTruncated = truncate(a.Output)
	}
	return problem
}

func (i *Issue) check() string {
	i.Title, i.Description = cut(i.Title, maxText), cut(i.Description, maxText)
	size := 0
	for key, d := range i.Data {
		size += len(key) + len(d.Raw) + len(d.Pretty)
		if wrong := nameProblem("a key of data", key, true); wrong != "" {
			return wrong
		}
		if strings.IndexByte(d.Raw, 0) >= 0 || strings.IndexByte(d.Pretty, 0) >= 0 {
			return fmt.Sprintf("data.%s holds the character U+0000, which cannot be kept", key)
		}
	}
	if size > maxData {
		return fmt.Sprintf("data has %d bytes; at most %d are allowed", size, maxData)
	}
	if len(i.GroupBy) > maxGroups {
		return fmt.Sprintf("groupBy has %d entries; at most %d are allowed", len(i.GroupBy), maxGroups)
	}
	for _, g := range i.GroupBy {
		if wrong := nameProblem("an entry of groupBy", g, false); wrong != "" {
			return wrong
		}
	}
	return firstProblem(
		nameProblem("code", i.Code, true), choiceProblem("category", i.Category, issueCategories),
		nulProblem("title", i.Title), nulProblem("description", i.Description),
		linkProblem(i.ResolutionLink),
	)
}

func nulProblem(field, text string) string {
	if strings.IndexByte(text, 0) >= 0 {
		return field + " holds the character U+0000, which cannot be kept"
	}
	return ""
}

func linkProblem(link string) string {
	if link == "" {
		return ""
	}
	if len(link) > maxText || !strings.HasPrefix(link, "https://") && !strings.HasPrefix(link, "http://") {
		return fmt.Sprintf("resolutionLink is %.60q; it must be an http or https URL of at most %d bytes", link, maxText)
	}
	return nulProblem("resolutionLink", link)
}

func (a *Activity) check() string {
	a.Description = cut(a.Description, maxText)
	if a.Category == "" {
		a.Category = "unknown"
	}
	return firstProblem(
		nameProblem("taskId", a.TaskID, true), choiceProblem("category", a.Category, activityCategories),
		objectProblem("data", &a.Data, maxData),
	)
}

func (m *Message) check() string { return choiceProblem("direction", m.Direction, directions) }

func (e *Event) check() string { return nameProblem("type", e.Type, true) }

func (c *CustomEvent) check() string {
	if c.Count == 0 {
		c.Count = 1
	}
	return firstProblem(nameProblem("name", c.Name, true), countProblem("count", c.Count, 1))
}

func (l *LLMCall) check() string {
	l.Error = cut(l.Error, maxText)
	return firstProblem(
		nameProblem("model", l.Model, false), countProblem("inputTokens", l.InputTokens, 0), countProblem("outputTokens", l.OutputTokens, 0),
		countProblem("costNanoUsd", l.CostNanoUSD, 0), durationProblem("latencyMs", l.LatencyMs),
	)
}

func (u *Usage) check() string {
	problem := firstProblem(nameProblem("type", u.Type, true), objectProblem("metadata", &u.Metadata, maxText))
	if problem == "" {
		if err := (plan.Usage{Type: plan.Type(u.Type), Value: u.Value}).Check(); err != nil {
			return fault.From(err).Message
		}
	}
	return problem
}

// truncate returns an object that is small enough as it is. A larger one becomes
// {"truncated": "its first bytes…"}, since an object that is cut off is not JSON, and
// the contract demands an object.
func truncate(v jsontext.Value) (jsontext.Value, bool) {
	if len(v) <= maxPayload {
		return v, false
	}
	// Quoting may double the length.
	quoted, err := jsontext.AppendQuote([]byte(`{"truncated":`), cut(strings.ToValidUTF8(string(v[:maxPayload/2]), ""), maxPayload/2))
	if err != nil {
		return jsontext.Value(`{}`), true
	}
	return append(quoted, '}'), true
}
