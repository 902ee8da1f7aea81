package billing

import (
	"slices"
	"strings"
	"time"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// Purchase is what is asked of a subscription at a moment. What is more than before
// happens then, what is less at the next cycle.
type Purchase struct {
	At time.Time `json:"at"`
	// Change is the plan that is wanted; nil keeps.
	Change *Change `json:"change,omitempty"`
	// Addons are the quantities that are wanted; those not named are kept.
	Addons map[string]int64 `json:"addons,omitempty"`
	// Coupon is a code to redeem; empty is none.
	Coupon string `json:"coupon,omitempty"`
	// Recharge is the add-on that is bought because it is used up.
	Recharge string `json:"recharge,omitempty"`
	// Grant is credit for AI in this month.
	Grant plan.Nano `json:"grant,omitempty"`
	// Request tells a repeat of the request that asks for the grant; empty tells none.
	Request string `json:"request,omitempty"`
	// Operator says that the operator changes the plan: at once, up or down, and also
	// to what is not for sale.
	Operator bool `json:"operator,omitempty"`
}

// Direction is what a purchase is, in the words of the API.
type Direction string

// The directions.
const (
	Upgrade   Direction = "upgrade"
	Downgrade Direction = "downgrade"
	Same      Direction = "same"
)

// maxQuantity bounds how many of one add-on a workspace has.
const maxQuantity = 10_000

// proposal is what a purchase makes of a subscription, before anything is charged.
type proposal struct {
	Subscription Subscription
	Direction    Direction
	// Replanned says that the plan changes now.
	Replanned bool
	// Adjusted are the add-ons that the new plan makes needless.
	Adjusted map[string]bool
}

// propose is the subscription with a purchase. ReferenceNotFound for what the catalogue
// does not know, Forbidden for what is not for sale, InvalidPayload for a quantity
// out of bounds.
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

// rate is what the purchase comes to.
func (o proposal) rate(c *plan.Catalog, p Purchase, of id.Invoice) bill {
	return rate(rating{Catalog: c, Subscription: o.Subscription, At: p.At, Invoice: of, Grant: p.Grant})
}

func (o *proposal) headed(d Direction) {
	if o.Direction != Upgrade {
		o.Direction = d
	}
}

// setPlan changes the plan now when it is more, and schedules it when it is less.
func (o *proposal) setPlan(c *plan.Catalog, to Change, p Purchase) error {
	s := &o.Subscription
	of, found := c.Plan(to.Plan)
	if !found {
		return fault.New(fault.ReferenceNotFound, "There is no plan %q; listPlans has those there are.", fault.Bounded(string(to.Plan)))
	}
	price, forSale := of.Price(to.Term)
	if !forSale || price == 0 {
		// What costs nothing, or what the contract says, goes by the month.
		to.Term = plan.Month
	}
	if to.Plan == s.Plan && to.Term == s.Term {
		s.uncancel(!p.Operator)
		return nil
	}
	if !forSale && !p.Operator {
		return fault.New(fault.Forbidden, "The plan %q is not for sale by the %s; the operator of this server gives it, with botyard workspace set-plan.", to.Plan, to.Term)
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

// setAddon sets the quantity of an add-on: now when it is more, from the next cycle on
// when it is less.
func (o *proposal) setAddon(c *plan.Catalog, name string, quantity int64) error {
	of, found := c.Addon(name)
	if !found {
		return fault.New(fault.ReferenceNotFound, "There is no add-on %q; listAddons has those there are.", fault.Bounded(name))
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
			return fault.New(fault.Forbidden, "The add-on %q is not for sale; the operator of this server gives it by contract.", name)
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

// recharge adds one more of an add-on. What is there anew every month is had for this
// month alone, as is everything of a subscription that was cancelled; of the rest one more
// is kept.
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

// trimAddons lowers, from the next cycle on, the add-ons that were bought for what the
// new plan brings itself. What plan and add-ons allow together is never less than
// before.
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
