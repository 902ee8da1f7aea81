package billing_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/plan"
)

func (i installation) assign(t *testing.T, p plan.ID) billing.Subscription {
	t.Helper()
	sub, err := i.Billing.AssignPlan(t.Context(), i.w, p)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// do runs the jobs of billing that are due, as many as there are kinds of them.
func (i installation) do(t *testing.T) (n int) {
	t.Helper()
	due := i.due(t, i.Clock.Now())
	for _, job := range due {
		// It is gone before it is done, so that one for the same invoice can be enqueued.
		must(t, func() error {
			return i.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, `DELETE FROM jobs WHERE id = $1`, string(job.ID))
				return err
			})
		})
		must(t, func() error { return i.Billing.Do(t.Context(), job) })
		n++
	}
	return n
}

// due are the jobs of billing whose time has come.
func (i installation) due(t *testing.T, at time.Time) (list []jobs.Job) {
	t.Helper()
	rows, err := i.DB.Reader(t.Context()).Query(t.Context(), `
		SELECT id, kind, payload FROM jobs WHERE state = 'pending' AND run_at <= $1
			AND kind IN ('billing-settle-purchase', 'collect-invoice', 'conclude-payment', 'refund-payment')
		ORDER BY run_at, id`, at.UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var job jobs.Job
		var payload string
		if err := rows.Scan(&job.ID, &job.Kind, &payload); err != nil {
			t.Fatal(err)
		}
		job.Payload = []byte(payload)
		list = append(list, job)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestVoidAfterCredit: what was credited of an invoice that is made void afterwards is
// charged again: nobody has paid for it.
func TestVoidAfterCredit(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		it.toMonth(t, 1)
		it.assign(t, plan.Team)
		first := it.invoices(t, it.w)[0]
		// Nearly all of it is credited, although nobody has paid yet.
		before := it.assign(t, plan.Plus)
		if before.Balance < 40_000 {
			t.Fatalf("the balance is %s", before.Balance)
		}
		must(t, func() error { _, err := it.Billing.VoidInvoice(t.Context(), first.ID, "in error"); return err })
		it.toMonth(t, 1)
		must(t, func() error { _, err := it.Billing.CloseMonths(t.Context()); return err })
		sub, err := it.Billing.Subscription(t.Context(), it.w)
		if err != nil || sub.Balance != 0 || sub.Clawback != 0 {
			t.Errorf("after it %s are left on the balance, and %s to take back (%v)", sub.Balance, sub.Clawback, err)
		}
		// Two months of plus, and nothing else, are to be paid: the rest of the first and
		// the whole second.
		owed := plan.Cents(0)
		for _, i := range it.invoices(t, it.w) {
			if i.Status != billing.Void {
				owed += i.Total
			}
		}
		if owed < 2*8_900-10 || owed > 2*8_900 {
			t.Errorf("%s are owed, want two months of plus", owed)
		}
	})
}

// TestVoidCredit: credit whose invoice is void is had no more.
func TestVoidCredit(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		quota := func() int64 {
			t.Helper()
			n, _, err := it.Meter.Quota(t.Context(), it.DB.Reader(t.Context()), it.w, plan.AISpend)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		before := quota()
		g, err := it.Billing.BuyCredit(t.Context(), it.w, 20_000_000_000, "")
		if err != nil || quota() != before+20_000_000_000 {
			t.Fatalf("with credit the quota is %d (%v)", quota(), err)
		}
		must(t, func() error { _, err := it.Billing.VoidInvoice(t.Context(), g.Invoice, "in error"); return err })
		if quota() != before {
			t.Errorf("when its invoice is void the quota is %d, want %d", quota(), before)
		}
	})
}

// TestVoidWhileBought: a request for credit whose invoice is made void before it is answered
// is told so.
func TestVoidWhileBought(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		var bought atomic.Bool
		var operator sync.WaitGroup
		operator.Go(func() {
			for !bought.Load() {
				for _, i := range it.invoices(t, it.w) {
					if i.Status != billing.Open {
						break
					}
					_, _ = it.Billing.VoidInvoice(context.Background(), i.ID, "in error")
				}
			}
		})
		for range 40 {
			if _, err := it.Billing.BuyCredit(t.Context(), it.w, 1_000_000_000, ""); err != nil && !fault.Is(err, fault.ResourceNotFound) {
				t.Error(err)
			}
		}
		bought.Store(true)
		operator.Wait()
	})
}

