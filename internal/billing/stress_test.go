package billing_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/plan"
)

var stress = flag.Int("stress", 30, "how many deeds each member does at once with the others in TestAllAtOnce")

// TestAllAtOnce: members, the operator, the jobs of two servers and the provider's events all
// act at once on two workspaces, one of which is deleted meanwhile, while the clock runs from
// month to month, requests are given up and payments get lost. When all is done, nothing
// waits for anything; what was taken is what the invoices say, once; whatever was taken
// beside that was refunded; and what the workspace has is paid for and no more.
func TestAllAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		servers := []installation{open(), open()}
		now := &running{now: servers[0].Clock.Now()}
		c := &crowd{T: t, servers: servers, clock: now, bank: &moody{till: newTill()}, did: map[string]int{}, marked: map[id.Invoice]bool{}, requests: map[string]id.Invoice{}}
		made, err := servers[0].CreateAccount(t.Context(), "leaver@example.com", "")
		if err != nil {
			t.Fatal(err)
		}
		must(t, func() error {
			_, err := servers[0].Billing.AssignPlan(t.Context(), made.Workspace, plan.Community)
			return err
		})
		c.stays, c.leaves = servers[0].w, made.Workspace
		working, stop := context.WithCancel(t.Context())
		defer stop()
		var queues sync.WaitGroup
		catalogue := *plan.Default()
		catalogue.Coupons = []plan.Coupon{{ID: "half", Code: "HALF", PercentOff: 50, Duration: plan.Once}}
		for _, s := range servers {
			s.Billing.Plans, s.Billing.Provider, s.Clock = &catalogue, c.bank, now
			s.Billing.Clock, s.Meter.Clock, s.Workspaces.Clock = now, now, now
			q := jobs.New(s.DB, now, s.Log)
			s.Billing.Queue = q
			s.Billing.HandlePayments(q)
			q.Handle("nudge", func(context.Context, jobs.Job) error { return nil }, jobs.Policy{})
			queues.Go(func() {
				if err := q.Run(working); err != nil {
					t.Error(err)
				}
			})
		}
		// Without a card, what is bought is had at once and paid for later.
		c.bank.demands = rand.IntN(2) == 0
		for _, w := range []id.Workspace{c.stays, c.leaves} {
			if !c.bank.demands && rand.IntN(2) == 0 {
				continue
			}
			must(t, func() error { _, err := servers[0].Billing.SetPaymentMethod(t.Context(), w, goodCard); return err })
		}
		var members, around sync.WaitGroup
		var over atomic.Bool
		for n := range 8 {
			members.Go(func() {
				for i := range *stress {
					c.begun.Add(1)
					c.deed(servers[(n+i)%2], []id.Workspace{c.stays, c.stays, c.leaves}[i%3])
				}
			})
		}
		for n, does := range []func(installation){c.runClock, c.periodic, c.periodic, c.tell} {
			around.Go(func() {
				for !over.Load() {
					does(servers[n%2])
					time.Sleep(2 * time.Millisecond)
				}
			})
		}
		members.Go(func() { c.leave(servers[1]) })
		members.Wait()
		over.Store(true)
		around.Wait()
		stop()
		queues.Wait()
		c.reckon(servers[0])
	})
}

// running is a clock that moves on whenever it is looked at.
type running struct {
	mu  sync.Mutex
	now time.Time
}

func (r *running) Now() time.Time { return r.advance(time.Millisecond) }

func (r *running) advance(by time.Duration) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(by)
	return r.now
}

// moody is a till whose connection is bad and whose banks are slow.
type moody struct {
	*till
	calm atomic.Bool
}

// hop gives others the time to come between.
func hop() { time.Sleep(time.Duration(rand.IntN(1_500)) * time.Microsecond) }

func (m *moody) Prepare(ctx context.Context, a billing.Attempt) (string, error) {
	hop()
	reference, err := m.till.Prepare(ctx, a)
	if !m.calm.Load() && rand.IntN(12) == 0 {
		return "", errLost
	}
	hop()
	return reference, err
}

