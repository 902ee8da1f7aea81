package telemetry

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWriteCSV(t *testing.T) {
	first := Day{
		ActiveUsers: 3, NewUsers: 1, Sessions: 4, UserMessages: 5, BotMessages: 6, Events: 2, EventTypes: Counts{{"opened", 2}},
		LLM: LLM{Calls: 2, Errors: 1, InputTokens: 10, OutputTokens: 20, CostNanoUSD: 3_000_000},
	}
	for _, x := range []float64{100, 300} {
		first.LLM.Latency.Add(x)
	}
	second := Day{CustomEvents: Counts{{`a "name", quoted`, 7}}}
	var text strings.Builder
	if err := WriteCSV(&text, []DatedDay{{Start: midnight, Day: first}, {Start: midnight.Add(24 * time.Hour), Day: second}}); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(text.String())).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows (%v)", len(rows), err)
	}
	cell := func(row int, column string) string {
		for i, name := range rows[0] {
			if name == column {
				return rows[row][i]
			}
		}
		t.Fatalf("there is no column %q in %v", column, rows[0])
		return ""
	}
	got := map[string][]string{}
	for _, column := range []string{
		"date", "newUsers", "returningUsers", "sessions", "userMessages", "llmLatencyMsMean", "llmLatencyMsSd", "llmCostUsdSum", "event.opened", `custom.a "name", quoted`,
	} {
		got[column] = []string{cell(1, column), cell(2, column)}
	}
	want := map[string][]string{
		"date": {"2026-03-01", "2026-03-02"}, "newUsers": {"1", "0"}, "returningUsers": {"2", "0"}, "sessions": {"4", "0"}, "userMessages": {"5", "0"},
		"llmLatencyMsMean": {"200", "0"}, "llmLatencyMsSd": {"100", "0"}, "llmCostUsdSum": {"0.003", "0"}, "event.opened": {"2", "0"},
		`custom.a "name", quoted`: {"0", "7"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
