package exercise_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/harness"
)

// A history is what one bot tells of: records, and the batches in which they are
// sent, of which some hold records that were sent before.
type history struct {
	bot     string
	records []object // each once
	batches [][]object
}

// The model's histories happen about a midnight some days ago: late, and well within
// the retention.
const (
	histories = 200
	daysAgo   = 9
)

// newHistory makes up what a bot did. Times are in steps of five minutes over eight
// hours, which makes silences of both sides of half an hour common.
func newHistory(seed uint64, bot string, midnight time.Time) history {
	random := rand.New(rand.NewPCG(seed, 3))
	h := history{bot: bot}
	for i := range 10 + random.IntN(30) {
		user := fmt.Sprint("user", random.IntN(3))
		at := midnight.Add(time.Duration(random.IntN(96)-48)*5*time.Minute + time.Duration(i)*time.Millisecond)
		r := object{"timestamp": at.Format("2006-01-02T15:04:05.000Z"), "at": at}
		switch random.IntN(9) {
		case 0, 1:
			r["kind"], r["level"], r["message"] = "log", []string{"debug", "info", "warn", "error"}[random.IntN(4)], fmt.Sprintf("line %d of %s", i, user)
			r["userId"] = user
		case 2, 3:
			r["kind"], r["direction"], r["userId"], r["conversationId"] = "message", "incoming", user, "c-"+user
		case 4:
			r["kind"], r["direction"], r["userId"], r["conversationId"] = "message", "outgoing", user, "c-"+user
		case 5:
			r["kind"], r["type"] = "event", fmt.Sprint("type", random.IntN(2))
			if random.IntN(2) == 0 {
				r["userId"] = user
			}
		case 6:
			r["kind"], r["name"], r["count"] = "custom_event", fmt.Sprint("name", random.IntN(2)), 1+random.IntN(4)
		case 7:
			r["kind"], r["inputTokens"], r["outputTokens"] = "llm_call", random.IntN(1000), random.IntN(500)
			r["latencyMs"], r["costNanoUsd"] = 250*random.IntN(4), random.IntN(3_000_000)
			if random.IntN(4) == 0 {
				r["error"] = "overloaded"
			}
		case 8:
			r["kind"], r["code"], r["category"], r["title"], r["description"] = "issue", fmt.Sprint("code", random.IntN(2)), "other", fmt.Sprint("title ", i), "d"
			r["data"] = object{"name": object{"raw": fmt.Sprint("name", random.IntN(2)), "pretty": "P"}}
			r["groupBy"] = [][]string{{}, {"name"}, {"literal"}}[random.IntN(3)]
		}
		r["id"] = fmt.Sprint("record ", i)
		h.records = append(h.records, r)
	}
	// Each is sent once, twice or three times, in any order.
	var sent []object
	for _, r := range h.records {
		for range 1 + random.IntN(3) {
			sent = append(sent, r)
		}
	}
	random.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
	for len(sent) > 0 {
		n := 1 + random.IntN(min(len(sent), 15))
		h.batches = append(h.batches, sent[:n])
		sent = sent[n:]
	}
	return h
}

// body is a batch as NDJSON.
func ndjson(records []object) []byte {
	var b bytes.Buffer
	for _, r := range records {
		sent := object{}
		for key, value := range r {
			if key != "at" {
				sent[key] = value
			}
		}
		line, _ := json.Marshal(sent)
		b.Write(append(line, '\n'))
	}
	return b.Bytes()
}

func of(records []object, kind string) []object {
	return slices.DeleteFunc(slices.Clone(records), func(r object) bool { return r["kind"] != kind })
}

func when(r object) time.Time { return r["at"].(time.Time) }

// naiveLogs are the lines as getBotLogs answers them.
func naiveLogs(records []object) []object {
	lines := []object{}
	for _, r := range of(records, "log") {
		lines = append(lines, object{"timestamp": r["timestamp"], "level": r["level"], "message": r["message"], "userId": r["userId"]})
	}
	slices.SortFunc(lines, func(a, b object) int { return cmp.Compare(b["timestamp"].(string), a["timestamp"].(string)) })
	return lines
}

// naiveIssues are the issues as listBotIssues answers them, by title.
func naiveIssues(records []object) map[string]object {
	groups := map[string][]object{}
	for _, r := range of(records, "issue") {
		key := fmt.Sprint(r["code"], r["groupBy"])
		if slices.Equal(r["groupBy"].([]string), []string{"name"}) {
			key += fmt.Sprint(r["data"])
		}
		groups[key] = append(groups[key], r)
	}
	issues := map[string]object{}
	for _, group := range groups {
		slices.SortFunc(group, func(a, b object) int { return when(a).Compare(when(b)) })
		first, last := group[0], group[len(group)-1]
		grouped := object{}
		for _, by := range last["groupBy"].([]string) {
			grouped[by] = object{"raw": by}
			if value, isData := last["data"].(object)[by]; isData {
				grouped[by] = value
			}
		}
		issues[last["title"].(string)] = object{
			"code": last["code"], "category": "other", "title": last["title"], "description": "d", "resolutionLink": nil,
			"createdAt": first["timestamp"], "lastSeenAt": last["timestamp"], "eventsCount": float64(len(group)), "groupedData": grouped,
		}
	}
	return issues
}

