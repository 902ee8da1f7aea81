package exercise_test

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

func contains(a harness.Answer, word string) bool {
	return bytes.Contains(a.Body, []byte(strings.ReplaceAll(word, `"`, `\"`)))
}

func TestActivities(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, stranger := s.Person(t), s.Person(t)
		bot := createBot(t, a, object{})["id"].(string)
		const path = "/v1/admin/activities"
		now := s.Clock.Now().UTC()
		at := func(i int) string {
			return now.Add(time.Duration(i-100) * time.Second).Format("2006-01-02T15:04:05.000Z")
		}
		var records []object
		for i := range 7 {
			records = append(records, object{
				"kind": "activity", "taskId": fmt.Sprint("task", i%2), "category": "action", "description": fmt.Sprint("step ", i),
				"data": object{"n": float64(i)}, "timestamp": at(i),
			})
		}
		delete(records[6], "category")
		record(t, a, bot, records...)
		type page struct {
			Activities []object
			Meta       struct{ NextToken string }
		}
		var got []any
		var out page
		for token := ""; ; token = out.Meta.NextToken {
			out = page{}
			a.In("").Do(t, "GET", path+"?taskId=task0&pageSize=3&botId="+bot+"&nextToken="+token, nil, &out)
			for _, activity := range out.Activities {
				if !strings.HasPrefix(activity["id"].(string), "activty_") {
					t.Errorf("an activity is called %v", activity["id"])
				}
				delete(activity, "id")
				got = append(got, activity)
			}
			if out.Meta.NextToken == "" {
				break
			}
		}
		var want []any
		for _, i := range []int{6, 4, 2, 0} {
			category := "action"
			if i == 6 {
				category = "unknown"
			}
			want = append(want, object{"taskId": "task0", "category": category, "description": fmt.Sprint("step ", i), "data": object{"n": float64(i)}, "createdAt": at(i)})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		out = page{}
		a.Do(t, "GET", path+"?taskId=nobody&botId="+bot, nil, &out)
		if len(out.Activities) != 0 {
			t.Errorf("a task that nobody told of has %v", out.Activities)
		}
		out = page{}
		a.Do(t, "GET", path+"?taskId="+strings.Repeat("x", 300)+"&botId="+bot, nil, &out)
		if len(out.Activities) != 0 {
			t.Errorf("a task with a name that none can have has %v", out.Activities)
		}
		a.Refused(t, fault.InvalidQuery, []string{"taskId"}, "GET", path+"?botId="+bot, nil)
		a.Refused(t, fault.InvalidQuery, []string{"botId"}, "GET", path+"?taskId=t", nil)
		foreign := stranger.Ask(t, "GET", path+"?taskId=t&botId="+bot, nil)
		none := stranger.Ask(t, "GET", path+"?taskId=t&botId="+strings.Repeat("0", len(bot)), nil)
		if foreign.Status != 404 || strings.ReplaceAll(foreign.WithoutID(), bot, "X") != strings.ReplaceAll(none.WithoutID(), strings.Repeat("0", len(bot)), "X") {
			t.Errorf("a foreign bot is answered %s, none %s", foreign.Body, none.Body)
		}
		// A member who may not read bots is none the wiser.
		biller := s.Person(t)
		addMember(t, a, biller.Email, "billing")
		biller.Refused(t, fault.ResourceNotFound, nil, "GET", path+"?taskId=task0&botId="+bot, nil)
	})
}

func TestActionRuns(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, stranger := s.Person(t), s.Person(t)
		bot := createBot(t, a, object{})["id"].(string)
		path := botsPath + "/" + bot + "/action-runs?integrationName=mail"
		now := s.Clock.Now().UTC().Truncate(time.Second)
		at := func(i int) string {
			return now.Add(time.Duration(i-100) * time.Second).Format("2006-01-02T15:04:05.000Z")
		}
		run := func(i int, integration string, more object) object {
			r := object{
				"kind": "action_run", "integrationName": integration, "actionType": "send", "input": object{"n": float64(i)}, "output": object{"ok": true},
				"status": "SUCCESS", "durationMs": 12.5, "cached": false, "timestamp": at(i),
			}
			for key, value := range more {
				r[key] = value
			}
			return r
		}
		large := object{"text": long(150_000)} // 300 KB
		record(t, a, bot,
			run(0, "mail", nil), run(1, "chat", nil),
			run(2, "mail", object{"status": "FAILURE", "output": nil, "errorMessage": "no such address é"}),
			run(3, "mail", object{"cached": true}),
			run(4, "mail", object{"input": large, "output": large}),
		)
		type page struct {
			Data []object
			Meta struct{ NextToken string }
		}
		shown := func(i int, more object) object {
			r := object{
				"timestamp": at(i), "integrationName": "mail", "actionType": "send", "input": object{"n": float64(i)}, "output": object{"ok": true},
				"status": "SUCCESS", "durationMs": 12.5, "cached": false,
			}
			for key, value := range more {
				r[key] = value
			}
			return r
		}
		want := []object{
			shown(3, object{"cached": true}), shown(2, object{"status": "FAILURE", "output": nil, "errorMessage": "no such address é"}), shown(0, nil),
		}
		var all page
		a.Do(t, "GET", path, nil, &all)
		if len(all.Data) != 4 {
			t.Fatalf("%d runs are answered, want 4", len(all.Data))
		}
		if diff := cmp.Diff(want, all.Data[1:]); diff != "" {
			t.Error(diff)
		}
		cut := all.Data[0]
		if cut["inputTruncated"] != true || cut["outputTruncated"] != true {
			t.Errorf("an input of 300 KB is not said to be truncated")
		}
		for _, member := range []string{"input", "output"} {
			if text := fmt.Sprint(cut[member]); len(text) > 190_000 || !strings.Contains(text, "éééé") {
				t.Errorf("the truncated %s has %d bytes", member, len(text))
			}
		}
		// Bounds are included; pages go on where they ended.
		for _, tt := range []struct {
			query string
			runs  int
		}{
			{"&timestampFrom=" + at(2), 3}, {"&timestampUntil=" + at(2), 2}, {"&timestampFrom=" + at(2) + "&timestampUntil=" + at(3), 2},
			{"&timestampFrom=" + now.AddDate(0, 0, -2).Format(time.DateOnly) + "&timestampUntil=" + now.AddDate(0, 0, 1).Format(time.DateOnly), 4},
			{"&timestampFrom=" + at(9), 0},
		} {
			var out page
			a.Do(t, "GET", path+tt.query, nil, &out)
			if len(out.Data) != tt.runs {
				t.Errorf("%s: %d runs, want %d", tt.query, len(out.Data), tt.runs)
			}
		}
		var paged []object
		var out page
		for token := ""; ; token = out.Meta.NextToken {
			out = page{}
			a.Do(t, "GET", path+"&pageSize=1&nextToken="+url.QueryEscape(token), nil, &out)
			paged = append(paged, out.Data...)
			if out.Meta.NextToken == "" {
				break
			}
		}
		if diff := cmp.Diff(all.Data, paged); diff != "" {
			t.Error(diff)
		}
		a.Refused(t, fault.InvalidQuery, []string{"timestampFrom", "soon"}, "GET", path+"&timestampFrom=soon", nil)
		a.Refused(t, fault.InvalidQuery, []string{"integrationName"}, "GET", botsPath+"/"+bot+"/action-runs", nil)
		stranger.Refused(t, fault.ResourceNotFound, []string{bot}, "GET", path, nil)
	})
}
