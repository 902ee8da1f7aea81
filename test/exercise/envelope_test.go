package exercise_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

var errorID = regexp.MustCompile(`^err_\d{14}x[0-9A-F]{8}$`)

func TestErrors(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		bot := botsPath + "/" + createBot(t, a, object{})["id"].(string)
		for _, c := range []struct {
			who          *harness.Actor
			method, path string
			body         any
			status       int
			kind         fault.Type
		}{
			{a, "GET", "/v1/admin/nothing", nil, 404, fault.ResourceNotFound},
			{a, "GET", "/", nil, 404, fault.ResourceNotFound},
			{a, "GET", "/v1/admin/bots/", nil, 404, fault.ResourceNotFound},
			{a, "GET", "/v1/admin//bots", nil, 404, fault.ResourceNotFound},
			{a, "GET", "/v1/admin/bots/%2e%2e/%00", nil, 404, fault.ResourceNotFound},
			{a, "PATCH", botsPath, object{}, 405, fault.MethodNotFound},
			{a, "DELETE", mePath, nil, 405, fault.MethodNotFound},
			{a, "BREW", botsPath, nil, 405, fault.MethodNotFound},
			{a, "OPTIONS", botsPath, nil, 405, fault.MethodNotFound},
			{a.As(""), "GET", botsPath, nil, 401, fault.Unauthorized},
			{a.As("nonsense"), "GET", botsPath, nil, 401, fault.Unauthorized},
			{a.As("bp_pat_" + strings.Repeat("x", 36)), "GET", botsPath, nil, 401, fault.Unauthorized},
			{a.As(a.Token + "x"), "GET", botsPath, nil, 401, fault.Unauthorized},
			{a.As(strings.Repeat("x", 10_000)), "GET", botsPath, nil, 401, fault.Unauthorized},
			// Who is asked before what.
			{a.As("").In(""), "POST", botsPath, "not JSON", 401, fault.Unauthorized},
			{a.As("").In(""), "GET", botsPath + "?pageSize=abc", nil, 401, fault.Unauthorized},
			{a.In(""), "GET", botsPath, nil, 400, fault.InvalidPayload},
			{a.In(""), "POST", botsPath, "not JSON", 400, fault.InvalidPayload},
			{a.In("wkspace_none"), "POST", botsPath, "not JSON", 404, fault.ResourceNotFound},
			{a.In("\xff"), "GET", botsPath, nil, 400, fault.InvalidPayload},
			{a, "GET", botsPath + "/none", nil, 404, fault.ResourceNotFound},
			{a, "GET", botsPath + "/" + strings.Repeat("x", 5000), nil, 404, fault.ResourceNotFound},
			{a, "GET", botsPath + "/%00", nil, 404, fault.ResourceNotFound},
			{a, "GET", botsPath + "/%ff", nil, 404, fault.ResourceNotFound},
			{a, "PUT", botsPath + "/%00", object{}, 404, fault.ResourceNotFound},
			{a, "DELETE", botsPath + "/%ff", nil, 404, fault.ResourceNotFound},
			{a, "DELETE", membersPath + "/%00", nil, 404, fault.ResourceNotFound},
			{a, "DELETE", patsPath + "/%00", nil, 404, fault.ResourceNotFound},
			{a, "GET", workspacesPath + "/%00", nil, 404, fault.ResourceNotFound},
			{a, "GET", workspacesPath + "/%ff/public", nil, 404, fault.ResourceNotFound},
			{a, "POST", "/v1/admin/introspect", object{"botId": strings.Repeat("x", 5000)}, 404, fault.ResourceNotFound},
			{a, "PUT", bot, object{"name": 1}, 400, fault.InvalidPayload},
		} {
			answer := c.who.Ask(t, c.method, c.path, c.body)
			f := c.who.Refused(t, c.kind, nil, c.method, c.path, c.body)
			if answer.Status != c.status || f.Code != c.status || !errorID.MatchString(f.ID) {
				t.Errorf("%s %.80s answered %d: %.300s", c.method, c.path, answer.Status, answer.Body)
			}
			if got := answer.Header.Get("Content-Type"); got != "application/json" {
				t.Errorf("%s %.80s: the content type is %q", c.method, c.path, got)
			}
			if len(f.Message) > 1000 {
				t.Errorf("%s %.80s: a message of %d bytes", c.method, c.path, len(f.Message))
			}
		}
		a.In("").Refused(t, fault.InvalidPayload, []string{"request/headers must have required property 'x-workspace-id'"}, "POST", botsPath, object{})
		a.In("").Refused(t, fault.InvalidPayload, []string{"request/headers must have required property 'x-workspace-id'"}, "GET", spaceKeyPath+"k", nil)
	})
}

