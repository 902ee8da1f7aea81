package telemetry

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// AnalyticsRecord is a day as it goes on the wire.
type AnalyticsRecord struct {
	StartDateTimeUTC string           `json:"startDateTimeUtc" doc:"The first moment of the day, UTC."`
	EndDateTimeUTC   string           `json:"endDateTimeUtc" doc:"The last moment of the day, UTC."`
	ReturningUsers   int64            `json:"returningUsers" doc:"Users who were active and had been before."`
	NewUsers         int64            `json:"newUsers" doc:"Users who were active for the first time."`
	Sessions         int64            `json:"sessions" doc:"Sessions that began."`
	Messages         int64            `json:"messages" doc:"The same as userMessages."`
	UserMessages     int64            `json:"userMessages" doc:"Messages from users."`
	BotMessages      int64            `json:"botMessages" doc:"Messages from the bot."`
	Events           int64            `json:"events" doc:"Events that the bot was sent."`
	EventTypes       map[string]int64 `json:"eventTypes" doc:"Those events by type."`
	CustomEvents     map[string]int64 `json:"customEvents" doc:"What the bot counted itself, by name."`
	LLM              AnalyticsLLM     `json:"llm" doc:"Calls of language models."`
}

// AnalyticsLLM are the calls of language models on a day.
type AnalyticsLLM struct {
	Calls           int64           `json:"calls" doc:"All calls."`
	Errors          int64           `json:"errors" doc:"Calls that failed."`
	InputTokens     int64           `json:"inputTokens" doc:"Tokens that went in."`
	OutputTokens    int64           `json:"outputTokens" doc:"Tokens that came out."`
	Latency         AnalyticsSpread `json:"latency" doc:"Milliseconds a call."`
	TokensPerSecond AnalyticsSpread `json:"tokensPerSecond" doc:"Tokens that came out, a second of a call."`
	Cost            AnalyticsCost   `json:"cost" doc:"US dollars."`
}

// AnalyticsSpread says how numbers spread; all zero when there were none.
type AnalyticsSpread struct {
	Mean float64 `json:"mean" doc:"The mean."`
	SD   float64 `json:"sd" doc:"The standard deviation."`
	Min  float64 `json:"min" doc:"The least."`
	Max  float64 `json:"max" doc:"The greatest."`
}

// AnalyticsCost says what calls cost together, and how that spreads over them.
type AnalyticsCost struct {
	Sum  float64 `json:"sum" doc:"The sum."`
	Mean float64 `json:"mean" doc:"The mean."`
	SD   float64 `json:"sd" doc:"The standard deviation."`
	Min  float64 `json:"min" doc:"The least."`
	Max  float64 `json:"max" doc:"The greatest."`
}

// AnalyticsList is the answer of getBotAnalytics.
type AnalyticsList struct {
	Records []AnalyticsRecord `json:"records" doc:"Every day of the range, in order, also those on which nothing happened."`
}

type (
	analyticsInput struct {
		ID        string `path:"id" doc:"The bot."`
		StartDate string `query:"startDate" required:"true" doc:"The first day: a date, or a moment of it."`
		EndDate   string `query:"endDate" required:"true" doc:"The last day, which is included: a date, or a moment of it."`
	}
	analyticsOutput struct{ Body AnalyticsList }
)

func mountAnalytics(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{ID: "getBotAnalytics", Method: http.MethodGet, Path: "/v1/admin/bots/{id}/analytics", Area: "telemetry",
		Summary: "Read the analytics of a bot", Detail: "What happened on each UTC day. Records that come late correct the days they are of.",
		Scope: wire.InHeader, Permission: access.BotRead},
		func(ctx context.Context, in *analyticsInput) (*analyticsOutput, error) {
			days, err := s.Analytics(ctx, access.From(ctx).Workspace, id.Bot(in.ID), in.StartDate, in.EndDate)
			if err != nil {
				return nil, err
			}
			out := &analyticsOutput{Body: AnalyticsList{make([]AnalyticsRecord, len(days))}}
			for i := range days {
				out.Body.Records[i] = days[i].shown()
			}
			return out, nil
		})
}

func (m Moments) shown() AnalyticsSpread { return AnalyticsSpread{m.Mean, m.Deviation(), m.Min, m.Max} }

func (d *DatedDay) shown() AnalyticsRecord {
	cost := d.LLM.Cost
	return AnalyticsRecord{
		StartDateTimeUTC: wire.TimeOf(d.Start).String(), EndDateTimeUTC: wire.TimeOf(d.End).String(),
		ReturningUsers: d.ActiveUsers - d.NewUsers, NewUsers: d.NewUsers, Sessions: d.Sessions,
		Messages: d.UserMessages, UserMessages: d.UserMessages, BotMessages: d.BotMessages,
		Events: d.Events, EventTypes: d.EventTypes, CustomEvents: d.CustomEvents,
		LLM: AnalyticsLLM{
			Calls: d.LLM.Calls, Errors: d.LLM.Errors, InputTokens: d.LLM.InputTokens, OutputTokens: d.LLM.OutputTokens,
			Latency: d.LLM.Latency.shown(), TokensPerSecond: d.LLM.TokensPerSecond.shown(),
			Cost: AnalyticsCost{float64(d.LLM.CostNanoUSD) / nanoUSD, cost.Mean, cost.Deviation(), cost.Min, cost.Max},
		},
	}
}
