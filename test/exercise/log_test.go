package exercise_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

const ingestPath = "/v1/ingest"

// receipt is what ingest answers.
type receipt struct {
	Accepted, Duplicates int
	Rejected             []struct {
		Line          int
		Type, Message string
	}
}

// ingest sends lines and fails unless all but rejected of them are taken.
func ingest(t *testing.T, a *harness.Actor, body any, rejected int, headers ...string) receipt {
	t.Helper()
	var r receipt
	a.Do(t, http.MethodPost, ingestPath, body, &r, append([]string{"Content-Type", "application/x-ndjson"}, headers...)...)
	if len(r.Rejected) != rejected {
		t.Fatalf("%d records were rejected, want %d: %+v", len(r.Rejected), rejected, r.Rejected)
	}
	return r
}

// deliver sends lines of a bot until the server has a place for them: of many that come at
// once, it tells some to come again.
func deliver(t *testing.T, a *harness.Actor, bot, body string) (answer harness.Answer, err error) {
	for {
		answer, err = a.Try(t.Context(), http.MethodPost, ingestPath, body, "Content-Type", "application/x-ndjson", "x-bot-id", bot)
		if err != nil || answer.Status != http.StatusTooManyRequests {
			return answer, err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// logsOf reads all pages of logs.
func logsOf(t *testing.T, a *harness.Actor, path, query string) (lines []object) {
	t.Helper()
	for next := ""; ; {
		var page struct {
			Logs      []object
			NextToken string
		}
		a.Do(t, http.MethodGet, path+"/logs?timeStart=2020-01-01&"+query+"&nextToken="+url.QueryEscape(next), nil, &page)
		if len(page.Logs) > 100 {
			t.Fatalf("a page has %d lines", len(page.Logs))
		}
		lines = append(lines, page.Logs...)
		if next = page.NextToken; next == "" {
			return lines
		}
	}
}

func messages(lines []object) (texts []string) {
	for _, l := range lines {
		texts = append(texts, l["message"].(string))
	}
	return texts
}

// botKey makes a key of a bot.
func botKey(t *testing.T, a *harness.Actor, bot string) string {
	t.Helper()
	var key struct{ Value string }
	a.Do(t, http.MethodPost, "/v1/admin/bots/baks", object{"botId": bot}, &key)
	return key.Value
}

func TestLogs(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, stranger := s.Person(t), s.Person(t)
		bot := createBot(t, a, object{"name": "chatty"})["id"].(string)
		other := createBot(t, a, object{"name": "other"})["id"].(string)
		key := a.As(botKey(t, a, bot)).In("")
		now := s.Clock.Now()
		at := func(ago time.Duration) string { return now.Add(-ago).Format("2006-01-02T15:04:05.000Z07:00") }
		lines := []string{
			`{"kind":"log","level":"info","message":"first 🙂","timestamp":"` + at(3*time.Hour) + `","userId":"u1"}`,
			`{"kind":"log","level":"error","message":"second declined","timestamp":"` + at(2*time.Hour) + `","conversationId":"c1","workflowId":"w1"}`,
			`{"kind":"log","level":"debug","message":"third","timestamp":` + fmt.Sprint(now.Add(-time.Hour).UnixMilli()) + `,"unknown":{"a":[1]}}`,
			``,
			`{"msg":"printed by the SDK","level":"warn","options":{"userId":"u1","conversationId":"c2","eventId":"e"}}`,
		}
		got := ingest(t, key, strings.Join(lines, "\n"), 0)
		if got.Accepted != 4 || got.Duplicates != 0 {
			t.Errorf("receipt %+v", got)
		}
		ingest(t, a, `{"kind":"log","level":"info","message":"of the other"}`, 0, "x-bot-id", other)
		path := botsPath + "/" + bot
		all := logsOf(t, a, path, "")
		if diff := cmp.Diff([]string{"printed by the SDK", "third", "second declined", "first 🙂"}, messages(all)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(object{"timestamp": at(2 * time.Hour), "level": "error", "message": "second declined", "conversationId": "c1", "workflowId": "w1"}, all[2]); diff != "" {
			t.Error(diff)
		}
		for query, want := range map[string][]string{
			"level=error":                   {"second declined"},
			"level=warn":                    {"printed by the SDK"},
			"userId=u1":                     {"printed by the SDK", "first 🙂"},
			"userId=nobody":                 nil,
			"conversationId=c1":             {"second declined"},
			"workflowId=w1":                 {"second declined"},
			"messageContains=declined":      {"second declined"},
			"messageContains=Declined":      nil,
			"messageContains=%F0%9F%99%82":  {"first 🙂"},
			"messageContains=r":             {"printed by the SDK", "third", "first 🙂"},
			"messageContains=d&level=debug": {"third"},
			"timeEnd=" + at(2*time.Hour):    {"second declined", "first 🙂"},
			"timeEnd=" + at(4*time.Hour):    nil,
			"timeEnd=" + now.UTC().Add(-150*time.Minute).Format("2006-01-02T15:04"): {"first 🙂"},
			"userId=u1&messageContains=first":                                       {"first 🙂"},
			"messageContains=printed%20by%20them":                                   nil,
		} {
			if diff := cmp.Diff(want, messages(logsOf(t, a, path, query))); diff != "" {
				t.Errorf("%s: %s", query, diff)
			}
		}
		a.Refused(t, fault.InvalidQuery, []string{"level", "loud"}, "GET", path+"/logs?timeStart=2020-01-01&level=loud", nil)
		a.Refused(t, fault.InvalidQuery, []string{"timeStart", "yesterday"}, "GET", path+"/logs?timeStart=yesterday", nil)
		a.Refused(t, fault.InvalidQuery, []string{"timeStart"}, "GET", path+"/logs", nil)
		a.Refused(t, fault.InvalidQuery, []string{"nextToken"}, "GET", path+"/logs?timeStart=2020-01-01&nextToken=forged", nil)
		a.Refused(t, fault.InvalidQuery, []string{"timeEnd"}, "GET", path+"/logs?timeStart=2021-01-01&timeEnd=2020-01-01", nil)
		stranger.Refused(t, fault.ResourceNotFound, nil, "GET", path+"/logs?timeStart=2020-01-01", nil)

		// A deleted bot's logs are gone at once.
		a.Do(t, "DELETE", path, nil, nil)
		a.Refused(t, fault.ResourceNotFound, nil, "GET", path+"/logs?timeStart=2020-01-01", nil)
		key.Refused(t, fault.Unauthorized, nil, "POST", ingestPath, `{"kind":"log","level":"info","message":"late"}`, "Content-Type", "application/x-ndjson")
	})
}

// Pages hold a hundred lines, newest first, each line once, also while lines come.
func TestLogPages(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		bot := createBot(t, a, object{})["id"].(string)
		now := s.Clock.Now()
		var body strings.Builder
		for i := range 450 {
			// Every tenth shares its millisecond with the one before.
			fmt.Fprintf(&body, `{"kind":"log","level":"info","message":"line %d","timestamp":%d}`+"\n", i, now.Add(time.Duration(i-i%10/9-1000)*time.Millisecond).UnixMilli())
		}
		ingest(t, a, body.String(), 0, "x-bot-id", bot)
		seen := map[string]int{}
		last := "9"
		for _, l := range logsOf(t, a, botsPath+"/"+bot, "") {
			seen[l["message"].(string)]++
			if at := l["timestamp"].(string); at > last {
				t.Errorf("%s comes after %s", at, last)
			} else {
				last = at
			}
		}
		for i := range 450 {
			if n := seen[fmt.Sprint("line ", i)]; n != 1 {
				t.Errorf("line %d is there %d times", i, n)
			}
		}
	})
}

