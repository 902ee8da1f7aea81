package exercise_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/test/harness"
)

// moving is a bot whose instance changes while its integrations are being called.
type moving struct {
	s      *harness.Server
	a      *harness.Actor
	handle string
	far    *harness.FarSide
	bot    string
}

// What integrations and bots are told keeps the order of the changes, and what they answer
// counts only for what they were asked, however the changes meet the calls.
func TestCallsThatMeetChanges(t *testing.T) {
	harness.RunAlone(t, []string{"--registration-wait", "0s"}, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		for name, test := range map[string]func(*testing.T, moving){
			"replaced twice before the first was told":   replacedTwice,
			"switched on and off during a departure":     switchedDuringDeparture,
			"removed and restored during a call":         restoredDuringCall,
			"replaced by what waits for an identifier":   replacedByWaiting,
			"an identifier lost during a call":           identifierLost,
			"an identifier of what was replaced":         identifierOfReplaced,
			"an identifier of what was switched off":     identifierOfSwitchedOff,
			"configured after calls that failed":         configuredAfterFailures,
			"moved after calls that failed":              movedAfterFailures,
			"switched off again after calls that failed": switchedOffAgain,
			"deployed after calls that failed":           deployedAfterFailures,
			"deployed elsewhere during a call":           deployedDuringCall,
			"transferred during a call":                  transferredDuringCall,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				m := moving{s, a, handle, harness.NewFarSide(t), createBot(t, a, object{})["id"].(string)}
				test(t, m)
			})
		}
	})
}

// at is an integration that runs at a path of the far side.
func (m moving) at(t *testing.T, path string, more object) any {
	t.Helper()
	return called(t, m.a, m.handle, m.far.URL+path, more)["id"]
}

// setUp sets the instance up, and returns its webhook.
func (m moving) setUp(t *testing.T, setup object) string {
	t.Helper()
	webhook, _ := installed(t, m.a, m.bot, "one", setup)["webhookId"].(string)
	return webhook
}

// becomes waits until the instance stands where it is said.
func (m moving) becomes(t *testing.T, status string, words ...string) {
	t.Helper()
	becomes(t, m.a, m.bot, "one", status, words...)
}

// Replies of a far side.
var (
	// away is one after which the call is made again.
	away = harness.Reply{Status: http.StatusServiceUnavailable}
	// rejection is one after which it is not.
	rejection = harness.Reply{Status: http.StatusBadRequest, Body: `{"id":"1","code":400,"type":"Runtime","message":"not here"}`}
)

// answers has the far side answer the calls of an operation at a path by the replies, in
// their order; what is beyond them, and every other call, succeeds. The first of the
// replies waits for release.
func (m moving) answers(t *testing.T, call string, replies ...harness.Reply) (release func()) {
	t.Helper()
	var mu sync.Mutex
	asked, gate := 0, make(chan struct{})
	release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	m.far.Answers(func(c harness.Call) harness.Reply {
		if toldAt(c) != call {
			return harness.Reply{Body: "{}"}
		}
		mu.Lock()
		n := asked
		asked++
		mu.Unlock()
		if n == 0 {
			<-gate
		}
		if n < len(replies) {
			return replies[n]
		}
		return harness.Reply{Body: "{}"}
	})
	return release
}

// toldAt is the path and the operation of a call.
func toldAt(c harness.Call) string { return c.Path + " " + c.Operation }

// told are all calls of a webhook, or of the bot when it is empty.
func (m moving) told(webhook string) (told []string) {
	for _, c := range m.far.Calls() {
		if c.Webhook == webhook {
			told = append(told, toldAt(c))
		}
	}
	return told
}

// waits waits until as many calls of a webhook were made.
func (m moving) waits(t *testing.T, webhook string, calls int) {
	t.Helper()
	harness.Eventually(t, fmt.Sprintf("%d calls", calls), func() bool { return len(m.told(webhook)) >= calls })
}

// ends waits until no call of the webhook is due, or of the bot when it is empty, and
// compares all calls with those that should have been made.
func (m moving) ends(t *testing.T, webhook string, want ...string) {
	t.Helper()
	key := "call-instance/" + webhook
	if webhook == "" {
		key = "call-bot/" + m.bot
	}
	harness.Eventually(t, "no call to be due", func() bool {
		var due int
		if err := m.s.DB.Reader(t.Context()).QueryRow(t.Context(), `SELECT COUNT(*) FROM jobs WHERE unique_key = $1`, key).Scan(&due); err != nil {
			t.Fatal(err)
		}
		return due == 0
	})
	if diff := cmp.Diff(want, m.told(webhook)); diff != "" {
		t.Errorf("what was told (-want +got):\n%s", diff)
	}
}

