package exercise_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/test/harness"
)

// obliging is the url of a far side that registers whatever it is asked to, and lasts
// as long as the tests.
var obliging = sync.OnceValue(func() string {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a call that breaks off needs no answer
		_, _ = io.WriteString(w, "{}")
	})).URL
})

// called is an integration that runs at a far side.
func called(t *testing.T, a *harness.Actor, handle, url string, more object) object {
	t.Helper()
	body := object{"name": fmt.Sprintf("%s/called-%d", handle, counter()), "url": url}
	maps.Copy(body, more)
	return publish(t, a, "integration", body)
}

// installed is a bot's instance of an integration after a setup of it.
func installed(t *testing.T, a *harness.Actor, bot any, alias string, setup any) object {
	t.Helper()
	i, _ := under(setUp(t, a, bot, object{"integrations": object{alias: setup}}), "integrations", alias).(object)
	return i
}

// stands fails the test unless an instance stands where it is said, with all of the
// words in its reason.
func stands(t *testing.T, instance object, status string, words ...string) {
	t.Helper()
	if len(words) == 0 && instance["statusReason"] != nil || instance["status"] != status {
		t.Errorf("it is %v because %v, want %s", instance["status"], instance["statusReason"], status)
	}
	for _, word := range words {
		if !strings.Contains(fmt.Sprint(instance["statusReason"]), word) {
			t.Errorf("the reason %q does not say %q", instance["statusReason"], word)
		}
	}
}

// becomes waits until an instance stands where it is said.
func becomes(t *testing.T, a *harness.Actor, bot any, alias, status string, words ...string) {
	t.Helper()
	var i object
	for deadline := time.Now().Add(harness.Patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if i, _ = under(readBot(t, a, bot), "integrations", alias).(object); i["status"] == status {
			break
		}
	}
	stands(t, i, status, words...)
}

// signedBy says whether a call is signed with a secret, as docs/webhooks.md has it.
func signedBy(c harness.Call, secret string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(c.Header.Get("x-botyard-timestamp") + "." + c.Body))
	return slices.Contains(strings.Split(c.Header.Get("x-botyard-signature"), ","), "v1="+hex.EncodeToString(mac.Sum(nil)))
}