func naiveSpread(numbers []float64) object {
	mean, squares := 0.0, 0.0
	for _, x := range numbers {
		mean += x / float64(len(numbers))
	}
	for _, x := range numbers {
		squares += (x - mean) * (x - mean)
	}
	if len(numbers) == 0 {
		return object{"mean": 0.0, "sd": 0.0, "min": 0.0, "max": 0.0}
	}
	return object{"mean": mean, "sd": math.Sqrt(squares / float64(len(numbers))), "min": slices.Min(numbers), "max": slices.Max(numbers)}
}

// naiveDays are the days as getBotAnalytics answers them.
func naiveDays(records []object, first time.Time, n int) []object {
	records = slices.Clone(records)
	slices.SortFunc(records, func(a, b object) int { return when(a).Compare(when(b)) })
	seen, lastIn := map[string]bool{}, map[string]time.Time{}
	days := make([]object, n)
	for i := range days {
		start := first.AddDate(0, 0, i)
		end := start.AddDate(0, 0, 1)
		active := map[string]bool{}
		counts := map[string]float64{}
		types, customs := object{}, object{}
		var latencies, speeds, costs []float64
		for _, r := range records {
			if when(r).Before(start) || !when(r).Before(end) {
				continue
			}
			user, _ := r["userId"].(string)
			acts := false
			switch r["kind"] {
			case "message":
				if acts = r["direction"] == "incoming"; acts {
					counts["userMessages"]++
				} else {
					counts["botMessages"]++
				}
			case "event":
				acts = user != ""
				counts["events"]++
				name := r["type"].(string)
				n, _ := types[name].(float64)
				types[name] = n + 1
			case "custom_event":
				name := r["name"].(string)
				n, _ := customs[name].(float64)
				customs[name] = n + float64(r["count"].(int))
			case "llm_call":
				counts["calls"]++
				counts["inputTokens"] += float64(r["inputTokens"].(int))
				counts["outputTokens"] += float64(r["outputTokens"].(int))
				cost := float64(r["costNanoUsd"].(int))
				counts["cost"] += cost
				costs = append(costs, cost/1e9)
				latency, tokens := float64(r["latencyMs"].(int)), float64(r["outputTokens"].(int))
				if latency > 0 {
					latencies = append(latencies, latency)
				}
				if r["error"] != nil {
					counts["errors"]++
				} else if latency > 0 && tokens > 0 {
					speeds = append(speeds, tokens*1000/latency)
				}
			}
			if !acts {
				continue
			}
			if !active[user] {
				active[user] = true
				if seen[user] {
					counts["returning"]++
				} else {
					counts["new"]++
				}
			}
			seen[user] = true
			place, _ := r["conversationId"].(string)
			if place == "" {
				place = "of " + user
			}
			if last, before := lastIn[place]; !before || when(r).Sub(last) >= 30*time.Minute {
				counts["sessions"]++
			}
			lastIn[place] = when(r)
		}
		cost := naiveSpread(costs)
		cost["sum"] = counts["cost"] / 1e9
		days[i] = object{
			"startDateTimeUtc": start.Format("2006-01-02T15:04:05.000Z"), "endDateTimeUtc": end.Add(-time.Millisecond).Format("2006-01-02T15:04:05.000Z"),
			"newUsers": counts["new"], "returningUsers": counts["returning"], "sessions": counts["sessions"],
			"messages": counts["userMessages"], "userMessages": counts["userMessages"], "botMessages": counts["botMessages"],
			"events": counts["events"], "eventTypes": types, "customEvents": customs,
			"llm": object{
				"calls": counts["calls"], "errors": counts["errors"], "inputTokens": counts["inputTokens"], "outputTokens": counts["outputTokens"],
				"latency": naiveSpread(latencies), "tokensPerSecond": naiveSpread(speeds), "cost": cost,
			},
		}
	}
	return days
}

// naiveUsage is what the month of the model is charged: incoming messages and events,
// and the cost of calls of language models.
func naiveUsage(records []object) (calls, spend float64) {
	for _, r := range records {
		switch {
		case r["kind"] == "event", r["kind"] == "message" && r["direction"] == "incoming":
			calls++
		case r["kind"] == "llm_call":
			spend += float64(r["costNanoUsd"].(int))
		}
	}
	return calls, spend
}

// TestTelemetryModel sends two hundred histories, late, repeated and at once, to two
// servers on PostgreSQL and to one on SQLite, and holds all that is made of them
// against the naive count.
func TestTelemetryModel(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		p := harness.StartBinary(t, t.TempDir(), "", "--sqlite-synchronous", "NORMAL")
		model(t, p.Owner(t))
	})
	t.Run("postgres", func(t *testing.T) {
		url, dir := harness.DatabaseURL(t, db.PostgreSQL), t.TempDir()
		one, two := harness.StartBinary(t, dir, url), harness.StartBinary(t, dir, url)
		owner := one.Owner(t)
		model(t, owner, &harness.Actor{Client: two.Client, Token: owner.Token, Workspace: owner.Workspace})
	})
}

