package telemetry

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// line has the members that are read of every record before its kind is known: the common
// ones, those of a log line, and those of the lines that the SDK prints, which have no
// kind. Unknown members are ignored.
type line struct {
	Kind      string         `json:"kind"`
	ID        string         `json:"id"`
	Timestamp jsontext.Value `json:"timestamp"`
	BotID     string         `json:"botId"`

	UserID         string `json:"userId"`
	ConversationID string `json:"conversationId"`
	WorkflowID     string `json:"workflowId"`

	Level   string  `json:"level"`
	Message *string `json:"message"`

	// The members of the lines that the SDK prints with BP_LOG_FORMAT=json.
	Msg                        *string        `json:"msg"`
	Type                       jsontext.Value `json:"type"`
	Options                    lineOptions    `json:"options"`
	VisibleToBotOwner          *bool          `json:"visible_to_bot_owner"`
	HiddenFromIntegrationOwner bool           `json:"hidden_to_integration_owner"`
}

// lineOptions say what a line of the SDK is about.
type lineOptions struct {
	UserID         string `json:"userId"`
	ConversationID string `json:"conversationId"`
	WorkflowID     string `json:"workflowId"`
}

// lenient accepts what JavaScript programs write: half a surrogate pair, and duplicate
// names, of which the last one wins.
var lenient = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// sender is who sends records, and where they belong.
type sender struct {
	actor access.Actor
	// bot is implied by a bot's key, or named in a header beside an account's token. It is
	// empty with an integration's key: then each record may name its bot.
	bot         id.Bot
	integration id.Integration
	// installed caches the workspaces of the bots that an integration's records name, ""
	// for bots that do not have it installed.
	installed map[id.Bot]id.Workspace
}

// scope identifies the sender for the limits of admission.
func (s *sender) scope() string {
	if s.bot != "" {
		return string(s.bot)
	}
	return string(s.integration)
}

// take reads one record. A problem with it goes into rejected. An error has other reasons,
// such as PayloadTooLarge for one record too many.
func (b *batch) take(ctx context.Context, text []byte) error {
	b.lines++
	record, problem := b.read(text)
	if problem == "" {
		var err error
		if problem, err = b.service.settle(ctx, b, &record); err != nil {
			return err
		}
	}
	if problem != "" {
		return b.reject(problem)
	}
	return b.accept(record)
}

func (b *batch) read(text []byte) (r Record, problem string) {
	if len(text) > maxLine {
		return r, fmt.Sprintf("the record has %d bytes; at most %d are allowed", len(text), maxLine)
	}
	if !utf8.Valid(text) {
		return r, "the record is not UTF-8"
	}
	if at, deep := wire.TooDeep(text); deep {
		return r, fmt.Sprintf("the record is nested more than %d levels deep, at %s", wire.MaxDepth, at)
	}
	l := &b.line
	*l = line{Timestamp: l.Timestamp[:0], Type: l.Type[:0]} // reuse their memory
	if err := json.Unmarshal(text, l, lenient); err != nil {
		return r, "the record cannot be read: " + plain(err)
	}
	r = Record{ID: l.ID, At: b.now.UnixMilli(), Bot: id.Bot(l.BotID), User: l.UserID, Conversation: l.ConversationID, Workflow: l.WorkflowID}
	if problem := l.at(&r.At); problem != "" {
		return r, problem
	}
	switch {
	case l.Kind == "log":
		if l.Message == nil {
			return r, "a log record needs a message"
		}
		return r, l.log(&r, *l.Message)
	case l.Kind == "" && l.Msg != nil:
		l.fromSDK(&r, b.from)
		return r, l.log(&r, *l.Msg)
	case l.Kind == "" && string(l.Type) == `"issue"`:
		l.fromSDK(&r, b.from)
		r.Kind = KindIssue
	default:
		known := false
		if r.Kind, known = KindNamed(l.Kind); !known {
			return r, fmt.Sprintf("kind is %.40q; it must be one of %s", l.Kind, strings.Join(kindNames[1:], ", "))
		}
	}
	r.Body = newBody(r.Kind)
	if err := json.Unmarshal(text, r.Body, lenient); err != nil {
		return r, "the record cannot be read: " + plain(err)
	}
	return r, ""
}

// plain is the message of a JSON error without the names of Go types.
func plain(err error) string {
	text := err.Error()
	for _, word := range []string{"jsontext: ", "json: "} {
		text = strings.TrimPrefix(text, word)
	}
	if at := strings.Index(text, " into Go "); at > 0 {
		text = text[:at] + " of this form"
	}
	return cut(strings.Replace(text, "cannot unmarshal", "cannot take", 1), 300)
}

// at reads the timestamp: an ISO 8601 time, or a number of milliseconds.
func (l *line) at(at *int64) string {
	switch l.Timestamp.Kind() {
	case 0, 'n':
		return ""
	case '"':
		text, err := jsontext.AppendUnquote(nil, l.Timestamp)
		if err == nil {
			var t time.Time
			if t, err = time.Parse(time.RFC3339Nano, string(text)); err == nil {
				*at = t.UnixMilli()
				return ""
			}
		}
	case '0':
		var ms float64
		if json.Unmarshal(l.Timestamp, &ms) == nil && ms > -1e15 && ms < 1e15 {
			*at = int64(ms)
			return ""
		}
	}
	return fmt.Sprintf("timestamp is %.60s; it must be a time such as \"2026-11-21T12:00:00.000Z\", or milliseconds since 1970", l.Timestamp)
}

