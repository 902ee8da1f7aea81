package exercise_test

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/workspace"
	"github.com/botyard/botyard/test/harness"
)

// emptyBot is a bot of which nothing was said, but for what the server makes.
func emptyBot(made object) object {
	return object{
		"id": made["id"], "createdAt": made["createdAt"], "updatedAt": made["updatedAt"], "name": made["name"],
		"signingSecret": "", "createdBy": made["createdBy"], "integrations": object{}, "plugins": object{},
		"user": object{"tags": object{}}, "conversation": object{"tags": object{}}, "message": object{"tags": object{}},
		"states": object{}, "events": object{}, "recurringEvents": object{}, "actions": object{},
		"configuration": object{"data": object{}, "schema": object{"type": "object", "properties": object{}}},
		"subscriptions": object{"events": nil}, "tags": object{}, "dev": false, "secrets": []any{}, "alwaysAlive": false,
		"status": "active", "medias": []any{}, "type": "studio",
	}
}

func TestCreateBot(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		made := createBot(t, a, object{})
		if secret := made["signingSecret"].(string); len(secret) < 32 {
			t.Errorf("the signing secret is %q", secret)
		}
		if name := made["name"].(string); name == "" || made["createdBy"] != a.Account || !moment.MatchString(made["createdAt"].(string)) {
			t.Errorf("the bot is %v", made)
		}
		if len(made["id"].(string)) != 36 {
			t.Errorf("the id is %v", made["id"])
		}
		read := getBot(t, a, made["id"])
		if diff := cmp.Diff(emptyBot(made), read); diff != "" {
			t.Error(diff)
		}
		if botCount(t, a) != 1 {
			t.Errorf("the workspace counts %v bots", botCount(t, a))
		}

		schema := object{"type": "object", "properties": object{"x": object{"$ref": "#/nowhere"}}, "x-zui": object{"a": []any{nil, 1.5}}}
		whole := object{
			"name": "Whole 🤖", "description": "d", "type": "adk", "url": "https://example.com/bot", "maxExecutionTime": 900,
			"tags": object{"team": "a", "with.dot": "b"}, "code": "exports.x = 'é'", "secrets": object{"B_KEY": "s2", "A_KEY": "s1"},
			"states":          object{"s": object{"type": "user", "schema": schema, "expiry": 5.0}},
			"events":          object{"e": object{"title": "E", "description": "d", "schema": schema, "attributes": object{"k": "v"}}},
			"recurringEvents": object{"r": object{"schedule": object{"cron": "0 9 * * 1-5"}, "type": "e", "payload": object{"n": 1.0}}},
			"actions":         object{"act": object{"title": "A", "billable": true, "cacheable": false, "input": object{"schema": schema}, "output": object{"schema": object{}}}},
			"configuration":   object{"data": object{"deep": object{"a": []any{}}}, "schema": schema},
			"user":            object{"tags": object{"u": object{"title": "U"}}}, "conversation": object{"tags": object{"c": object{}}},
			"message": object{"tags": object{"m": object{"description": "M"}}}, "subscriptions": object{"events": object{"e": object{}}},
			"medias":       []any{object{"url": "https://example.com/m", "name": "m"}},
			"integrations": object{"ignored": object{"integrationId": "x"}}, "unknown": object{"a": 1},
		}
		made = createBot(t, a, whole)
		want := emptyBot(made)
		for _, key := range []string{"name", "description", "type", "tags", "states", "events", "actions", "configuration", "user", "conversation", "message", "subscriptions", "medias"} {
			want[key] = whole[key]
		}
		want["maxExecutionTime"], want["secrets"], want["deployedAt"] = 900.0, []any{"A_KEY", "B_KEY"}, made["deployedAt"]
		want["recurringEvents"] = object{"r": object{"schedule": object{"cron": "0 9 * * 1-5"}, "type": "e", "payload": object{"n": 1.0}, "failedAttempts": 0.0, "lastFailureReason": nil}}
		read = getBot(t, a, made["id"])
		if diff := cmp.Diff(want, read); diff != "" {
			t.Error(diff)
		}
		if !moment.MatchString(fmt.Sprint(read["deployedAt"])) {
			t.Errorf("deployedAt is %v", read["deployedAt"])
		}

		dev := createBot(t, a, object{"dev": true, "url": "https://tunnel.example.com/x"})
		if id := dev["id"].(string); dev["dev"] != true || !strings.HasPrefix(id, "devbot_") {
			t.Errorf("the development bot is %v", dev)
		}
		if botCount(t, a) != 2 {
			t.Errorf("with a development bot the workspace counts %v bots", botCount(t, a))
		}
		var found object
		a.In("").Do(t, "POST", "/v1/admin/introspect", object{"botId": dev["id"]}, &found)
		if diff := cmp.Diff(object{"workspaceId": a.Workspace, "botId": dev["id"], "userId": a.Account}, found); diff != "" {
			t.Error(diff)
		}
		a.Do(t, "DELETE", botsPath+"/"+dev["id"].(string), nil, nil)
		a.Do(t, "DELETE", botsPath+"/"+made["id"].(string), object{}, nil)
		if botCount(t, a) != 1 {
			t.Errorf("after the deletions the workspace counts %v bots", botCount(t, a))
		}
	})
}

