package billing_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/plan"
)

// byHand is an installation that takes payments by a till and whose clock is moved by hand.
func byHand(open func() installation) (installation, *till, *hand) {
	it, bank, clock := open(), newTill(), &hand{}
	clock.now = it.Clock.Now()
	it.Clock, it.Billing.Clock, it.Billing.Provider = clock, clock, bank
	it.Billing.Queue = jobs.New(it.DB, clock, it.Log)
	return it, bank, clock
}

// TestCardsSetAtOnce: of cards that are set one right after the other, the last is
// charged; and no card is declined twice because it was set twice, or because a retry was
// due anyway.
func TestCardsSetAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it, bank, clock := byHand(open)
		it.assign(t, plan.Team)
		it.do(t)
		invoice := it.invoices(t, it.w)[0]
		set := func(cards ...string) {
			t.Helper()
			clock.now = clock.now.Add(time.Second)
			for _, card := range cards {
				must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, card); return err })
			}
			for it.do(t) > 0 {
			}
		}
		charges := func(want int, by string) {
			t.Helper()
			n := 0
			for _, c := range bank.all() {
				if c.Method == by {
					n++
				}
			}
			if n != want || len(bank.all()) < want {
				t.Errorf("the card %q was charged %d times, want %d: %+v", by, n, want, bank.all())
			}
		}
		set(shyCard, badCard, badCard)
		charges(0, shyCard)
		charges(1, badCard)
		// The customer has money on the same card now, he thinks.
		set(badCard)
		charges(2, badCard)
		// A retry is due when the card is set: it is the try.
		invoice, err := it.Billing.Invoice(t.Context(), it.w, invoice.ID)
		if err != nil {
			t.Fatal(err)
		}
		clock.now = invoice.NextAttempt
		set(badCard)
		charges(3, badCard)
		set(badCard, goodCard)
		charges(3, badCard)
		charges(1, goodCard)
		if invoice, err = it.Billing.Invoice(t.Context(), it.w, invoice.ID); err != nil || invoice.Status != billing.Paid || invoice.Attempts != 3 {
			t.Errorf("the invoice is %s after %d refusals (%v), want paid after 3", invoice.Status, invoice.Attempts, err)
		}
	})
}

// TestDisputeOfSurplus: a lost dispute about a payment that nobody owed takes back what was
// to be given back anyway: the invoice stays paid by the other. One about that makes the
// invoice owed again.
func TestDisputeOfSurplus(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it, bank, clock := byHand(open)
		it.assign(t, plan.Team)
		it.do(t)
		for _, card := range []string{badCard, goodCard} {
			clock.now = clock.now.Add(time.Second)
			must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, card); return err })
			for it.do(t) > 0 {
			}
		}
		charges := bank.all()
		slices.SortFunc(charges, func(a, b charge) int { return strings.Compare(string(a.ID), string(b.ID)) })
		if len(charges) != 2 || charges[0].Method != badCard {
			t.Fatalf("the charges are %+v", charges)
		}
		surplus, paid := charges[0].Attempt, charges[1].Attempt
		is := func(want billing.InvoiceStatus) {
			t.Helper()
			if i, err := it.Billing.Invoice(t.Context(), it.w, paid.Invoice); err != nil || i.Status != want {
				t.Errorf("the invoice is %s (%v), want %s", i.Status, err, want)
			}
		}
		must(t, func() error { return it.Billing.Told(t.Context(), "paid after all", surplus) })
		must(t, func() error { return it.Billing.Disputed(t.Context(), "lost", surplus, billing.DisputeLost) })
		is(billing.Paid)
		it.do(t)
		for _, c := range bank.all() {
			if c.refunded {
				t.Errorf("the bank took %s back, and it was refunded too", c.ID)
			}
		}
		must(t, func() error { return it.Billing.Disputed(t.Context(), "lost as well", paid, billing.DisputeLost) })
		is(billing.Uncollectible)
	})
}