// What a sender may do wrong: each bad line is told of and the others are kept.
func TestIngestLines(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		bot := createBot(t, a, object{})["id"].(string)
		good := `{"kind":"log","level":"info","message":"good"}`
		bad := map[string]string{
			`not json`:                                     "cannot be read",
			`{"kind":"log","level":"info"}`:                "message",
			`{"kind":"log","message":"m"}`:                 "level",
			`{"kind":"log","level":"loud","message":"m"}`:  "loud",
			`{"kind":"log","level":"info","message":7}`:    "cannot be read",
			`{"kind":"song","message":"m"}`:                "song",
			`{"level":"info"}`:                             "kind",
			`[]`:                                           "cannot be read",
			`{"kind":"log","level":"info","message":"m"}x`: "cannot be read",
			`{"kind":"log","level":"info","message":"m","timestamp":"soon"}`:                   "timestamp",
			`{"kind":"log","level":"info","message":"m","timestamp":"2999-01-01T00:00:00Z"}`:   "ahead",
			`{"kind":"log","level":"info","message":"m","timestamp":0}`:                        "kept from",
			`{"kind":"log","level":"info","message":"m","userId":"` + long(200) + `"}`:         "userId",
			"{\"kind\":\"log\",\"level\":\"info\",\"message\":\"m\",\"userId\":\"a\\u0000b\"}": "U+0000",
			`{"kind":"log","level":"info","message":"m","botId":"another"}`:                    "botId",
			`{"kind":"message","direction":"sideways"}`:                                        "direction",
			`{"kind":"event"}`: "type",
			`{"kind":"custom_event","name":"n","count":-1}`:                                                                                "count",
			`{"kind":"llm_call","inputTokens":-5}`:                                                                                         "inputTokens",
			`{"kind":"activity","description":"d"}`:                                                                                        "taskId",
			`{"kind":"issue","category":"other","title":"t","description":"d"}`:                                                            "code",
			`{"kind":"action_run","integrationName":"i","actionType":"a","input":[],"status":"SUCCESS","durationMs":1}`:                    "input",
			`{"kind":"action_run","integrationName":"i","actionType":"a","input":{},"status":"DONE","durationMs":1}`:                       "status",
			`{"kind":"action_run","integrationName":"i","actionType":"a","input":{},"output":{},"status":"SUCCESS","durationMs":"` + `1"}`: "cannot be read",
		}
		var body []string
		var words []string
		for line, word := range bad {
			body = append(body, good, line)
			words = append(words, word)
		}
		got := ingest(t, a, strings.Join(body, "\r\n"), len(bad), "x-bot-id", bot)
		if got.Accepted != len(bad) {
			t.Errorf("%d were accepted, want %d", got.Accepted, len(bad))
		}
		for i, r := range got.Rejected {
			if r.Line != 2*i+2 || r.Type != "InvalidPayload" || !strings.Contains(r.Message, words[i]) {
				t.Errorf("rejected %+v, want line %d with %q", r, 2*i+2, words[i])
			}
		}
		if n := len(logsOf(t, a, botsPath+"/"+bot, "")); n != len(bad) {
			t.Errorf("%d lines are there, want %d", n, len(bad))
		}
	})
}