func TestUpdateBot(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		event := func(title string, attributes object) object {
			return object{"title": title, "schema": object{"type": "object"}, "attributes": attributes}
		}
		bot := createBot(t, a, object{
			"name": "n", "description": "d", "url": "https://example.com/", "tags": object{"keep": "1", "null": "2", "empty": "3"},
			"events":        object{"kept": event("K", object{"a": "1"}), "gone": event("G", nil), "changed": event("C", object{"a": "1", "b": "2"})},
			"configuration": object{"data": object{"a": 1.0, "b": 2.0}, "schema": object{"type": "object"}},
			"secrets":       object{"KEEP": "1", "GONE": "2"},
			"user":          object{"tags": object{"u": object{"title": "U"}}},
			"subscriptions": object{"events": object{"kept": object{}}},
		})
		id := bot["id"]
		bot["signingSecret"] = ""
		step := func(body, want object) {
			t.Helper()
			answered := updateBot(t, a, id, body)
			maps.Copy(bot, want)
			for key, value := range want {
				if value == nil {
					delete(bot, key)
				}
			}
			bot["updatedAt"] = answered["updatedAt"]
			if diff := cmp.Diff(bot, answered); diff != "" {
				t.Errorf("%v: %s", body, diff)
			}
			if diff := cmp.Diff(bot, getBot(t, a, id)); diff != "" {
				t.Errorf("%v, read again: %s", body, diff)
			}
		}
		step(object{}, object{})
		step(object{"tags": object{"null": nil, "empty": "", "new": "4", "never-there": nil}}, object{"tags": object{"keep": "1", "new": "4"}})
		step(object{"events": object{
			"gone": nil, "never-there": nil, "new": event("N", object{"x": "1"}),
			"changed": object{"schema": object{"type": "string"}, "attributes": object{"a": nil, "c": "3"}},
		}}, object{"events": object{
			"kept": event("K", object{"a": "1"}), "new": event("N", object{"x": "1"}),
			"changed": object{"schema": object{"type": "string"}, "attributes": object{"b": "2", "c": "3"}},
		}})
		step(object{"configuration": object{"data": object{"c": 3.0}}}, object{"configuration": object{"data": object{"c": 3.0}, "schema": object{"type": "object"}}})
		step(object{"configuration": object{"schema": object{}}}, object{"configuration": object{"data": object{"c": 3.0}, "schema": object{}}})
		step(object{"secrets": object{"GONE": nil, "NEW": "3"}}, object{"secrets": []any{"KEEP", "NEW"}})
		step(object{"user": object{"tags": object{"u": nil, "v": object{"description": "V"}}}}, object{"user": object{"tags": object{"v": object{"description": "V"}}}})
		step(object{"subscriptions": object{"events": nil}}, object{"subscriptions": object{"events": nil}})
		bot["subscriptions"] = object{"events": nil}
		step(object{"alwaysAlive": true, "maxExecutionTime": 5, "type": "desk", "name": "new", "description": ""},
			object{"alwaysAlive": true, "maxExecutionTime": 5.0, "type": "desk", "name": "new", "description": ""})
		step(object{"url": nil, "blocked": true, "authentication": "iam", "layers": []string{"l"}}, object{})
		step(object{"states": object{"s": object{"type": "bot", "schema": object{}}}, "medias": []any{}}, object{"states": object{"s": object{"type": "bot", "schema": object{}}}})
		step(object{"integrations": object{"alias": nil}, "plugins": object{"alias": nil}}, object{})
		deployed := updateBot(t, a, id, object{"code": "module.exports = 1"})
		if deployed["deployedAt"] == nil {
			t.Error("code was sent and deployedAt is absent")
		}
		bot["deployedAt"] = deployed["deployedAt"]
		step(object{"name": "after"}, object{"name": "after"})
	})
}

