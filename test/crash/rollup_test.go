package crash_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/botyard/botyard/test/harness"
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
	settleMost = 2 * time.Minute
	keptEvents = 50 // of an issue
)

// story is what one bot did: records of all kinds, at random minutes of some days, in no
// order.
type story struct {
	sender
	records []object
	at      []time.Time
}

func newStory(bot string, count int, seed uint64, first time.Time) *story {
	random := rand.New(rand.NewPCG(seed, 17))
	s := &story{sender: sender{bot: bot, size: rollupBatch, count: count}}
	for n := range count {
		// The milliseconds tell all records apart.
		at := first.Add(time.Duration(random.IntN(rollupDays*24*60))*time.Minute + time.Duration(n)*time.Millisecond)
		user := fmt.Sprint("user", random.IntN(rollupUsers))
		r := object{"id": fmt.Sprint("r", n), "timestamp": at.Format("2006-01-02T15:04:05.000Z")}
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
		s.records, s.at = append(s.records, r), append(s.at, at)
	}
	s.line = func(n int) string {
		line, _ := json.Marshal(s.records[n]) // it has texts and numbers alone
		return string(line)
	}
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
	order := make([]int, s.count)
	for n := range order {
		order[n] = n
	}
	slices.SortFunc(order, func(a, b int) int { return s.at[a].Compare(s.at[b]) })
	want := outcome{
		Issues: map[string]object{}, Activities: map[string]int{}, Runs: map[float64]int{},
		Calls: sums{map[string]float64{}, map[string]float64{}}, Spend: sums{map[string]float64{}, map[string]float64{}},
	}
	seen, lastIn := map[string]bool{}, map[string]time.Time{}
	for day := range rollupDays {
		start := first.AddDate(0, 0, day)
		counts, active, types, customs := map[string]float64{}, map[string]bool{}, object{}, object{}
		var latencies, speeds, costs []float64
		plus := func(names object, name string, n float64) {
			before, _ := names[name].(float64)
			names[name] = before + n
		}
		for _, n := range order {
			r, at := s.records[n], s.at[n]
			if at.Before(start) || !at.Before(start.AddDate(0, 0, 1)) {
				continue
			}
			month, date := at.Format("2006-01"), at.Format("2006-01-02")
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
				plus(types, r["type"].(string), 1)
			case "custom_event":
				plus(customs, r["name"].(string), float64(r["count"].(int)))
			case "llm_call":
				cost, latency, tokens := float64(r["costNanoUsd"].(int)), float64(r["latencyMs"].(int)), float64(r["outputTokens"].(int))
				counts["calls"]++
				counts["inputTokens"] += float64(r["inputTokens"].(int))
				counts["outputTokens"] += tokens
				costs = append(costs, cost/1e9)
				if latency > 0 {
					latencies = append(latencies, latency)
				}
				if r["error"] != nil {
					counts["errors"]++
				} else if latency > 0 && tokens > 0 {
					speeds = append(speeds, tokens*1000/latency)
				}
				if cost > 0 {
					want.Spend.Months[month] += cost
					want.Spend.Days[date] += cost
				}
			case "issue":
				code := r["code"].(string)
				issue := want.Issues[code]
				if issue == nil {
					issue = object{"code": code, "createdAt": r["timestamp"], "eventsCount": 0.0}
					want.Issues[code] = issue
				}
				issue["eventsCount"] = issue["eventsCount"].(float64) + 1
				issue["lastSeenAt"], issue["title"] = r["timestamp"], r["title"]
				issue["kept"] = min(issue["eventsCount"].(float64), keptEvents)
			case "activity":
				want.Activities[r["description"].(string)]++
			case "action_run":
				want.Runs[float64(r["durationMs"].(int))]++
			}
			if r["kind"] == "event" || r["direction"] == "incoming" {
				want.Calls.Months[month]++
				want.Calls.Days[date]++
			}
			if !acts {
				continue
			}
			switch {
			case active[user]:
			case seen[user]:
				counts["returning"]++
			default:
				counts["new"]++
			}
			active[user], seen[user] = true, true
			place, _ := r["conversationId"].(string)
			if place == "" {
				place = "of " + user
			}
			if last, before := lastIn[place]; !before || at.Sub(last) >= 30*time.Minute {
				counts["sessions"]++
			}
			lastIn[place] = at
		}
		cost := spreadOf(costs)
		cost["sum"] = cost["mean"].(float64) * float64(len(costs))
		want.Days = append(want.Days, object{
			"startDateTimeUtc": start.Format("2006-01-02") + "T00:00:00.000Z", "endDateTimeUtc": start.Format("2006-01-02") + "T23:59:59.999Z",
			"newUsers": counts["new"], "returningUsers": counts["returning"], "sessions": counts["sessions"],
			"messages": counts["userMessages"], "userMessages": counts["userMessages"], "botMessages": counts["botMessages"],
			"events": counts["events"], "eventTypes": types, "customEvents": customs,
			"llm": object{
				"calls": counts["calls"], "errors": counts["errors"], "inputTokens": counts["inputTokens"], "outputTokens": counts["outputTokens"],
				"latency": spreadOf(latencies), "tokensPerSecond": spreadOf(speeds), "cost": cost,
			},
		})
	}
	return want
}

// spreadOf is the textbook's two passes.
func spreadOf(numbers []float64) object {
	if len(numbers) == 0 {
		return object{"mean": 0.0, "sd": 0.0, "min": 0.0, "max": 0.0}
	}
	mean, squares := 0.0, 0.0
	for _, x := range numbers {
		mean += x / float64(len(numbers))
	}
	for _, x := range numbers {
		squares += (x - mean) * (x - mean)
	}
	return object{"mean": mean, "sd": math.Sqrt(squares / float64(len(numbers))), "min": slices.Min(numbers), "max": slices.Max(numbers)}
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
				for deadline := time.Now().Add(settleMost); !cmp.Equal(want[i], outcomeOf(t, owner, s.bot, first), close) && time.Now().Before(deadline); {
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