func TestIngestBodies(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		bot := createBot(t, a, object{})["id"].(string)
		line := func(n int) string {
			return fmt.Sprintf(`{"kind":"log","level":"info","message":"m%d","id":"r%d"}`, n, n)
		}
		gz := func(text string) []byte {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = z.Write([]byte(text))
			_ = z.Close()
			return b.Bytes()
		}
		zst, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		of := []string{"x-bot-id", bot}
		ingest(t, a, gz(line(1)+"\n"+line(2)), 0, append(of, "Content-Encoding", "gzip")...)
		ingest(t, a, zst.EncodeAll([]byte(line(3)), nil), 0, append(of, "Content-Encoding", "zstd")...)
		ingest(t, a, "["+line(4)+","+line(5)+"]", 0, append(of, "Content-Type", "application/json")...)
		ingest(t, a, line(6), 0, append(of, "Content-Type", "application/json; charset=utf-8")...)
		ingest(t, a, "", 0, of...)
		// The same ids again, in other clothes, with other words: nothing new.
		got := ingest(t, a, zst.EncodeAll([]byte(line(1)+"\n"+line(6)+"\n"+line(7)+"\n"+line(7)), nil), 0, append(of, "Content-Encoding", "zstd")...)
		if got.Accepted != 1 || got.Duplicates != 3 {
			t.Errorf("receipt %+v, want 1 new and 3 duplicates", got)
		}
		if n := len(logsOf(t, a, botsPath+"/"+bot, "")); n != 7 {
			t.Errorf("%d lines are there, want 7", n)
		}
		refused := func(kind fault.Type, body any, headers ...string) {
			t.Helper()
			a.Refused(t, kind, nil, "POST", ingestPath, body, append([]string{"Content-Type", "application/x-ndjson", "x-bot-id", bot}, headers...)...)
		}
		refused(fault.InvalidPayload, line(8), "Content-Encoding", "gzip")
		refused(fault.InvalidPayload, gz(line(8))[:20], "Content-Encoding", "gzip")
		refused(fault.InvalidPayload, []byte("(\xb5/\xfd garbage"), "Content-Encoding", "zstd")
		refused(fault.UnsupportedMediaType, line(8), "Content-Encoding", "br")
		refused(fault.UnsupportedMediaType, line(8), "Content-Type", "text/plain")
		refused(fault.InvalidPayload, "["+line(8), "Content-Type", "application/json")
		refused(fault.InvalidPayload, "["+line(8)+"] more", "Content-Type", "application/json")
		refused(fault.PayloadTooLarge, gz(strings.Repeat(" ", 20<<20)), "Content-Encoding", "gzip")
		refused(fault.PayloadTooLarge, strings.Repeat("\n", 5<<20))
		refused(fault.PayloadTooLarge, strings.Repeat(`{"kind":"log","level":"info","message":""}`+"\n", 20_001))
		if n := len(logsOf(t, a, botsPath+"/"+bot, "")); n != 7 {
			t.Errorf("%d lines are there, want 7: refused bodies left some", n)
		}
	})
}

