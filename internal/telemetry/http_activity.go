package telemetry

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// TaskActivity is a step of a task as it goes on the wire.
type TaskActivity struct {
	ID          string      `json:"id" doc:"The activity."`
	Description string      `json:"description" doc:"What happened."`
	TaskID      string      `json:"taskId" doc:"The task that it is a step of."`
	Category    string      `json:"category" enum:"unknown,capture,bot_message,user_message,agent_message,event,action,task_status,subtask_status,exception" doc:"What kind of step it is."`
	Data        wire.Object `json:"data" doc:"More of it."`
	CreatedAt   wire.Time   `json:"createdAt" doc:"When it happened."`
}

// ActivityList is the answer of listActivities.
type ActivityList struct {
	Activities []TaskActivity `json:"activities" doc:"Newest first."`
	Meta       wire.Meta      `json:"meta" doc:"Where to go on."`
}

// ShownRun is the call of an action as it goes on the wire.
type ShownRun struct {
	Timestamp       string                     `json:"timestamp" doc:"When it was called."`
	IntegrationName string                     `json:"integrationName,omitempty" doc:"The integration."`
	ActionType      string                     `json:"actionType" doc:"The action."`
	Input           wire.Object                `json:"input" doc:"What it was given; an object with the member truncated when that was too large."`
	InputTruncated  bool                       `json:"inputTruncated,omitzero" doc:"The input was too large to be kept."`
	Output          wire.Nullable[wire.Object] `json:"output" doc:"What it answered; null when it did not."`
	OutputTruncated bool                       `json:"outputTruncated,omitzero" doc:"The output was too large to be kept."`
	Status          string                     `json:"status" enum:"SUCCESS,FAILURE" doc:"How it ended."`
	DurationMs      float64                    `json:"durationMs" doc:"How long it took, in milliseconds."`
	Cached          bool                       `json:"cached" doc:"The answer was one that had been kept."`
	ErrorMessage    wire.Nullable[string]      `json:"errorMessage,omitempty" required:"false" doc:"Why it failed."`
}

// RunList is the answer of listActionRuns.
type RunList struct {
	Data []ShownRun `json:"data" doc:"Newest first."`
	Meta wire.Meta  `json:"meta" doc:"Where to go on."`
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
		TimestampFrom   string `query:"timestampFrom" doc:"Only calls from then on: a moment or a date."`
		TimestampUntil  string `query:"timestampUntil" doc:"Only calls up to then, which is included: a moment or a date."`
	}
	activityListOutput struct{ Body ActivityList }
	runListOutput      struct{ Body RunList }
)

func mountActivities(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{ID: "listActivities", Method: http.MethodGet, Path: "/v1/admin/activities", Area: "telemetry",
		Summary: "List the steps of a task", Detail: "The caller may be anyone who may read the bot.",
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
		Summary: "List the action runs of a bot", Detail: "The calls of one integration's actions, newest first. Inputs and outputs above 190 KB are cut.",
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