func (m *moody) Confirm(ctx context.Context, a billing.Attempt) (billing.Outcome, error) {
	hop()
	if !m.calm.Load() {
		m.mu.Lock()
		m.trouble = []trouble{none, none, none, none, none, none, lostBefore, lostAfter, slow}[rand.IntN(9)]
		m.mu.Unlock()
	}
	o, err := m.till.Confirm(ctx, a)
	hop()
	return o, err
}

func (m *moody) Look(ctx context.Context, a billing.Attempt) (billing.Outcome, error) {
	hop()
	if !m.calm.Load() && rand.IntN(8) == 0 {
		return billing.Outcome{}, errLost
	}
	return m.till.Look(ctx, a)
}

// reverse has a bank pay after all what it declined, now and then.
func (m *moody) reverse() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.charges {
		if c.outcome == billing.AttemptDeclined && rand.IntN(50) == 0 {
			c.outcome, c.times = billing.AttemptPaid, 1
		}
	}
}

// crowd is who acts, and what they know afterwards.
type crowd struct {
	*testing.T
	servers       []installation
	clock         *running
	bank          *moody
	stays, leaves id.Workspace

	begun    atomic.Int64 // deeds
	mu       sync.Mutex
	did      map[string]int      // deeds, by how they were answered
	marked   map[id.Invoice]bool // as paid by the operator
	requests map[string]id.Invoice
	told     int
}

// deed does one random thing as a member or the operator.
func (c *crowd) deed(s installation, w id.Workspace) {
	ctx := c.Context()
	if rand.IntN(6) == 0 {
		short, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(6))*time.Millisecond)
		defer cancel()
		ctx = short
	}
	var err error
	allowed := []fault.Type{fault.ResourceLockedConflict, fault.PaymentRequired, fault.InvalidPayload}
	what := rand.IntN(18)
	switch what {
	case 0, 1:
		_, err = s.Billing.SetPlan(ctx, w, billing.Change{Plan: forSale[rand.IntN(4)], Term: intervals[rand.IntN(2)]}, []string{"", "HALF"}[rand.IntN(2)])
		allowed = append(allowed, fault.Forbidden, fault.AlreadyExists, fault.ReferenceNotFound)
	case 2, 3:
		_, err = s.Billing.SetAddons(ctx, w, map[string]int64{some[rand.IntN(len(some))]: rand.Int64N(4)}, "")
	case 4, 5, 6:
		key := fmt.Sprint("key ", c.begun.Load()/32) // the same in several requests at once
		var g billing.Grant
		if g, err = s.Billing.BuyCredit(ctx, w, 6_000_000_000, key); err == nil {
			c.bought(w, key, g)
		}
		allowed = append(allowed, fault.ResourceNotFound)
	case 7, 8:
		_, _, err = s.Billing.ChargeUnpaid(ctx, w, nil, []string{"", "all"}[rand.IntN(2)])
	case 9:
		if i, found := c.any(s, w); found {
			_, err = s.Billing.Pay(ctx, w, i.ID, []string{"", "this"}[rand.IntN(2)])
		}
	case 10, 11:
		_, err = s.Billing.SetPaymentMethod(ctx, w, cards[rand.IntN(len(cards))])
	case 12:
		if i, found := c.any(s, w); found {
			if _, err = s.Billing.MarkInvoicePaid(ctx, i.ID); err == nil && i.Status != billing.Paid {
				c.mu.Lock()
				c.marked[i.ID] = true
				c.mu.Unlock()
			}
		}
	case 13:
		if i, found := c.any(s, w); found && rand.IntN(3) == 0 {
			_, err = s.Billing.VoidInvoice(ctx, i.ID, "in error")
		} else if found {
			_, err = s.Billing.CreditInvoice(ctx, i.ID, 1+plan.Cents(rand.IntN(50)), "was down")
		}
	case 14:
		err = s.Billing.PaymentsWaiting(ctx, func(wait billing.Waiting) error {
			if rand.IntN(10) == 0 {
				return s.Billing.SettlePayment(ctx, wait.Invoice, false, "found nothing")
			}
			return nil
		})
		allowed = append(allowed, fault.ResourceNotFound)
	case 15:
		if _, err = s.Billing.Cancel(ctx, w); err == nil && rand.IntN(2) == 0 {
			_, err = s.Billing.AssignPlan(ctx, w, forSale[rand.IntN(len(forSale))])
		}
	case 16:
		if rand.IntN(2) == 0 {
			_, err = s.Billing.StartTrial(ctx, w, plan.Team, 1+rand.IntN(3))
		} else {
			err = s.Billing.StopTrial(ctx, w)
		}
		allowed = append(allowed, fault.AlreadyExists, fault.Forbidden, fault.ResourceNotFound)
	case 17:
		_, err = s.Billing.SetRecharges(ctx, w, map[string]billing.Recharge{"messages_events_addon": {Enabled: true}})
		if err == nil {
			err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
				return s.Meter.Add(ctx, tx, []plan.Usage{{Workspace: c.stays, Type: plan.InvocationCalls, Value: 600, At: c.clock.Now()}})
			})
		}
	}
	c.mu.Lock()
	switch {
	case err == nil:
		c.did["done"]++
	case ctx.Err() != nil:
		c.did["given up"]++
	default:
		c.did[string(fault.From(err).Type)]++
	}
	c.mu.Unlock()
	if err != nil {
		hop()
	}
	if w == c.leaves {
		allowed = append(allowed, fault.ResourceNotFound)
	}
	if err != nil && ctx.Err() == nil && !slices.ContainsFunc(allowed, func(t fault.Type) bool { return fault.Is(err, t) }) {
		c.Errorf("deed %d is answered %v: %v", what, err, errors.Unwrap(err))
	}
}

