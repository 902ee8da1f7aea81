package billing

import (
	"slices"
	"strings"
	"time"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// Purchase is a requested change of a subscription. Increases take effect at once,
// decreases with the next cycle.
type Purchase struct {
	At time.Time `json:"at"`
	// Change is the plan that is wanted; nil keeps.
	Change *Change `json:"change,omitempty"`
	// Addons are the quantities that are wanted; add-ons not named stay as they are.
	Addons map[string]int64 `json:"addons,omitempty"`
	// Coupon is a code to redeem; empty is none.
	Coupon string `json:"coupon,omitempty"`
	// Recharge is the add-on that auto-recharge buys; empty when it is not auto-recharge.
	Recharge string `json:"recharge,omitempty"`
	// Grant is credit for AI in this month.
	Grant plan.Nano `json:"grant,omitempty"`
	// Request identifies the request for the grant, so that a repeat is recognised.
	Request string `json:"request,omitempty"`
	// Operator says that the operator changes the plan: at once, up or down, and also to
	// one that is not for sale.
	Operator bool `json:"operator,omitempty"`
}

// Direction says whether a purchase is an upgrade, in the words of the API.
type Direction string

// The directions.
const (
	Upgrade   Direction = "upgrade"
	Downgrade Direction = "downgrade"
	Same      Direction = "same"
)

// maxQuantity bounds how many of one add-on a workspace has.
const maxQuantity = 10_000

// proposal is a subscription as a purchase would change it, before anything is charged.
type proposal struct {
	Subscription Subscription
	Direction    Direction
	// Replanned says that the plan changes now.
	Replanned bool
	// Adjusted are the add-ons that are reduced because the new plan includes as much.
	Adjusted map[string]bool
}

// propose applies a purchase to a copy of the subscription. ReferenceNotFound for what the
// catalogue does not have, Forbidden for what is not for sale, InvalidPayload for a
// quantity out of bounds.
func (s Subscription) propose(c *plan.Catalog, p Purchase) (proposal, error) {
	o := proposal{Subscription: s.clone(), Direction: Same, Adjusted: map[string]bool{}}
	before := s.Plan
	if p.Change != nil {
		if err := o.setPlan(c, *p.Change, p); err != nil {
			return proposal{}, err
		}
	}
	names := make([]string, 0, len(p.Addons))
	for name := range p.Addons {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := o.setAddon(c, name, p.Addons[name]); err != nil {
			return proposal{}, err
		}
	}
	if p.Recharge != "" {
		if err := o.recharge(c, p.Recharge); err != nil {
			return proposal{}, err
		}
	}
	if o.Replanned {
		o.trimAddons(c, before, p.Addons)
	}
	if p.Coupon != "" {
		if err := o.Subscription.redeem(c, p.Coupon, p.At); err != nil {
			return proposal{}, err
		}
	}
	return o, nil
}

// rate is the bill of the purchase.
func (o proposal) rate(c *plan.Catalog, p Purchase, of id.Invoice) bill {
	return rate(rating{Catalog: c, Subscription: o.Subscription, At: p.At, Invoice: of, Grant: p.Grant})
}

// headed notes a direction; an upgrade in one part makes all of it an upgrade.
func (o *proposal) headed(d Direction) {
	if o.Direction != Upgrade {
		o.Direction = d
	}
}

// setPlan changes the plan: now for an upgrade, at the end of its period for a downgrade.
func (o *proposal) setPlan(c *plan.Catalog, to Change, p Purchase) error {
	s := &o.Subscription
	of, found := c.Plan(to.Plan)
	if !found {
		return fault.New(fault.ReferenceNotFound, "There is no plan %q; listPlans lists them.", fault.Bounded(string(to.Plan)))
	}
	price, forSale := of.Price(to.Term)
	if !forSale || price == 0 {
		// What is free, or priced by a contract, has monthly periods.
		to.Term = plan.Month
	}
	if to.Plan == s.Plan && to.Term == s.Term {
		s.uncancel(!p.Operator)
		return nil
	}
	if !forSale && !p.Operator {
		return fault.New(fault.Forbidden, "The plan %q cannot be bought by the %s; the operator of this server assigns it, with botyard workspace set-plan.", to.Plan, to.Term)
	}
	was, known := c.Plan(s.Plan)
	now := p.Operator || !known || s.Plan == plan.Managed || of.Tier > was.Tier || to.Plan == s.Plan && to.Term == plan.Year
	s.uncancel(false)
	if !now {
		s.Next = &to
		o.headed(Downgrade)
		return nil
	}
	s.Plan, s.Term, s.Period = to.Plan, to.Term, periodOf(to.Term, p.At)
	o.Replanned = true
	if o.headed(Upgrade); p.Operator && of.Tier < was.Tier {
		o.Direction = Downgrade
	}
	return nil
}

// setAddon sets the quantity of an add-on: now if that is an increase, from the next cycle
// on if it is a decrease.
func (o *proposal) setAddon(c *plan.Catalog, name string, quantity int64) error {
	of, found := c.Addon(name)
	if !found {
		return fault.New(fault.ReferenceNotFound, "There is no add-on %q; listAddons lists them.", fault.Bounded(name))
	}
	if quantity < 0 || quantity > maxQuantity {
		return fault.New(fault.InvalidPayload, "The quantity of %s is %d; it must be from 0 to %d.", name, quantity, maxQuantity)
	}
	s := &o.Subscription
	held := s.addon(name)
	if held == nil {
		if quantity == 0 {
			return nil
		}
		s.Addons = append(s.Addons, Addon{ID: name})
		slices.SortFunc(s.Addons, func(a, b Addon) int { return strings.Compare(a.ID, b.ID) })
		held = s.addon(name)
	}
	held.Resumed = nil
	switch {
	case quantity > held.Quantity:
		if of.Month == nil {
			return fault.New(fault.Forbidden, "The add-on %q is not for sale; the operator of this server provides it by contract.", name)
		}
		held.Quantity, held.Next = quantity, nil
		o.headed(Upgrade)
	case quantity < held.Quantity:
		held.Next = &quantity
		o.headed(Downgrade)
	default:
		held.Next = nil
	}
	return nil
}

// recharge adds one of an add-on: for this month only if what it adds is renewed monthly or
// if the subscription is cancelled, for good otherwise.
func (o *proposal) recharge(c *plan.Catalog, name string) error {
	var before Addon
	if held := o.Subscription.addon(name); held != nil {
		before = *held
	}
	if err := o.setAddon(c, name, before.Quantity+1); err != nil {
		return err
	}
	of, _ := c.Addon(name)
	next := before.next()
	if !of.Monthly() && !o.Subscription.Canceled {
		next++
	}
	held := o.Subscription.addon(name)
	if held.Resumed = before.Resumed; next != held.Quantity {
		held.Next = &next
	}
	return nil
}

// trimAddons reduces, from the next cycle on, the add-ons that the new plan makes
// unnecessary. Plan and add-ons together never allow less than before.
func (o *proposal) trimAddons(c *plan.Catalog, before plan.ID, asked map[string]int64) {
	spare := func(f plan.Feature) int64 {
		was, is := c.Allows(before, f), c.Allows(o.Subscription.Plan, f)
		if was == plan.Unlimited || is == plan.Unlimited {
			return 0
		}
		return max(is-was, 0)
	}
	used := map[plan.Feature]int64{}
	for i := range o.Subscription.Addons {
		a := &o.Subscription.Addons[i]
		if _, named := asked[a.ID]; named {
			continue
		}
		of, _ := c.Addon(a.ID)
		fewer := a.next()
		for f, n := range of.Increments {
			fewer = min(fewer, (spare(f)-used[f])/n)
		}
		if fewer <= 0 || len(of.Increments) == 0 {
			continue
		}
		for f, n := range of.Increments {
			used[f] += fewer * n
		}
		next := a.next() - fewer
		a.Next, o.Adjusted[a.ID] = &next, true
	}
}
