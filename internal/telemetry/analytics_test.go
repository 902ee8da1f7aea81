package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/test/engines"
)

// midnight is the end of a UTC day, about which the histories of the tests happen.
var midnight = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func over(d *db.DB) *Service {
	return New(Options{DB: d, Clock: clock.System(), Log: slog.New(slog.DiscardHandler)})
}

// history is what happened to some bots, in no order.
func history(random *rand.Rand, bots []id.Bot, n int) []Record {
	records := make([]Record, n)
	for i := range records {
		r := Record{
			Sequence: int64(i + 1), Bot: bots[random.IntN(len(bots))],
			// Four hours before midnight to four after, in steps that make silences of both
			// sides of half an hour common.
			At: midnight.Add(time.Duration(random.IntN(96)-48) * 5 * time.Minute).UnixMilli(),
		}
		user := "user" + strconv.Itoa(random.IntN(3))
		switch random.IntN(7) {
		case 0, 1, 2:
			r.Body, r.User, r.Conversation = &Message{incoming}, user, "conversation of "+user
		case 3:
			r.Body, r.User, r.Conversation = &Message{"outgoing"}, user, "conversation of "+user
		case 4:
			r.Body = &Event{"type" + strconv.Itoa(random.IntN(3))}
			if random.IntN(2) == 0 {
				r.User = user
			}
		case 5:
			r.Body = &CustomEvent{"name" + strconv.Itoa(random.IntN(2)), int64(1 + random.IntN(5))}
		case 6:
			c := &LLMCall{
				InputTokens: int64(random.IntN(1000)), OutputTokens: int64(random.IntN(500)), LatencyMs: float64(random.IntN(3)) * 500.5,
				CostNanoUSD: int64(random.IntN(2_000_000)),
			}
			if random.IntN(4) == 0 {
				c.Error = "overloaded"
			}
			r.Body = c
		}
		r.Kind = r.Body.kind()
		records[i] = r
	}
	return records
}

// naive is the analytics of one bot, counted the slow way: everything is at hand, in
// order.
func naive(records []Record, bot id.Bot) map[date]Day {
	records = slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return r.Bot != bot })
	slices.SortFunc(records, func(a, b Record) int { return int(a.At - b.At) })
	days := map[date]Day{}
	seen, activeOn, lastIn := map[string]bool{}, map[string]bool{}, map[string]int64{}
	latencies, speeds, costs := map[date][]float64{}, map[date][]float64{}, map[date][]float64{}
	types, customs := map[date][]Count{}, map[date][]Count{}
	for _, r := range records {
		on := date(math.Floor(float64(r.At) / 86_400_000))
		d := days[on]
		active := false
		switch b := r.Body.(type) {
		case *Message:
			if active = b.Direction == incoming; active {
				d.UserMessages++
			} else {
				d.BotMessages++
			}
		case *Event:
			active = r.User != ""
			d.Events++
			types[on] = append(types[on], Count{b.Type, 1})
		case *CustomEvent:
			customs[on] = append(customs[on], Count{b.Name, b.Count})
		case *LLMCall:
			d.LLM.Calls++
			d.LLM.InputTokens += b.InputTokens
			d.LLM.OutputTokens += b.OutputTokens
			d.LLM.CostNanoUSD += b.CostNanoUSD
			costs[on] = append(costs[on], float64(b.CostNanoUSD)/1e9)
			if b.LatencyMs > 0 {
				latencies[on] = append(latencies[on], b.LatencyMs)
			}
			if b.Error != "" {
				d.LLM.Errors++
			} else if b.LatencyMs > 0 && b.OutputTokens > 0 {
				speeds[on] = append(speeds[on], float64(b.OutputTokens)*1000/b.LatencyMs)
			}
		}
		if active {
			if !activeOn[fmt.Sprint(on, r.User)] {
				activeOn[fmt.Sprint(on, r.User)] = true
				d.ActiveUsers++
				if !seen[r.User] {
					seen[r.User] = true
					d.NewUsers++
				}
			}
			place := "in " + r.Conversation
			if r.Conversation == "" {
				place = "of " + r.User
			}
			if last, before := lastIn[place]; !before || r.At-last >= defaultSilence.Milliseconds() {
				d.Sessions++
			}
			lastIn[place] = r.At
		}
		days[on] = d
	}
	for on, d := range days {
		d.EventTypes, d.CustomEvents = summed(types[on]), summed(customs[on])
		d.LLM.Latency, d.LLM.TokensPerSecond, d.LLM.Cost = spread(latencies[on]), spread(speeds[on]), spread(costs[on])
		days[on] = d
	}
	return days
}

