package billing_test

import (
	"testing"

	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/plan"
)

// TestChangesInFirstTrial: what a workspace changes in its first trial, before it was ever
// billed, does not sell it the plan that it tries.
func TestChangesInFirstTrial(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		for name, change := range map[string]func(w installation) error{
			"address": func(w installation) error {
				return w.Billing.SetAddress(t.Context(), w.w, billing.Address{LineOne: "1 Way", City: "X", PostalCode: "1", Country: "CA"})
			},
			"add-ons": func(w installation) error {
				_, err := w.Billing.SetAddons(t.Context(), w.w, map[string]int64{"bot_addon": 1}, "")
				return err
			},
			"cancel": func(w installation) error { _, err := w.Billing.Cancel(t.Context(), w.w); return err },
		} {
			made, err := it.CreateAccount(t.Context(), name+"@example.com", "")
			if err != nil {
				t.Fatal(err)
			}
			w := installation{it.App, made.Workspace}
			must(t, func() error { _, err := w.Billing.StartTrial(t.Context(), w.w, plan.Plus, 7); return err })
			must(t, func() error { return change(w) })
			sub, err := w.Billing.Subscription(t.Context(), w.w)
			if err != nil || sub.Plan != plan.Managed {
				t.Errorf("%s: the subscription is on %s (%v)", name, sub.Plan, err)
			}
			must(t, func() error { return w.Billing.StopTrial(t.Context(), w.w) })
			if of, err := w.Workspaces.Get(t.Context(), w.w); err != nil || of.Plan != plan.Managed {
				t.Errorf("%s: after the trial it is on %s (%v)", name, of.Plan, err)
			}
			if list := w.invoices(t, w.w); len(list) > 0 && list[0].Total > 0 {
				t.Errorf("%s: it was charged %+v", name, list)
			}
		}
	})
}