// bought holds the answer to a request for credit against earlier ones.
func (c *crowd) bought(w id.Workspace, key string, g billing.Grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key = string(w) + key
	if before, found := c.requests[key]; found && before != g.Invoice {
		// Only when the first was made void can the request buy again.
		if i, err := c.servers[0].Billing.Invoice(c.Context(), w, before); err != nil || i.Status != billing.Void {
			c.Errorf("a request was answered with the invoices %s, which is %s (%v), and %s", before, i.Status, err, g.Invoice)
		}
	}
	c.requests[key] = g.Invoice
}

// any is an invoice of the workspace, mostly one that is not paid.
func (c *crowd) any(s installation, w id.Workspace) (i billing.Invoice, found bool) {
	list, _, err := s.Billing.Invoices(c.Context(), w, db.Page{})
	if err != nil {
		c.Error(err)
	}
	if open := slices.DeleteFunc(slices.Clone(list), func(i billing.Invoice) bool { return i.Status != billing.Open }); len(open) > 0 && rand.IntN(4) > 0 {
		list = open
	}
	if len(list) == 0 {
		return i, false
	}
	return list[rand.IntN(len(list))], true
}

// runClock moves the clock, mostly by seconds, and at times to the end of a month.
// The queues are nudged, because they look for what is due by the machine's clock.
func (c *crowd) runClock(s installation) {
	if err := s.DB.Tx(c.Context(), func(ctx context.Context, tx *db.Tx) error {
		return errors.Join(c.servers[0].Billing.Queue.Enqueue(ctx, tx, "nudge", 0), c.servers[1].Billing.Queue.Enqueue(ctx, tx, "nudge", 0))
	}); err != nil && !fault.Is(err, fault.ResourceLockedConflict) {
		c.Error(err)
	}
	switch n := rand.IntN(100); {
	case n < 70:
		c.clock.advance(time.Duration(rand.IntN(60)) * time.Second)
	case n < 97:
		c.clock.advance(time.Duration(rand.IntN(3*3600)) * time.Second)
	default:
		now := c.clock.Now()
		c.clock.advance(first(now, 1).Add(-time.Second).Sub(now))
	}
}

// periodic does what the servers do every minute.
func (c *crowd) periodic(s installation) {
	_, closed := s.Billing.CloseMonths(c.Context())
	_, ended := s.Billing.EndTrials(c.Context())
	recharged := s.Billing.RechargeAddons(c.Context())
	for _, err := range []error{closed, ended, recharged} {
		if err != nil && !fault.Is(err, fault.ResourceLockedConflict) {
			c.Errorf("a periodic job answers %v", err)
		}
	}
}

