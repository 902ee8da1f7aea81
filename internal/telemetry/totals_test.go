package telemetry

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var (
	anyCount = rapid.Int64Range(-maxSum, maxSum)
	anyFloat = rapid.Float64()
)

func anyNames(t *rapid.T, label string) (c Counts) {
	for name, n := range rapid.MapOfN(rapid.String(), anyCount, 0, 20).Draw(t, label) {
		c.add(name, n)
	}
	return c
}

func anyMoments(t *rapid.T, label string) (m Moments) {
	for _, x := range rapid.SliceOfN(rapid.Float64Range(0, 1e12), 0, 5).Draw(t, label) {
		m.Add(x)
	}
	return m
}

func anyDay(t *rapid.T) (d Day) {
	for _, n := range d.counts() {
		*n = anyCount.Draw(t, "count")
	}
	d.LLM.CostNanoUSD = anyCount.Draw(t, "cost")
	d.LLM.Cost, d.LLM.Latency, d.LLM.TokensPerSecond = anyMoments(t, "costs"), anyMoments(t, "latencies"), anyMoments(t, "speeds")
	d.EventTypes, d.CustomEvents = anyNames(t, "types"), anyNames(t, "customs")
	return d
}

// A day is read as it was written, to the last digit; a part of one is refused, and so
// is one with something behind it.
func TestDayIsStoredWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyDay(t)
		stored := d.encode()
		got, err := decodeDay(stored)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d, got); diff != "" {
			t.Fatal(diff)
		}
		part := rapid.IntRange(0, len(stored)-1).Draw(t, "part")
		for _, damaged := range [][]byte{stored[:part], append(stored, 0), append([]byte{dayVersion + 1}, stored[1:]...)} {
			if _, err := decodeDay(damaged); !errors.Is(err, errDay) {
				t.Fatalf("%d of %d bytes are read as a day (%v)", len(damaged), len(stored), err)
			}
		}
	})
}

func FuzzDecodeDay(f *testing.F) {
	var d Day
	f.Add(d.encode())
	d.EventTypes, d.LLM = Counts{{"a", 1}, {"b", 2}}, LLM{Calls: 1, Cost: Moments{Count: 1, Mean: 2, Min: 2, Max: 2}}
	f.Add(d.encode())
	f.Fuzz(func(t *testing.T, stored []byte) {
		d, err := decodeDay(stored)
		if err != nil {
			return
		}
		again, err := decodeDay(d.encode())
		if err != nil || string(again.encode()) != string(d.encode()) {
			t.Errorf("what was read of %x is written as %x (%v)", stored, d.encode(), err)
		}
	})
}

// What is written by hand is what the struct of the document says.
func TestDaysAreAnsweredAsDocumented(t *testing.T) {
	spread := func(m Moments) AnalyticsSpread { return AnalyticsSpread{m.Mean, m.Deviation(), m.Min, m.Max} }
	counted := func(c Counts) map[string]int64 {
		all := map[string]int64{}
		for _, of := range c {
			all[of.Name] = of.N
		}
		return all
	}
	rapid.Check(t, func(t *rapid.T) {
		days := make([]DatedDay, rapid.IntRange(0, 3).Draw(t, "days"))
		want := AnalyticsList{Records: []AnalyticsRecord{}}
		for i := range days {
			d := anyDay(t)
			days[i] = DatedDay{midnight, midnight.Add(dayLength - time.Millisecond), d}
			cost := d.LLM.Cost
			want.Records = append(want.Records, AnalyticsRecord{
				StartDateTimeUTC: "2026-03-01T00:00:00.000Z", EndDateTimeUTC: "2026-03-01T23:59:59.999Z",
				ReturningUsers: d.ActiveUsers - d.NewUsers, NewUsers: d.NewUsers, Sessions: d.Sessions,
				Messages: d.UserMessages, UserMessages: d.UserMessages, BotMessages: d.BotMessages,
				Events: d.Events, EventTypes: counted(d.EventTypes), CustomEvents: counted(d.CustomEvents),
				LLM: AnalyticsLLM{
					Calls: d.LLM.Calls, Errors: d.LLM.Errors, InputTokens: d.LLM.InputTokens, OutputTokens: d.LLM.OutputTokens,
					Latency: spread(d.LLM.Latency), TokensPerSecond: spread(d.LLM.TokensPerSecond),
					Cost: AnalyticsCost{float64(d.LLM.CostNanoUSD) / 1e9, cost.Mean, cost.Deviation(), cost.Min, cost.Max},
				},
			})
		}
		var got AnalyticsList
		if err := json.Unmarshal(appendDays(nil, days), &got, json.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("%v: %s", err, appendDays(nil, days))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		x := anyFloat.Draw(t, "float")
		var read float64
		if err := json.Unmarshal(appendFloat(nil, x), &read); err != nil || math.Float64bits(read) != math.Float64bits(x) {
			t.Fatalf("%v is written as %s (%v)", x, appendFloat(nil, x), err)
		}
	})
}