// Missing and foreign are the same but for the id of the answer.
func TestForeignIsMissing(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, b := s.Person(t), s.Person(t)
		bot := createBot(t, b, object{"name": "secret"})["id"].(string)
		dev := createBot(t, b, object{"dev": true})["id"].(string)
		member := addMember(t, b, "someone."+b.Email, "viewer")
		var pats struct{ Pats []struct{ ID string } }
		b.Do(t, "GET", patsPath, nil, &pats)
		before := b.State(t)
		change := object{"name": "stolen"}
		for _, c := range []struct {
			method, path, foreign string
			body                  any
			header                bool // the id is the workspace in the header
		}{
			{"GET", botsPath + "/{}", bot, nil, false},
			{"PUT", botsPath + "/{}", bot, change, false},
			{"PUT", botsPath + "/{}", bot, object{"code": "x"}, false},
			{"PUT", botsPath + "/{}", bot, object{"integrations": object{"a": object{"integrationId": "none"}}}, false},
			{"DELETE", botsPath + "/{}", bot, nil, false},
			{"GET", botsPath + "/{}", dev, nil, false},
			{"DELETE", botsPath + "/{}", dev, nil, false},
			{"POST", "/v1/admin/introspect", bot, `{"botId":"{}"}`, false},
			{"PUT", membersPath + "/{}", member, object{"role": "owner"}, false},
			{"PUT", membersPath + "/{}", member, object{"role": "viewer"}, false},
			{"PUT", membersPath + "/{}", member, object{}, false},
			{"DELETE", membersPath + "/{}", member, nil, false},
			{"DELETE", patsPath + "/{}", pats.Pats[0].ID, nil, false},
			{"GET", workspacesPath + "/{}", b.Workspace, nil, false},
			{"PUT", workspacesPath + "/{}", b.Workspace, change, false},
			{"DELETE", workspacesPath + "/{}", b.Workspace, nil, false},
			{"POST", workspacesPath + "/{}/migrate-to-v4", b.Workspace, nil, false},
			{"GET", workspacesPath + "/{}/public", b.Workspace, nil, false},
			{"GET", workspacesPath + "/{}/audit-records", b.Workspace, nil, false},
			{"GET", workspacesPath + "/{}/audit-records?pageSize=abc", b.Workspace, nil, false},
			{"GET", botsPath, b.Workspace, nil, true},
			{"POST", botsPath, b.Workspace, change, true},
			{"GET", botsPath + "/" + bot, b.Workspace, nil, true},
			{"GET", membersPath, b.Workspace, nil, true},
			{"GET", membersPath + "/me", b.Workspace, nil, true},
			{"POST", membersPath, b.Workspace, object{"email": "x@example.com", "role": "owner"}, true},
			{"GET", spaceKeyPath + "k", b.Workspace, nil, true},
			{"POST", spaceKeyPath + "k", b.Workspace, object{"value": 1}, true},
		} {
			missing := c.foreign[:len(c.foreign)-4] + "0000"
			ask := func(id string) harness.Answer {
				who, body := a, c.body
				if c.header {
					who = a.In(id)
				}
				if text, ok := body.(string); ok {
					body = strings.ReplaceAll(text, "{}", id)
				}
				return who.Ask(t, c.method, strings.ReplaceAll(c.path, "{}", id), body)
			}
			foreign, gone := ask(c.foreign), ask(missing)
			want := strings.ReplaceAll(gone.WithoutID(), missing, c.foreign)
			if diff := cmp.Diff(want, foreign.WithoutID()); diff != "" || foreign.Status != gone.Status {
				t.Errorf("%s %s: missing is %d, foreign %d: %s", c.method, c.path, gone.Status, foreign.Status, diff)
			}
			if foreign.Status == http.StatusOK {
				t.Errorf("%s %s of another workspace answered 200", c.method, c.path)
			}
		}
		if after := b.State(t); after != before {
			t.Errorf("a stranger changed something:\n%s\nwas\n%s", after, before)
		}
	})
}

func TestCrossOrigin(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		const origin = "https://studio.example.com"
		preflight := a.As("").In("").Ask(t, "OPTIONS", botsPath, nil, "Origin", origin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,x-workspace-id,x-bot-id")
		if preflight.Status != http.StatusNoContent || len(preflight.Body) != 0 {
			t.Errorf("the preflight answered %d", preflight.Status)
		}
		for _, path := range []string{botsPath, "/v1/admin/nothing", mePath} {
			for _, token := range []string{a.Token, ""} {
				h := a.As(token).Ask(t, "GET", path, nil, "Origin", origin).Header
				if h.Get("Access-Control-Allow-Origin") != origin || h.Get("Access-Control-Allow-Credentials") != "true" || !strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") {
					t.Errorf("GET %s: the headers are %v", path, h)
				}
			}
		}
		h := preflight.Header
		if h.Get("Access-Control-Allow-Origin") != origin || h.Get("Access-Control-Allow-Credentials") != "true" || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "DELETE") {
			t.Errorf("the preflight's headers are %v", h)
		}
		for _, name := range []string{"authorization", "content-type", "x-workspace-id", "x-bot-id", "x-integration-id", "x-integration-alias", "x-multiple-integrations"} {
			if !strings.Contains(h.Get("Access-Control-Allow-Headers"), name) {
				t.Errorf("a page may not send %s", name)
			}
		}
		if h := a.Ask(t, "GET", mePath, nil).Header; h.Get("Access-Control-Allow-Origin") != "" {
			t.Error("an answer without Origin speaks of origins")
		}
	})
}

func TestRateLimits(t *testing.T) {
	harness.RunAlone(t, []string{"--rate-limit-token", "20", "--rate-limit-workspace", "10000"}, func(t *testing.T, s *harness.Server) {
		a, b := s.Person(t), s.Person(t)
		refused := overrun(t, a, 20, mePath)
		h := refused.Header
		if wait, err := strconv.Atoi(h.Get("Retry-After")); err != nil || wait < 1 || h.Get("RateLimit-Limit") != "20" || h.Get("RateLimit-Reset") == "" || h.Get("RateLimit-Remaining") != "0" {
			t.Errorf("the headers of 429 are %v", h)
		}
		var f harness.Fault
		if err := json.Unmarshal(refused.Body, &f); err != nil || f.Type != fault.RateLimited || !strings.Contains(f.Message, "20") {
			t.Errorf("it was refused with %s", refused.Body)
		}
		b.Do(t, "GET", mePath, nil, nil)
	})
}
