package exercise_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

func analyticsOf(t *testing.T, a *harness.Actor, bot, from, until string) []object {
	t.Helper()
	var out struct{ Records []object }
	a.Do(t, "GET", botsPath+"/"+bot+"/analytics?startDate="+url.QueryEscape(from)+"&endDate="+url.QueryEscape(until), nil, &out)
	return out.Records
}

func TestAnalytics(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, stranger := s.Person(t), s.Person(t)
		bot := createBot(t, a, object{})["id"].(string)
		path := botsPath + "/" + bot + "/analytics"
		midnight := s.Clock.Now().UTC().Truncate(24 * time.Hour)
		day := func(ago int) string { return midnight.AddDate(0, 0, -ago).Format(time.DateOnly) }

		// Every day of a range is there, also when nothing ever happened, by dates and by
		// moments.
		empty := analyticsOf(t, a, bot, day(364), day(0))
		if len(empty) != 365 || empty[0]["startDateTimeUtc"] != day(364)+"T00:00:00.000Z" || empty[364]["endDateTimeUtc"] != day(0)+"T23:59:59.999Z" {
			t.Fatalf("%d days, the first %v", len(empty), empty[0])
		}
		zero := object{"mean": 0.0, "sd": 0.0, "min": 0.0, "max": 0.0}
		want := object{
			"startDateTimeUtc": day(1) + "T00:00:00.000Z", "endDateTimeUtc": day(1) + "T23:59:59.999Z", "returningUsers": 0.0, "newUsers": 0.0, "sessions": 0.0,
			"messages": 0.0, "userMessages": 0.0, "botMessages": 0.0, "events": 0.0, "eventTypes": object{}, "customEvents": object{},
			"llm": object{
				"calls": 0.0, "errors": 0.0, "inputTokens": 0.0, "outputTokens": 0.0, "latency": zero, "tokensPerSecond": zero,
				"cost": object{"sum": 0.0, "mean": 0.0, "sd": 0.0, "min": 0.0, "max": 0.0},
			},
		}
		for _, moments := range [][2]string{
			{day(1), day(1)}, {day(1) + "T00:00:00.000Z", day(1) + "T23:59:59.999Z"}, {day(1) + "T12:00:00Z", day(1) + "T12:00:00Z"},
			{day(0) + "T01:00:00+02:00", day(1) + "T23:30"},
		} {
			if diff := cmp.Diff([]object{want}, analyticsOf(t, a, bot, moments[0], moments[1])); diff != "" {
				t.Errorf("%v: %s", moments, diff)
			}
		}

		at := func(ago int, clock string) string { return day(ago) + "T" + clock + ".000Z" }
		message := func(when, user string) object {
			return object{"kind": "message", "direction": "incoming", "userId": user, "conversationId": "c", "timestamp": when}
		}
		record(t, a, bot,
			message(at(2, "23:50:00"), "ann"), message(at(1, "00:10:00"), "ann"), message(at(1, "12:00:00"), "bob"),
			object{"kind": "message", "direction": "outgoing", "userId": "ann", "conversationId": "c", "timestamp": at(1, "12:00:01")},
			object{"kind": "event", "type": "opened", "timestamp": at(1, "01:00:00")},
			object{"kind": "custom_event", "name": "order", "count": 3, "timestamp": at(1, "01:00:00")},
			object{"kind": "llm_call", "model": "m", "inputTokens": 10, "outputTokens": 100, "latencyMs": 1000, "costNanoUsd": 2_000_000, "timestamp": at(1, "01:00:00")},
			object{"kind": "llm_call", "model": "m", "inputTokens": 10, "outputTokens": 100, "latencyMs": 500, "costNanoUsd": 4_000_000, "timestamp": at(1, "02:00:00")},
			object{"kind": "llm_call", "model": "m", "inputTokens": 1, "outputTokens": 0, "latencyMs": 0, "costNanoUsd": 0, "error": "e", "timestamp": at(1, "03:00:00")},
		)
		settled(t, func() error {
			days := analyticsOf(t, a, bot, day(2), day(1))
			if days[1]["llm"].(object)["calls"] != 3.0 {
				return fmt.Errorf("the days are %v", days)
			}
			return nil
		})
		days := analyticsOf(t, a, bot, day(2), day(1))
		for key, values := range map[string][2]any{
			"newUsers": {1.0, 1.0}, "returningUsers": {0.0, 1.0}, "sessions": {1.0, 1.0}, "userMessages": {1.0, 2.0}, "messages": {1.0, 2.0},
			"botMessages": {0.0, 1.0}, "events": {0.0, 1.0}, "eventTypes": {object{}, object{"opened": 1.0}}, "customEvents": {object{}, object{"order": 3.0}},
		} {
			if diff := cmp.Diff(values, [2]any{days[0][key], days[1][key]}); diff != "" {
				t.Errorf("%s: %s", key, diff)
			}
		}
		llm := days[1]["llm"].(object)
		for key, want := range map[string]any{
			"errors": 1.0, "inputTokens": 21.0, "outputTokens": 200.0,
			"latency":         object{"mean": 750.0, "sd": 250.0, "min": 500.0, "max": 1000.0},
			"tokensPerSecond": object{"mean": 150.0, "sd": 50.0, "min": 100.0, "max": 200.0},
		} {
			if diff := cmp.Diff(want, llm[key]); diff != "" {
				t.Errorf("%s: %s", key, diff)
			}
		}
		if cost := llm["cost"].(object); cost["sum"] != 0.006 || cost["max"] != 0.004 || cost["min"] != 0.0 {
			t.Errorf("the cost is %v", cost)
		}

		// A record that comes late corrects the days: ann is new a day earlier, and the
		// session begins there.
		record(t, a, bot, message(at(3, "23:40:00"), "ann"), message(at(3, "23:59:59"), "ann"), message(at(2, "00:20:00"), "ann"))
		settled(t, func() error {
			days := analyticsOf(t, a, bot, day(3), day(1))
			got := []any{}
			for _, d := range days {
				got = append(got, d["newUsers"], d["returningUsers"], d["sessions"])
			}
			if diff := cmp.Diff([]any{1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0}, got); diff != "" {
				return fmt.Errorf("new, returning and sessions of three days: %s", diff)
			}
			return nil
		})

		for query, words := range map[string][]string{
			"":                               nil,
			"?startDate=" + day(1):           {"endDate"},
			"?startDate=x&endDate=" + day(1): {"startDate", `"x"`},
			"?startDate=&endDate=" + day(1):  {"startDate"},
			"?endDate=2026-02-30&startDate=" + day(1):     {"endDate", "2026-02-30"},
			"?startDate=" + day(0) + "&endDate=" + day(1): {"before startDate"},
			"?startDate=1990-01-01&endDate=" + day(1):     {"3660"},
		} {
			answer := a.Ask(t, "GET", path+query, nil)
			if answer.Status != 400 {
				t.Errorf("%s is answered %d: %s", query, answer.Status, answer.Body)
			}
			for _, word := range words {
				if !contains(answer, word) {
					t.Errorf("%s: %s does not say %q", query, answer.Body, word)
				}
			}
		}
		stranger.Refused(t, fault.ResourceNotFound, []string{bot}, "GET", path+"?startDate="+day(1)+"&endDate="+day(1), nil)
	})
}

// How long a silence ends a session is the operator's to say.
func TestSessionSilence(t *testing.T) {
	harness.RunAlone(t, []string{"--session-silence", "5m"}, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		bot := createBot(t, a, object{})["id"].(string)
		noon := s.Clock.Now().UTC().Truncate(24 * time.Hour).Add(-12 * time.Hour)
		// Four minutes and 59.999 seconds go on with a session, five minutes begin one.
		var messages []object
		for _, after := range []time.Duration{0, 5*time.Minute - time.Millisecond, 10*time.Minute - time.Millisecond, 30 * time.Minute} {
			messages = append(messages, object{
				"kind": "message", "direction": "incoming", "userId": "ann", "conversationId": "c", "timestamp": noon.Add(after).Format("2006-01-02T15:04:05.000Z"),
			})
		}
		record(t, a, bot, messages...)
		settled(t, func() error {
			days := analyticsOf(t, a, bot, noon.Format(time.DateOnly), noon.Format(time.DateOnly))
			if days[0]["userMessages"] != 4.0 || days[0]["sessions"] != 3.0 {
				return fmt.Errorf("%v messages in %v sessions, want 4 in 3", days[0]["userMessages"], days[0]["sessions"])
			}
			return nil
		})
	})
}
