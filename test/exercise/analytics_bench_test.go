package exercise_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/botyard/botyard/test/harness"
)

// BenchmarkAnalyticsYear asks for a year of a busy bot as a client does: every figure
// is there, and twenty types of events a day.
func BenchmarkAnalyticsYear(b *testing.B) {
	for _, engine := range harness.Engines {
		b.Run(string(engine), func(b *testing.B) {
			s := harness.Start(b, engine, "--retention-events", "400")
			a := s.Person(b)
			bot := createBot(b, a, object{})["id"].(string)
			today := s.Clock.Now().UTC().Truncate(24 * time.Hour)
			for ago := range 365 {
				noon := today.AddDate(0, 0, -ago-1).Add(12 * time.Hour)
				records := make([]object, 0, 60)
				for i := range 20 {
					at := noon.Add(time.Duration(i) * time.Minute).Format("2006-01-02T15:04:05.000Z")
					records = append(records,
						object{"kind": "event", "type": "conversation of kind " + string(rune('a'+i)), "timestamp": at},
						object{"kind": "llm_call", "inputTokens": 1000, "outputTokens": i, "latencyMs": 700.25, "costNanoUsd": 12345, "timestamp": at},
						object{"kind": "message", "direction": "incoming", "userId": "user " + string(rune('a'+i)), "conversationId": "c", "timestamp": at})
				}
				a.Do(b, http.MethodPost, "/v1/ingest", ndjson(records), nil, "Content-Type", "application/x-ndjson", "x-bot-id", bot)
			}
			if err := s.Telemetry.Settle(b.Context()); err != nil {
				b.Fatal(err)
			}
			r, err := a.Request(b.Context(), http.MethodGet, botsPath+"/"+bot+"/analytics?startDate="+today.AddDate(0, 0, -365).Format(time.DateOnly)+"&endDate="+today.AddDate(0, 0, -1).Format(time.DateOnly), nil)
			if err != nil {
				b.Fatal(err)
			}
			size := int64(0)
			for b.Loop() {
				answer, err := http.DefaultClient.Do(r)
				if err != nil {
					b.Fatal(err)
				}
				if size, err = io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK || size < 100_000 {
					b.Fatal(answer.StatusCode, size, err)
				}
				if err := answer.Body.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size), "bytes")
		})
	}
}
