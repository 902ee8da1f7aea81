package crash_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/botyard/botyard/test/harness"
	"github.com/botyard/botyard/test/stripe"
)

// reaper kills the server at the steps of payments: the first time that a step of a
// charge comes, before it is done, and the second time after it was done and before
// it is answered. So it dies between every two steps.
type reaper struct {
	sync.Mutex
	server *harness.Process
	seen   map[string]int
	deaths int
}

// step answers what becomes of a step, after it killed whom it must.
func (r *reaper) step(name string) stripe.Trouble {
	r.Lock()
	defer r.Unlock()
	r.seen[name]++
	if n := r.seen[name]; n > 2 {
		return stripe.NoTrouble
	} else if n == 2 {
		return stripe.LostAnswer
	}
	r.kill()
	return stripe.LostRequest
}

// done kills at the second coming of a step.
func (r *reaper) done(name string) {
	r.Lock()
	defer r.Unlock()
	if r.seen[name] == 2 {
		r.seen[name]++
		r.kill()
	}
}

func (r *reaper) kill() {
	r.deaths++
	r.server.Kill()
}

// TestKilledPayments: a card that is declined, tried again by day until the workspace
// is blocked, and a good card that lifts it, while the server dies between every two
// steps of every charge. Every try is made once and no money is taken twice.
func TestKilledPayments(t *testing.T) {
	t.Parallel()
	for _, engine := range harness.Engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			f, dir, url := stripe.New(t), t.TempDir(), harness.DatabaseURL(t, engine)
			reap := &reaper{seen: map[string]int{}}
			start := func() *harness.Actor {
				server := harness.StartBinary(t, dir, url, "--dev", "--payment-provider", "stripe",
					"--stripe-key", stripe.Key, "--stripe-webhook-secret", stripe.WebhookSecret, "--stripe-url", f.URL)
				reap.Lock()
				reap.server = server
				reap.Unlock()
				return server.Owner(t)
			}
			now := time.Now().UTC().Add(harness.MidMonth(t, dir))
			owner := start()
			owner.Do(t, "POST", "/v2/billing/payment-methods", object{"paymentMethodId": "pm_card_visa"}, nil)
			harness.Command(t, "workspace", "set-plan", "--data", dir, "--database-url", url, "--dev", "--id", owner.Workspace, "--plan", "community")
			owner.Do(t, "PUT", "/v2/billing/plans", object{"planId": "plus", "interval": "month"}, nil)
			owner.Do(t, "POST", "/v2/billing/payment-methods", object{"paymentMethodId": "pm_card_chargeDeclined"}, nil)

			// From here on the steps of every charge are deadly. Which charge a step is of
			// is told by how many charges were made known before.
			names := map[string]string{}
			var naming sync.Mutex
			name := func(step string) string {
				naming.Lock()
				defer naming.Unlock()
				names[step] = fmt.Sprint(step, " ", len(f.Intents()))
				return names[step]
			}
			named := func(step string) string {
				naming.Lock()
				defer naming.Unlock()
				return names[step]
			}
			f.OnStep(func(step string) stripe.Trouble {
				if step != "payment_intent" && step != "confirm" && step != "get" {
					return stripe.NoTrouble
				}
				return reap.step(name(step))
			})
			f.OnDone(func(step string) {
				if step == "payment_intent" || step == "confirm" || step == "get" {
					reap.done(named(step))
				}
			})
			// await starts the server again whenever it has died, and advances by minutes, so
			// that the jobs of the dead one are free, until the invoices are as they are to be.
			await := func(what string, done func([]owed, bool) bool) {
				t.Helper()
				for deadline := time.Now().Add(2 * harness.Patience); ; {
					if time.Now().After(deadline) {
						list, blocked, err := look(t, owner)
						t.Fatalf("in vain waited for: %s; it is %+v, blocked %t, %v; steps %v", what, list, blocked, err, f.Steps())
					}
					list, blocked, err := look(t, owner)
					if err != nil {
						owner = start()
						harness.Advance(t, dir, 3*time.Minute)
						continue
					}
					if done(list, blocked) {
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			}
			harness.Advance(t, dir, time.Date(now.Year(), now.Month()+1, 1, 0, 1, 0, 0, time.UTC).Sub(now))
			await("the first refusal", func(l []owed, _ bool) bool { return len(l) == 2 && l[0].PaymentAttemptCount == 1 })
			for n, days := range []int{1, 2, 2, 2} {
				harness.Advance(t, dir, time.Duration(days)*24*time.Hour)
				await(fmt.Sprintf("try %d", n+2), func(l []owed, _ bool) bool { return l[0].PaymentAttemptCount >= n+2 })
			}
			await("the block", func(_ []owed, blocked bool) bool { return blocked })
			list, _, err := look(t, owner)
			if err != nil || list[0].PaymentAttemptCount != 5 || list[0].NextPaymentAttemptDate != "" || list[0].PaymentStatus != "open" {
				t.Errorf("blocked: %+v, %v", list, err)
			}
			owner.Do(t, "POST", "/v2/billing/payment-methods", object{"paymentMethodId": "pm_card_visa"}, nil)
			await("the payment that lifts the block", func(l []owed, blocked bool) bool { return !blocked && l[0].PaymentStatus == "paid" })
			if amount, times := f.Taken(list[0].ID); times != 1 || amount != 8900 {
				t.Errorf("%d cents were taken, in %d payments", amount, times)
			}
			confirmed := 0
			for _, i := range f.Intents() {
				if i.Metadata["botyard_invoice"] == list[0].ID && i.Status != "requires_confirmation" {
					confirmed++
				}
			}
			if confirmed != 6 {
				t.Errorf("%d charges were confirmed, want the 5 that were declined and the one that paid", confirmed)
			}
			if reap.deaths < 20 {
				t.Errorf("the server died %d times only", reap.deaths)
			}
			t.Logf("the server died %d times; steps: %s", reap.deaths, strings.Join(f.Steps(), " "))
		})
	}
}

type object = map[string]any

// owed is an invoice and how its collection stands.
type owed struct {
	ID, PaymentStatus, NextPaymentAttemptDate string
	PaymentAttemptCount                       int
}

// look reads the invoices, the newest first, and whether the workspace is blocked.
func look(t *testing.T, owner *harness.Actor) (list []owed, blocked bool, err error) {
	t.Helper()
	path := "/v1/admin/workspaces/" + owner.Workspace
	var w struct{ Blocked bool }
	var invoices struct{ Invoices []owed }
	for of, out := range map[string]any{path: &w, path + "/billing/invoices": &invoices} {
		answer, err := owner.Try(t.Context(), "GET", of, nil)
		if err != nil {
			return nil, false, err
		}
		if err := json.Unmarshal(answer.Body, out); err != nil {
			return nil, false, err
		}
	}
	return invoices.Invoices, w.Blocked, nil
}
