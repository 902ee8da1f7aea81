package crash_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/botyard/botyard/test/harness"
	"github.com/botyard/botyard/test/naive"
)

var (
	rollups     = flag.Int("rollups", 12_000, "how many records of all kinds TestKillRollups sends on each engine")
	rollupKills = flag.Int("rollup-kills", 5, "how often TestKillRollups kills the server on each engine")
)

const (
	rollupBots  = 3
	rollupBatch = 150
	rollupDays  = 6
	rollupUsers = 25
	// latestKill bounds the random time from the moment a kill is due.
	latestKill = 400 * time.Millisecond
	keptEvents = 50 // of an issue
)

// story is what one bot did: records of all kinds, at random minutes of some days, in no
// order.
type story struct {
	sender
	records []naive.Record
}

func newStory(bot string, count int, seed uint64, first time.Time) *story {
	random := rand.New(rand.NewPCG(seed, 17))
	s := &story{sender: sender{bot: bot, size: rollupBatch, count: count}}
	for n := range count {
		// The milliseconds tell all records apart.
		at := first.Add(time.Duration(random.IntN(rollupDays*24*60))*time.Minute + time.Duration(n)*time.Millisecond)
		user := fmt.Sprint("user", random.IntN(rollupUsers))
		r := object{"id": fmt.Sprint("r", n)}
		switch n % 11 {
		case 0, 1, 2:
			r["kind"], r["direction"], r["userId"], r["conversationId"] = "message", "incoming", user, "c-"+user
		case 3:
			r["kind"], r["direction"], r["userId"], r["conversationId"] = "message", "outgoing", user, "c-"+user
		case 4:
			r["kind"], r["type"], r["userId"] = "event", fmt.Sprint("type", random.IntN(3)), user
		case 5:
			r["kind"], r["type"] = "event", fmt.Sprint("type", random.IntN(3))
		case 6:
			r["kind"], r["name"], r["count"] = "custom_event", fmt.Sprint("name", random.IntN(3)), 1+random.IntN(4)
		case 7:
			r["kind"], r["model"], r["inputTokens"], r["outputTokens"] = "llm_call", "m", random.IntN(1000), random.IntN(500)
			r["latencyMs"], r["costNanoUsd"] = 250*random.IntN(4), random.IntN(3_000_000)
			if random.IntN(4) == 0 {
				r["error"] = "overloaded"
			}
		case 8:
			r["kind"], r["code"], r["category"], r["title"], r["description"] = "issue", fmt.Sprint("code", random.IntN(4)), "other", fmt.Sprint("title ", n), "d"
		case 9:
			r["kind"], r["taskId"], r["category"], r["description"] = "activity", "task", "action", fmt.Sprint("step ", n)
		case 10:
			r["kind"], r["integrationName"], r["actionType"], r["status"], r["durationMs"] = "action_run", "mail", "send", "SUCCESS", n
			r["input"], r["output"] = object{}, object{}
		}
		s.records = append(s.records, naive.Record{At: at, Fields: r})
	}
	s.line = func(n int) string { return string(s.records[n].Line()) }
	return s
}

// outcome is all that is made of the records of one bot.
type outcome struct {
	Days       []object
	Issues     map[string]object // by their code
	Activities map[string]int    // by their descriptions, how often
	Runs       map[float64]int   // by their durations, how often
	Calls      sums
	Spend      sums
}

// expected counts the slow way: everything is at hand, in order.
func (s *story) expected(first time.Time) outcome {
	records := slices.Clone(s.records)
	slices.SortFunc(records, func(a, b naive.Record) int { return a.At.Compare(b.At) })
	want := outcome{
		Days: naive.Days(records, first, rollupDays), Issues: map[string]object{}, Activities: map[string]int{}, Runs: map[float64]int{},
		Calls: newSums(), Spend: newSums(),
	}
	for _, r := range records {
		at := r.At.Format("2006-01-02T15:04:05.000Z")
		switch r.Fields["kind"] {
		case "issue":
			code := r.Fields["code"].(string)
			issue := want.Issues[code]
			if issue == nil {
				issue = object{"code": code, "createdAt": at, "eventsCount": 0.0}
				want.Issues[code] = issue
			}
			issue["eventsCount"] = issue["eventsCount"].(float64) + 1
			issue["lastSeenAt"], issue["title"] = at, r.Fields["title"]
			issue["kept"] = min(issue["eventsCount"].(float64), keptEvents)
		case "activity":
			want.Activities[r.Fields["description"].(string)]++
		case "action_run":
			want.Runs[float64(r.Fields["durationMs"].(int))]++
		}
		calls, spend := naive.Usage(r)
		want.Calls.add(r.At, calls)
		want.Spend.add(r.At, spend)
	}
	return want
}

