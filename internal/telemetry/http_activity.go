package telemetry

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// TaskActivity is a step of a task on the wire.
type TaskActivity struct {
	ID          string      `json:"id" doc:"The activity's id."`
	Description string      `json:"description" doc:"What happened."`
	TaskID      string      `json:"taskId" doc:"The task that the step belongs to."`
	Category    string      `json:"category" enum:"unknown,capture,bot_message,user_message,agent_message,event,action,task_status,subtask_status,exception" doc:"The kind of step."`
	Data        wire.Object `json:"data" doc:"Further data."`
	CreatedAt   wire.Time   `json:"createdAt" doc:"When it happened."`
}

// ActivityList is the answer of listActivities.
type ActivityList struct {
	Activities []TaskActivity `json:"activities" doc:"Newest first."`
	Meta       wire.Meta      `json:"meta" doc:"The cursor of the next page."`
}

// ShownRun is a call of an action on the wire.
type ShownRun struct {
	Timestamp       string                     `json:"timestamp" doc:"When the action was called."`
	IntegrationName string                     `json:"integrationName,omitempty" doc:"The integration."`
	ActionType      string                     `json:"actionType" doc:"The type of the action."`
	Input           wire.Object                `json:"input" doc:"The input; an object with the member truncated when it was too large."`
	InputTruncated  bool                       `json:"inputTruncated,omitzero" doc:"Whether the input was too large to be kept."`
	Output          wire.Nullable[wire.Object] `json:"output" doc:"The output; null when there was none."`
	OutputTruncated bool                       `json:"outputTruncated,omitzero" doc:"Whether the output was too large to be kept."`
	Status          string                     `json:"status" enum:"SUCCESS,FAILURE" doc:"The outcome."`
	DurationMs      float64                    `json:"durationMs" doc:"The duration in milliseconds."`
	Cached          bool                       `json:"cached" doc:"Whether the output came from a cache."`
	ErrorMessage    wire.Nullable[string]      `json:"errorMessage,omitempty" required:"false" doc:"Why it failed."`
}

// RunList is the answer of listActionRuns.
type RunList struct {
	Data []ShownRun `json:"data" doc:"Newest first."`
	Meta wire.Meta  `json:"meta" doc:"The cursor of the next page."`
}

type (
	listActivitiesInput struct {
		wire.PageQuery
		TaskID string `query:"taskId" required:"true" doc:"The task."`
		BotID  string `query:"botId" required:"true" doc:"The bot."`
	}
	listRunsInput struct {
		wire.PageQuery
		ID              string `path:"id" doc:"The bot."`
		IntegrationName string `query:"integrationName" required:"true" doc:"The integration whose actions were called."`
		TimestampFrom   string `query:"timestampFrom" doc:"Only calls from this time on: a time or a date."`
		TimestampUntil  string `query:"timestampUntil" doc:"Only calls up to this time, inclusive: a time or a date."`
	}
	activityListOutput struct{ Body ActivityList }
	runListOutput      struct{ Body RunList }
)

func mountActivities(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{ID: "listActivities", Method: http.MethodGet, Path: "/v1/admin/activities", Area: "telemetry",
		Summary: "List the activities of a task", Detail: "Anyone who may read the bot may call this.",
		Scope: wire.Outside, Permission: access.Self},
		func(ctx context.Context, in *listActivitiesInput) (*activityListOutput, error) {
			page, err := m.Page(ctx, in.PageQuery)
			if err != nil {
				return nil, err
			}
			if !storable(in.BotID) {
				return nil, access.NoSuchBot(id.Bot(in.BotID))
			}
			w, err := s.readers.Introspect(ctx, access.From(ctx).Account, id.Bot(in.BotID))
			if err != nil {
				return nil, err
			}
			records, next, err := s.Activities(ctx, w, id.Bot(in.BotID), in.TaskID, page)
			if err != nil {
				return nil, err
			}
			out := &activityListOutput{Body: ActivityList{Activities: make([]TaskActivity, len(records)), Meta: m.Meta(ctx, next)}}
			for i := range records {
				r, body := &records[i], records[i].Body.(*Activity)
				out.Body.Activities[i] = TaskActivity{
					ID: r.ID, Description: body.Description, TaskID: body.TaskID, Category: body.Category,
					Data: wire.Object(body.Data), CreatedAt: wire.Time(r.At),
				}
			}
			return out, nil
		})
	wire.Register(m, wire.Operation{ID: "listActionRuns", Method: http.MethodGet, Path: "/v1/admin/bots/{id}/action-runs", Area: "telemetry",
		Summary: "List a bot's action runs", Detail: "The calls of one integration's actions, newest first. Inputs and outputs above 190 KB are truncated.",
		Scope: wire.InHeader, Permission: access.BotRead},
		func(ctx context.Context, in *listRunsInput) (*runListOutput, error) {
			page, err := m.Page(ctx, in.PageQuery)
			if err != nil {
				return nil, err
			}
			f := RunFilter{in.IntegrationName, in.TimestampFrom, in.TimestampUntil}
			records, next, err := s.ActionRuns(ctx, access.From(ctx).Workspace, id.Bot(in.ID), f, page)
			if err != nil {
				return nil, err
			}
			out := &runListOutput{Body: RunList{Data: make([]ShownRun, len(records)), Meta: m.Meta(ctx, next)}}
			for i := range records {
				out.Body.Data[i] = records[i].Body.(*ActionRun).shown(wire.Time(records[i].At))
			}
			return out, nil
		})
}

func (a *ActionRun) shown(at wire.Time) ShownRun {
	return ShownRun{
		Timestamp: at.String(), IntegrationName: a.IntegrationName, ActionType: a.ActionType,
		Input: wire.Object(a.Input), InputTruncated: a.InputTruncated,
		Output: wire.Nullable[wire.Object]{Value: wire.Object(a.Output), Valid: len(a.Output) > 0}, OutputTruncated: a.OutputTruncated,
		Status: a.Status, DurationMs: a.DurationMs, Cached: a.Cached,
		ErrorMessage: wire.Nullable[string]{Value: a.ErrorMessage, Valid: a.ErrorMessage != ""},
	}
}