func TestBotRefusals(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		many := func(prefix string, n int, value any) object {
			m := object{}
			for i := range n {
				m[fmt.Sprint(prefix, i)] = value
			}
			return m
		}
		huge := strings.Repeat("x", 10<<20)
		schema := object{"schema": object{}}
		common := []refusal{
			{"empty name", object{"name": ""}, fault.InvalidPayload, []string{"name"}},
			{"huge name", object{"name": huge}, fault.InvalidPayload, []string{"name"}},
			{"name of a wrong type", object{"name": object{}}, fault.InvalidPayload, []string{"name", "string"}},
			{"U+0000 in the name", `{"name":"a\u0000b"}`, fault.InvalidPayload, []string{"name", "U+0000"}},
			{"U+0000 in a tag's key", `{"tags":{"a\u0000":"b"}}`, fault.InvalidPayload, []string{"tags", "U+0000"}},
			{"long description", object{"description": long(2001)}, fault.InvalidPayload, []string{"description", "2000"}},
			{"unknown type", object{"type": "robot"}, fault.InvalidPayload, []string{"type", "studio"}},
			{"url", object{"url": "not a url"}, fault.InvalidPayload, []string{"url"}},
			{"url of a file", object{"url": "file:///etc/passwd"}, fault.InvalidPayload, []string{"url"}},
			{"execution time", object{"maxExecutionTime": 0}, fault.InvalidPayload, []string{"maxExecutionTime"}},
			{"too long an execution", object{"maxExecutionTime": 901}, fault.InvalidPayload, []string{"maxExecutionTime", "901", "900"}},
			{"broken execution time", object{"maxExecutionTime": 1.5}, fault.InvalidPayload, []string{"maxExecutionTime", "integer"}},
			{"tags as a list", object{"tags": []string{"a"}}, fault.InvalidPayload, []string{"tags", "object"}},
			{"tag of a wrong type", object{"tags": object{"a": 1}}, fault.InvalidPayload, []string{"tags.a", "string"}},
			{"long tag", object{"tags": object{"a": long(501)}}, fault.InvalidPayload, []string{"tags.a", "500"}},
			{"empty tag key", object{"tags": object{"": "a"}}, fault.InvalidPayload, []string{"tags", "key"}},
			{"long tag key", object{"tags": object{long(201): "a"}}, fault.InvalidPayload, []string{"tags", "200"}},
			{"state type", object{"states": object{"s": object{"type": "x", "schema": object{}}}}, fault.InvalidPayload, []string{"states.s.type"}},
			{"state without schema", object{"states": object{"s": object{"type": "bot"}}}, fault.InvalidPayload, []string{"states.s", "schema"}},
			{"schema that is none", object{"states": object{"s": object{"type": "bot", "schema": object{"type": 7}}}}, fault.InvalidJSONSchema, []string{"states.s.schema", "/type"}},
			{"schema as text", object{"events": object{"e": object{"schema": "x"}}}, fault.InvalidPayload, []string{"events.e.schema", "object"}},
			{"large schema", object{"events": object{"e": object{"schema": object{"description": strings.Repeat("x", 102_400)}}}}, fault.LimitExceeded, []string{"events.e.schema", "102400"}},
			{"too many states", object{"states": many("s", 21, object{"type": "bot", "schema": object{}})}, fault.LimitExceeded, []string{"20", "state", "21"}},
			{"too many events", object{"events": many("e", 21, schema)}, fault.LimitExceeded, []string{"20", "event"}},
			{"too many tag definitions", object{"user": object{"tags": many("t", 51, object{})}}, fault.LimitExceeded, []string{"50", "tag definitions"}},
			{"large configuration", object{"configuration": object{"data": object{"a": strings.Repeat("x", 20_480)}}}, fault.LimitExceeded, []string{"configuration.data", "20480"}},
			{"long title", object{"events": object{"e": object{"title": long(65), "schema": object{}}}}, fault.InvalidPayload, []string{"events.e.title", "64"}},
			{"cron", object{"recurringEvents": object{"r": object{"schedule": object{"cron": "tomorrow"}, "type": "e", "payload": object{}}}}, fault.InvalidPayload, []string{"recurringEvents.r.schedule.cron", "tomorrow"}},
			{"large payload", object{"recurringEvents": object{"r": object{"schedule": object{"cron": "@daily"}, "type": "e", "payload": object{"a": strings.Repeat("x", 131_072)}}}}, fault.LimitExceeded, []string{"payload", "131072"}},
			{"too many secrets", object{"secrets": many("S", 26, "v")}, fault.LimitExceeded, []string{"25", "secrets"}},
			{"long secret", object{"secrets": object{"S": strings.Repeat("x", 20_001)}}, fault.InvalidPayload, []string{"secrets.S", "20000"}},
			{"media", object{"medias": []any{object{"url": "u"}}}, fault.InvalidPayload, []string{"medias[0]", "name"}},
			{"large code", object{"code": strings.Repeat("x", 52_428_801)}, fault.LimitExceeded, []string{"code", "52428800"}},
		}
		refuses(t, a, "POST", botsPath, slices.Concat(common, []refusal{
			{"dev as text", object{"dev": "true"}, fault.InvalidPayload, []string{"dev", "boolean"}},
			{"secret is null", object{"secrets": object{"S": nil}}, fault.InvalidPayload, []string{"secrets.S"}},
		}))
		bot := createBot(t, a, object{"name": "n"})
		refuses(t, a, "PUT", botsPath+"/"+bot["id"].(string), slices.Concat(common, []refusal{
			{"unknown integration", object{"integrations": object{"mail": object{"integrationId": "intver_none"}}}, fault.ReferenceNotFound, []string{"mail", "intver_none"}},
			{"unknown plugin", object{"plugins": object{"p": object{"id": "plugver_none"}}}, fault.ReferenceNotFound, []string{"p", "plugver_none"}},
			{"authentication", object{"authentication": "none"}, fault.InvalidPayload, []string{"authentication", "iam"}},
			{"blocked", object{"blocked": 1}, fault.InvalidPayload, []string{"blocked", "boolean"}},
			{"a good name with a bad tag", object{"name": "better", "tags": object{"a": long(501)}}, fault.InvalidPayload, []string{"tags.a"}},
		}))
		setPlan(t, s, a, workspace.Community)
		time.Sleep(time.Second) // the plan allows 100 requests in one, and those above count
		refuses(t, a, "POST", botsPath, []refusal{{"quota", object{"name": "second", "tags": object{"a": "b"}}, fault.QuotaExceeded, []string{"bot_count", "community", "1"}}})
	})
}

