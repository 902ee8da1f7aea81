package telemetry

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// LogLine is a log line on the wire.
type LogLine struct {
	Timestamp      wire.Time `json:"timestamp" doc:"When the line was logged."`
	Level          string    `json:"level" doc:"The level: debug, info, warn or error."`
	Message        string    `json:"message" doc:"The message."`
	WorkflowID     string    `json:"workflowId,omitempty" doc:"The workflow that the line is about."`
	UserID         string    `json:"userId,omitempty" doc:"The user that the line is about."`
	ConversationID string    `json:"conversationId,omitempty" doc:"The conversation that the line is about."`
}

// LogList is the answer of the operations that read logs.
type LogList struct {
	Logs      []LogLine `json:"logs" doc:"Newest first."`
	NextToken string    `json:"nextToken,omitempty" doc:"The cursor of the next page; absent on the last page."`
}

// LogFilter are the parameters that both operations have.
type LogFilter struct {
	ID              string `path:"id" doc:"The bot or integration."`
	TimeStart       string `query:"timeStart" required:"true" doc:"The earliest time, inclusive: a date, an ISO 8601 time, or milliseconds since 1970."`
	TimeEnd         string `query:"timeEnd" doc:"The latest time, inclusive; now when absent."`
	Level           string `query:"level" doc:"Only lines of this level: debug, info, warn or error."`
	UserID          string `query:"userId" doc:"Only lines about this user."`
	ConversationID  string `query:"conversationId" doc:"Only lines about this conversation."`
	MessageContains string `query:"messageContains" doc:"Only lines whose message contains this text, case-sensitively."`
	NextToken       string `query:"nextToken" doc:"The cursor: nextToken of the page before."`
}

type getBotLogsInput struct {
	LogFilter
	WorkflowID string `query:"workflowId" doc:"Only lines about this workflow."`
}

type getIntegrationLogsInput struct{ LogFilter }

type logListOutput struct{ Body LogList }

// mountLogs registers the operations that read logs.
func mountLogs(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "getBotLogs", Method: http.MethodGet, Path: "/v1/admin/bots/{id}/logs", Area: "telemetry",
		Summary: "Get a bot's logs",
		Detail:  "What the bot and its integrations logged, newest first, a hundred lines per page.",
		Scope:   wire.InHeader, Permission: access.BotRead,
	}, func(ctx context.Context, in *getBotLogsInput) (*logListOutput, error) {
		q, err := in.query(ctx, m)
		if err != nil {
			return nil, err
		}
		q.Workflow = in.WorkflowID
		lines, next, err := s.BotLogs(ctx, access.From(ctx).Workspace, id.Bot(in.ID), q)
		return shownLogs(ctx, m, lines, next, err)
	})
	wire.Register(m, wire.Operation{
		ID: "getIntegrationLogs", Method: http.MethodGet, Path: "/v1/admin/integrations/{id}/logs", Area: "telemetry",
		Summary: "Get an integration's logs",
		Detail:  "What an integration of the workspace logged, in any bot, newest first, a hundred lines per page.",
		Scope:   wire.InHeader, Permission: access.CatalogRead,
	}, func(ctx context.Context, in *getIntegrationLogsInput) (*logListOutput, error) {
		q, err := in.query(ctx, m)
		if err != nil {
			return nil, err
		}
		lines, next, err := s.IntegrationLogs(ctx, access.From(ctx).Workspace, id.Integration(in.ID), q)
		return shownLogs(ctx, m, lines, next, err)
	})
}

func (in *LogFilter) query(ctx context.Context, m *wire.Mux) (q LogQuery, err error) {
	page, err := m.Page(ctx, wire.PageQuery{NextToken: in.NextToken})
	if err != nil {
		return q, err
	}
	q = LogQuery{Level: in.Level, User: in.UserID, Conversation: in.ConversationID, Contains: in.MessageContains, After: page.After}
	if q.From, err = timeNamed("timeStart", in.TimeStart, 0); err != nil {
		return q, err
	}
	if in.TimeEnd != "" {
		// A date as the end means that whole day.
		q.Until, err = timeNamed("timeEnd", in.TimeEnd, 24*time.Hour-time.Millisecond)
	}
	return q, err
}

// timeNamed reads a time: an ISO 8601 time, milliseconds, or a date, which stands for its
// midnight plus later.
func timeNamed(name, text string, later time.Duration) (time.Time, error) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t.Add(later), nil
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil && ms >= 0 && ms < 1e15 {
		return time.UnixMilli(ms).UTC(), nil
	}
	return time.Time{}, fault.New(fault.InvalidQuery, "%s is %q; it must be a time such as 2026-11-21T12:00:00.000Z, a date, or milliseconds since 1970.", name, fault.Bounded(text))
}

func shownLogs(ctx context.Context, m *wire.Mux, lines []Record, next *db.Key, err error) (*logListOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &logListOutput{Body: LogList{Logs: make([]LogLine, len(lines)), NextToken: m.Meta(ctx, next).NextToken}}
	for i := range lines {
		r := &lines[i]
		out.Body.Logs[i] = LogLine{
			Timestamp: wire.Time(r.At), Level: r.Level.String(), Message: r.Message,
			WorkflowID: r.Workflow, UserID: r.User, ConversationID: r.Conversation,
		}
	}
	return out, nil
}