// TestCreditInvoice: a credit note goes to the balance, is never more than was paid, and
// what was credited is not credited once more when the plan is given up.
func TestCreditInvoice(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		it.toMonth(t, 1)
		it.assign(t, plan.Team)
		i := it.invoices(t, it.w)[0]
		credit := func(amount plan.Cents) error {
			_, err := it.Billing.CreditInvoice(t.Context(), i.ID, amount, "was down")
			return err
		}
		if err := credit(1); !fault.Is(err, fault.InvalidPayload) {
			t.Errorf("to credit what is not paid answers %v", err)
		}
		must(t, func() error { _, err := it.Billing.MarkInvoicePaid(t.Context(), i.ID); return err })
		for _, wrong := range []plan.Cents{0, -1, i.Total + 1, 1 << 62} {
			if err := credit(wrong); !fault.Is(err, fault.InvalidPayload) {
				t.Errorf("to credit %s answers %v", wrong, err)
			}
		}
		must(t, func() error { return credit(i.Total - 100) })
		must(t, func() error { return credit(100) })
		if err := credit(1); !fault.Is(err, fault.InvalidPayload) {
			t.Errorf("to credit more than was paid answers %v", err)
		}
		note := it.invoices(t, it.w)[0]
		if note.Kind != billing.CreditNote || note.Total != 0 || note.Status != billing.Paid || note.Number != i.Number+2 || !strings.Contains(note.Lines[0].Description, "was down") {
			t.Errorf("the note is %+v", note)
		}
		if sub := it.assign(t, plan.Managed); sub.Balance != i.Total {
			t.Errorf("the balance is %s, want %s once", sub.Balance, i.Total)
		}
		records, _, err := it.Audit.List(t.Context(), it.w, db.Page{Size: 50})
		told := 0
		for _, r := range records {
			if strings.Contains(r.Value, string(i.ID)) {
				told++
			}
		}
		if err != nil || told != 3 {
			t.Errorf("%d records tell of the invoice (%v), want that it was paid and credited twice", told, err)
		}
	})
}

func ignore(err error, kind fault.Type) error {
	if fault.Is(err, kind) {
		return nil
	}
	return errors.Join(errors.New("not refused"), err)
}

// TestSettlePayment: a purchase whose payment the provider tells nothing of is ended by
// the operator, either way, and what the provider tells afterwards costs nobody money.
func TestSettlePayment(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it, bank := open(), newTill()
		it.Billing.Provider = bank
		must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, goodCard); return err })
		waiting := func() (list []billing.Waiting) {
			must(t, func() error {
				return it.Billing.PaymentsWaiting(t.Context(), func(w billing.Waiting) error { list = append(list, w); return nil })
			})
			return list
		}
		buy := func(p plan.ID) billing.Waiting {
			t.Helper()
			bank.trouble = lostAfter
			if _, err := it.Billing.SetPlan(t.Context(), it.w, billing.Change{Plan: p, Term: plan.Month}, ""); !fault.Is(err, fault.ResourceLockedConflict) {
				t.Fatalf("a purchase of unknown outcome answers %v", err)
			}
			list := waiting()
			if len(list) != 1 || !list[0].Purchase || list[0].Workspace != it.w {
				t.Fatalf("%+v wait", list)
			}
			return list[0]
		}
		settle := func(w billing.Waiting, paid bool) {
			t.Helper()
			must(t, func() error { return it.Billing.SettlePayment(t.Context(), w.Invoice, paid, "looked it up") })
			if list := waiting(); len(list) != 0 {
				t.Errorf("%+v wait still", list)
			}
			err := it.Billing.SettlePayment(t.Context(), w.Invoice, paid, "again")
			if !fault.Is(err, fault.ResourceNotFound) {
				t.Errorf("a second time it answers %v", err)
			}
		}
		declined := buy(plan.Plus)
		settle(declined, false)
		sub, err := it.Billing.Subscription(t.Context(), it.w)
		if err != nil || sub.Plan != plan.Community || sub.Held != "" {
			t.Errorf("settled as declined it is %+v (%v)", sub, err)
		}
		// The provider tells of the money after all: it is given back.
		for _, c := range bank.all() {
			must(t, func() error { return it.Billing.Told(t.Context(), "late", c.Attempt) })
		}
		it.do(t)
		if _, times := bank.taken(declined.Invoice); times != 0 {
			t.Errorf("%d payments of a purchase that was forgotten are kept", times)
		}
		paid := buy(plan.Team)
		settle(paid, true)
		i, err := it.Billing.Invoice(t.Context(), it.w, paid.Invoice)
		if err != nil || i.Status != billing.Paid || i.Total != paid.Amount {
			t.Errorf("settled as paid its invoice is %+v (%v)", i, err)
		}
		if sub, err = it.Billing.Subscription(t.Context(), it.w); err != nil || sub.Plan != plan.Team || sub.Held != "" {
			t.Errorf("settled as paid it is %+v (%v)", sub, err)
		}
		it.do(t)
		if _, times := bank.taken(paid.Invoice); times != 1 {
			t.Errorf("it was taken %d times", times)
		}
	})
}

