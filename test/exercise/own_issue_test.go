package exercise_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/test/harness"
)

// An integration that refuses an instance is an issue of the bot; the same refusal
// met again is one event more.
func TestRegistrationIssue(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		far := harness.NewFarSide(t)
		far.Answers(func(harness.Call) harness.Reply {
			return harness.Reply{Status: 400, Body: `{"message":"the token is wrong"}`}
		})
		integration := called(t, a, handle, far.URL, nil)
		bot, other := createBot(t, a, object{})["id"].(string), createBot(t, a, object{})["id"].(string)
		for n := range 2 {
			i := installed(t, a, bot, "one", object{"integrationId": integration["id"], "configuration": object{"token": fmt.Sprint(n)}})
			if i["status"] != "registration_failed" {
				t.Fatalf("the instance is %v", i["status"])
			}
		}
		issue := issuesOf(t, a, bot, 2)
		grouped, _ := issue[0]["groupedData"].(object)
		if len(issue) != 1 || issue[0]["code"] != "registration_failed" || issue[0]["category"] != "configuration" ||
			under(grouped, "integrationAlias", "raw") != "one" {
			t.Errorf("the issues are %v", issue)
		}
		issuesOf(t, a, other, 0)
	})
}

// A quota that is used up is an issue of every bot of the workspace, once a month. The
// last that bots can use none of, such as members, is none.
func TestQuotaIssue(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, stranger := s.Person(t), s.Person(t)
		var bots []string
		for range 2 {
			bots = append(bots, createBot(t, a, object{})["id"].(string))
		}
		theirs := createBot(t, stranger, object{})["id"].(string)
		setQuota(t, s, a, plan.InvocationCalls, 4)
		setQuota(t, s, a, plan.BotCount, 3)
		message := object{"kind": "message", "direction": "incoming"}
		record(t, a, bots[0], message, message, message)
		settled(t, func() error {
			if got := usageOf(t, a, a.Workspace, "type=invocation_calls")["value"]; got != 3.0 {
				return fmt.Errorf("%v messages are counted, want 3", got)
			}
			return nil
		})
		for _, bot := range bots {
			issuesOf(t, a, bot, 0)
		}
		record(t, a, bots[0], message)
		for _, bot := range bots {
			issue := issuesOf(t, a, bot, 1)[0]
			want := object{"quota": object{"raw": "invocation_calls"}}
			if diff := cmp.Diff(want, issue["groupedData"]); diff != "" || issue["code"] != "quota_reached" || issue["category"] != "limits" {
				t.Errorf("the issue is %v", issue)
			}
		}
		// More of it is told of no more.
		record(t, a, bots[1], message, message)
		settled(t, func() error {
			if got := usageOf(t, a, a.Workspace, "type=invocation_calls")["value"]; got != 6.0 {
				return fmt.Errorf("%v messages are counted, want 6", got)
			}
			return nil
		})
		third := createBot(t, a, object{})["id"].(string)
		a.Refused(t, fault.QuotaExceeded, []string{"bot_count"}, "POST", botsPath, object{})
		issuesOf(t, a, third, 0)
		for _, bot := range bots {
			issuesOf(t, a, bot, 1)
		}
		issuesOf(t, stranger, theirs, 0)
	})
}

// A workspace that does not pay has no calls taken and no records kept, and is told
// why with 402; what there is can be read.
func TestUnpaid(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		far := harness.NewFarSide(t)
		integration := called(t, a, handle, far.URL, nil)
		bot := createBot(t, a, object{})["id"].(string)
		url := installed(t, a, bot, "one", object{"integrationId": integration["id"]})["webhookUrl"].(string)
		key := a.As(keyOf(t, a, bot)).In("")
		block := func(blocked bool) {
			t.Helper()
			if err := s.Workspaces.SetBlocked(t.Context(), workspaceID(a), blocked); err != nil {
				t.Fatal(err)
			}
		}
		line := ndjson([]object{{"kind": "log", "level": "info", "message": "kept"}})
		record(t, a, bot, object{"kind": "log", "level": "info", "message": "before"})

		block(true)
		calls := len(far.Calls())
		turnedAway(t, s, fault.PaymentRequired, "invoices", "POST", url, "{}")
		if n := len(far.Calls()); n != calls {
			t.Errorf("the integration was called %d times", n-calls)
		}
		for _, sender := range []*harness.Actor{a, key} {
			sender.Refused(t, fault.PaymentRequired, []string{a.Workspace}, "POST", "/v1/ingest", line, "Content-Type", "application/x-ndjson", "x-bot-id", bot)
			sender.Refused(t, fault.PaymentRequired, []string{a.Workspace}, "POST", otlpPath, object{"resourceLogs": []object{}}, "x-bot-id", bot)
		}
		if logs := newestLogs(t, a, bot); len(logs) != 1 || logs[0]["message"] != "before" {
			t.Errorf("the lines are %v", logs)
		}
		openTail(t, a, bot) // reading, as every GET

		block(false)
		if status, _, _ := knock(t, "POST", url, ""); status != 200 {
			t.Errorf("when it is paid the webhook answers %d", status)
		}
		record(t, a, bot, object{"kind": "log", "level": "info", "message": "after"})
	})
}