func TestRegistration(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		far := harness.NewFarSide(t)
		integration := called(t, a, handle, far.URL+"/deep?er=1", object{"configurations": object{"other": object{"schema": object{}}}})
		bot := createBot(t, a, object{})["id"].(string)

		one := installed(t, a, bot, "one", object{"integrationId": integration["id"], "configuration": object{"token": "t1 ☃"}})
		stands(t, one, "registered")
		webhook := one["webhookId"].(string)
		far.Await(t, webhook, "register")
		got := far.Calls()[0]
		if want := fmt.Sprintf(`{"webhookUrl":%q}`, one["webhookUrl"]); got.Body != want || got.Method != "POST" || got.Path != "/deep" {
			t.Errorf("%s %s with %s, want %s", got.Method, got.Path, got.Body, want)
		}
		for name, want := range map[string]string{
			"x-bot-id": bot, "x-bot-user-id": bot, "x-integration-id": integration["id"].(string), "x-integration-alias": "one", "x-webhook-id": webhook,
			"x-bp-operation": "register", "content-type": "application/json",
			"x-bp-configuration": base64.StdEncoding.EncodeToString([]byte(`{"token":"t1 ☃"}`)),
		} {
			if got.Header.Get(name) != want {
				t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
			}
		}
		if got.Header["X-Bp-Configuration-Type"] != nil || got.Header["X-Bp-Type"] != nil {
			t.Errorf("the headers are %v", got.Header)
		}
		if ok, _ := regexp.MatchString(`^00-[0-9a-f]{32}-[0-9a-f]{16}-01$`, got.Header.Get("traceparent")); !ok {
			t.Errorf("traceparent is %q", got.Header.Get("traceparent"))
		}
		if !signedBy(got, integration["signingSecret"].(string)) || signedBy(got, "another") {
			t.Errorf("it is signed %q", got.Header.Get("x-botyard-signature"))
		}

		// Saved as it is, or renamed: nothing the integration would notice.
		stands(t, installed(t, a, bot, "one", object{"configuration": object{"token": "t1 ☃"}}), "registered")
		updateBot(t, a, bot, object{"name": "renamed"})
		far.Await(t, webhook, "register")

		// Two secrets sign after a rotation.
		var rotated struct{ NewSigningSecret string }
		a.Do(t, "POST", integrationPath(integration["id"])+"/signing-secrets/rotate", object{}, &rotated)
		stands(t, installed(t, a, bot, "one", object{"configurationType": "other", "configuration": object{}}), "registered")
		far.Await(t, webhook, "register", "register")
		got = far.Calls()[1]
		if !signedBy(got, integration["signingSecret"].(string)) || !signedBy(got, rotated.NewSigningSecret) {
			t.Errorf("it is signed %q", got.Header.Get("x-botyard-signature"))
		}
		if got.Header.Get("x-bp-configuration-type") != "other" || got.Header.Get("x-bp-configuration") != "e30=" {
			t.Errorf("the headers are %v", got.Header)
		}

		// Switched off and changed at once, it is unregistered with what it had.
		stands(t, installed(t, a, bot, "one", object{"enabled": false, "configurationType": nil, "configuration": object{"new": true}}), "unregistered")
		far.Await(t, webhook, "register", "register", "unregister")
		if got = far.Calls()[2]; got.Header.Get("x-bp-configuration-type") != "other" || got.Body != fmt.Sprintf(`{"webhookUrl":%q}`, one["webhookUrl"]) {
			t.Errorf("it was unregistered with %v, %s", got.Header, got.Body)
		}
		stands(t, installed(t, a, bot, "one", object{"enabled": false}), "unregistered")
		stands(t, installed(t, a, bot, "one", object{"enabled": true}), "registered")
		far.Await(t, webhook, "register", "register", "unregister", "register")

		// Another version is told; another integration takes the place of the first.
		next := called(t, a, handle, far.URL, object{"name": integration["name"], "version": "1.1.0", "configurations": object{"other": object{"schema": object{}}}})
		stands(t, installed(t, a, bot, "one", object{"integrationId": next["id"]}), "registered")
		far.Await(t, webhook, "register", "register", "unregister", "register", "register")
		elsewhere := harness.NewFarSide(t)
		stands(t, installed(t, a, bot, "one", object{"integrationId": called(t, a, handle, elsewhere.URL, nil)["id"]}), "registered")
		far.Await(t, webhook, "register", "register", "unregister", "register", "register", "unregister")
		elsewhere.Await(t, webhook, "register")

		// Removed, with the bot still there.
		setUp(t, a, bot, object{"integrations": object{"one": nil}})
		elsewhere.Await(t, webhook, "register", "unregister")
	})
}

// What is deleted is unregistered, although nothing of it is left to look up.
func TestUnregistrationOfWhatIsDeleted(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		far := harness.NewFarSide(t)
		a, handle := shopkeeper(t, s)
		bot := createBot(t, a, object{})["id"].(string)
		integration := called(t, a, handle, far.URL, nil)
		one := installed(t, a, bot, "one", object{"integrationId": integration["id"], "configuration": object{"token": "secret"}})
		off := installed(t, a, bot, "off", object{"integrationId": integration["id"], "enabled": false})
		a.Do(t, "DELETE", botsPath+"/"+bot, object{}, nil)
		far.Await(t, one["webhookId"].(string), "register", "unregister")
		far.Await(t, off["webhookId"].(string))

		bot = createBot(t, a, object{})["id"].(string)
		two := installed(t, a, bot, "two", object{"integrationId": integration["id"], "configuration": object{"token": "secret"}})
		a.Do(t, "DELETE", workspacesPath+"/"+a.Workspace, object{}, nil)
		far.Await(t, two["webhookId"].(string), "register", "unregister")
		calls := far.Calls()
		last := calls[len(calls)-1]
		if got := last.Header.Get("x-bp-configuration"); got != base64.StdEncoding.EncodeToString([]byte(`{"token":"secret"}`)) {
			t.Errorf("unregistered with the configuration %q", got)
		}
		if !signedBy(last, integration["signingSecret"].(string)) {
			t.Error("the call after the deletion is not signed")
		}
		harness.Eventually(t, "the departed instances to be forgotten", func() bool {
			var left int
			if err := s.DB.Reader(t.Context()).QueryRow(t.Context(), `SELECT COUNT(*) FROM departed_instances WHERE webhook_id IN ($1, $2)`, one["webhookId"], two["webhookId"]).Scan(&left); err != nil {
				t.Fatal(err)
			}
			return left == 0
		})
	})
}

