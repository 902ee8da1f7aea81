package billing_test

import (
	"testing"

	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/plan"
)

// TestPreviewBeforeMonthIsClosed: a month that has ended is closed by a job, a little
// later, or much later when the server was down. A preview in between is of the month
// that has begun, and the purchase then charges what it said.
func TestPreviewBeforeMonthIsClosed(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it, clock := open(), &hand{}
		it.toMonth(t, 1)
		it.assign(t, plan.Plus)
		it.toMonth(t, 2)
		clock.now = it.Clock.Now().AddDate(0, 0, 9)
		it.Billing.Clock = clock
		next := first(clock.now, 1)
		same, err := it.Billing.Preview(t.Context(), it.w, billing.Change{Plan: plan.Plus, Term: plan.Month}, nil, "")
		if err != nil || same.Now.Total != 0 || same.Next.Total != 8_900 || !same.At.Equal(next) {
			t.Errorf("keeping the plan costs %s now and %s on %s (%v), want nothing now and 89.00 on %s", same.Now.Total, same.Next.Total, same.At, err, next)
		}
		if n := len(it.invoices(t, it.w)); n != 1 {
			t.Errorf("the preview issued %d invoices", n-1)
		}
		up := billing.Change{Plan: plan.Team, Term: plan.Month}
		preview, err := it.Billing.Preview(t.Context(), it.w, up, map[string]int64{"bot_addon": 1}, "")
		if err != nil {
			t.Fatal(err)
		}
		must(t, func() error { _, err := it.Billing.SetPlan(t.Context(), it.w, up, ""); return err })
		must(t, func() error {
			_, err := it.Billing.SetAddons(t.Context(), it.w, map[string]int64{"bot_addon": 1}, "")
			return err
		})
		list := it.invoices(t, it.w)
		// The purchases come behind the two months that they closed.
		if len(list) != 5 || list[0].Total+list[1].Total != preview.Now.Total || preview.Now.Total <= 0 {
			t.Errorf("%s was previewed, and the invoices are %+v", preview.Now.Total, list)
		}
	})
}
