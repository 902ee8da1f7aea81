package meter

import (
	"context"
	"net/http"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/wire"
)

// UsageActivity is one record of use.
type UsageActivity struct {
	Timestamp wire.Time                        `json:"timestamp" format:"" doc:"When it was used."`
	Value     float64                          `json:"value" doc:"The amount; negative for a decrease."`
	Period    wire.Time                        `json:"period" format:"" doc:"The start of the month it counts towards, UTC."`
	Metadata  map[string]wire.Patch[wire.JSON] `json:"metadata" doc:"The metadata that was reported with it."`
}

// UsageActivityList is the answer of listUsageActivity.
type UsageActivityList struct {
	Data []UsageActivity `json:"data" doc:"Newest first."`
	Meta wire.Meta       `json:"meta" doc:"The cursor of the next page."`
}

// DailyUsage is how much was used on a day, by what has the same metadata.
type DailyUsage struct {
	Key      string              `json:"key" doc:"A key that is unique within the list."`
	Date     string              `json:"date" doc:"The day, UTC."`
	Value    float64             `json:"value" doc:"The net amount of the day; negative for a decrease."`
	Metadata *DailyUsageMetadata `json:"metadata,omitempty" doc:"The metadata that was reported with it; absent when there was none."`
}

// DailyUsageMetadata says what used something.
type DailyUsageMetadata struct {
	BotID   string `json:"botId" doc:"The bot."`
	Type    string `json:"type" enum:"IntegrationAction,FileIndexing,BingSearch,WebSearch" doc:"The kind of work."`
	Subtype string `json:"subtype,omitempty" doc:"The kind of work, in more detail."`
	Source  string `json:"source,omitempty" doc:"What requested it."`
}

// DailyUsageList is the answer of listUsageActivityDaily.
type DailyUsageList struct {
	Data []DailyUsage `json:"data" doc:"Newest day first."`
	Meta wire.Meta    `json:"meta" doc:"The cursor of the next page."`
}

type (
	listUsageActivityInput struct {
		TypeQuery
		wire.PageQuery
		ID             string `path:"id" doc:"The workspace, or one of its bots."`
		TimestampFrom  string `query:"timestampFrom" doc:"The earliest time, inclusive."`
		TimestampUntil string `query:"timestampUntil" doc:"The latest time, inclusive."`
	}
	listUsageActivityOutput     struct{ Body UsageActivityList }
	listUsageActivityDailyInput struct {
		TypeQuery
		wire.PageQuery
		ID        string `path:"id" doc:"The workspace, or one of its bots."`
		DateFrom  string `query:"dateFrom" doc:"The first day, inclusive."`
		DateUntil string `query:"dateUntil" doc:"The last day, inclusive."`
	}
	listUsageActivityDailyOutput struct{ Body DailyUsageList }
)

func mountActivity(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "listUsageActivity", Method: http.MethodGet, Path: "/v1/admin/usages/{id}/activity", Area: area,
		Summary: "List usage records",
		Detail:  "Every record, newest first. Records are kept for forty days; daily and monthly sums are kept longer.",
		Scope:   wire.InHeader, Permission: access.WorkspaceRead,
	}, func(ctx context.Context, in *listUsageActivityInput) (*listUsageActivityOutput, error) {
		page, err := m.Page(ctx, in.PageQuery)
		if err != nil {
			return nil, err
		}
		between, err := spanOf("timestampFrom", in.TimestampFrom, "timestampUntil", in.TimestampUntil)
		if err != nil {
			return nil, err
		}
		list, next, err := s.Activity(ctx, access.From(ctx).Workspace, in.ID, in.Type, between, page)
		if err != nil {
			return nil, err
		}
		out := &listUsageActivityOutput{Body: UsageActivityList{Data: make([]UsageActivity, len(list)), Meta: m.Meta(ctx, next)}}
		for i, a := range list {
			out.Body.Data[i] = UsageActivity{Timestamp: wire.TimeOf(a.At), Value: float64(a.Value), Period: wire.TimeOf(monthOf(a.At))}
			if err := wire.ParseJSON([]byte(a.Metadata), &out.Body.Data[i].Metadata); err != nil {
				return nil, err
			}
		}
		return out, nil
	})
	wire.Register(m, wire.Operation{
		ID: "listUsageActivityDaily", Method: http.MethodGet, Path: "/v1/admin/usages/{id}/daily-activity", Area: area,
		Summary: "List daily usage",
		Detail:  "Newest day first, with one item per day and metadata.",
		Scope:   wire.InHeader, Permission: access.WorkspaceRead,
	}, func(ctx context.Context, in *listUsageActivityDailyInput) (*listUsageActivityDailyOutput, error) {
		page, err := m.Page(ctx, in.PageQuery)
		if err != nil {
			return nil, err
		}
		between, err := spanOf("dateFrom", in.DateFrom, "dateUntil", in.DateUntil)
		if err != nil {
			return nil, err
		}
		list, next, err := s.DailyActivity(ctx, access.From(ctx).Workspace, in.ID, in.Type, between, page)
		if err != nil {
			return nil, err
		}
		out := &listUsageActivityDailyOutput{Body: DailyUsageList{Data: make([]DailyUsage, len(list)), Meta: m.Meta(ctx, next)}}
		for i, a := range list {
			date := a.Day.Format(time.DateOnly)
			out.Body.Data[i] = DailyUsage{Key: date + "-" + a.Series, Date: date, Value: float64(a.Value)}
			if a.Bot != "" && a.Kind != "" {
				out.Body.Data[i].Metadata = &DailyUsageMetadata{BotID: string(a.Bot), Type: a.Kind, Subtype: a.Subtype, Source: a.Source}
			}
		}
		return out, nil
	})
}