// summed brings the counts of each name together.
func summed(each []Count) (all Counts) {
	sums := map[string]int64{}
	for _, c := range each {
		sums[c.Name] += c.N
	}
	for name, n := range sums {
		all = append(all, Count{name, n})
	}
	slices.SortFunc(all, func(a, b Count) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// spread is the textbook's two passes.
func spread(numbers []float64) (m Moments) {
	for _, x := range numbers {
		m.Count++
		m.Mean += x / float64(len(numbers))
	}
	for _, x := range numbers {
		m.Squares += (x - m.Mean) * (x - m.Mean)
	}
	if m.Count > 0 {
		m.Min, m.Max = slices.Min(numbers), slices.Max(numbers)
	}
	return m
}

// TestAnalyticsModel rolls random histories up, in any order, in batches of any size,
// by two servers at once, and holds the days against the naive count.
func TestAnalyticsModel(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		const w = id.Workspace("wkspace_model")
		servers := []*Service{over(d), over(d)}
		for seed := range uint64(100) {
			random := rand.New(rand.NewPCG(seed, 7))
			bots := []id.Bot{id.Bot(fmt.Sprint("bot", seed, "a")), id.Bot(fmt.Sprint("bot", seed, "b"))}
			for _, bot := range bots {
				addBot(t, d, w, bot)
			}
			records := history(random, bots, 20+random.IntN(60))
			var both sync.WaitGroup
			half := random.IntN(len(records))
			for i, part := range [][]Record{records[:half], records[half:]} {
				sizes := rand.New(rand.NewPCG(seed, uint64(i)))
				both.Go(func() {
					for len(part) > 0 {
						n := 1 + sizes.IntN(min(len(part), 25))
						err := d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
							return servers[i].rollUpAnalytics(ctx, tx, part[:n])
						})
						if err != nil {
							t.Error(err)
							return
						}
						part = part[n:]
					}
				})
			}
			both.Wait()
			for _, bot := range bots {
				got, err := selectDays(t.Context(), d.Reader(t.Context()), w, bot, dateOf(midnight.UnixMilli())-2, dateOf(midnight.UnixMilli())+2)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(naive(records, bot), got, cmpopts.EquateApprox(1e-9, 1e-12)); diff != "" {
					t.Fatalf("history %d, %s (-naive +rolled up):\n%s", seed, bot, diff)
				}
			}
		}
	})
}