// Only the first integration ever knew the instance, so it is the one to be told.
func replacedTwice(t *testing.T, m moving) {
	x, y, z := m.at(t, "/x", nil), m.at(t, "/y", nil), m.at(t, "/z", nil)
	webhook := m.setUp(t, object{"integrationId": x})
	m.becomes(t, "registered")
	release := m.answers(t, "/x unregister", away)
	m.setUp(t, object{"integrationId": y})
	m.waits(t, webhook, 2)
	m.setUp(t, object{"integrationId": z})
	release()
	m.becomes(t, "registered")
	m.ends(t, webhook, "/x register", "/x unregister", "/x unregister", "/z register")
}

func switchedDuringDeparture(t *testing.T, m moving) {
	webhook := m.setUp(t, object{"integrationId": m.at(t, "/x", nil)})
	m.becomes(t, "registered")
	release := m.answers(t, "/x unregister")
	m.setUp(t, object{"enabled": false})
	m.waits(t, webhook, 2)
	for _, enabled := range []bool{true, false, true} {
		m.setUp(t, object{"enabled": enabled})
	}
	release()
	m.becomes(t, "registered")
	m.ends(t, webhook, "/x register", "/x unregister", "/x unregister", "/x register")
}

func restoredDuringCall(t *testing.T, m moving) {
	release := m.answers(t, "/x register")
	webhook := m.setUp(t, object{"integrationId": m.at(t, "/x", nil)})
	m.waits(t, webhook, 1)
	version := saveVersion(t, m.a, m.bot, "installed")
	setUp(t, m.a, m.bot, object{"integrations": object{"one": nil}})
	deployVersion(t, m.a, m.bot, version)
	release()
	m.becomes(t, "registered")
	m.ends(t, webhook, "/x register", "/x unregister", "/x register")
}

func replacedByWaiting(t *testing.T, m moving) {
	webhook := m.setUp(t, object{"integrationId": m.at(t, "/x", nil)})
	m.becomes(t, "registered")
	m.setUp(t, object{"integrationId": m.at(t, "/y", object{"configuration": object{"identifier": object{"required": true}}})})
	m.ends(t, webhook, "/x register", "/x unregister")
	m.becomes(t, "registration_pending", "authorised")
}

// identifies calls a webhook whose integration answers with an identifier.
func (m moving) identifies(t *testing.T, webhook string) {
	t.Helper()
	if status, _, body := knock(t, "POST", m.s.Base+"/webhook/"+webhook, ""); status != http.StatusOK {
		t.Errorf("the webhook answered %d %s", status, body)
	}
}

func identifierLost(t *testing.T, m moving) {
	identified := harness.Reply{Header: map[string]string{"X-Bp-Integration-Identifier": m.bot}}
	m.far.Answers(func(harness.Call) harness.Reply { return identified })
	x := m.at(t, "/x", nil)
	webhook := m.setUp(t, object{"integrationId": x})
	m.becomes(t, "registered")
	m.identifies(t, webhook)
	two := installed(t, m.a, m.bot, "two", object{"integrationId": x})["webhookId"].(string)
	becomes(t, m.a, m.bot, "two", "registered")
	gate := make(chan struct{})
	release := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	m.far.Answers(func(c harness.Call) harness.Reply {
		if c.Operation == "register" {
			<-gate
		}
		return identified
	})
	m.setUp(t, object{"configuration": object{"n": 2}})
	m.waits(t, webhook, 3)
	m.identifies(t, two)
	release()
	m.becomes(t, "registered")
	all := readBot(t, m.a, m.bot)
	if under(all, "integrations", "one", "identifier") != nil || under(all, "integrations", "two", "identifier") != m.bot {
		t.Errorf("the instances are %v", all["integrations"])
	}
}