// outcomeOf is what the API answers.
func outcomeOf(t *testing.T, owner *harness.Actor, bot string, first time.Time) outcome {
	t.Helper()
	path := "/v1/admin/bots/" + bot
	got := outcome{Issues: map[string]object{}, Activities: map[string]int{}, Runs: map[float64]int{}}
	var analytics struct{ Records []object }
	owner.Do(t, http.MethodGet, path+"/analytics?startDate="+first.Format("2006-01-02")+"&endDate="+first.AddDate(0, 0, rollupDays-1).Format("2006-01-02"), nil, &analytics)
	got.Days = analytics.Records
	each(t, owner, path+"/issues?pageSize=100", func(page struct {
		Issues []object
		Meta   meta
	}) string {
		for _, issue := range page.Issues {
			var kept struct{ IssueEvents []object }
			owner.Do(t, http.MethodGet, path+"/issues/"+issue["id"].(string)+"/events", nil, &kept)
			one := object{"kept": float64(len(kept.IssueEvents))}
			for _, key := range []string{"code", "createdAt", "lastSeenAt", "eventsCount", "title"} {
				one[key] = issue[key]
			}
			got.Issues[issue["code"].(string)] = one
		}
		return page.Meta.NextToken
	})
	each(t, owner, "/v1/admin/activities?taskId=task&botId="+bot, func(page struct {
		Activities []struct{ Description string }
		Meta       meta
	}) string {
		for _, a := range page.Activities {
			got.Activities[a.Description]++
		}
		return url.QueryEscape(page.Meta.NextToken)
	})
	each(t, owner, path+"/action-runs?integrationName=mail", func(page struct {
		Data []struct{ DurationMs float64 }
		Meta meta
	}) string {
		for _, r := range page.Data {
			got.Runs[r.DurationMs]++
		}
		return url.QueryEscape(page.Meta.NextToken)
	})
	got.Calls, got.Spend = counted(t, owner, bot, "invocation_calls"), counted(t, owner, bot, "ai_spend")
	return got
}

// Kill -9 while records of all kinds come in and are rolled up, at random moments, with
// senders that send their last batch again: users, sessions, messages, events, means,
// issues, activities, action runs and usage are those of the naive count.
func TestKillRollups(t *testing.T) {
	for _, engine := range harness.Engines {
		t.Run(string(engine), func(t *testing.T) {
			began := time.Now()
			seed := uint64(began.UnixNano())
			random := rand.New(rand.NewPCG(seed, 19))
			dir, databaseURL := t.TempDir(), harness.DatabaseURL(t, engine)
			server := harness.StartBinary(t, dir, databaseURL)
			owner := server.Owner(t)
			first := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -rollupDays-1)
			stories, all := make([]*story, rollupBots), make([]*sender, rollupBots)
			for i := range stories {
				var made struct{ Bot struct{ ID string } }
				owner.Do(t, http.MethodPost, "/v1/admin/bots", map[string]any{"name": fmt.Sprint("b", i)}, &made)
				stories[i] = newStory(made.Bot.ID, *rollups/rollupBots, seed+uint64(i), first)
				all[i] = &stories[i].sender
			}
			for kill := range *rollupKills {
				// Some is left for every round, however late its kill.
				most := *rollups / rollupBots * (kill + 2) / (*rollupKills + 2)
				sendAll(t, server, owner, all, most, *rollups*(kill+1)/(*rollupKills+2), time.Duration(random.Int64N(int64(latestKill))))
				server = harness.StartBinary(t, dir, databaseURL)
				owner = server.Owner(t)
				if kill%2 == 1 {
					// Once more, while it rolls up what was left.
					time.Sleep(time.Duration(random.Int64N(int64(latestKill / 4))))
					server.Kill()
					server = harness.StartBinary(t, dir, databaseURL)
					owner = server.Owner(t)
				}
				sendAgain(t, owner, all)
			}
			sendAll(t, server, owner, all, *rollups, 0, 0)

			close := cmpopts.EquateApprox(1e-9, 1e-9)
			want := make([]outcome, len(stories))
			for i, s := range stories {
				want[i] = s.expected(first)
				for deadline := time.Now().Add(harness.Patience); !cmp.Equal(want[i], outcomeOf(t, owner, s.bot, first), close) && time.Now().Before(deadline); {
					time.Sleep(100 * time.Millisecond)
				}
			}
			// Nothing is counted once more by the next server.
			server.Stop(t)
			server = harness.StartBinary(t, dir, databaseURL)
			owner = server.Owner(t)
			time.Sleep(time.Second)
			for i, s := range stories {
				if diff := cmp.Diff(want[i], outcomeOf(t, owner, s.bot, first), close); diff != "" {
					t.Errorf("seed %d, bot %d (-naive +botyard):\n%s", seed, i, diff)
				}
			}
			server.Stop(t)
			t.Logf("%d records, %d kills and restarts in %s, seed %d", *rollups, *rollupKills+*rollupKills/2, time.Since(began).Round(time.Millisecond), seed)
		})
	}
}