func TestListBots(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		first := createBot(t, a, object{"name": "first", "tags": object{"team": "red", "a.b": "1", "ключ": "значение"}})
		nextMoment()
		second := createBot(t, a, object{"name": "second", "tags": object{"team": "red"}})
		nextMoment()
		third := createBot(t, a, object{"name": "third", "tags": object{"team": "blue"}, "code": "1"})
		dev := createBot(t, a, object{"name": "dev", "dev": true, "tags": object{"team": "red"}})
		nextMoment()
		updateBot(t, a, first["id"], object{"description": "touched"})
		list := func(query string) (names []string) {
			t.Helper()
			var out struct {
				Bots []struct{ Name string }
				Meta *object
			}
			a.Do(t, "GET", botsPath+"?"+query, nil, &out)
			if out.Bots == nil || out.Meta == nil {
				t.Errorf("%s answered null: %v", query, out)
			}
			for _, b := range out.Bots {
				names = append(names, b.Name)
			}
			return names
		}
		for query, want := range map[string][]string{
			"":                                      {"third", "second", "first"},
			"dev=false":                             {"third", "second", "first"},
			"dev=true":                              {"dev"},
			"sortDirection=asc":                     {"first", "second", "third"},
			"sortField=updatedAt":                   {"first", "third", "second"},
			"sortField=updatedAt&sortDirection=asc": {"second", "third", "first"},
			"tags.team=red":                         {"second", "first"},
			"tags.team=red&dev=true":                {"dev"},
			"tags.team=red&tags.a.b=1":              {"first"},
			"tags." + url.QueryEscape("ключ") + "=" + url.QueryEscape("значение"): {"first"},
			"tags.team=green": nil,
			"tags.team=":      nil,
			"integrationNames=slack&integrationNames=mail": nil,
			"pluginNames=hitl":        nil,
			"unknown=1&alsoUnknown=2": {"third", "second", "first"},
		} {
			if diff := cmp.Diff(want, list(query)); diff != "" {
				t.Errorf("%s: %s", query, diff)
			}
		}
		var out struct{ Bots []object }
		a.Do(t, "GET", botsPath+"?pageSize=1", nil, &out)
		want := object{"id": third["id"], "createdAt": third["createdAt"], "updatedAt": third["updatedAt"], "name": "third", "tags": object{"team": "blue"}, "type": "studio", "deployedAt": third["deployedAt"]}
		if diff := cmp.Diff([]object{want}, out.Bots); diff != "" {
			t.Error(diff)
		}
		for query, word := range map[string]string{
			"tags.team=%00": "tags.team", "tags.%ff=%ff": "UTF-8", "integrationNames=%00": "integrationNames",
			"dev=maybe": "dev", "sortField=name": "sortField", "sortDirection=up": "sortDirection",
			"pageSize=0": "pageSize", "pageSize=-1": "pageSize", "pageSize=abc": "pageSize", "pageSize=1e2": "pageSize", "pageSize=99999999999999999999": "pageSize",
		} {
			a.Refused(t, fault.InvalidQuery, []string{word}, "GET", botsPath+"?"+query, nil)
		}
		var tags []string
		for i := range 200 {
			tags = append(tags, fmt.Sprintf("tags.k%d=v", i))
		}
		a.Refused(t, fault.InvalidQuery, []string{"tags"}, "GET", botsPath+"?"+strings.Join(tags, "&"), nil)
		// Tags of the list follow the bot's.
		updateBot(t, a, second["id"], object{"tags": object{"team": nil}})
		a.Do(t, "DELETE", botsPath+"/"+dev["id"].(string), nil, nil)
		if got := list("tags.team=red"); !slices.Equal(got, []string{"first"}) {
			t.Errorf("after the change: %v", got)
		}
		if got := list("tags.team=red&dev=true"); len(got) != 0 {
			t.Errorf("after the deletion: %v", got)
		}
	})
}