// TestPaidAfterAll: the provider says no, and that it was paid after all before the
// purchase is dropped: it takes effect.
func TestPaidAfterAll(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it, bank := open(), newTill()
		it.Billing.Provider = bank
		it.Billing.Collect = afterAll{billing.Payments{Service: it.Billing}, bank}
		must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, badCard); return err })
		sub, err := it.Billing.SetPlan(t.Context(), it.w, billing.Change{Plan: plan.Plus, Term: plan.Month}, "")
		if err != nil || sub.Plan != plan.Plus {
			t.Errorf("it is %+v (%v)", sub, err)
		}
	})
}

// afterAll has the provider tell that a charge was paid, just after it was declined.
type afterAll struct {
	billing.Payments
	bank *till
}

func (a afterAll) Charge(ctx context.Context, i billing.Invoice) error {
	err := a.Payments.Charge(ctx, i)
	for _, c := range a.bank.all() {
		if told := a.Told(ctx, "late", c.Attempt); told != nil {
			return told
		}
	}
	return err
}

// TestSameRequestAtOnce: a request to buy credit that comes many times at once buys it
// once, and each is answered with it.
func TestSameRequestAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		for _, card := range []string{"", goodCard} {
			it, bank := open(), newTill()
			bank.demands = false
			it.Billing.Provider = bank
			if card != "" {
				must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, card); return err })
			}
			for round := range 20 {
				grants, all := sync.Map{}, sync.WaitGroup{}
				for range 8 {
					all.Go(func() {
						g, err := it.Billing.BuyCredit(context.Background(), it.w, 1_000_000_000, fmt.Sprint("key ", card, round))
						if err != nil {
							t.Error(err)
							return
						}
						grants.Store(g.ID, g)
					})
				}
				all.Wait()
				n := 0
				grants.Range(func(_, g any) bool {
					n++
					if _, times := bank.taken(g.(billing.Grant).Invoice); card != "" && times != 1 {
						t.Errorf("it was taken %d times", times)
					}
					return true
				})
				if n != 1 {
					t.Errorf("with the card %q there are %d grants, want one", card, n)
				}
			}
		}
	})
}

// TestSmallPurchases: what costs less than the provider charges is had for nothing once,
// not again and again.
func TestSmallPurchases(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it, bank := open(), newTill()
		it.Billing.Provider = bank
		must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, goodCard); return err })
		buy := func() error { _, err := it.Billing.BuyCredit(t.Context(), it.w, 300_000_000, ""); return err }
		must(t, buy)
		if err := buy(); !fault.Is(err, fault.InvalidPayload) || !strings.Contains(err.Error(), "0.30") {
			t.Errorf("a second time it answers %v", err)
		}
		must(t, func() error { _, err := it.Billing.BuyCredit(t.Context(), it.w, 500_000_000, ""); return err })
		if n := len(bank.all()); n != 1 {
			t.Errorf("%d charges were made, want one", n)
		}
	})
}

