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
	Value     float64                          `json:"value" doc:"How much; negative when there is less than before."`
	Period    wire.Time                        `json:"period" format:"" doc:"The first moment of the month it counts in, UTC."`
	Metadata  map[string]wire.Patch[wire.JSON] `json:"metadata" doc:"What used it, as it was reported."`
}

// UsageActivityList is the answer of listUsageActivity.
type UsageActivityList struct {
	Data []UsageActivity `json:"data" doc:"The newest first."`
	Meta wire.Meta       `json:"meta" doc:"Where to go on."`
}

// DailyUsage is how much was used on a day, by what has the same metadata.
type DailyUsage struct {
	Key      string              `json:"key" doc:"Tells the items of the list apart."`
	Date     string              `json:"date" doc:"The day, UTC."`
	Value    float64             `json:"value" doc:"How much; negative when there was less at its end than at its beginning."`
	Metadata *DailyUsageMetadata `json:"metadata,omitempty" doc:"What used it; absent when whoever reported it did not say."`
}

// DailyUsageMetadata says what used something.
type DailyUsageMetadata struct {
	BotID   string `json:"botId" doc:"The bot."`
	Type    string `json:"type" enum:"IntegrationAction,FileIndexing,BingSearch,WebSearch" doc:"What kind of work it was used for."`
	Subtype string `json:"subtype,omitempty" doc:"More exactly."`
	Source  string `json:"source,omitempty" doc:"What asked for it."`
}

// DailyUsageList is the answer of listUsageActivityDaily.
type DailyUsageList struct {
	Data []DailyUsage `json:"data" doc:"The newest day first."`
	Meta wire.Meta    `json:"meta" doc:"Where to go on."`
}

type (
	listUsageActivityInput struct {
		TypeQuery
		wire.PageQuery
		ID             string `path:"id" doc:"The workspace, or a bot of it."`
		TimestampFrom  string `query:"timestampFrom" doc:"The first moment, itself included."`
		TimestampUntil string `query:"timestampUntil" doc:"The last moment, itself included."`
	}
	listUsageActivityOutput     struct{ Body UsageActivityList }
	listUsageActivityDailyInput struct {
		TypeQuery
		wire.PageQuery
		ID        string `path:"id" doc:"The workspace, or a bot of it."`
		DateFrom  string `query:"dateFrom" doc:"The first day, itself included."`
		DateUntil string `query:"dateUntil" doc:"The last day, itself included."`
	}
	listUsageActivityDailyOutput struct{ Body DailyUsageList }
)

func mountActivity(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "listUsageActivity", Method: http.MethodGet, Path: "/v1/admin/usages/{id}/activity", Area: area,
		Summary: "Read records of use",
		Detail:  "Every record, the newest first. Records are kept for forty days; the sums of days and months stay.",
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
		Summary: "Read usage day by day",
		Detail:  "The newest day first; of a day, one item for what has the same metadata.",
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