func model(t *testing.T, servers ...*harness.Actor) {
	owner := servers[0]
	midnight := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -daysAgo)
	all := make([]history, histories)
	for i := range all {
		all[i] = newHistory(uint64(i), createBot(t, owner, object{"name": "m"})["id"].(string), midnight)
	}
	// Batches of one history go to any server, in any order; many at a time.
	type sending struct {
		bot     string
		records []object
	}
	var sendings []sending
	for _, h := range all {
		for _, b := range h.batches {
			sendings = append(sendings, sending{h.bot, b})
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(sendings), func(i, j int) { sendings[i], sendings[j] = sendings[j], sendings[i] })
	next := make(chan sending, len(sendings))
	for _, s := range sendings {
		next <- s
	}
	close(next)
	harness.Together(t, 12, func(i int) error {
		to := servers[i%len(servers)]
		for s := range next {
			for {
				answer, err := to.Try(t.Context(), "POST", "/v1/ingest", ndjson(s.records), "Content-Type", "application/x-ndjson", "x-bot-id", s.bot)
				if err != nil {
					return err
				}
				if answer.Status == 429 { // as many as the server takes at once
					time.Sleep(50 * time.Millisecond)
					continue
				}
				var receipt struct {
					Accepted, Duplicates int
					Rejected             []object
				}
				if err := json.Unmarshal(answer.Body, &receipt); err != nil || answer.Status != 200 {
					return fmt.Errorf("ingest answered %d: %s (%v)", answer.Status, answer.Body, err)
				}
				if len(receipt.Rejected) > 0 || receipt.Accepted+receipt.Duplicates != len(s.records) {
					return fmt.Errorf("of %d records: %s", len(s.records), answer.Body)
				}
				break
			}
		}
		return nil
	})

	first := midnight.AddDate(0, 0, -1)
	for i, h := range all {
		reader := servers[i%len(servers)]
		at := botsPath + "/" + h.bot
		analytics := at + "/analytics?startDate=" + first.Format(time.DateOnly) + "&endDate=" + url.QueryEscape(midnight.Add(time.Hour).Format(time.RFC3339))
		want := naiveDays(h.records, first, 2)
		var got struct{ Records []object }
		equal := cmpopts.EquateApprox(1e-9, 1e-12)
		// What is acknowledged is rolled up soon after.
		for deadline := time.Now().Add(harness.Patience); ; time.Sleep(100 * time.Millisecond) {
			got.Records = nil
			reader.Do(t, "GET", analytics, nil, &got)
			if gocmp.Equal(want, got.Records, equal) || time.Now().After(deadline) {
				break
			}
		}
		if diff := gocmp.Diff(want, got.Records, equal); diff != "" {
			t.Fatalf("history %d: the analytics (-naive +answered):\n%s", i, diff)
		}

		var lines struct {
			Logs      []object
			NextToken string
		}
		answered := []object{}
		for token := ""; ; token = lines.NextToken {
			lines.Logs, lines.NextToken = nil, ""
			reader.Do(t, "GET", at+"/logs?timeStart="+first.Format(time.DateOnly)+"&nextToken="+url.QueryEscape(token), nil, &lines)
			answered = append(answered, lines.Logs...)
			if lines.NextToken == "" {
				break
			}
		}
		if diff := gocmp.Diff(naiveLogs(h.records), answered); diff != "" {
			t.Fatalf("history %d: the logs:\n%s", i, diff)
		}

		var list struct{ Issues []object }
		wantIssues := naiveIssues(h.records)
		gotIssues := map[string]object{}
		for deadline := time.Now().Add(harness.Patience); ; time.Sleep(100 * time.Millisecond) {
			list.Issues = nil
			clear(gotIssues)
			reader.Do(t, "GET", at+"/issues?pageSize=100", nil, &list)
			for _, issue := range list.Issues {
				if !strings.HasPrefix(issue["id"].(string), "iss_") {
					t.Fatalf("an issue is called %v", issue["id"])
				}
				delete(issue, "id")
				gotIssues[issue["title"].(string)] = issue
			}
			if gocmp.Equal(wantIssues, gotIssues) || time.Now().After(deadline) {
				break
			}
		}
		if diff := gocmp.Diff(wantIssues, gotIssues); diff != "" || len(list.Issues) != len(wantIssues) {
			t.Fatalf("history %d: %d issues:\n%s", i, len(list.Issues), diff)
		}

		calls, spend := naiveUsage(h.records)
		months := slices.Compact([]string{first.Format("2006-01"), midnight.Format("2006-01")})
		for kind, want := range map[string]float64{"invocation_calls": calls, "ai_spend": spend} {
			sum := 0.0
			for _, month := range months {
				var out struct{ Usage struct{ Value float64 } }
				reader.Do(t, "GET", "/v1/admin/usages/"+h.bot+"?type="+kind+"&period="+month, nil, &out)
				sum += out.Usage.Value
			}
			if sum != want {
				t.Fatalf("history %d: %s is %v, want %v", i, kind, sum, want)
			}
		}
	}
}