// TestCreditOnTrust: credit that is not paid when it is had is bounded by the spending
// limit, and not sold to who owes for too long.
func TestCreditOnTrust(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		credit := func(nano plan.Nano) error { _, err := it.Billing.BuyCredit(t.Context(), it.w, nano, ""); return err }
		must(t, func() error { return credit(60_000_000_000) })
		if err := credit(41_000_000_000); !fault.Is(err, fault.PaymentRequired) {
			t.Errorf("beyond the limit of 100 it answers %v", err)
		}
		_, err := it.Billing.SetAddons(t.Context(), it.w, map[string]int64{"ai_credits_addon": 2}, "")
		if !fault.Is(err, fault.PaymentRequired) {
			t.Errorf("add-ons beyond it answer %v", err)
		}
		must(t, func() error { return credit(40_000_000_000) })
		for _, i := range it.invoices(t, it.w) {
			must(t, func() error { _, err := it.Billing.MarkInvoicePaid(t.Context(), i.ID); return err })
		}
		must(t, func() error { return credit(10_000_000_000) })
		it.toMonth(t, 2)
		if err := credit(10_000_000_000); !fault.Is(err, fault.PaymentRequired) {
			t.Errorf("while an invoice is overdue it answers %v", err)
		}
		// By contract nothing is sold to members.
		yes := true
		must(t, func() error { _, err := it.Billing.SetReadonly(t.Context(), it.w, nil, &yes); return err })
		if err := credit(10_000_000_000); !fault.Is(err, fault.Forbidden) {
			t.Errorf("with add-ons that are read-only it answers %v", err)
		}
	})
}

// TestCollectedByServers: an invoice that the operator's command line issues, which knows
// no provider, is collected by the servers.
func TestCollectedByServers(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		it.assign(t, plan.Team)
		bank := newTill()
		it.Billing.Provider = bank
		must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, goodCard); return err })
		for it.do(t) > 0 {
		}
		i := it.invoices(t, it.w)[0]
		if amount, times := bank.taken(i.ID); times != 1 || amount != i.Total || i.Status != billing.Paid {
			t.Errorf("%s were taken %d times; the invoice is %s", amount, times, i.Status)
		}
	})
}

// TestDecidedWhileCharged: while a charge is under way the operator neither voids its
// invoice nor marks it as paid, and paying it twice at once takes the money once.
func TestDecidedWhileCharged(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it, bank := open(), newTill()
		it.assign(t, plan.Team)
		i := it.invoices(t, it.w)[0]
		it.Billing.Provider = bank
		must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, goodCard); return err })
		bank.trouble = slow
		if _, err := it.Billing.Pay(t.Context(), it.w, i.ID, ""); !fault.Is(err, fault.ResourceLockedConflict) {
			t.Fatalf("a slow payment answers %v", err)
		}
		_, err := it.Billing.VoidInvoice(t.Context(), i.ID, "in error")
		must(t, func() error { return ignore(err, fault.ResourceLockedConflict) })
		_, err = it.Billing.MarkInvoicePaid(t.Context(), i.ID)
		must(t, func() error { return ignore(err, fault.ResourceLockedConflict) })
		bank.decide()
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				if _, _, err := it.Billing.ChargeUnpaid(context.Background(), it.w, nil, ""); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if i, err = it.Billing.Invoice(t.Context(), it.w, i.ID); err != nil || i.Status != billing.Paid {
			t.Errorf("the invoice is %s (%v)", i.Status, err)
		}
		if amount, times := bank.taken(i.ID); times != 1 || amount != i.Total {
			t.Errorf("%s were taken %d times", amount, times)
		}
	})
}

// TestRetryAfterPayingByHand: who pays by hand, and is refused, when a retry is due that
// no server has made yet, is tried again all the same.
func TestRetryAfterPayingByHand(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it, bank, clock := open(), newTill(), &hand{}
		it.assign(t, plan.Team)
		it.do(t) // nobody takes payments yet
		i := it.invoices(t, it.w)[0]
		clock.now = it.Clock.Now()
		it.Billing.Provider, it.Billing.Clock, it.Billing.Queue = bank, clock, jobs.New(it.DB, clock, it.Log)
		it.Clock = clock
		must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, badCard); return err })
		look := func(tries int64) {
			t.Helper()
			for it.do(t) > 0 {
			}
			var err error
			if i, err = it.Billing.Invoice(t.Context(), it.w, i.ID); err != nil || i.Attempts != tries {
				t.Fatalf("it was tried %d times (%v), want %d", i.Attempts, err, tries)
			}
		}
		look(1)
		clock.now = i.NextAttempt.Add(time.Hour)
		if _, err := it.Billing.Pay(t.Context(), it.w, i.ID, ""); !fault.Is(err, fault.PaymentRequired) {
			t.Fatal(err)
		}
		look(2) // the retry that was due finds that it was made
		clock.now = i.NextAttempt
		look(3)
	})
}