// log makes the record a log line.
func (l *line) log(r *Record, message string) string {
	r.Kind, r.Message = KindLog, message
	name := strings.ToLower(l.Level)
	switch name {
	case "":
		name = "info" // older SDKs print no level
		if l.Kind != "" {
			return "level is missing; it must be debug, info, warn or error"
		}
	case "warning":
		name = "warn"
	}
	known := false
	if r.Level, known = LevelNamed(name); !known {
		return fmt.Sprintf("level is %.40q; it must be debug, info, warn or error", l.Level)
	}
	return ""
}

// fromSDK reads the members of lines of the SDK. Lines of an integration are hidden from the
// owner of the bot unless they say otherwise.
func (l *line) fromSDK(r *Record, from *sender) {
	r.User, r.Conversation, r.Workflow = or(r.User, l.Options.UserID), or(r.Conversation, l.Options.ConversationID), or(r.Workflow, l.Options.WorkflowID)
	if from.integration != "" {
		r.HiddenFromBot = l.VisibleToBotOwner == nil || !*l.VisibleToBotOwner
		r.HiddenFromIntegration = l.HiddenFromIntegrationOwner
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// settle determines where a record belongs, and checks it. problem is a message for the
// sender.
func (s *Service) settle(ctx context.Context, b *batch, r *Record) (problem string, err error) {
	from := b.from
	r.Workspace, r.Integration = from.actor.Workspace, from.integration
	switch {
	case from.bot != "" && r.Bot != "" && r.Bot != from.bot:
		return fmt.Sprintf("botId is %.60q; these records are of bot %q", r.Bot, from.bot), nil
	case from.bot != "":
		r.Bot = from.bot
	case r.Bot != "":
		w, err := s.installedIn(ctx, from, r.Bot)
		if err != nil {
			return "", err
		}
		if w == "" {
			return fmt.Sprintf("botId is %.60q; there is no such bot that has this integration installed", r.Bot), nil
		}
		r.Workspace = w
	case r.Kind != KindLog:
		return fmt.Sprintf("botId is missing; only log records of an integration can be without a bot, and this is %s", article(r.Kind)), nil
	}
	if latest := b.now.Add(maxFuture); r.At > latest.UnixMilli() {
		return fmt.Sprintf("timestamp is %s, which is more than %s ahead of this server's clock", r.Time().Format(time.RFC3339), maxFuture), nil
	}
	since, known := b.oldest[classOf(r.Kind)]
	if !known {
		if since, err = s.keeping.since(ctx, r.Workspace, classOf(r.Kind)); err != nil {
			return "", err
		}
		if from.bot != "" {
			b.oldest[classOf(r.Kind)] = since // all records are of one workspace
		}
	}
	if r.At < since.UnixMilli() {
		return fmt.Sprintf("timestamp is %s; records of this kind are kept from %s on", r.Time().Format(time.RFC3339), since.Format(time.RFC3339)), nil
	}
	if problem := r.Check(); problem != "" {
		return problem, nil
	}
	if r.ID == "" && (r.Kind == KindActivity || r.Kind == KindActionRun) {
		r.ID, r.made = id.NewActivity(b.now), true
	}
	return "", nil
}

func article(k Kind) string {
	name := k.String()
	if strings.IndexByte("aeiou", name[0]) >= 0 {
		return "an " + name
	}
	return "a " + name
}

// installedIn is the workspace of a bot that has the sending integration installed; ""
// when it does not, or there is no such bot.
func (s *Service) installedIn(ctx context.Context, from *sender, bot id.Bot) (id.Workspace, error) {
	if w, known := from.installed[bot]; known {
		return w, nil
	}
	if from.installed == nil {
		from.installed = map[id.Bot]id.Workspace{}
	}
	const most = 1000 // a body may name any number of bots
	if len(from.installed) >= most {
		clear(from.installed)
	}
	q := s.db.Reader(ctx)
	w, found := id.Workspace(""), false
	if storable(string(bot)) {
		var err error
		if w, found, err = s.bots.WorkspaceOf(ctx, q, bot); err != nil {
			return "", err
		}
		if found {
			if found, err = s.bots.HasIntegration(ctx, q, bot, from.integration); err != nil {
				return "", err
			}
		}
	}
	if !found {
		w = ""
	}
	from.installed[bot] = w
	return w, nil
}

// storable says whether a text can be a parameter of a statement on both engines.
func storable(text string) bool {
	return len(text) <= maxName && utf8.ValidString(text) && strings.IndexByte(text, 0) < 0
}

// minLine is the least length of a record: a kind and a little more.
const minLine = 30

// takeLines reads newline-delimited JSON. Empty lines are skipped, but counted in Rejected.Line.
func (b *batch) takeLines(ctx context.Context, body []byte) error {
	if err := b.expect(min(bytes.Count(body, []byte("\n"))+1, len(body)/minLine)); err != nil {
		return err
	}
	for len(body) > 0 {
		text := body
		if end := bytes.IndexByte(body, '\n'); end >= 0 {
			text, body = body[:end], body[end+1:]
		} else {
			body = nil
		}
		if text = bytes.TrimSpace(text); len(text) == 0 {
			b.lines++
			continue
		}
		if err := b.take(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// takeArray reads a JSON array of records, or a single record.
func (b *batch) takeArray(ctx context.Context, body []byte) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(body), lenient)
	if d.PeekKind() != '[' {
		text, err := d.ReadValue()
		if err == nil && len(bytes.TrimSpace(body[d.InputOffset():])) == 0 {
			return b.take(ctx, text)
		}
		return notArray(err)
	}
	if _, err := d.ReadToken(); err != nil {
		return notArray(err)
	}
	for d.PeekKind() != ']' {
		text, err := d.ReadValue()
		if err != nil {
			return notArray(err)
		}
		if err := b.take(ctx, text); err != nil {
			return err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return notArray(err)
	}
	if rest := bytes.TrimSpace(body[d.InputOffset():]); len(rest) > 0 {
		return notArray(nil)
	}
	return nil
}
