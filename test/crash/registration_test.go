package crash_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/harness"
)

const (
	installs = 60
	moves    = 4 // how often the integration gets another url
)

// yard is an integration that many bots have installed, which gets its url later.
type yard struct {
	integration string
	bots        []string
	far         *harness.FarSide
}

// makeYard installs an integration without a url in many bots. Its far side refuses
// every instance but at /final.
func makeYard(t *testing.T, owner *harness.Actor) yard {
	t.Helper()
	y := yard{far: harness.NewFarSide(t)}
	y.far.Answers(func(c harness.Call) harness.Reply {
		time.Sleep(20 * time.Millisecond)
		if c.Path == "/final" {
			return harness.Reply{Body: "{}"}
		}
		return harness.Reply{Status: 400, Body: `{"id":"1","code":400,"type":"Runtime","message":"not at ` + c.Path + `"}`}
	})
	var made struct{ Integration, Bot struct{ ID string } }
	owner.Do(t, http.MethodPost, "/v1/admin/integrations", map[string]any{"name": "late", "version": "1.0.0"}, &made)
	y.integration = made.Integration.ID
	for n := range installs {
		owner.Do(t, http.MethodPost, "/v1/admin/bots", map[string]any{"name": fmt.Sprint(n)}, &made)
		owner.Do(t, http.MethodPut, "/v1/admin/bots/"+made.Bot.ID, map[string]any{"integrations": map[string]any{y.integration: map[string]any{}}}, nil)
		y.bots = append(y.bots, made.Bot.ID)
	}
	return y
}

func (y yard) move(t *testing.T, owner *harness.Actor, path string) {
	t.Helper()
	owner.Do(t, http.MethodPut, "/v1/admin/integrations/"+y.integration, map[string]any{"url": y.far.URL + path}, nil)
}

// standings are how many of the instances stand where, and the webhooks of all.
func (y yard) standings(t *testing.T, owner *harness.Actor) (counts map[string]int, webhooks []string) {
	t.Helper()
	counts = map[string]int{}
	for _, bot := range y.bots {
		var got struct {
			Bot struct {
				Integrations map[string]struct{ Status, StatusReason, WebhookID string }
			}
		}
		owner.Do(t, http.MethodGet, "/v1/admin/bots/"+bot, nil, &got)
		for _, i := range got.Bot.Integrations {
			counts[i.Status+" "+i.StatusReason]++
			webhooks = append(webhooks, i.WebhookID)
		}
	}
	return counts, webhooks
}

// endsRegistered waits until every instance is registered, and holds what the far side
// was told against that: each at the last url at least once.
func (y yard) endsRegistered(t *testing.T, owner *harness.Actor) {
	t.Helper()
	var counts map[string]int
	var webhooks []string
	for deadline := time.Now().Add(harness.Patience); counts["registered "] != installs; time.Sleep(500 * time.Millisecond) {
		if counts, webhooks = y.standings(t, owner); time.Now().After(deadline) {
			t.Fatalf("the instances stand at %v, want %d registered", counts, installs)
		}
	}
	told := map[string]int{}
	for _, c := range y.far.Calls() {
		if c.Path == "/final" && c.Operation == "register" {
			told[c.Webhook]++
		}
	}
	for _, w := range webhooks {
		if told[w] == 0 {
			t.Errorf("the instance %s was never registered at the last url", w)
		}
	}
	time.Sleep(2 * time.Second) // for what would come late and be stale
	if counts, _ := y.standings(t, owner); counts["registered "] != installs {
		t.Errorf("later the instances stand at %v", counts)
	}
	t.Logf("%d calls for %d instances", len(y.far.Calls()), installs)
}