// Free-form JSON comes back byte for byte.
func TestDefinitionsKeepTheirBytes(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		kept := `{"z":1.0,"a":12345678901234567890.123,"e":1E+2,"é":"\u00e9\ud83d\ude00","lone":"\udc00","nul":"\u0000","slash":"\/"}`
		bot := createBot(t, a, `{"configuration":{"data": `+kept+`},"states":{"s":{"type":"bot","schema":{"default":`+kept+`}}}}`)
		path := botsPath + "/" + bot["id"].(string)
		a.Do(t, "PUT", path, object{"name": "other"}, nil)
		body := string(a.Ask(t, "GET", path, nil).Body)
		if got := strings.Count(body, kept); got != 2 {
			t.Errorf("%d of 2 values are as they came: %s", got, body)
		}
		a.Refused(t, fault.InvalidPayload, []string{"duplicate", "dup"}, "POST", botsPath, `{"configuration":{"data":{"dup":1,"dup":2}}}`)
		// A lone surrogate cannot be kept in a name; it is replaced or refused, on
		// both engines alike, and never breaks a list.
		answer := a.Ask(t, "POST", botsPath, `{"name":"a\ud800b","tags":{"k":"\udfff"}}`)
		if answer.Status >= 500 {
			t.Errorf("a lone surrogate answered %d", answer.Status)
		}
		a.Do(t, "GET", botsPath, nil, nil)
	})
}
