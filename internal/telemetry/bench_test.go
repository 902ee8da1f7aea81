package telemetry

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
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
	inTx(b, d, func(ctx context.Context, tx *db.Tx) error { return s.rollUpAnalytics(ctx, tx, records) })
	for b.Loop() {
		days, err := s.Analytics(b.Context(), w, bot, midnight.Format(time.DateOnly), midnight.AddDate(0, 0, 364).Format(time.DateOnly))
		if err != nil || len(days) != 365 {
			b.Fatal(len(days), err)
		}
	}
}