func TestRegistrationFails(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		far := harness.NewFarSide(t)
		bot := createBot(t, a, object{})["id"].(string)
		integration := called(t, a, handle, far.URL, nil)
		long := strings.Repeat("ä", 3000)
		told := func(message string) string {
			text, err := json.Marshal(object{"id": "err_1", "code": 400, "type": "Runtime", "message": message})
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		tests := map[string]struct { // by the instance's alias
			reply harness.Reply
			calls int
			words []string
		}{
			"words":      {harness.Reply{Status: 400, Body: told("The token <b>\"t\"</b> is not valid: \n ask Ann 🤖")}, 1, []string{"The token <b>\"t\"</b> is not valid: \n ask Ann 🤖"}},
			"unexpected": {harness.Reply{Status: 500, Body: told("An unexpected error occurred in the integration.")}, 3, []string{"An unexpected error occurred in the integration."}},
			"long":       {harness.Reply{Status: 400, Body: told(long)}, 1, []string{strings.Repeat("ä", 1999) + "…"}},
			"invalid":    {harness.Reply{Status: 400, Body: `{"id":"1","code":400,"type":"InvalidPayload","message":"secret words"}`}, 1, []string{"HTTP 400, InvalidPayload"}},
			"context":    {harness.Reply{Status: 500, Body: `{"error":"secret words"}`}, 3, []string{"HTTP 500", "log"}},
			"page":       {harness.Reply{Status: 404, Body: `<html>secret words</html>`}, 1, []string{"HTTP 404"}},
			"redirect":   {harness.Reply{Status: 302, Header: map[string]string{"location": "/elsewhere"}}, 1, []string{"redirect", "302"}},
			"nul":        {harness.Reply{Status: 400, Body: told("a\x00b")}, 1, []string{"ab"}},
			"empty":      {harness.Reply{Status: 400, Body: told(" ")}, 1, []string{"HTTP 400, Runtime"}},
			"away":       {harness.Reply{Status: 503}, 3, []string{"HTTP 503"}},
			"endless":    {harness.Reply{Body: strings.Repeat("x", 100<<10)}, 1, []string{"larger than"}},
		}
		var back atomic.Int64
		far.Answers(func(c harness.Call) harness.Reply {
			alias := c.Header.Get("x-integration-alias")
			if alias == "back" && back.Add(1) < 3 {
				return harness.Reply{Status: 502}
			}
			return tests[alias].reply
		})
		setups := object{"back": object{"integrationId": integration["id"]}}
		for alias := range tests {
			setups[alias] = object{"integrationId": integration["id"]}
		}
		made := setUp(t, a, bot, object{"integrations": setups})
		for alias, test := range tests {
			i := under(made, "integrations", alias).(object)
			stands(t, i, "registration_failed", test.words...)
			if strings.Contains(i["statusReason"].(string), "secret words") {
				t.Errorf("%s: the reason is %q", alias, i["statusReason"])
			}
			if n := len(far.Told(i["webhookId"].(string))); n != test.calls {
				t.Errorf("%s: %d calls, want %d", alias, n, test.calls)
			}
		}

		// A far side that is back is registered by the same update; a failed one by
		// saving again.
		stands(t, under(made, "integrations", "back").(object), "registered")
		far.Answers(func(harness.Call) harness.Reply { return harness.Reply{} })
		stands(t, installed(t, a, bot, "words", object{}), "registered")

		held := make(chan struct{})
		release := sync.OnceFunc(func() { close(held) })
		t.Cleanup(release)
		far.Answers(func(harness.Call) harness.Reply { <-held; return harness.Reply{} })
		hurried := called(t, a, handle, far.URL, object{"maxExecutionTime": 1})
		stands(t, installed(t, a, bot, "slow", object{"integrationId": hurried["id"]}), "registration_failed", "did not answer within 1s")
		release()
		far.Answers(func(c harness.Call) harness.Reply { return harness.Reply{Status: 400, Body: told("stay")} })
		stands(t, installed(t, a, bot, "back", object{"enabled": false}), "unregistration_failed", "stay")
		far.Answers(func(c harness.Call) harness.Reply { return harness.Reply{} })
		stands(t, installed(t, a, bot, "back", object{"enabled": true}), "registered")
	})
}