// Kill -9 while the instances of an integration are registered that gets a url, and
// another, and another: in the end each is registered at the last one, and nothing
// that an earlier one answered counts.
func TestKillWhileRegistering(t *testing.T) {
	t.Parallel()
	for _, engine := range harness.Engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			flags := []string{"--registration-wait", "0s", "--dev"}
			dir, url := t.TempDir(), harness.DatabaseURL(t, engine)
			server := harness.StartBinary(t, dir, url, flags...)
			y := makeYard(t, server.Owner(t))
			if counts, _ := y.standings(t, server.Owner(t)); counts["registration_pending Nothing runs this integration: it has no url, and this server does not run code. It is registered when the integration is deployed with a url."] != installs {
				t.Fatalf("without a url they stand at %v", counts)
			}
			for n := range moves {
				path := fmt.Sprintf("/%d", n)
				if n == moves-1 {
					path = "/final"
				}
				y.move(t, server.Owner(t), path)
				time.Sleep(rand.N(900 * time.Millisecond))
				server.Kill()
				server = harness.StartBinary(t, dir, url, flags...)
				// What the dead process had taken is free again after a minute.
				harness.Advance(t, dir, 2*time.Minute)
			}
			y.endsRegistered(t, server.Owner(t))
			server.Stop(t)
		})
	}
}

// Two servers on one database share the registrations: none is left out, and no
// instance is called by both at once.
func TestTwoServersRegister(t *testing.T) {
	dir, url := t.TempDir(), harness.DatabaseURL(t, db.PostgreSQL)
	flags := []string{"--registration-wait", "0s", "--dev"}
	servers := []*harness.Process{harness.StartBinary(t, dir, url, flags...), harness.StartBinary(t, dir, url, flags...)}
	y := makeYard(t, servers[0].Owner(t))
	for n, path := range []string{"/1", "/2", "/3", "/final"} {
		y.move(t, servers[n%2].Owner(t), path)
		time.Sleep(rand.N(300 * time.Millisecond))
	}
	y.endsRegistered(t, servers[1].Owner(t))
	calls := map[string][]time.Time{}
	for _, c := range y.far.Calls() {
		calls[c.Webhook] = append(calls[c.Webhook], c.At)
	}
	for w, at := range calls {
		slices.SortFunc(at, time.Time.Compare)
		for n := 1; n < len(at); n++ {
			if at[n].Sub(at[n-1]) < 20*time.Millisecond {
				t.Errorf("the instance %s was called twice within %s, and a call takes 20ms", w, at[n].Sub(at[n-1]))
			}
		}
	}
	for _, s := range servers {
		s.Stop(t)
	}
}

// A call that dies with its server is not one of those after which it is given up.
func TestKilledCallsAreNotCounted(t *testing.T) {
	t.Parallel()
	for _, engine := range harness.Engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			const kills = 3 // as often as a call that fails is made
			flags := []string{"--registration-wait", "0s", "--dev"}
			dir, url := t.TempDir(), harness.DatabaseURL(t, engine)
			server := harness.StartBinary(t, dir, url, flags...)
			far, end := harness.NewFarSide(t), make(chan struct{})
			t.Cleanup(func() { close(end) })
			far.Answers(func(harness.Call) harness.Reply {
				switch n := len(far.Calls()); {
				case n <= kills:
					<-end
				case n == kills+1:
					return harness.Reply{Status: http.StatusServiceUnavailable}
				}
				return harness.Reply{Body: "{}"}
			})
			var made struct{ Integration, Bot struct{ ID string } }
			owner := server.Owner(t)
			owner.Do(t, http.MethodPost, "/v1/admin/integrations", map[string]any{"name": "deadly", "version": "1.0.0", "url": far.URL}, &made)
			owner.Do(t, http.MethodPost, "/v1/admin/bots", map[string]any{}, &made)
			owner.Do(t, http.MethodPut, "/v1/admin/bots/"+made.Bot.ID, map[string]any{"integrations": map[string]any{made.Integration.ID: map[string]any{}}}, nil)
			for n := range kills {
				harness.Eventually(t, "the call", func() bool { return len(far.Calls()) == n+1 })
				server.Kill()
				server = harness.StartBinary(t, dir, url, flags...)
				harness.Advance(t, dir, 2*time.Minute) // what the dead process had taken is free again
			}
			y := yard{integration: made.Integration.ID, bots: []string{made.Bot.ID}, far: far}
			harness.Eventually(t, "the instance to be registered", func() bool {
				counts, _ := y.standings(t, server.Owner(t))
				return counts["registered "] == 1
			})
			server.Stop(t)
		})
	}
}