func TestDays(t *testing.T) {
	first, last := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), time.Date(2024, 2, 29, 23, 59, 59, 999e6, time.UTC)
	if dateOf(first.UnixMilli()) != dateOf(last.UnixMilli()) || dateOf(last.UnixMilli())+1 != dateOf(last.UnixMilli()+1) {
		t.Error("a day does not begin and end at midnight")
	}
	on := dateOf(first.UnixMilli())
	if on.start() != first.UnixMilli() || on.end() != last.UnixMilli() {
		t.Errorf("the day is from %d to %d", on.start(), on.end())
	}
	if dateOf(-1) != -1 || dateOf(0) != 0 {
		t.Error("the days about 1970 are wrong")
	}
	for text, want := range map[string]date{
		"2024-02-29": on, "2024-02-29T00:00:00Z": on, "2024-02-29T23:59:59.999Z": on, "2024-03-01T01:00:00+02:00": on,
		"2024-02-29T23:59:59": on, "2024-02-29T12:00": on, "1970-01-01": 0,
	} {
		if got, err := dayNamed("startDate", text); err != nil || got != want {
			t.Errorf("%s is day %d (%v), want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "2024-02-30", "yesterday", "2024", "1969-12-31", "2024-02-29T25:00:00Z", "12024-02-01"} {
		if _, err := dayNamed("startDate", text); err == nil {
			t.Errorf("%q is taken for a day", text)
		}
	}
}

// A bot that makes names up fills no row without end, and counts right.
func TestNamesAreBounded(t *testing.T) {
	var d Day
	for i := range 3 * maxNames {
		d.EventTypes.add(strconv.Itoa(i), 1)
	}
	d.EventTypes.add("7", 1)
	if len(d.EventTypes) != maxNames+1 || d.EventTypes.Of(otherNames) != 2*maxNames || d.EventTypes.Of("7") != 2 {
		t.Errorf("%d names, %d of others, %d of 7", len(d.EventTypes), d.EventTypes.Of(otherNames), d.EventTypes.Of("7"))
	}
	var again Day
	again.Merge(d)
	again.Merge(d)
	if len(again.EventTypes) != maxNames+1 || again.EventTypes.Of(otherNames) != 4*maxNames || again.EventTypes.Of("7") != 4 {
		t.Errorf("merged with itself: %d names, %d of others, %d of 7", len(again.EventTypes), again.EventTypes.Of(otherNames), again.EventTypes.Of("7"))
	}
	if got := sum(maxSum-1, maxCount); got != maxSum {
		t.Errorf("a sum grows to %d", got)
	}
}

// Calls that take next to no time, or tell so, are answered in numbers that JSON has.
func TestAbsurdCalls(t *testing.T) {
	var d Day
	for _, c := range []LLMCall{
		{OutputTokens: maxCount, LatencyMs: math.SmallestNonzeroFloat64},
		{OutputTokens: 1, LatencyMs: 1},
		{OutputTokens: maxCount, LatencyMs: 1e-300},
		{OutputTokens: maxCount, LatencyMs: maxCount, CostNanoUSD: maxCount},
	} {
		if problem := c.check(); problem != "" {
			t.Fatal(problem)
		}
		d.LLM.add(&c)
	}
	var got AnalyticsList
	if err := json.Unmarshal(appendDays(nil, []DatedDay{{Day: d}}), &got); err != nil {
		t.Fatal(err)
	}
	if speed := got.Records[0].LLM.TokensPerSecond; speed.Max != maxCount || speed.Min != 1000*1 || !(speed.SD > 0 && speed.SD <= maxCount) {
		t.Errorf("the speeds are %+v", speed)
	}
}

// What no record can add to any more is forgotten; the days and who was ever seen
// stay.
func TestForgetActivity(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		const w, bot = id.Workspace("wkspace_forget"), id.Bot("bot")
		addBot(t, d, w, bot)
		s := over(d)
		at := func(when time.Time) []Record {
			return []Record{{Bot: bot, At: when.UnixMilli(), User: "u", Conversation: "c", Kind: KindMessage, Body: &Message{incoming}}}
		}
		roll := func(when time.Time) {
			engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error { return s.rollUpAnalytics(ctx, tx, at(when)) })
		}
		roll(midnight.Add(-24 * time.Hour))
		roll(midnight.Add(24 * time.Hour))
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			more, err := forgetActivity(ctx, tx, midnight.UnixMilli())
			if more {
				t.Error("more is left")
			}
			return err
		})
		for table, want := range map[string]int{"analytics_user_days": 1, "analytics_sessions": 1, "analytics_users": 1, "analytics_days": 2} {
			var n int
			if err := d.Reader(t.Context()).QueryRow(t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n); err != nil || n != want {
				t.Errorf("%s has %d rows (%v), want %d", table, n, err, want)
			}
		}
		roll(midnight.Add(48 * time.Hour))
		days, err := selectDays(t.Context(), d.Reader(t.Context()), w, bot, 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if last := days[dateOf(midnight.Add(48*time.Hour).UnixMilli())]; last.NewUsers != 0 || last.ActiveUsers != 1 {
			t.Errorf("who came back is counted as %+v", last)
		}
	})
}
