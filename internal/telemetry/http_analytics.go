package telemetry

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// AnalyticsRecord is a day on the wire. appendJSON writes it.
type AnalyticsRecord struct {
	StartDateTimeUTC string           `json:"startDateTimeUtc" doc:"The start of the day, UTC."`
	EndDateTimeUTC   string           `json:"endDateTimeUtc" doc:"The end of the day, UTC."`
	ReturningUsers   int64            `json:"returningUsers" doc:"Active users who had been active before."`
	NewUsers         int64            `json:"newUsers" doc:"Users who were active for the first time."`
	Sessions         int64            `json:"sessions" doc:"Sessions that started."`
	Messages         int64            `json:"messages" doc:"The same as userMessages."`
	UserMessages     int64            `json:"userMessages" doc:"Messages from users."`
	BotMessages      int64            `json:"botMessages" doc:"Messages from the bot."`
	Events           int64            `json:"events" doc:"Events that the bot received."`
	EventTypes       map[string]int64 `json:"eventTypes" doc:"Events that the bot received, by type."`
	CustomEvents     map[string]int64 `json:"customEvents" doc:"Custom events that the bot reported, by name."`
	LLM              AnalyticsLLM     `json:"llm" doc:"Calls to language models."`
}

// AnalyticsLLM are the calls of language models on a day.
type AnalyticsLLM struct {
	Calls           int64           `json:"calls" doc:"All calls."`
	Errors          int64           `json:"errors" doc:"Calls that failed."`
	InputTokens     int64           `json:"inputTokens" doc:"Input tokens."`
	OutputTokens    int64           `json:"outputTokens" doc:"Output tokens."`
	Latency         AnalyticsSpread `json:"latency" doc:"The latency of a call, in milliseconds."`
	TokensPerSecond AnalyticsSpread `json:"tokensPerSecond" doc:"Output tokens per second of a call."`
	Cost            AnalyticsCost   `json:"cost" doc:"The cost, in US dollars."`
}

// AnalyticsSpread is the distribution of some numbers; all zero when there were none.
type AnalyticsSpread struct {
	Mean float64 `json:"mean" doc:"The mean."`
	SD   float64 `json:"sd" doc:"The standard deviation."`
	Min  float64 `json:"min" doc:"The minimum."`
	Max  float64 `json:"max" doc:"The maximum."`
}

// AnalyticsCost is the sum and the distribution of the costs of calls.
type AnalyticsCost struct {
	Sum  float64 `json:"sum" doc:"The sum."`
	Mean float64 `json:"mean" doc:"The mean."`
	SD   float64 `json:"sd" doc:"The standard deviation."`
	Min  float64 `json:"min" doc:"The minimum."`
	Max  float64 `json:"max" doc:"The maximum."`
}

// AnalyticsList is the answer of getBotAnalytics. appendDays writes it.
type AnalyticsList struct {
	Records []AnalyticsRecord `json:"records" doc:"One record for each day of the range, in order, including days without activity."`
}

type (
	analyticsInput struct {
		ID        string `path:"id" doc:"The bot."`
		StartDate string `query:"startDate" required:"true" doc:"The first day: a date, or a time within it."`
		EndDate   string `query:"endDate" required:"true" doc:"The last day, inclusive: a date, or a time within it."`
	}
	analyticsOutput struct{ Body wire.Document[AnalyticsList] }
)

func mountAnalytics(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{ID: "getBotAnalytics", Method: http.MethodGet, Path: "/v1/admin/bots/{id}/analytics", Area: "telemetry",
		Summary: "Get a bot's analytics", Detail: "One record per UTC day. Late records correct the days they belong to.",
		Scope: wire.InHeader, Permission: access.BotRead},
		func(ctx context.Context, in *analyticsInput) (*analyticsOutput, error) {
			days, err := s.Analytics(ctx, access.From(ctx).Workspace, id.Bot(in.ID), in.StartDate, in.EndDate)
			if err != nil {
				return nil, err
			}
			return &analyticsOutput{Body: wire.Document[AnalyticsList]{Bytes: appendDays(nil, days)}}, nil
		})
}