// Nothing pretends to have run, and nothing inside the network is called.
func TestRegistrationRefused(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		bot := createBot(t, a, object{})["id"].(string)
		idle := publish(t, a, "integration", object{"name": handle + "/idle", "code": "module.exports = {}"})
		stands(t, installed(t, a, bot, "idle", object{"integrationId": idle["id"]}), "registration_pending", "no url", "does not run code")
		stands(t, installed(t, a, bot, "idle", object{"enabled": false}), "unregistered")
		for name, url := range map[string]string{
			"a private address": "http://10.0.0.1:9/", "a link-local address": "http://[::ffff:169.254.169.254]/latest", "an address in an unusual form": "http://0xA.1/",
		} {
			i := called(t, a, handle, url, nil)
			stands(t, installed(t, a, bot, strings.Fields(name)[1], object{"integrationId": i["id"]}), "registration_failed", name, "egress_allow")
		}

		// Deployed with a url and saved again, it is called.
		far := harness.NewFarSide(t)
		updateIntegration(t, a, idle["id"], object{"url": far.URL})
		stands(t, installed(t, a, bot, "idle", object{"enabled": true}), "registered")
	})
}

// An update answers in time; what it began goes on, and the newest setup is what
// counts, however late an older call ends.
func TestRegistrationLate(t *testing.T) {
	harness.RunAlone(t, []string{"--registration-wait", "300ms"}, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		far := harness.NewFarSide(t)
		bot := createBot(t, a, object{})["id"].(string)
		integration := called(t, a, handle, far.URL, nil)
		held := make(chan struct{})
		release := sync.OnceFunc(func() { close(held) })
		t.Cleanup(release)
		var running, overlapping atomic.Int64
		old := base64.StdEncoding.EncodeToString([]byte(`{"n":1}`))
		far.Answers(func(c harness.Call) harness.Reply {
			if running.Add(1) > 1 {
				overlapping.Add(1)
			}
			defer running.Add(-1)
			if c.Header.Get("x-bp-configuration") == old {
				<-held
				return harness.Reply{}
			}
			return harness.Reply{Status: 400, Body: `{"id":"1","code":400,"type":"Runtime","message":"the newest"}`}
		})
		started := time.Now()
		one := installed(t, a, bot, "one", object{"integrationId": integration["id"], "configuration": object{"n": 1}})
		stands(t, one, "registration_pending", "not called yet")
		if took := time.Since(started); took > time.Minute { // the integration does not answer at all
			t.Errorf("the update took %s", took)
		}
		far.Await(t, one["webhookId"].(string), "register")
		stands(t, installed(t, a, bot, "one", object{"configuration": object{"n": 2}}), "registration_pending", "not called yet")
		release()
		becomes(t, a, bot, "one", "registration_failed", "the newest")
		far.Await(t, one["webhookId"].(string), "register", "register")
		if n := overlapping.Load(); n != 0 {
			t.Errorf("%d calls overlapped", n)
		}
	})
}

