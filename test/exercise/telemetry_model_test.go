package exercise_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/harness"
	"github.com/botyard/botyard/test/naive"
)

// A history is what one bot tells of: records, and the batches in which they are
// sent, of which some hold records that were sent before.
type history struct {
	bot     string
	records []naive.Record // each once
	batches [][]naive.Record
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
		r := object{"id": fmt.Sprint("record ", i)}
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
		h.records = append(h.records, naive.Record{At: at, Fields: r})
	}
	// Each is sent once, twice or three times, in any order.
	var sent []naive.Record
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

// ndjson is records as ingest takes them.
func ndjson(records []object) []byte {
	var b bytes.Buffer
	for _, r := range records {
		line, _ := json.Marshal(r)
		b.Write(append(line, '\n'))
	}
	return b.Bytes()
}

const layout = "2006-01-02T15:04:05.000Z"

func of(records []naive.Record, kind string) []naive.Record {
	return slices.DeleteFunc(slices.Clone(records), func(r naive.Record) bool { return r.Fields["kind"] != kind })
}

// naiveLogs are the lines as getBotLogs answers them.
func naiveLogs(records []naive.Record) []object {
	lines := []object{}
	for _, r := range of(records, "log") {
		lines = append(lines, object{"timestamp": r.At.Format(layout), "level": r.Fields["level"], "message": r.Fields["message"], "userId": r.Fields["userId"]})
	}
	slices.SortFunc(lines, func(a, b object) int { return strings.Compare(b["timestamp"].(string), a["timestamp"].(string)) })
	return lines
}

// naiveIssues are the issues as listBotIssues answers them, by title.
func naiveIssues(records []naive.Record) map[string]object {
	groups := map[string][]naive.Record{}
	for _, r := range of(records, "issue") {
		key := fmt.Sprint(r.Fields["code"], r.Fields["groupBy"])
		if slices.Equal(r.Fields["groupBy"].([]string), []string{"name"}) {
			key += fmt.Sprint(r.Fields["data"])
		}
		groups[key] = append(groups[key], r)
	}
	issues := map[string]object{}
	for _, group := range groups {
		slices.SortFunc(group, func(a, b naive.Record) int { return a.At.Compare(b.At) })
		first, last := group[0], group[len(group)-1]
		grouped := object{}
		for _, by := range last.Fields["groupBy"].([]string) {
			grouped[by] = object{"raw": by}
			if value, isData := last.Fields["data"].(object)[by]; isData {
				grouped[by] = value
			}
		}
		issues[last.Fields["title"].(string)] = object{
			"code": last.Fields["code"], "category": "other", "title": last.Fields["title"], "description": "d", "resolutionLink": nil,
			"createdAt": first.At.Format(layout), "lastSeenAt": last.At.Format(layout), "eventsCount": float64(len(group)), "groupedData": grouped,
		}
	}
	return issues
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
		records []naive.Record
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
			var body bytes.Buffer
			for _, r := range s.records {
				body.Write(append(r.Line(), '\n'))
			}
			answer, err := deliver(t, to, s.bot, body.String())
			if err != nil {
				return err
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
		}
		return nil
	})

	first := midnight.AddDate(0, 0, -1)
	for i, h := range all {
		reader := servers[i%len(servers)]
		at := botsPath + "/" + h.bot
		analytics := at + "/analytics?startDate=" + first.Format(time.DateOnly) + "&endDate=" + url.QueryEscape(midnight.Add(time.Hour).Format(time.RFC3339))
		want := naive.Days(h.records, first, 2)
		var got struct{ Records []object }
		equal := cmpopts.EquateApprox(1e-9, 1e-12)
		// What is acknowledged is rolled up soon after.
		for deadline := time.Now().Add(harness.Patience); ; time.Sleep(100 * time.Millisecond) {
			got.Records = nil
			reader.Do(t, "GET", analytics, nil, &got)
			if cmp.Equal(want, got.Records, equal) || time.Now().After(deadline) {
				break
			}
		}
		if diff := cmp.Diff(want, got.Records, equal); diff != "" {
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
		if diff := cmp.Diff(naiveLogs(h.records), answered); diff != "" {
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
			if cmp.Equal(wantIssues, gotIssues) || time.Now().After(deadline) {
				break
			}
		}
		if diff := cmp.Diff(wantIssues, gotIssues); diff != "" || len(list.Issues) != len(wantIssues) {
			t.Fatalf("history %d: %d issues:\n%s", i, len(list.Issues), diff)
		}

		var calls, spend float64
		for _, r := range h.records {
			c, s := naive.Usage(r)
			calls, spend = calls+c, spend+s
		}
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
