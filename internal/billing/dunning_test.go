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

// TestBlockedMonths: while a workspace is blocked no month is charged; from the moment it
// pays the rest of the month is. Also when no server closed the months meanwhile.
func TestBlockedMonths(t *testing.T) {
	for _, closes := range []bool{true, false} {
		onBoth(t, func(t *testing.T, open func() installation) {
			it, bank, clock := byHand(open)
			clock.now = time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)
			must(t, func() error { _, err := it.Billing.CloseMonths(t.Context()); return err })
			must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, badCard); return err })
			it.assign(t, plan.Plus)
			for _, days := range []int{0, 1, 2, 2, 2} {
				clock.now = clock.now.AddDate(0, 0, days)
				it.do(t)
			}
			standing := func(status billing.Status, blocked bool, invoices int) {
				t.Helper()
				sub, err := it.Billing.Subscription(t.Context(), it.w)
				if err != nil || sub.Status != status {
					t.Errorf("the subscription is %s (%v), want %s", sub.Status, err, status)
				}
				if w, err := it.Workspaces.Get(t.Context(), it.w); err != nil || w.Blocked != blocked {
					t.Errorf("blocked %t (%v), want %t", w.Blocked, err, blocked)
				}
				if list := it.invoices(t, it.w); len(list) != invoices {
					t.Errorf("there are %d invoices, want %d: %+v", len(list), invoices, list)
				}
			}
			standing(billing.Canceled, true, 1)
			if _, lines, err := it.Billing.Upcoming(t.Context(), it.w); err != nil || len(lines) != 0 {
				t.Errorf("upcoming is %+v (%v), want nothing", lines, err)
			}
			clock.now = time.Date(2028, 4, 16, 0, 0, 0, 0, time.UTC)
			if closes {
				must(t, func() error { _, err := it.Billing.CloseMonths(t.Context()); return err })
				standing(billing.Canceled, true, 1)
			}
			must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, goodCard); return err })
			for it.do(t) > 0 {
			}
			standing(billing.Active, false, 2)
			paid := plan.Cents(0)
			for _, c := range bank.all() {
				paid += c.Amount * plan.Cents(c.times)
			}
			if want := plan.Cents(8_900 + 4_450); paid != want {
				t.Errorf("%s were taken, want %s: January, and half of April", paid, want)
			}
			clock.now = time.Date(2028, 5, 1, 0, 0, 0, 0, time.UTC)
			must(t, func() error { _, err := it.Billing.CloseMonths(t.Context()); return err })
			if list := it.invoices(t, it.w); list[0].Total != 8_900 {
				t.Errorf("May costs %s, want all of it", list[0].Total)
			}
		})
	}
}

// TestNoProviderForAWhile: the job of an invoice that is to be charged while the server has
// no payment provider fails, and so is not forgotten, until there is one again.
func TestNoProviderForAWhile(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it, bank, clock := byHand(open)
		it.Billing.Provider = bank
		must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, badCard); return err })
		it.assign(t, plan.Team)
		it.do(t)
		it.Billing.Provider = nil
		clock.now = clock.now.AddDate(0, 0, 2)
		due := it.due(t, clock.now)
		for _, job := range due {
			if err := it.Billing.Do(t.Context(), job); (err == nil) != (job.Kind == "conclude-payment") {
				t.Errorf("without a provider the job %s answers %v; one that succeeds is forgotten", job.Kind, err)
			}
		}
		it.Billing.Provider = bank
		for _, job := range due {
			must(t, func() error { return it.Billing.Do(t.Context(), job) })
		}
		if n := len(bank.all()); n != 2 {
			t.Errorf("%d charges were tried, want 2: %+v", n, it.invoices(t, it.w))
		}
	})
}

// TestDisputeOfWhatNobodyOwed: an invoice that was paid by other means stays paid when a
// payment that came beside that is lost in a dispute.
func TestDisputeOfWhatNobodyOwed(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it, bank, _ := byHand(open)
		it.assign(t, plan.Team)
		it.do(t)
		which := it.invoices(t, it.w)[0].ID
		must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, badCard); return err })
		for it.do(t) > 0 {
		}
		surplus := bank.all()[0].Attempt
		must(t, func() error { _, err := it.Billing.MarkInvoicePaid(t.Context(), which); return err })
		must(t, func() error { return it.Billing.Told(t.Context(), "paid after all", surplus) })
		must(t, func() error { return it.Billing.Disputed(t.Context(), "lost", surplus, billing.DisputeLost) })
		if i, err := it.Billing.Invoice(t.Context(), it.w, which); err != nil || i.Status != billing.Paid {
			t.Errorf("the invoice is %s (%v), want paid", i.Status, err)
		}
	})
}

// TestRefundAndLostDispute: of two payments of an invoice one is to be refunded and the other
// is lost in a dispute: nothing is left that pays the invoice.
func TestRefundAndLostDispute(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it, bank, clock := byHand(open)
		it.assign(t, plan.Team)
		it.do(t)
		which := it.invoices(t, it.w)[0].ID
		var tried []billing.Attempt
		for _, card := range []string{badCard, goodCard} {
			clock.now = clock.now.AddDate(0, 0, 1)
			must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, card); return err })
			for it.do(t) > 0 {
			}
			for _, c := range bank.all() {
				if c.Method == card {
					tried = append(tried, c.Attempt)
					break
				}
			}
		}
		must(t, func() error { return it.Billing.Told(t.Context(), "paid after all", tried[0]) })
		must(t, func() error { return it.Billing.Disputed(t.Context(), "lost", tried[1], billing.DisputeLost) })
		it.do(t)
		if i, err := it.Billing.Invoice(t.Context(), it.w, which); err != nil || i.Status != billing.Uncollectible {
			t.Errorf("the invoice is %s (%v), want uncollectible: one payment was refunded, the other lost", i.Status, err)
		}
	})
}