// identified has the integration answer a webhook with an identifier after the change, and
// fails the test if the instance gets it.
func (m moving) identified(t *testing.T, webhook string, change func()) {
	t.Helper()
	release := m.answers(t, "/x webhook_received", harness.Reply{Header: map[string]string{"X-Bp-Integration-Identifier": m.bot}})
	var done sync.WaitGroup
	done.Go(func() { m.identifies(t, webhook) })
	harness.Eventually(t, "the webhook to be relayed", func() bool { return slices.Contains(m.told(webhook), "/x webhook_received") })
	change()
	release()
	done.Wait()
	if i := under(readBot(t, m.a, m.bot), "integrations", "one", "identifier"); i != nil {
		t.Errorf("the instance has the identifier %v", i)
	}
}

func identifierOfReplaced(t *testing.T, m moving) {
	webhook := m.setUp(t, object{"integrationId": m.at(t, "/x", nil)})
	m.becomes(t, "registered")
	y := m.at(t, "/y", object{"configuration": object{"identifier": object{"required": true}}})
	m.identified(t, webhook, func() { m.setUp(t, object{"integrationId": y}) })
	m.ends(t, webhook, "/x register", "/x webhook_received", "/x unregister")
	m.becomes(t, "registration_pending", "authorised")
}

func identifierOfSwitchedOff(t *testing.T, m moving) {
	webhook := m.setUp(t, object{"integrationId": m.at(t, "/x", nil)})
	m.becomes(t, "registered")
	m.identified(t, webhook, func() {
		m.setUp(t, object{"enabled": false})
		m.becomes(t, "unregistered")
	})
	m.becomes(t, "unregistered")
}

func configuredAfterFailures(t *testing.T, m moving) {
	release := m.answers(t, "/x register", away, away, away)
	webhook := m.setUp(t, object{"integrationId": m.at(t, "/x", nil)})
	release()
	m.waits(t, webhook, 2)
	m.setUp(t, object{"configuration": object{"n": 2}})
	m.becomes(t, "registered")
}

func movedAfterFailures(t *testing.T, m moving) {
	release := m.answers(t, "/x register", away, away)
	x := m.at(t, "/x", nil)
	webhook := m.setUp(t, object{"integrationId": x})
	release()
	m.waits(t, webhook, 2)
	m.answers(t, "/y register", away)()
	updateIntegration(t, m.a, x, object{"url": m.far.URL + "/y"})
	m.becomes(t, "registered")
}

func switchedOffAgain(t *testing.T, m moving) {
	webhook := m.setUp(t, object{"integrationId": m.at(t, "/x", nil)})
	m.becomes(t, "registered")
	release := m.answers(t, "/x unregister", away, away, away)
	m.setUp(t, object{"enabled": false})
	release()
	m.waits(t, webhook, 3)
	m.setUp(t, object{"enabled": true})
	m.setUp(t, object{"enabled": false})
	m.becomes(t, "unregistered")
}

func deployedAfterFailures(t *testing.T, m moving) {
	release := m.answers(t, "/bot register", away, away, away)
	updateBot(t, m.a, m.bot, object{"url": m.far.URL + "/bot"})
	release()
	m.waits(t, "", 2)
	updateBot(t, m.a, m.bot, object{"code": "another"})
	m.ends(t, "", "/bot register", "/bot register", "/bot register", "/bot register")
	issuesOf(t, m.a, m.bot, 0)
}

func deployedDuringCall(t *testing.T, m moving) {
	release := m.answers(t, "/old register", rejection)
	updateBot(t, m.a, m.bot, object{"url": m.far.URL + "/old"})
	m.waits(t, "", 1)
	updateBot(t, m.a, m.bot, object{"url": m.far.URL + "/new"})
	release()
	m.ends(t, "", "/old register", "/new register")
	issuesOf(t, m.a, m.bot, 0)
}

func transferredDuringCall(t *testing.T, m moving) {
	to := newWorkspace(t, m.a)
	release := m.answers(t, "/x register", rejection)
	webhook := m.setUp(t, object{"integrationId": m.at(t, "/x", object{"visibility": "public"})})
	m.waits(t, webhook, 1)
	if answer := transfer(t, m.a, m.bot, to.Workspace); answer.Status != http.StatusOK {
		t.Fatalf("the transfer answered %d %s", answer.Status, answer.Body)
	}
	release()
	becomes(t, to, m.bot, "one", "registration_failed", "not here")
	issuesOf(t, to, m.bot, 1)
}
