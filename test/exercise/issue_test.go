package exercise_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

// settled repeats a look until it is content: what is sent is made into issues
// and analytics a moment after it is acknowledged.
func settled(t *testing.T, look func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(harness.Patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = look(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// record sends records of a bot, all of which must be taken.
func record(t *testing.T, a *harness.Actor, bot string, records ...object) {
	t.Helper()
	var receipt struct {
		Accepted, Duplicates int
		Rejected             []object
	}
	a.Do(t, "POST", "/v1/ingest", ndjson(records), &receipt, "Content-Type", "application/x-ndjson", "x-bot-id", bot)
	if receipt.Accepted != len(records) || len(receipt.Rejected) > 0 {
		t.Fatalf("of %d records: %+v", len(records), receipt)
	}
}

// issuesOf waits until a bot has so many events of issues, and answers the issues.
func issuesOf(t *testing.T, a *harness.Actor, bot string, events float64) []object {
	t.Helper()
	var list struct{ Issues []object }
	settled(t, func() error {
		list.Issues = nil
		a.Do(t, "GET", botsPath+"/"+bot+"/issues?pageSize=100", nil, &list)
		sum := 0.0
		for _, i := range list.Issues {
			sum += i["eventsCount"].(float64)
		}
		if sum != events {
			return fmt.Errorf("the issues have %v events, want %v: %v", sum, events, list.Issues)
		}
		return nil
	})
	return list.Issues
}

func issueRecord(code string, at time.Time, data object, groupBy ...string) object {
	return object{
		"kind": "issue", "code": code, "category": "configuration", "title": "title of " + code, "description": "D",
		"data": data, "groupBy": groupBy, "timestamp": at.Format("2006-01-02T15:04:05.000Z"),
	}
}

func TestIssues(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, stranger := s.Person(t), s.Person(t)
		bot, other := createBot(t, a, object{})["id"].(string), createBot(t, a, object{})["id"].(string)
		path := botsPath + "/" + bot + "/issues"
		issuesOf(t, a, bot, 0)

		now := s.Clock.Now().UTC().Truncate(time.Second)
		first, last := now.Add(-2*time.Hour), now.Add(-time.Hour)
		page := object{"page": object{"raw": "p1", "pretty": "Page 1"}, "n": "é"}
		newest := issueRecord("token_expired", last, page, "page", "access_token_expired")
		newest["title"], newest["resolutionLink"] = "newest", "https://example.com/fix"
		record(t, a, bot, newest) // the older events come later
		record(t, a, bot,
			issueRecord("token_expired", first, page, "access_token_expired", "page"),
			issueRecord("token_expired", first, object{"page": "p2"}, "page", "access_token_expired"),
		)
		issues := issuesOf(t, a, bot, 3)
		if len(issues) != 2 {
			t.Fatalf("the issues are %v", issues)
		}
		one := issues[1] // the one that was opened last comes first
		want := object{
			"id": one["id"], "code": "token_expired", "createdAt": first.Format("2006-01-02T15:04:05.000Z"), "lastSeenAt": last.Format("2006-01-02T15:04:05.000Z"),
			"title": "newest", "description": "D", "eventsCount": 2.0, "category": "configuration", "resolutionLink": "https://example.com/fix",
			"groupedData": object{"page": object{"raw": "p1", "pretty": "Page 1"}, "access_token_expired": object{"raw": "access_token_expired"}},
		}
		if diff := cmp.Diff(want, one); diff != "" {
			t.Error(diff)
		}
		at := path + "/" + one["id"].(string)
		var got struct{ Issue object }
		a.Do(t, "GET", at, nil, &got)
		if diff := cmp.Diff(want, got.Issue); diff != "" {
			t.Error(diff)
		}
		var events struct{ IssueEvents []object }
		a.Do(t, "GET", at+"/events", nil, &events)
		if len(events.IssueEvents) != 2 || events.IssueEvents[0]["createdAt"] != want["lastSeenAt"] || !strings.HasPrefix(events.IssueEvents[0]["id"].(string), "issevt_") {
			t.Errorf("the events are %v", events.IssueEvents)
		}
		if diff := cmp.Diff(object{"page": object{"raw": "p1", "pretty": "Page 1"}, "n": object{"raw": "é"}}, events.IssueEvents[1]["data"]); diff != "" {
			t.Error(diff)
		}

		// Pages, and who may not look.
		var list struct {
			Issues []object
			Meta   struct{ NextToken string }
		}
		a.Do(t, "GET", path+"?pageSize=1", nil, &list)
		next := list.Meta.NextToken
		list.Issues, list.Meta.NextToken = nil, ""
		a.Do(t, "GET", path+"?pageSize=1&nextToken="+next, nil, &list)
		if len(list.Issues) != 1 || list.Issues[0]["id"] != one["id"] || list.Meta.NextToken != "" {
			t.Errorf("the second page is %v", list)
		}
		for _, method := range []string{"GET", "DELETE"} {
			missing := a.Ask(t, method, path+"/iss_00000000000000000000000000", nil)
			elsewhere := a.Ask(t, method, botsPath+"/"+other+"/issues/"+one["id"].(string), nil)
			if missing.Status != 404 || strings.ReplaceAll(missing.WithoutID(), "iss_00000000000000000000000000", "X") != strings.ReplaceAll(elsewhere.WithoutID(), one["id"].(string), "X") {
				t.Errorf("a missing issue is answered %s, that of another bot %s", missing.Body, elsewhere.Body)
			}
			foreign, none := stranger.Ask(t, method, at, nil), stranger.Ask(t, method, botsPath+"/"+strings.Repeat("0", len(bot))+"/issues/x", nil)
			if foreign.Status != 404 || strings.ReplaceAll(foreign.WithoutID(), bot, "X") != strings.ReplaceAll(none.WithoutID(), strings.Repeat("0", len(bot)), "X") {
				t.Errorf("a foreign bot is answered %s, none %s", foreign.Body, none.Body)
			}
		}
		stranger.Refused(t, fault.ResourceNotFound, []string{bot}, "GET", path, nil)
		stranger.Refused(t, fault.ResourceNotFound, []string{bot}, "GET", at+"/events", nil)
		viewer := s.Person(t)
		addMember(t, a, viewer.Email, "viewer")
		viewer.In(a.Workspace).Do(t, "GET", at, nil, nil)
		viewer.In(a.Workspace).Refused(t, fault.Forbidden, nil, "DELETE", at, nil)
		a.Refused(t, fault.InvalidQuery, nil, "GET", path+"?nextToken=x", nil)

		// Deleted, and met again.
		a.Do(t, "DELETE", at, nil, nil)
		a.Refused(t, fault.ResourceNotFound, nil, "DELETE", at, nil)
		a.Refused(t, fault.ResourceNotFound, nil, "GET", at+"/events", nil)
		issuesOf(t, a, bot, 1)
		record(t, a, bot, issueRecord("token_expired", first, page, "page", "access_token_expired"))
		for _, again := range issuesOf(t, a, bot, 2) {
			if again["id"] == one["id"] || again["eventsCount"] != 1.0 {
				t.Errorf("the issue that was opened anew is %v", again)
			}
		}

		// The SDK's own line; and events beyond those that are kept are counted.
		var many []object
		for i := range 60 {
			many = append(many, object{"type": "issue", "code": "sdk", "category": "user_code", "title": "é", "description": "D", "data": object{"n": fmt.Sprint(i)}, "groupBy": []string{}})
		}
		record(t, a, bot, many...)
		for _, i := range issuesOf(t, a, bot, 62) {
			if i["code"] == "sdk" {
				a.Do(t, "GET", path+"/"+i["id"].(string)+"/events", nil, &events)
				if i["eventsCount"] != 60.0 || len(events.IssueEvents) != 50 || events.IssueEvents[0]["data"].(object)["n"].(object)["raw"] != "59" {
					t.Errorf("%v keeps %d events, the newest %v", i, len(events.IssueEvents), events.IssueEvents[0])
				}
			}
		}

		// They go with the bot, and records that are on their way count nowhere.
		a.Do(t, http.MethodDelete, botsPath+"/"+bot, nil, nil)
		a.Refused(t, fault.ResourceNotFound, []string{bot}, "GET", path, nil)
		var left int
		if err := s.DB.Reader(t.Context()).QueryRow(t.Context(), `SELECT COUNT(*) FROM issues WHERE bot_id = $1`, bot).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d issues of a bot that is gone are left (%v)", left, err)
		}
	})
}
