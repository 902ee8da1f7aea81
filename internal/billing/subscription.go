package billing

import (
	"slices"
	"time"

	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// Status is the status of a subscription; the names are those of the public API.
type Status string

// The states of a subscription.
const (
	Active Status = "active"
	// PastDue: the charge of an invoice was declined and is retried.
	PastDue Status = "past_due"
	// ActionRequired: as PastDue, and the bank wants the cardholder to confirm the payment.
	ActionRequired Status = "action_required"
	// Canceled: the workspace is blocked until it pays, and is charged for no month.
	Canceled Status = "canceled"
)

// Subscription is what a workspace pays for.
type Subscription struct {
	Workspace id.Workspace
	Plan      plan.ID
	Term      plan.Interval
	Status    Status
	// Period is the month or year of the plan that is paid for now.
	Period Period
	// CycleEnd is the first of the month at which the open month is closed.
	CycleEnd time.Time
	// Balance is what we owe the workspace. It is used before anything is charged.
	Balance plan.Cents
	// PlanReadonly and AddonsReadonly reserve changes to the operator.
	PlanReadonly, AddonsReadonly bool
	// Held is the draft invoice whose payment a purchase waits for; empty when none does.
	// Nothing else can be bought meanwhile.
	Held    id.Invoice
	Address *Address
	Terms
	CreatedAt, UpdatedAt time.Time
	// kept says that the database has a row for it.
	kept bool
}

// Terms is the part of a subscription that the database keeps as one document.
type Terms struct {
	// Next is the plan from the end of the period on; nil when it stays.
	Next *Change `json:"next,omitempty"`
	// Canceled says that Next is there because the subscription was cancelled.
	Canceled  bool       `json:"canceled,omitempty"`
	Addons    []Addon    `json:"addons,omitempty"` // in the order of their ids
	Coverages []Coverage `json:"coverages,omitempty"`
	Discounts []Discount `json:"discounts,omitempty"`
	// Redeemed are the coupons that were ever taken: each is taken once.
	Redeemed  []string            `json:"redeemed,omitempty"`
	Recharges map[string]Recharge `json:"recharges,omitempty"`
	// Clawback is what the next bill charges because it was credited of an invoice that has
	// since been made void; a negative amount is credited.
	Clawback plan.Cents `json:"takeBack,omitempty"`
	// Arrears is the last closed month, for usage that is reported late.
	Arrears *Arrears `json:"arrears,omitempty"`
	// Pending is the change that waits for Held.
	Pending *Pending `json:"pending,omitempty"`
}

// Change is a plan and the interval that it is paid by.
type Change struct {
	Plan plan.ID       `json:"plan"`
	Term plan.Interval `json:"term"`
}

// Addon is how much of an add-on a workspace has.
type Addon struct {
	ID       string `json:"id"`
	Quantity int64  `json:"quantity"`
	// Next is the quantity from the next cycle on; nil when it stays.
	Next *int64 `json:"next,omitempty"`
	// Resumed is what next() was before a cancellation, for when that is taken back; nil
	// without a cancellation.
	Resumed *int64 `json:"resumed,omitempty"`
}

// next is the quantity from the next cycle on.
func (a Addon) next() int64 {
	if a.Next != nil {
		return *a.Next
	}
	return a.Quantity
}

// Coverage says for which time the plan, or a number of an add-on, has been charged.
type Coverage struct {
	Kind LineKind `json:"kind"` // PlanLine or AddonLine
	ID   string   `json:"id"`
	// Term is the plan's interval.
	Term     plan.Interval `json:"term,omitempty"`
	Quantity int64         `json:"quantity"`
	From     time.Time     `json:"from"`
	Until    time.Time     `json:"until"`
	// Net is what was charged for it, after discounts.
	Net plan.Cents `json:"net"`
	// Invoice is the invoice that charged it.
	Invoice id.Invoice `json:"invoice,omitempty"`
}

// Recharge is the auto-recharge setting of an add-on: it buys one more when the quota that
// the add-on adds to is used up.
type Recharge struct {
	Enabled bool `json:"enabled"`
	// Threshold is how many percent must be used; 0 is the default.
	Threshold int `json:"threshold,omitempty"`
	// DisabledReason says why it was switched off, unless a member did it.
	DisabledReason string `json:"disabledReason,omitempty"`
}

// Pending is a purchase that waits for its payment, with the subscription that it was rated
// for: what takes effect is exactly what was charged.
type Pending struct {
	Purchase Purchase      `json:"purchase"`
	Plan     plan.ID       `json:"plan"`
	Term     plan.Interval `json:"term"`
	Period   Period        `json:"period"`
	Terms    Terms         `json:"terms"`
	// Used is what the invoice takes from the balance; negative when it credits it.
	Used plan.Cents `json:"used"`
}

// Arrears is what was billed for the AI spend of a month.
type Arrears struct {
	Month  time.Time  `json:"month"`
	Free   plan.Nano  `json:"free"`
	Limit  plan.Nano  `json:"limit"`
	Billed plan.Cents `json:"billed"`
}

// newSubscription is the subscription of a workspace that has never been billed: it has its
// plan and owes nothing for it.
func newSubscription(w id.Workspace, p plan.ID, now time.Time) Subscription {
	month := monthOf(now)
	return Subscription{
		Workspace: w, Plan: p, Term: plan.Month, Status: Active, Period: month, CycleEnd: month.End,
		Terms: Terms{}, CreatedAt: now, UpdatedAt: now,
	}
}

// addon finds an add-on; nil when the subscription does not have it.
func (s *Subscription) addon(which string) *Addon {
	i := slices.IndexFunc(s.Addons, func(a Addon) bool { return a.ID == which })
	if i < 0 {
		return nil
	}
	return &s.Addons[i]
}

// clone is a copy that shares nothing that is changed in place.
func (s Subscription) clone() Subscription {
	s.Addons, s.Coverages = slices.Clone(s.Addons), slices.Clone(s.Coverages)
	s.Discounts, s.Redeemed = slices.Clone(s.Discounts), slices.Clone(s.Redeemed)
	return s
}

// nextCycle is the subscription from the end of its cycle on, with what was scheduled done
// and nothing charged yet. A plan that is not sold by the year any more goes on by the
// month.
func (s Subscription) nextCycle(c *plan.Catalog) Subscription {
	at, s := s.CycleEnd, s.clone()
	if !s.Period.End.After(at) {
		if s.Next != nil {
			s.Plan, s.Term = s.Next.Plan, s.Next.Term
		}
		of, _ := c.Plan(s.Plan)
		if _, sold := of.Price(s.Term); !sold {
			s.Term = plan.Month
		}
		s.Next, s.Canceled = nil, false
		s.Period = periodOf(s.Term, at)
	}
	var addons []Addon
	for _, a := range s.Addons {
		if n := a.next(); n > 0 {
			addons = append(addons, Addon{ID: a.ID, Quantity: n})
		}
	}
	s.Addons, s.CycleEnd = addons, monthOf(at).End
	return s
}

// billedAt is the time that a bill made now is for: now or, if the clock was set back into
// a closed month, the beginning of the open one. So nothing is charged twice.
func (s Subscription) billedAt(now time.Time) time.Time {
	if start := monthOf(s.CycleEnd.Add(-time.Second)).Start; now.Before(start) {
		return start
	}
	return now
}

func periodOf(term plan.Interval, at time.Time) Period {
	if term == plan.Year {
		return yearOf(at)
	}
	return monthOf(at)
}

// maxExtra bounds what all add-ons add together, far below the limit of int64.
const maxExtra = int64(1) << 62

// extras is what the add-ons add to the quotas of the plan.
func (s *Subscription) extras(c *plan.Catalog) map[plan.Type]int64 {
	extras := map[plan.Type]int64{}
	for _, a := range s.Addons {
		of, _ := c.Addon(a.ID)
		for feature, n := range of.Increments {
			for _, t := range plan.TypesOf(feature) {
				extras[t] += min(n*a.Quantity, maxExtra-extras[t])
			}
		}
	}
	return extras
}

// Address is where invoices go.
type Address struct {
	LineOne    string `json:"lineOne"`
	LineTwo    string `json:"lineTwo,omitempty"`
	City       string `json:"city"`
	State      string `json:"state,omitempty"`
	PostalCode string `json:"postalCode"`
	Country    string `json:"country"` // two letters, upper case
}
