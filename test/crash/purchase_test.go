package crash_test

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/botyard/botyard/test/harness"
	"github.com/botyard/botyard/test/stripe"
)

// moment is when the server dies in a purchase: before a step of the charge is done,
// after it was done and before it is answered, some time after it was answered, or, with
// no step, some time after the request came.
type moment struct {
	step  string
	when  string // before, after, answered
	later time.Duration
}

func (m moment) String() string {
	return strings.TrimSpace(fmt.Sprint(m.step, " ", m.when, " ", m.later))
}

// steps are all moments of a charge that can be seen from outside; atRandom meet those
// between what is written before, between and after them.
var (
	steps = []moment{
		{step: "payment_intent", when: "before"}, {step: "payment_intent", when: "after"},
		{step: "confirm", when: "before"}, {step: "confirm", when: "after"},
	}
	atRandom = []moment{
		{step: "confirm", when: "answered"}, {step: "confirm", when: "answered", later: 3 * time.Millisecond},
		{when: "asked", later: 2 * time.Millisecond}, {when: "asked", later: 8 * time.Millisecond},
	}
)

// killer kills the server at one moment.
type killer struct {
	sync.Mutex
	server *harness.Process
	armed  *moment
	deaths int
	dead   chan struct{}
}

func (k *killer) arm(m moment) <-chan struct{} {
	k.Lock()
	defer k.Unlock()
	k.armed, k.dead = &m, make(chan struct{})
	return k.dead
}

// meets says that the armed moment has come, once.
func (k *killer) meets(step, when string) (m moment, met bool) {
	k.Lock()
	defer k.Unlock()
	if k.armed == nil || k.armed.step != step || k.armed.when != when {
		return m, false
	}
	m, k.armed = *k.armed, nil
	return m, true
}

func (k *killer) kill() {
	k.Lock()
	defer k.Unlock()
	k.deaths++
	k.server.Kill()
	close(k.dead)
}

// purchase is something that is bought.
type purchase struct {
	name string
	at   []moment
	// before makes a workspace ready, and buy buys; its answer may be lost.
	before func(t *testing.T, a *harness.Actor)
	buy    func(t *testing.T, a *harness.Actor)
	// had says whether it is had.
	had func(t *testing.T, a *harness.Actor) bool
	// again says that the request is repeated after the crash, as clients do.
	again bool
}

// TestKilledPurchases: whenever the server dies in a purchase, what is bought is had and
// was paid for once, or it is not had and nothing was taken.
func TestKilledPurchases(t *testing.T) {
	t.Parallel()
	for _, engine := range harness.Engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			f, dir, url, reap := stripe.New(t), t.TempDir(), harness.DatabaseURL(t, engine), &killer{}
			start := func(t *testing.T) *harness.Actor {
				server := harness.StartBinary(t, dir, url, "--dev", "--payment-provider", "stripe",
					"--stripe-key", stripe.Key, "--stripe-webhook-secret", stripe.WebhookSecret, "--stripe-url", f.URL)
				reap.Lock()
				reap.server = server
				reap.Unlock()
				return &harness.Actor{Client: server.Client, Token: harness.OwnerToken, Email: harness.OwnerEmail}
			}
			f.OnStep(func(step string) stripe.Trouble {
				if _, met := reap.meets(step, "before"); met {
					reap.kill()
					return stripe.LostRequest
				}
				return stripe.NoTrouble
			})
			f.OnDone(func(step string) {
				if _, met := reap.meets(step, "after"); met {
					reap.kill()
				}
				if m, met := reap.meets(step, "answered"); met {
					time.AfterFunc(m.later, reap.kill)
				}
			})
			harness.MidMonth(t, dir)
			bought := map[string]int{}
			for _, p := range purchases() {
				t.Run(p.name, func(t *testing.T) {
					owner := start(t)
					for _, m := range p.at {
						a := ready(t, owner, dir, url)
						if p.before != nil {
							p.before(t, a)
						}
						dead := reap.arm(m)
						if m.step == "" {
							time.AfterFunc(m.later, func() {
								if _, met := reap.meets("", m.when); met {
									reap.kill()
								}
							})
						}
						p.buy(t, a)
						if p.name == "auto-recharge" {
							harness.Advance(t, dir, 2*time.Minute)
						}
						select {
						case <-dead:
						case <-time.After(harness.Patience):
							t.Fatalf("%s: the server did not die; steps %v", m, f.Steps())
						}
						owner = start(t)
						harness.Advance(t, dir, 3*time.Minute)
						settled(t, dir, url)
						a = owner.In(a.Workspace)
						if p.again {
							p.buy(t, a)
						}
						if once(t, f, a, p, m) {
							bought[p.name]++
						}
					}
				})
			}
			t.Logf("the server died %d times; bought were %v", reap.deaths, bought)
		})
	}
}

// ready is a workspace on the plan community with a good card.
func ready(t *testing.T, owner *harness.Actor, dir, url string) *harness.Actor {
	t.Helper()
	var made struct{ ID string }
	owner.Do(t, "POST", "/v1/admin/workspaces", object{"name": "buyer"}, &made)
	harness.Command(t, "workspace", "set-plan", "--data", dir, "--database-url", url, "--dev", "--id", made.ID, "--plan", "community")
	a := owner.In(made.ID)
	a.Do(t, "POST", "/v2/billing/payment-methods", object{"paymentMethodId": "pm_card_visa"}, nil)
	return a
}

