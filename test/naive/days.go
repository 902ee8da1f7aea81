package naive

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"time"
)

// Object is JSON.
type Object = map[string]any

// silence is how long nothing comes in a conversation before a session is over.
const silence = 30 * time.Minute

// layout is how the API writes times.
const layout = "2006-01-02T15:04:05.000Z"

// Record is a record of telemetry as a suite made it up. Its numbers are ints.
type Record struct {
	At     time.Time
	Fields Object
}

// Line is the record as ingest takes it.
func (r Record) Line() []byte {
	sent := maps.Clone(r.Fields)
	sent["timestamp"] = r.At.Format(layout)
	line, err := json.Marshal(sent)
	if err != nil {
		panic(err) // it has texts, numbers and objects of them
	}
	return line
}

func (r Record) number(field string) float64 { return float64(r.Fields[field].(int)) }

// Days are n days of analytics as getBotAnalytics answers them, from the first on.
func Days(records []Record, first time.Time, n int) []Object {
	records = slices.Clone(records)
	slices.SortStableFunc(records, func(a, b Record) int { return a.At.Compare(b.At) })
	seen, lastIn := map[string]bool{}, map[string]time.Time{}
	days := make([]Object, n)
	for i := range days {
		d := newDay(first.AddDate(0, 0, i), seen, lastIn)
		for _, r := range records {
			if !r.At.Before(d.start) && r.At.Before(d.end) {
				d.add(r)
			}
		}
		days[i] = d.answer()
	}
	return days
}

// day counts what happened between two midnights.
type day struct {
	start, end               time.Time
	counts                   map[string]float64
	types, customs           Object
	latencies, speeds, costs []float64
	active                   map[string]bool      // users of the day
	seen                     map[string]bool      // users of the days before too
	lastIn                   map[string]time.Time // the newest act in each conversation
}

func newDay(start time.Time, seen map[string]bool, lastIn map[string]time.Time) *day {
	return &day{
		start: start, end: start.AddDate(0, 0, 1), counts: map[string]float64{}, types: Object{}, customs: Object{},
		active: map[string]bool{}, seen: seen, lastIn: lastIn,
	}
}

func (d *day) add(r Record) {
	user, _ := r.Fields["userId"].(string)
	switch r.Fields["kind"] {
	case "message":
		if r.Fields["direction"] == "outgoing" {
			d.counts["botMessages"]++
			return
		}
		d.counts["userMessages"]++
		d.act(r, user)
	case "event":
		d.counts["events"]++
		plus(d.types, r.Fields["type"].(string), 1)
		if user != "" {
			d.act(r, user)
		}
	case "custom_event":
		plus(d.customs, r.Fields["name"].(string), r.number("count"))
	case "llm_call":
		d.call(r)
	}
}

func plus(counts Object, name string, n float64) {
	before, _ := counts[name].(float64)
	counts[name] = before + n
}

// act counts what a user did: whether it is new, and whether a session begins.
func (d *day) act(r Record, user string) {
	switch {
	case d.active[user]:
	case d.seen[user]:
		d.counts["returning"]++
	default:
		d.counts["new"]++
	}
	d.active[user], d.seen[user] = true, true
	place, _ := r.Fields["conversationId"].(string)
	if place == "" {
		place = "of " + user
	}
	if last, before := d.lastIn[place]; !before || r.At.Sub(last) >= silence {
		d.counts["sessions"]++
	}
	d.lastIn[place] = r.At
}

// call counts a call of a language model.
func (d *day) call(r Record) {
	cost, latency, tokens := r.number("costNanoUsd"), r.number("latencyMs"), r.number("outputTokens")
	d.counts["calls"]++
	d.counts["inputTokens"] += r.number("inputTokens")
	d.counts["outputTokens"] += tokens
	d.counts["cost"] += cost
	d.costs = append(d.costs, cost/1e9)
	if latency > 0 {
		d.latencies = append(d.latencies, latency)
	}
	if r.Fields["error"] != nil {
		d.counts["errors"]++
	} else if latency > 0 && tokens > 0 {
		d.speeds = append(d.speeds, tokens*1000/latency)
	}
}

func (d *day) answer() Object {
	cost := spread(d.costs)
	cost["sum"] = d.counts["cost"] / 1e9
	return Object{
		"startDateTimeUtc": d.start.Format(layout), "endDateTimeUtc": d.end.Add(-time.Millisecond).Format(layout),
		"newUsers": d.counts["new"], "returningUsers": d.counts["returning"], "sessions": d.counts["sessions"],
		"messages": d.counts["userMessages"], "userMessages": d.counts["userMessages"], "botMessages": d.counts["botMessages"],
		"events": d.counts["events"], "eventTypes": d.types, "customEvents": d.customs,
		"llm": Object{
			"calls": d.counts["calls"], "errors": d.counts["errors"], "inputTokens": d.counts["inputTokens"], "outputTokens": d.counts["outputTokens"],
			"latency": spread(d.latencies), "tokensPerSecond": spread(d.speeds), "cost": cost,
		},
	}
}

// spread is the textbook's mean and standard deviation, in two passes.
func spread(numbers []float64) Object {
	if len(numbers) == 0 {
		return Object{"mean": 0.0, "sd": 0.0, "min": 0.0, "max": 0.0}
	}
	mean, squares := 0.0, 0.0
	for _, x := range numbers {
		mean += x / float64(len(numbers))
	}
	for _, x := range numbers {
		squares += (x - mean) * (x - mean)
	}
	return Object{"mean": mean, "sd": math.Sqrt(squares / float64(len(numbers))), "min": slices.Min(numbers), "max": slices.Max(numbers)}
}
