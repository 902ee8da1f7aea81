package telemetry

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// ShownIssue is an issue on the wire.
type ShownIssue struct {
	ID             string                     `json:"id" doc:"The issue."`
	Code           string                     `json:"code" doc:"A code that identifies the problem to programs."`
	CreatedAt      wire.Time                  `json:"createdAt" doc:"When it was first seen."`
	LastSeenAt     wire.Time                  `json:"lastSeenAt" doc:"When it was last seen."`
	Title          string                     `json:"title" doc:"A short description of the problem."`
	Description    string                     `json:"description" doc:"A description of the problem."`
	GroupedData    map[string]ShownIssueValue `json:"groupedData" doc:"The values that distinguish this issue from others with the same code."`
	EventsCount    int64                      `json:"eventsCount" doc:"How often it was seen."`
	Category       fault.Category             `json:"category" enum:"user_code,limits,configuration,other" doc:"Whose concern it is."`
	ResolutionLink wire.Nullable[string]      `json:"resolutionLink" doc:"A link to where it can be resolved."`
}

// ShownIssueValue is a value of an issue's data.
type ShownIssueValue struct {
	Raw    string `json:"raw" doc:"The value."`
	Pretty string `json:"pretty,omitempty" doc:"The value in readable form."`
}

// ShownIssueEvent is one occurrence of an issue.
type ShownIssueEvent struct {
	ID        string                     `json:"id" doc:"The event's id."`
	CreatedAt wire.Time                  `json:"createdAt" doc:"When the event was seen."`
	Data      map[string]ShownIssueValue `json:"data" doc:"The circumstances, by name."`
}

// IssueList is the answer of listBotIssues.
type IssueList struct {
	Issues []ShownIssue `json:"issues" doc:"Most recently opened first."`
	Meta   wire.Meta    `json:"meta" doc:"The cursor of the next page."`
}

// IssueAnswer is the answer of getBotIssue.
type IssueAnswer struct {
	Issue ShownIssue `json:"issue" doc:"The issue."`
}

// IssueEventList is the answer of listBotIssueEvents.
type IssueEventList struct {
	IssueEvents []ShownIssueEvent `json:"issueEvents" doc:"Newest first."`
}

type (
	listIssuesInput struct {
		wire.PageQuery
		ID string `path:"id" doc:"The bot."`
	}
	issueInput struct {
		ID      string `path:"id" doc:"The bot."`
		IssueID string `path:"issueId" doc:"The issue."`
	}
	issueListOutput      struct{ Body IssueList }
	issueOutput          struct{ Body IssueAnswer }
	issueEventListOutput struct{ Body IssueEventList }
)

const (
	issuesPath = "/v1/admin/bots/{id}/issues"
	issuePath  = issuesPath + "/{issueId}"
)

func mountIssues(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{ID: "listBotIssues", Method: http.MethodGet, Path: issuesPath, Area: "telemetry",
		Summary: "List a bot's issues", Detail: "Lasting problems of the bot. Events with the same code and grouping values form one issue.",
		Scope: wire.InHeader, Permission: access.BotRead},
		func(ctx context.Context, in *listIssuesInput) (*issueListOutput, error) {
			page, err := m.Page(ctx, in.PageQuery)
			if err != nil {
				return nil, err
			}
			issues, next, err := s.Issues(ctx, access.From(ctx).Workspace, id.Bot(in.ID), page)
			if err != nil {
				return nil, err
			}
			out := &issueListOutput{Body: IssueList{Issues: make([]ShownIssue, len(issues)), Meta: m.Meta(ctx, next)}}
			for i, issue := range issues {
				out.Body.Issues[i] = issue.shown()
			}
			return out, nil
		})
	wire.Register(m, wire.Operation{ID: "getBotIssue", Method: http.MethodGet, Path: issuePath, Area: "telemetry",
		Summary: "Get an issue", Scope: wire.InHeader, Permission: access.BotRead},
		func(ctx context.Context, in *issueInput) (*issueOutput, error) {
			issue, err := s.Issue(ctx, access.From(ctx).Workspace, id.Bot(in.ID), id.Issue(in.IssueID))
			if err != nil {
				return nil, err
			}
			return &issueOutput{Body: IssueAnswer{issue.shown()}}, nil
		})
	wire.Register(m, wire.Operation{ID: "deleteBotIssue", Method: http.MethodDelete, Path: issuePath, Area: "telemetry",
		Summary: "Delete an issue", Detail: "A later event reopens it.",
		Scope: wire.InHeader, Permission: access.BotWrite},
		func(ctx context.Context, in *issueInput) (*wire.Nothing, error) {
			return &wire.Nothing{}, s.DeleteIssue(ctx, access.From(ctx).Workspace, id.Bot(in.ID), id.Issue(in.IssueID))
		})
	wire.Register(m, wire.Operation{ID: "listBotIssueEvents", Method: http.MethodGet, Path: issuePath + "/events", Area: "telemetry",
		Summary: "List an issue's events", Detail: "Returns the newest fifty events; the issue's eventsCount counts all of them.",
		Scope: wire.InHeader, Permission: access.BotRead},
		func(ctx context.Context, in *issueInput) (*issueEventListOutput, error) {
			events, err := s.IssueEvents(ctx, access.From(ctx).Workspace, id.Bot(in.ID), id.Issue(in.IssueID))
			if err != nil {
				return nil, err
			}
			out := &issueEventListOutput{Body: IssueEventList{make([]ShownIssueEvent, len(events))}}
			for i, e := range events {
				out.Body.IssueEvents[i] = ShownIssueEvent{ID: string(e.ID), CreatedAt: wire.TimeOf(e.CreatedAt), Data: shownData(e.Data)}
			}
			return out, nil
		})
}

func (i OpenIssue) shown() ShownIssue {
	return ShownIssue{
		ID: string(i.ID), Code: i.Code, CreatedAt: wire.TimeOf(i.FirstSeen), LastSeenAt: wire.TimeOf(i.LastSeen), Title: i.Title,
		Description: i.Description, GroupedData: shownData(i.GroupedData), EventsCount: i.EventsCount, Category: i.Category,
		ResolutionLink: wire.Nullable[string]{Value: i.ResolutionLink, Valid: i.ResolutionLink != ""},
	}
}

func shownData(data map[string]IssueDatum) map[string]ShownIssueValue {
	shown := make(map[string]ShownIssueValue, len(data))
	for name, d := range data {
		shown[name] = ShownIssueValue(d)
	}
	return shown
}