// settled waits until no payment waits for its outcome any more.
func settled(t *testing.T, dir, url string) {
	t.Helper()
	harness.Eventually(t, "the outcome of all payments", func() bool {
		return harness.Command(t, "payment", "list", "--json", "--data", dir, "--database-url", url, "--dev") == ""
	})
}

// once holds the money that was taken against the invoices and what is had.
func once(t *testing.T, f *stripe.Fake, a *harness.Actor, p purchase, m moment) (had bool) {
	t.Helper()
	var answer struct {
		Invoices []struct {
			ID, PaymentStatus string
			Amount            float64
		}
	}
	a.Do(t, "GET", "/v1/admin/workspaces/"+a.Workspace+"/billing/invoices", nil, &answer)
	issued := map[string]bool{}
	for _, i := range answer.Invoices {
		issued[i.ID] = true
		amount, times := f.Taken(i.ID)
		if i.PaymentStatus != "paid" || times != 1 || amount != int64(math.Round(i.Amount*100)) {
			t.Errorf("%s: the invoice over %v is %s, and %d cents were taken %d times", m, i.Amount, i.PaymentStatus, amount, times)
		}
	}
	for _, i := range f.Intents() {
		if i.Metadata["botyard_workspace"] == a.Workspace && i.Taken > 0 && !i.Refunded && !issued[i.Metadata["botyard_invoice"]] {
			t.Errorf("%s: %d cents were taken for nothing", m, i.Amount)
		}
	}
	earlier := 0
	if p.name == "upgrade" {
		earlier = 1
	}
	if had = p.had(t, a); had != (len(issued) == earlier+1) || p.again && !had {
		t.Errorf("%s: it is had: %t; there are %d invoices", m, had, len(issued))
	}
	return had
}

func purchases() []purchase {
	ask := func(method, path string, body object, headers ...string) func(*testing.T, *harness.Actor) {
		return func(t *testing.T, a *harness.Actor) {
			// The answer may be lost with the server; what came of it is looked at.
			answer, err := a.Try(t.Context(), method, path, body, append(headers, "Idempotency-Key", "of "+a.Workspace)...)
			if err == nil && answer.Status != http.StatusOK && answer.Status != http.StatusCreated && answer.Status != http.StatusConflict {
				t.Errorf("%s %s answered %d: %s", method, path, answer.Status, answer.Body)
			}
		}
	}
	type subscribed struct {
		Plan   struct{ Current struct{ PlanID string } }
		Addons map[string]struct{ Current struct{ Quantity float64 } }
	}
	on := func(plan string) func(*testing.T, *harness.Actor) bool {
		return func(t *testing.T, a *harness.Actor) bool {
			var s subscribed
			var w struct{ Plan string }
			a.Do(t, "GET", "/v2/billing/subscriptions", nil, &s)
			a.Do(t, "GET", "/v1/admin/workspaces/"+a.Workspace, nil, &w)
			if w.Plan != s.Plan.Current.PlanID {
				t.Errorf("the workspace is on %s, and pays for %s", w.Plan, s.Plan.Current.PlanID)
			}
			return w.Plan == plan
		}
	}
	has := func(addon string, n float64) func(*testing.T, *harness.Actor) bool {
		return func(t *testing.T, a *harness.Actor) bool {
			var s subscribed
			a.Do(t, "GET", "/v2/billing/subscriptions", nil, &s)
			return s.Addons[addon].Current.Quantity == n
		}
	}
	allowed := func(t *testing.T, a *harness.Actor) float64 {
		var answer struct{ Quota struct{ Value float64 } }
		a.Do(t, "GET", "/v1/admin/workspaces/"+a.Workspace+"/quota?type=ai_spend", nil, &answer)
		return answer.Quota.Value
	}
	plus := ask("PUT", "/v2/billing/plans", object{"planId": "plus", "interval": "month"})
	all := append(append([]moment{}, steps...), atRandom...)
	return []purchase{
		{name: "plan", at: all, buy: plus, had: on("plus")},
		{name: "upgrade", at: all, before: func(t *testing.T, a *harness.Actor) {
			a.Do(t, "PUT", "/v2/billing/plans", object{"planId": "plus", "interval": "month"}, nil)
		}, buy: ask("PUT", "/v2/billing/plans", object{"planId": "team", "interval": "year"}), had: on("team")},
		{name: "add-ons", at: all, buy: ask("PATCH", "/v2/billing/addons", object{"addons": object{"bot_addon": 50, "ai_credits_addon": 2}}), had: has("bot_addon", 50)},
		{name: "credit", at: all, again: true, buy: ask("POST", "/v2/billing/credit-grants", object{"amount": 20_000_000_000, "feature": "ai_spend"}),
			had: func(t *testing.T, a *harness.Actor) bool { return allowed(t, a) == 25_000_000_000 }},
		{name: "auto-recharge", at: steps, before: func(t *testing.T, a *harness.Actor) {
			var made struct{ Bot struct{ ID string } }
			a.Do(t, "POST", "/v1/admin/bots", object{}, &made)
			a.Do(t, "POST", "/v1/ingest", []byte(`{"kind":"usage","type":"invocation_calls","value":490}`), nil,
				"Content-Type", "application/x-ndjson", "x-bot-id", made.Bot.ID)
		}, buy: func(t *testing.T, a *harness.Actor) {
			a.Do(t, "PUT", "/v2/billing/auto-recharge/settings", object{"settings": object{"messages_events_addon": object{"enabled": true}}}, nil)
		}, had: has("messages_events_addon", 1)},
	}
}