// tell has the banks decide, and the provider tell of what was taken.
func (c *crowd) tell(s installation) {
	c.bank.decide()
	c.bank.reverse()
	for _, charge := range c.bank.all() {
		if charge.times > 0 && rand.IntN(20) == 0 {
			c.event(s, charge)
		}
	}
}

func (c *crowd) event(s installation, of charge) {
	c.told++
	if err := s.Billing.Told(c.Context(), fmt.Sprint("event ", c.told), of.Attempt); err != nil && !fault.Is(err, fault.ResourceLockedConflict) {
		c.Errorf("an event is answered %v", err)
	}
}

// leave deletes a workspace when half of all is done, as soon as no purchase of it waits for
// its payment.
func (c *crowd) leave(s installation) {
	for c.begun.Load() < 4*int64(*stress) {
		hop()
	}
	for {
		err := s.Workspaces.Delete(c.Context(), c.leaves)
		if err == nil {
			return
		}
		if !fault.Is(err, fault.ResourceLockedConflict) {
			c.Errorf("the workspace cannot be deleted: %v", err)
			return
		}
		hop()
	}
}

// reckon lets everything come to its end, and holds what is left against the money.
func (c *crowd) reckon(s installation) {
	s.Billing.Queue = jobs.New(s.DB, c.clock, s.Log)
	c.bank.calm.Store(true)
	settle := func() {
		c.Helper()
		c.bank.decide()
		for _, charge := range c.bank.all() {
			if charge.times > 0 {
				c.event(s, charge)
			}
		}
		for range 12 {
			c.clock.advance(4 * time.Hour)
			s.do(c.T)
			c.periodic(s)
		}
	}
	settle()
	must(c.T, func() error { _, err := s.Billing.SetPaymentMethod(c.Context(), c.stays, goodCard); return err })
	settle()
	if _, failed, err := s.Billing.ChargeUnpaid(c.Context(), c.stays, nil, ""); err != nil || len(failed) > 0 {
		c.Errorf("it cannot be paid: %+v, %v", failed, err)
	}
	settle()
	for what, query := range map[string]string{
		"payments without an outcome": `SELECT COUNT(*) FROM payment_attempts WHERE state = 'pending'`,
		"drafts":                      `SELECT COUNT(*) FROM invoices WHERE status = 'draft'`,
		"purchases that wait":         `SELECT COUNT(*) FROM subscriptions WHERE held_invoice IS NOT NULL`,
		"dead jobs":                   `SELECT COUNT(*) FROM jobs WHERE state = 'dead'`,
		"surplus that is kept":        `SELECT COUNT(*) FROM payment_attempts WHERE state = 'surplus' AND refunded_at IS NULL`,
		"subscriptions too many":      `SELECT COUNT(*) FROM subscriptions s WHERE NOT EXISTS (SELECT 1 FROM workspaces w WHERE w.id = s.workspace_id)`,
		"grants too many":             `SELECT COUNT(*) FROM credit_grants g WHERE NOT EXISTS (SELECT 1 FROM workspaces w WHERE w.id = g.workspace_id)`,
		"trials too many":             `SELECT COUNT(*) FROM trials g WHERE NOT EXISTS (SELECT 1 FROM workspaces w WHERE w.id = g.workspace_id)`,
		"quotas too many":             `SELECT COUNT(*) FROM quotas g WHERE NOT EXISTS (SELECT 1 FROM workspaces w WHERE w.id = g.workspace_id)`,
		"cards of nobody": `SELECT COUNT(*) FROM payment_methods m WHERE NOT EXISTS (SELECT 1 FROM workspaces w WHERE w.id = m.workspace_id)
			AND NOT EXISTS (SELECT 1 FROM invoices i WHERE i.workspace_id = m.workspace_id AND i.next_attempt_at IS NOT NULL)`,
	} {
		var n int
		if err := s.DB.Reader(c.Context()).QueryRow(c.Context(), query).Scan(&n); err != nil || n != 0 {
			c.Errorf("there are %d %s (%v)", n, what, err)
		}
	}
	c.audit(s)
	c.standing(s)
}