// A call that was under way to the old url of an integration when it got another does not
// count, whatever comes of it: the instance is registered at the new one.
func TestRegistrationWhileMoving(t *testing.T) {
	harness.RunAlone(t, []string{"--registration-wait", "0s"}, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		far := harness.NewFarSide(t)
		integration := called(t, a, handle, far.URL+"/old", nil)
		refusal := harness.Reply{Status: 400, Body: `{"id":"1","code":400,"type":"Runtime","message":"not here"}`}
		far.Answers(func(harness.Call) harness.Reply { return refusal })
		failed := createBot(t, a, object{})["id"].(string)
		installed(t, a, failed, "one", object{"integrationId": integration["id"]})
		becomes(t, a, failed, "one", "registration_failed", "not here")

		held := make(chan struct{})
		release := sync.OnceFunc(func() { close(held) })
		t.Cleanup(release)
		far.Answers(func(c harness.Call) harness.Reply {
			if c.Path == "/new" {
				return harness.Reply{}
			}
			<-held
			return refusal
		})
		moving := createBot(t, a, object{})["id"].(string)
		webhook := installed(t, a, moving, "one", object{"integrationId": integration["id"]})["webhookId"].(string)
		far.Await(t, webhook, "register")
		updateIntegration(t, a, integration["id"], object{"url": far.URL + "/new"})
		becomes(t, a, failed, "one", "registered") // so the instances have been gone through
		release()
		becomes(t, a, moving, "one", "registered")
		far.Await(t, webhook, "register", "register")
	})
}

// An update does not wait for an instance that another update has uninstalled since.
func TestRegistrationOfWhatIsGone(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		far, release := harness.NewFarSide(t), make(chan struct{})
		t.Cleanup(func() { close(release) })
		far.Answers(func(c harness.Call) harness.Reply {
			if c.Operation == "register" {
				<-release
			}
			return harness.Reply{Body: "{}"}
		})
		integration := called(t, a, handle, far.URL, nil)
		bot := createBot(t, a, object{})["id"].(string)
		answered := make(chan error, 1)
		go func() {
			_, err := try(t, a, "PUT", botsPath+"/"+bot, object{"integrations": object{integration["id"].(string): object{}}}, 200)
			answered <- err
		}()
		harness.Eventually(t, "the registration to begin", func() bool { return len(far.Calls()) == 1 })
		updateBot(t, a, bot, object{"integrations": object{integration["id"].(string): nil}})
		select {
		case err := <-answered:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(30 * time.Second): // it waits for a minute for what is there
			t.Error("the update waits for an instance that is gone")
		}
	})
}

// Bots are told when they are deployed where they run.
func TestBotRegistration(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		far := harness.NewFarSide(t)
		made := createBot(t, a, object{"dev": true, "url": far.URL, "configuration": object{"data": object{"k": "v"}, "schema": object{}}})
		far.Await(t, "", "register")
		got := far.Calls()[0]
		for name, want := range map[string]string{
			"x-bot-id": made["id"].(string), "x-bp-operation": "register", "x-bp-type": "register",
			"x-bp-configuration": base64.StdEncoding.EncodeToString([]byte(`{"k":"v"}`)),
		} {
			if got.Header.Get(name) != want {
				t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
			}
		}
		if got.Body != "" || got.Header["X-Integration-Id"] != nil || !signedBy(got, made["signingSecret"].(string)) {
			t.Errorf("the bot was called with %q, %v", got.Body, got.Header)
		}
		updateBot(t, a, made["id"], object{"name": "renamed"})
		updateBot(t, a, made["id"], object{"code": "new"})
		far.Await(t, "", "register", "register")
		updateBot(t, a, made["id"], object{"url": nil})
		a.Do(t, "DELETE", botsPath+"/"+made["id"].(string), object{}, nil)
		time.Sleep(100 * time.Millisecond)
		far.Await(t, "", "register", "register")
	})
}

func TestPing(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		far := harness.NewFarSide(t)
		one := installed(t, a, createBot(t, a, object{})["id"], "one", object{"integrationId": called(t, a, handle, far.URL, nil)["id"]})
		i, found, err := s.Bots.Called(t.Context(), id.Webhook(one["webhookId"].(string)))
		if err != nil || !found {
			t.Fatalf("the instance is not found: %v", err)
		}
		if err := s.Dispatch.Ping(t.Context(), i.Callee); err != nil {
			t.Error(err)
		}
		far.Await(t, one["webhookId"].(string), "register", "ping")
		if body := far.Calls()[1].Body; body != "" {
			t.Errorf("a ping has the body %q", body)
		}
		far.Answers(func(harness.Call) harness.Reply { return harness.Reply{Status: 503} })
		if err := s.Dispatch.Ping(t.Context(), i.Callee); !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "HTTP 503") {
			t.Errorf("a far side that is away: %v", err)
		}
	})
}
