package billing_test

import (
	"testing"

	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/plan"
)

// TestCancelTakenBack: whoever cancels and takes it back has what he had, add-ons and what
// was scheduled for them included.
func TestCancelTakenBack(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		ctx := t.Context()
		order := func(quantities map[string]int64) {
			t.Helper()
			must(t, func() error { _, err := it.Billing.SetAddons(ctx, it.w, quantities, ""); return err })
		}
		cancel := func() {
			t.Helper()
			must(t, func() error { _, err := it.Billing.Cancel(ctx, it.w); return err })
		}
		keep := func(p plan.ID) {
			t.Helper()
			must(t, func() error {
				_, err := it.Billing.SetPlan(ctx, it.w, billing.Change{Plan: p, Term: plan.Month}, "")
				return err
			})
		}
		has := func(what string, canceled bool, want map[string]int64) {
			t.Helper()
			sub, err := it.Billing.Subscription(ctx, it.w)
			if err != nil || sub.Canceled != canceled || len(sub.Addons) != len(want) {
				t.Errorf("%s: the subscription is %+v (%v)", what, sub, err)
			}
			for _, a := range sub.Addons {
				next := a.Quantity
				if a.Next != nil {
					next = *a.Next
				}
				if next != want[a.ID] {
					t.Errorf("%s: next month has %d of %s, want %d", what, next, a.ID, want[a.ID])
				}
			}
		}
		it.assign(t, plan.Team)
		order(map[string]int64{"bot_addon": 3, "table_rows_addon": 2})
		order(map[string]int64{"bot_addon": 1})
		cancel()
		has("cancelled", true, map[string]int64{"bot_addon": 0, "table_rows_addon": 0})
		keep(plan.Team)
		has("taken back", false, map[string]int64{"bot_addon": 1, "table_rows_addon": 2})
		// What is bought after the cancellation ends with another.
		cancel()
		order(map[string]int64{"collaborator_addon": 1})
		has("bought since", true, map[string]int64{"bot_addon": 0, "table_rows_addon": 0, "collaborator_addon": 1})
		cancel()
		has("cancelled again", true, map[string]int64{"bot_addon": 0, "table_rows_addon": 0, "collaborator_addon": 0})
		// Whoever chooses another plan has not taken it back.
		keep(plan.Plus)
		keep(plan.Team)
		has("with another plan between", false, map[string]int64{"bot_addon": 0, "table_rows_addon": 0, "collaborator_addon": 0})
	})
}

// TestCancelByContract: add-ons that the operator alone changes are not cancelled by
// members.
func TestCancelByContract(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		must(t, func() error {
			_, err := it.Billing.SetAddons(t.Context(), it.w, map[string]int64{"bot_addon": 1}, "")
			return err
		})
		yes, no := true, false
		for _, step := range []struct {
			addons *bool
			want   fault.Type
		}{{&yes, fault.Forbidden}, {&no, ""}} {
			must(t, func() error { _, err := it.Billing.SetReadonly(t.Context(), it.w, nil, step.addons); return err })
			sub, err := it.Billing.Cancel(t.Context(), it.w)
			if step.want != "" && !fault.Is(err, step.want) || step.want == "" && (err != nil || !sub.Canceled) {
				t.Errorf("with add-ons read-only %t cancelling answers %v", *step.addons, err)
			}
		}
	})
}

// TestRechargeOfCancelled: what buys itself while a subscription ends is not kept.
func TestRechargeOfCancelled(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		ctx := t.Context()
		must(t, func() error {
			_, err := it.Billing.SetAddons(ctx, it.w, map[string]int64{"table_rows_addon": 1}, "")
			return err
		})
		must(t, func() error {
			_, err := it.Billing.SetRecharges(ctx, it.w, map[string]billing.Recharge{"table_rows_addon": {Enabled: true}})
			return err
		})
		must(t, func() error { _, err := it.Billing.Cancel(ctx, it.w); return err })
		it.use(t, plan.TableRowCount, 101_000)
		must(t, func() error { return it.Billing.RechargeAddons(ctx) })
		sub, err := it.Billing.Subscription(ctx, it.w)
		if err != nil || len(sub.Addons) != 1 || sub.Addons[0].Quantity != 2 || sub.Addons[0].Next == nil || *sub.Addons[0].Next != 0 {
			t.Errorf("the add-ons are %+v (%v), want two now and none next month", sub.Addons, err)
		}
	})
}
