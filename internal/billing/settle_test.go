package billing_test

import (
	"context"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/plan"
)

// between has something happen after the charge of a purchase and before the purchase ends.
type between struct {
	billing.Payments
	happens func()
}

func (b between) Charge(ctx context.Context, i billing.Invoice) error {
	err := b.Payments.Charge(ctx, i)
	b.happens()
	return err
}

// TestSettledWhenTaken: the operator cannot settle a payment as declined that has been
// taken: the purchase takes effect instead.
func TestSettledWhenTaken(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it, bank := open(), newTill()
		it.Billing.Provider = bank
		must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, goodCard); return err })
		var settled error
		it.Billing.Collect = between{billing.Payments{Service: it.Billing}, func() {
			settled = it.Billing.SettlePayment(t.Context(), bank.all()[0].Invoice, false, "found nothing")
		}}
		sub, err := it.Billing.SetPlan(t.Context(), it.w, billing.Change{Plan: plan.Plus, Term: plan.Month}, "")
		if err != nil || sub.Plan != plan.Plus {
			t.Errorf("it is %+v (%v)", sub, err)
		}
		if !fault.Is(settled, fault.InvalidPayload) {
			t.Errorf("to settle it as declined answers %v", settled)
		}
		list := it.invoices(t, it.w)
		if len(list) != 1 || list[0].Status != billing.Paid {
			t.Errorf("the invoices are %+v", list)
		}
	})
}

// TestSettledWhileCharged: a purchase that the operator has settled as declined while it was
// being charged is not reported as made.
func TestSettledWhileCharged(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it, bank := open(), &slowTill{till: newTill()}
		it.Billing.Provider = bank
		must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, goodCard); return err })
		bank.before = func(a billing.Attempt) {
			must(t, func() error { return it.Billing.SettlePayment(t.Context(), a.Invoice, false, "found nothing") })
		}
		if sub, err := it.Billing.SetPlan(t.Context(), it.w, billing.Change{Plan: plan.Plus, Term: plan.Month}, ""); !fault.Is(err, fault.PaymentRequired) {
			t.Errorf("SetPlan answers %+v, %v", sub, err)
		}
		if g, err := it.Billing.BuyCredit(t.Context(), it.w, 10_000_000_000, ""); !fault.Is(err, fault.PaymentRequired) {
			t.Errorf("BuyCredit answers %+v, %v", g, err)
		}
		it.do(t)
		for _, c := range bank.all() {
			if c.times != 1 || !c.refunded {
				t.Errorf("%+v was taken and not refunded", c)
			}
		}
	})
}

// slowTill is a till where something happens while it is asked to take money.
type slowTill struct {
	*till
	before func(billing.Attempt)
}

func (s *slowTill) Confirm(ctx context.Context, a billing.Attempt) (billing.Outcome, error) {
	if s.before != nil {
		s.before(a)
	}
	return s.till.Confirm(ctx, a)
}

// TestHeldWithTheClockSetBack: a purchase that was left unfinished while the clock is behind
// the open month is ended as soon as any other, not when that month comes.
func TestHeldWithTheClockSetBack(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it, bank, clock := byHand(open)
		must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, goodCard); return err })
		clock.now = clock.now.AddDate(0, 0, -20)
		bank.trouble = lostAfter
		if _, err := it.Billing.SetAddons(t.Context(), it.w, map[string]int64{"bot_addon": 1}, ""); !fault.Is(err, fault.ResourceLockedConflict) {
			t.Fatalf("a purchase of unknown outcome answers %v", err)
		}
		clock.now = clock.now.Add(3 * time.Minute)
		it.do(t)
		sub, err := it.Billing.Subscription(t.Context(), it.w)
		if err != nil || sub.Held != "" || len(sub.Addons) != 1 {
			t.Errorf("the subscription is %+v (%v)", sub, err)
		}
	})
}

// TestBlockedMeanwhile: a block that begins after a request was let in is seen by its
// purchase.
func TestBlockedMeanwhile(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		must(t, func() error { return it.Workspaces.SetBlocked(t.Context(), it.w, true) })
		if _, err := it.Billing.SetAddons(t.Context(), it.w, map[string]int64{"ai_credits_addon": 1}, ""); !fault.Is(err, fault.PaymentRequired) {
			t.Errorf("a purchase answers %v", err)
		}
		it.assign(t, plan.Plus)
	})
}

// TestHeldUntilTheBankDecides: a purchase whose bank decides after its request was answered
// is ended soon after that, whatever the decision is.
func TestHeldUntilTheBankDecides(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it, bank, clock := byHand(open)
		for _, c := range []struct {
			card string
			want plan.ID
			told func(billing.Attempt) error
		}{
			{badCard, plan.Community, func(a billing.Attempt) error { return it.Billing.Changed(t.Context(), "failed", a) }},
			{goodCard, plan.Plus, func(a billing.Attempt) error { return it.Billing.Told(t.Context(), "paid", a) }},
		} {
			must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, c.card); return err })
			bank.trouble = slow
			if _, err := it.Billing.SetPlan(t.Context(), it.w, billing.Change{Plan: plan.Plus, Term: plan.Month}, ""); !fault.Is(err, fault.ResourceLockedConflict) {
				t.Fatalf("a purchase that the bank has not decided on answers %v", err)
			}
			bank.decide()
			for _, charged := range bank.all() {
				if charged.Method == c.card {
					must(t, func() error { return c.told(charged.Attempt) })
				}
			}
			it.do(t)
			clock.now = clock.now.Add(10 * time.Second)
			it.do(t)
			if sub, err := it.Billing.Subscription(t.Context(), it.w); err != nil || sub.Held != "" || sub.Plan != c.want {
				t.Errorf("with the card %q the subscription is %+v (%v), want %s", c.card, sub, err, c.want)
			}
		}
	})
}
