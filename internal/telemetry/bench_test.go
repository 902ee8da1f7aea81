package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/audit"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	metering "github.com/botyard/botyard/internal/meter"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/test/engines"
	"github.com/botyard/botyard/test/postgres"
)

// BenchmarkAnalyticsYear reads a year of a busy bot: every figure is there, and
// twenty types of events.
func BenchmarkAnalyticsYear(b *testing.B) {
	d, err := db.Open(b.Context(), db.Options{Dir: b.TempDir(), Synchronous: "NORMAL"})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if err := d.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	const w, bot = id.Workspace("wkspace_year"), id.Bot("bot")
	addBot(b, d, w, bot)
	s := over(d)
	var records []Record
	for day := range 365 {
		at := midnight.AddDate(0, 0, day).UnixMilli()
		for i := range 20 {
			records = append(records,
				Record{Bot: bot, At: at, Kind: KindEvent, Body: &Event{fmt.Sprint("event type ", i)}},
				Record{Bot: bot, At: at, Kind: KindLLMCall, Body: &LLMCall{InputTokens: 1000, OutputTokens: int64(i), LatencyMs: 700.25, CostNanoUSD: 12345}},
				Record{Bot: bot, At: at, Kind: KindMessage, User: fmt.Sprint(i), Conversation: "c", Body: &Message{incoming}})
		}
	}
	engines.InTx(b, d, func(ctx context.Context, tx *db.Tx) error { return s.rollUpAnalytics(ctx, tx, records) })
	for b.Loop() {
		days, err := s.Analytics(b.Context(), w, bot, midnight.Format(time.DateOnly), midnight.AddDate(0, 0, 364).Format(time.DateOnly))
		if err != nil || len(days) != 365 {
			b.Fatal(len(days), err)
		}
	}
}

// BenchmarkRollUp rolls batches of records of fifty bots up, of one kind each and of all
// kinds together, with the meter behind.
func BenchmarkRollUp(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		for _, kind := range []string{"usage", "message", "event", "llm_call", "custom_event", "issue", "all"} {
			b.Run(string(engine)+"/"+kind, func(b *testing.B) { benchmarkRollUp(b, engine, kind) })
		}
	}
}

func benchmarkRollUp(b *testing.B, engine db.Engine, kind string) {
	o := db.Options{Dir: b.TempDir(), Synchronous: "NORMAL"}
	if engine == db.PostgreSQL {
		o = db.Options{URL: postgres.Database(b)}
	}
	d, err := db.Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if err := d.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	c := clock.System()
	log := slog.New(slog.DiscardHandler)
	trail := audit.New(d, c)
	s := New(Options{DB: d, Clock: c, Log: log, Meter: metering.New(metering.Options{DB: d, Clock: c, Log: log, Plans: plan.Default(), Trail: trail})})
	const bots, batch = 50, maxRolledRecords
	for bot := range bots {
		addBot(b, d, id.Workspace(fmt.Sprint("wkspace_", bot/5)), id.Bot(fmt.Sprint("bot", bot)))
	}
	kinds := []string{kind}
	if kind == "all" {
		kinds = []string{"message", "message", "message", "message", "event", "event", "llm_call", "custom_event", "usage", "issue"}
	}
	sequence := int64(0)
	now := time.Now()
	for b.Loop() {
		records := make([]Record, batch)
		for i := range records {
			sequence++
			bot := int(sequence) / 100 % bots // as they are sent: a hundred of one bot at a time
			r := Record{
				Sequence: sequence, Bot: id.Bot(fmt.Sprint("bot", bot)), At: now.UnixMilli() + sequence/50,
				User: fmt.Sprint("user_", sequence*7919%2000), Conversation: fmt.Sprint("conv_", sequence*7919%3000),
			}
			switch kinds[int(sequence)%len(kinds)] {
			case "usage":
				r.Body = &Usage{Type: "invocation_calls", Value: 3}
			case "message":
				r.Body = &Message{incoming}
			case "event":
				r.Body = &Event{fmt.Sprint("type ", sequence%20)}
			case "llm_call":
				r.Body = &LLMCall{Model: "model", InputTokens: 1000, OutputTokens: 100, LatencyMs: 700, CostNanoUSD: 123456}
			case "custom_event":
				r.Body = &CustomEvent{fmt.Sprint("name ", sequence%20), 1}
			case "issue":
				r.Body = &Issue{Code: "code", Category: "other", Title: "t", Description: "d", Data: map[string]IssueDatum{"name": {Raw: fmt.Sprint(sequence % 3)}}, GroupBy: []string{"name"}}
			}
			r.Kind = r.Body.kind()
			records[i] = r
		}
		if err := d.Tx(b.Context(), func(ctx context.Context, tx *db.Tx) error { return s.rollUp(ctx, tx, records) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*batch/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkScan reads first pages of a bot whose records of one user and one
// conversation are spread over all of its blocks, a few in each.
func BenchmarkScan(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		b.Run(string(engine), func(b *testing.B) { benchmarkScan(b, engine) })
	}
}

func benchmarkScan(b *testing.B, engine db.Engine) {
	dir := b.TempDir()
	o := db.Options{Dir: b.TempDir(), Synchronous: "NORMAL"}
	if engine == db.PostgreSQL {
		o = db.Options{URL: postgres.Database(b)}
	}
	d, err := db.Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	c := &movable{at: noon}
	s := openStore(b, d, dir, c)
	defer closeStore(b, s)
	const batches, batch = 250, 1000
	for n := range batches {
		records := make([]Record, batch)
		for i := range records {
			m := n*10*batch + i
			h := uint64(m) * 0x9e3779b97f4a7c15
			records[i] = Record{
				Kind: KindLog, Level: Info, At: c.Now().UnixMilli() + int64(n), Workspace: "w", Bot: "bot", User: fmt.Sprint("user_", m%5000), Conversation: fmt.Sprint("conv_", m%20000),
				Message: fmt.Sprintf("handled webhook %016x of conversation conv_%012x in %d ms; workflow main, node message, attempt 1, next step is to wait for the answer of the user and then to continue with the flow", h, h>>16, h>>40%900),
			}
			if m%97 == 0 {
				records[i].Level = Error
			}
		}
		mustAppend(b, s, records...)
	}
	v, err := s.archive.open(b.Context(), Logs, dayOf(noon))
	if err != nil {
		b.Fatal(err)
	}
	for more := true; more; {
		if more, err = s.merge(b.Context(), v, true); err != nil {
			b.Fatal(err)
		}
	}
	for _, f := range []struct {
		name   string
		filter Filter
		found  int
	}{
		{"newest", Filter{}, 100},
		{"level", Filter{Level: Error}, 100},
		{"user", Filter{User: "user_0"}, 100},
		{"conversation", Filter{Conversation: "conv_0"}, 100},
		{"user unknown", Filter{User: "nobody"}, 0},
		{"contains", Filter{Contains: "node message"}, 100},
		{"contains nowhere", Filter{Contains: "wholly absent"}, 0},
	} {
		b.Run(f.name, func(b *testing.B) {
			f.filter.Kinds, f.filter.Bot = []Kind{KindLog}, "bot"
			b.ReportAllocs()
			for b.Loop() {
				found := 0
				if err := s.Scan(b.Context(), f.filter, func(*Record) bool { found++; return found < 100 }); err != nil || found != f.found {
					b.Fatal(found, err)
				}
			}
		})
	}
}