// dayRoom is roughly the length of a day without names in an answer.
const dayRoom = 640

// appendDays writes days as an AnalyticsList. A year has some hundred thousand bytes of
// names and numbers; writing them one by one takes a quarter of the time that json.Marshal
// needs.
func appendDays(b []byte, days []DatedDay) []byte {
	room := 0
	for i := range days {
		room += dayRoom + 32*(len(days[i].EventTypes)+len(days[i].CustomEvents))
	}
	b = append(slices.Grow(b, room), `{"records":[`...)
	for i := range days {
		if i > 0 {
			b = append(b, ',')
		}
		b = days[i].appendJSON(b)
	}
	return append(b, "]}"...)
}

func (d *DatedDay) appendJSON(b []byte) []byte {
	b = wire.TimeOf(d.Start).AppendJSON(append(b, `{"startDateTimeUtc":`...))
	b = wire.TimeOf(d.End).AppendJSON(append(b, `,"endDateTimeUtc":`...))
	b = strconv.AppendInt(append(b, `,"returningUsers":`...), d.ActiveUsers-d.NewUsers, 10)
	b = strconv.AppendInt(append(b, `,"newUsers":`...), d.NewUsers, 10)
	b = strconv.AppendInt(append(b, `,"sessions":`...), d.Sessions, 10)
	b = strconv.AppendInt(append(b, `,"messages":`...), d.UserMessages, 10)
	b = strconv.AppendInt(append(b, `,"userMessages":`...), d.UserMessages, 10)
	b = strconv.AppendInt(append(b, `,"botMessages":`...), d.BotMessages, 10)
	b = strconv.AppendInt(append(b, `,"events":`...), d.Events, 10)
	b = d.EventTypes.appendJSON(append(b, `,"eventTypes":`...))
	b = d.CustomEvents.appendJSON(append(b, `,"customEvents":`...))
	b = strconv.AppendInt(append(b, `,"llm":{"calls":`...), d.LLM.Calls, 10)
	b = strconv.AppendInt(append(b, `,"errors":`...), d.LLM.Errors, 10)
	b = strconv.AppendInt(append(b, `,"inputTokens":`...), d.LLM.InputTokens, 10)
	b = strconv.AppendInt(append(b, `,"outputTokens":`...), d.LLM.OutputTokens, 10)
	b = d.LLM.Latency.appendJSON(append(b, `,"latency":{`...))
	b = d.LLM.TokensPerSecond.appendJSON(append(b, `},"tokensPerSecond":{`...))
	b = appendFloat(append(b, `},"cost":{"sum":`...), float64(d.LLM.CostNanoUSD)/nanoUSD)
	b = d.LLM.Cost.appendJSON(append(b, ','))
	return append(b, "}}}"...)
}

// appendJSON writes the members of an AnalyticsSpread.
func (m Moments) appendJSON(b []byte) []byte {
	b = appendFloat(append(b, `"mean":`...), m.Mean)
	b = appendFloat(append(b, `,"sd":`...), m.Deviation())
	b = appendFloat(append(b, `,"min":`...), m.Min)
	return appendFloat(append(b, `,"max":`...), m.Max)
}

func (c Counts) appendJSON(b []byte) []byte {
	b = append(b, '{')
	for i, of := range c {
		if i > 0 {
			b = append(b, ',')
		}
		b = wire.AppendText(b, of.Name)
		b = strconv.AppendInt(append(b, ':'), of.N, 10)
	}
	return append(b, '}')
}

// appendFloat writes a finite number as JavaScript would.
func appendFloat(b []byte, x float64) []byte {
	form := byte('f')
	if size := math.Abs(x); size != 0 && (size < 1e-6 || size >= 1e21) {
		form = 'e'
	}
	return strconv.AppendFloat(b, x, form, -1, 64)
}