// audit holds every invoice against what was taken for it.
func (c *crowd) audit(s installation) {
	numbers, paid, balance := map[int64]bool{}, 0, plan.Cents(0)
	known := map[id.Invoice]bool{}
	for _, w := range []id.Workspace{c.stays, c.leaves} {
		for _, i := range s.invoices(c.T, w) {
			if numbers[i.Number] {
				c.Errorf("the number %d was issued twice", i.Number)
			}
			numbers[i.Number], known[i.ID] = true, true
			amount, times := c.bank.taken(i.ID)
			want, sum := 0, plan.Cents(0)
			if i.Status == billing.Paid && i.Total >= c.bank.least && !(c.marked[i.ID] && times == 0) {
				want, paid = 1, paid+1
			}
			if times != want || amount != i.Total*plan.Cents(want) {
				c.Errorf("the invoice over %s is %s, and %s were taken in %d payments, want %d; marked %t", i.Total, i.Status, amount, times, want, c.marked[i.ID])
			}
			for _, l := range i.Lines {
				sum += l.Amount
				if l.Kind == billing.BalanceLine && i.Status != billing.Void && w == c.stays {
					balance += l.Amount
				}
			}
			if sum != i.Total || i.Total < 0 {
				c.Errorf("the lines of the invoice over %s add up to %s", i.Total, sum)
			}
			if w == c.stays && i.Status != billing.Paid && i.Status != billing.Void {
				c.Errorf("the invoice %+v is not settled", i)
			}
		}
	}
	for n := int64(1); n <= int64(len(numbers)); n++ {
		if !numbers[n] {
			c.Errorf("the number %d is missing among %d", n, len(numbers))
		}
	}
	for _, of := range c.bank.all() {
		if of.times > 1 || of.times == 1 && !known[of.Invoice] && !of.refunded {
			c.Errorf("%s were taken %d times by %s for no invoice, refunded %t", of.Amount, of.times, of.ID, of.refunded)
		}
	}
	if sub, err := s.Billing.Subscription(c.Context(), c.stays); err != nil || sub.Balance != balance {
		c.Errorf("the balance is %s (%v), the invoices leave %s", sub.Balance, err, balance)
	}
	for key, which := range c.requests {
		if !known[which] {
			c.Errorf("the request %q was answered with credit that has no invoice", key)
		}
	}
	c.Logf("cards are demanded: %t; deeds %v; %d invoices, %d of them paid by %d charges", c.bank.demands, c.did, len(known), paid, len(c.bank.all()))
}

// standing holds how the workspace stands against what it pays for.
func (c *crowd) standing(s installation) {
	sub, err := s.Billing.Subscription(c.Context(), c.stays)
	if err != nil {
		c.Fatal(err)
	}
	w, err := s.Workspaces.Get(c.Context(), c.stays)
	if err != nil || w.Blocked || sub.Status != billing.Active || w.ActiveTrial == "" && string(w.Plan) != string(sub.Plan) {
		c.Errorf("it is on %s, blocked %t, and pays for %s, %s (%v)", w.Plan, w.Blocked, sub.Plan, sub.Status, err)
	}
	quotas := func() (list []int64) {
		for _, of := range plan.Types {
			n, _, err := s.Meter.Quota(c.Context(), s.DB.Reader(c.Context()), c.stays, of)
			if err != nil {
				c.Error(err)
			}
			list = append(list, n)
		}
		return list
	}
	before, issued := quotas(), len(s.invoices(c.T, c.stays))
	// A purchase of nothing charges what is not covered, and sets the quotas anew.
	if _, err := s.Billing.SetAddons(c.Context(), c.stays, nil, ""); err != nil {
		c.Error(err)
	}
	if n := len(s.invoices(c.T, c.stays)); n != issued && sub.Clawback == 0 {
		c.Errorf("what it has was not paid for: %+v", s.invoices(c.T, c.stays)[0])
	}
	if after := quotas(); !slices.Equal(before, after) {
		c.Errorf("the quotas are %v, want %v", before, after)
	}
}