// TestJoinedTry: a scheduled try that finds one under way joins it. It is one charge and
// one refused try, whether the bank decides before or after.
func TestJoinedTry(t *testing.T) {
	for _, trouble := range []trouble{lostBefore, lostAfter, slow} {
		onBoth(t, func(t *testing.T, open func() installation) {
			it, bank, clock := byHand(open)
			must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, shyCard); return err })
			it.assign(t, plan.Team)
			it.do(t)
			i := it.invoices(t, it.w)[0]
			clock.now = i.NextAttempt.Add(time.Hour) // and no server has made it yet
			bank.trouble = trouble
			if _, err := it.Billing.Pay(t.Context(), it.w, i.ID, ""); !fault.Is(err, fault.ResourceLockedConflict) {
				t.Fatalf("a payment of unknown outcome answers %v", err)
			}
			it.do(t)
			bank.decide()
			clock.now = clock.now.Add(3 * time.Minute)
			for it.do(t) > 0 {
			}
			second := i.NextAttempt.AddDate(0, 0, 2)
			if i = it.invoices(t, it.w)[0]; i.Attempts != 2 || !i.NextAttempt.Equal(second) {
				t.Errorf("%d tries were refused, the next is at %s; want 2, and %s", i.Attempts, i.NextAttempt, second)
			}
			if n := len(bank.all()); n != 2 {
				t.Errorf("the bank was asked for %d charges, want 2", n)
			}
		})
	}
}

// TestMethodSetWhileCharged: a method that is set while a try by another is under way is
// charged as soon as that one is refused, even if it was the last of the schedule.
func TestMethodSetWhileCharged(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it, bank, clock := byHand(open)
		must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, badCard); return err })
		it.assign(t, plan.Team)
		it.do(t)
		i := it.invoices(t, it.w)[0]
		clock.now = clock.now.AddDate(0, 0, 8)
		bank.trouble = slow
		it.do(t) // the last try, and the bank does not decide
		must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, goodCard); return err })
		work := func() {
			t.Helper()
			for _, job := range it.due(t, clock.now) {
				if it.Billing.Do(t.Context(), job) != nil {
					continue // it comes again
				}
				must(t, func() error {
					return it.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
						_, err := tx.Exec(ctx, `DELETE FROM jobs WHERE id = $1`, string(job.ID))
						return err
					})
				})
			}
		}
		work()
		if n := len(bank.all()); n != 2 {
			t.Errorf("the bank was asked for %d charges while it decides about the second", n)
		}
		bank.decide()
		clock.now = clock.now.Add(3 * time.Minute)
		work()
		work()
		if amount, times := bank.taken(i.ID); times != 1 || amount != i.Total {
			t.Errorf("%s were taken %d times", amount, times)
		}
		if i = it.invoices(t, it.w)[0]; i.Status != billing.Paid || i.Attempts != 2 {
			t.Errorf("it is %s after %d tries that were refused, want paid after 2", i.Status, i.Attempts)
		}
	})
}

// TestMayOwe: AI spend that is paid later is for who has a card, and owes nothing that was
// refused.
func TestMayOwe(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it, bank := open(), newTill()
		ctx := t.Context()
		must(t, func() error { return it.Meter.SetSpending(ctx, it.w, 50_00) }) // nobody takes payments: the operator trusts
		it.Billing.Provider = bank
		must(t, func() error { return ignore(it.Meter.SetSpending(ctx, it.w, 60_00), fault.PaymentRequired) })
		must(t, func() error { return it.Meter.SetSpending(ctx, it.w, 5_00) })
		must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, goodCard); return err })
		must(t, func() error { return it.Meter.SetSpending(ctx, it.w, 60_00) })
		must(t, func() error { _, err := it.Billing.SetPaymentMethod(t.Context(), it.w, badCard); return err })
		it.assign(t, plan.Team)
		for it.do(t) > 0 {
		}
		must(t, func() error { return ignore(it.Meter.SetSpending(ctx, it.w, 70_00), fault.PaymentRequired) })
	})
}