// Who may send what for whom.
func TestIngestSenders(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		stranger, viewer := s.Person(t), s.Person(t)
		addMember(t, a, viewer.Email, "viewer")
		bot := createBot(t, a, object{})["id"].(string)
		integration := publish(t, a, "integration", object{"name": handle + "/x"})["id"].(string)
		var iak struct{ Value string }
		a.Do(t, "POST", integrationsPath+"/iaks", object{"integrationId": integration}, &iak)
		line := `{"kind":"log","level":"info","message":"m"}`
		nd := []string{"Content-Type", "application/x-ndjson"}
		of := append(nd, "x-bot-id", bot)
		a.As("").Refused(t, fault.Unauthorized, nil, "POST", ingestPath, line, of...)
		a.As("bp_bak_"+strings.Repeat("x", 36)).Refused(t, fault.Unauthorized, nil, "POST", ingestPath, line, of...)
		a.In("").Refused(t, fault.InvalidPayload, []string{"x-workspace-id"}, "POST", ingestPath, line, of...)
		a.Refused(t, fault.InvalidPayload, []string{"x-bot-id"}, "POST", ingestPath, line, nd...)
		viewer.In(a.Workspace).Refused(t, fault.Forbidden, []string{"viewer"}, "POST", ingestPath, line, of...)
		stranger.Refused(t, fault.ResourceNotFound, nil, "POST", ingestPath, line, of...)
		missing := a.Ask(t, "POST", ingestPath, line, append(nd, "x-bot-id", "6f1f0f2e-0000-4000-8000-000000000000")...)
		if missing.Status != 404 {
			t.Errorf("a missing bot: %d %s", missing.Status, missing.Body)
		}
		a.As(botKey(t, a, bot)).Refused(t, fault.ResourceNotFound, nil, "POST", ingestPath, line, append(nd, "x-bot-id", "another")...)

		// An integration speaks for itself, and for bots that have it.
		speaker := a.As(iak.Value).In("")
		inBot := fmt.Sprintf(`{"kind":"log","level":"info","message":"in the bot","botId":%q}`, bot)
		ingest(t, speaker, inBot, 1)
		updateBot(t, a, bot, object{"integrations": object{integration: object{"enabled": true}}})
		sdk := func(message, more string) string {
			return fmt.Sprintf(`{"msg":%q,"level":"info","botId":%q,"integrationId":%q,"integrationAlias":"x"%s}`, message, bot, integration, more)
		}
		ingest(t, speaker, strings.Join([]string{
			inBot, `{"kind":"log","level":"info","message":"alone"}`,
			sdk("for its owner", `,"visible_to_bot_owner":false`),
			sdk("for both", `,"visible_to_bot_owner":true,"hidden_to_integration_owner":false`),
			sdk("for the bot", `,"visible_to_bot_owner":true,"hidden_to_integration_owner":true`),
			`{"kind":"event","type":"e"}`,
		}, "\n"), 1)
		sorted := func(lines []object) map[string]bool {
			all := map[string]bool{}
			for _, m := range messages(lines) {
				all[m] = true
			}
			return all
		}
		if diff := cmp.Diff(map[string]bool{"in the bot": true, "for both": true, "for the bot": true}, sorted(logsOf(t, a, botsPath+"/"+bot, ""))); diff != "" {
			t.Errorf("the bot's logs: %s", diff)
		}
		if diff := cmp.Diff(map[string]bool{"in the bot": true, "alone": true, "for its owner": true, "for both": true}, sorted(logsOf(t, a, integrationsPath+"/"+integration, ""))); diff != "" {
			t.Errorf("the integration's logs: %s", diff)
		}
		stranger.Refused(t, fault.ResourceNotFound, nil, "GET", integrationsPath+"/"+integration+"/logs?timeStart=2020-01-01", nil)
	})
}

// Sixty-four senders at once, each record sent twice by two of them: it counts once.
func TestIngestTogether(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		bot := createBot(t, a, object{})["id"].(string)
		receipts := make([]receipt, 64)
		harness.Together(t, 64, func(i int) error {
			var body strings.Builder
			for n := range 20 {
				fmt.Fprintf(&body, `{"kind":"log","level":"info","message":"m %d %d","id":"%d-%d"}`+"\n", i/2, n, i/2, n)
			}
			answer, err := deliver(t, a, bot, body.String())
			if err != nil {
				return err
			}
			return json.Unmarshal(answer.Body, &receipts[i])
		})
		accepted := 0
		for _, r := range receipts {
			accepted += r.Accepted
		}
		lines := logsOf(t, a, botsPath+"/"+bot, "")
		if accepted != 640 || len(lines) != 640 {
			t.Errorf("%d were accepted and %d are there, want 640", accepted, len(lines))
		}
	})
}
