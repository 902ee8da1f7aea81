package billing

import (
	"fmt"
	"slices"
	"time"

	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// rating is everything that a bill depends on.
type rating struct {
	Catalog *plan.Catalog
	// Subscription has the plan and add-ons that are to be billed; its coverages,
	// discounts and balance are those from before.
	Subscription Subscription
	At           time.Time
	// Invoice is the invoice that the coverages are recorded with.
	Invoice id.Invoice
	// Spends is the AI spend of the months that are billed in arrears.
	Spends []Spend
	// Grant is credit for AI that is bought; 0 is none.
	Grant plan.Nano
}

// Spend is the AI spend of a month, and how much of it is billed.
type Spend struct {
	Month Period
	Used  plan.Nano
	// Free is the allowance of the plan and the add-ons, and the credit that was bought.
	Free plan.Nano
	// Limit is the most that may be billed beyond Free.
	Limit plan.Nano
	// Billed is what an earlier invoice has charged for the month.
	Billed plan.Cents
}

// cost is what is still to be charged for the month; not positive when nothing is.
func (s Spend) cost() plan.Cents {
	return max(min(s.Used-s.Free, s.Limit), 0).Cents() - s.Billed
}

// bill is the result of a rating.
type bill struct {
	Lines []Line
	// Total is the sum of the lines: what is to be paid. It is never negative.
	Total plan.Cents
	// Subscription is the rating's, with the charges covered and discounts and balance
	// used.
	Subscription Subscription
}

// sum adds up the lines.
func (b *bill) sum() (total plan.Cents) {
	for _, l := range b.Lines {
		total += l.Amount
	}
	return total
}

// rate is the only place where amounts are computed. It credits unused coverage, charges
// what is not covered for the rest of its period, prorated to the second, deducts
// discounts, adds AI spend in arrears and tax, and uses the balance. It is pure: the same
// rating always makes the same bill.
func rate(r rating) bill {
	r.At = r.At.UTC().Truncate(time.Second)
	b := bill{Subscription: r.Subscription.clone()}
	b.credit(r)
	b.discount(r, b.charge(r))
	b.clawBack()
	for _, spend := range r.Spends {
		if cost := spend.cost(); cost > 0 && r.Subscription.Plan != plan.Managed {
			b.add(Line{
				Kind: SpendLine, ID: string(plan.AISpend), Amount: cost, From: spend.Month.Start, Until: spend.Month.End,
				Description: "AI spend of " + spend.Month.Start.Format("January 2006"),
			})
		}
	}
	if r.Grant > 0 {
		cost := r.Grant.CentsUp()
		if r.Subscription.Plan == plan.Managed {
			cost = 0
		}
		month := monthOf(r.At)
		b.add(Line{Kind: GrantLine, ID: string(plan.AISpend), Description: "Credit for AI", Amount: cost, Quantity: 1, UnitPrice: cost, From: r.At, Until: month.End})
	}
	b.tax(r.Catalog.Tax)
	b.settle()
	return b
}

func (b *bill) add(l Line) { b.Lines = append(b.Lines, l) }

// item is a plan or an add-on that a subscription has, with its price.
type item struct {
	kind     LineKind
	id       string
	term     plan.Interval // of the plan
	name     string
	quantity int64
	price    plan.Cents // of one, for the whole period
	period   Period
	// whole says that it is not prorated.
	whole bool
}

// items are the plan and the add-ons of the subscription; none on the plan managed.
func (r rating) items() []item {
	s := r.Subscription
	if s.Plan == plan.Managed {
		return nil
	}
	p, _ := r.Catalog.Plan(s.Plan)
	price, _ := p.Price(s.Term)
	list := []item{{PlanLine, string(s.Plan), s.Term, p.Name, 1, price, s.Period, false}}
	for _, a := range s.Addons {
		of, _ := r.Catalog.Addon(a.ID)
		one := plan.Cents(0)
		if of.Month != nil {
			one = *of.Month
		}
		list = append(list, item{AddonLine, a.ID, "", of.Name, a.Quantity, one, monthOf(r.At), of.Credit()})
	}
	return list
}

// credit credits the unused part of coverages whose item is gone.
func (b *bill) credit(r rating) {
	items := r.items()
	var kept []Coverage
	for _, c := range b.Subscription.Coverages {
		if !c.Until.After(r.At) {
			continue
		}
		if slices.ContainsFunc(items, func(i item) bool { return i.covers(c) }) {
			kept = append(kept, c)
			continue
		}
		if of, _ := r.Catalog.Addon(c.ID); c.Kind == AddonLine && of.Credit() {
			continue // credit for AI may be spent already
		}
		whole := Period{c.From, c.Until}
		rest := whole.from(r.At)
		if amount := c.Net.Share(rest.seconds(), whole.seconds()); amount > 0 {
			b.add(Line{
				Kind: ProrationCredit, ID: c.ID, Description: "Unused time of " + nameOf(r.Catalog, c), Amount: -amount,
				Quantity: c.Quantity, From: rest.Start, Until: rest.End, Of: c.Invoice,
			})
		}
	}
	b.Subscription.Coverages = kept
}

// covers reports whether a coverage is of the item.
func (i item) covers(c Coverage) bool {
	if i.kind != c.Kind || i.id != c.ID {
		return false
	}
	return i.kind == AddonLine || i.term == c.Term && i.period.End.Equal(c.Until)
}

// charge charges what is not covered, and returns the coverages that it adds. A blocked
// workspace is not charged, since it cannot use what it has.
func (b *bill) charge(r rating) []Coverage {
	if r.Subscription.Status == Canceled {
		return nil
	}
	before := len(b.Subscription.Coverages)
	for _, i := range r.items() {
		missing := i.quantity
		for _, c := range b.Subscription.Coverages {
			if i.covers(c) {
				missing -= c.Quantity
			}
		}
		if missing <= 0 || i.price == 0 {
			continue
		}
		rest := i.period.from(r.At)
		l := Line{
			Kind: i.kind, ID: i.id, Description: i.name, Quantity: missing, UnitPrice: i.price, From: rest.Start, Until: rest.End,
			Amount: i.price * plan.Cents(missing),
		}
		if rest != i.period && !i.whole {
			l.Amount = l.Amount.Share(rest.seconds(), i.period.seconds())
			l.Kind, l.Description = ProrationCharge, "Remaining time of "+i.name
		}
		b.add(l)
		b.Subscription.Coverages = append(b.Subscription.Coverages, Coverage{
			Kind: i.kind, ID: i.id, Term: i.term, Quantity: missing, From: rest.Start, Until: rest.End, Net: l.Amount, Invoice: r.Invoice,
		})
	}
	return b.Subscription.Coverages[before:]
}

func nameOf(c *plan.Catalog, of Coverage) string {
	if of.Kind == PlanLine {
		p, _ := c.Plan(plan.ID(of.ID))
		return orID(p.Name, of.ID)
	}
	a, _ := c.Addon(of.ID)
	return orID(a.Name, of.ID)
}

func orID(name, id string) string {
	if name == "" {
		return id
	}
	return name
}

// discount deducts discounts from the new charges, whose coverages are given.
func (b *bill) discount(r rating, charged []Coverage) {
	var kept []Discount
	for _, d := range b.Subscription.Discounts {
		var off plan.Cents
		if d.applies(r.At) {
			off = d.take(charged)
		}
		if off > 0 {
			b.add(Line{Kind: DiscountLine, ID: d.Coupon, Description: d.describe(), Amount: -off})
			d.Used = monthOf(r.At).Start
		}
		over := !d.End.IsZero() && !r.At.Before(d.End) || d.Duration == plan.Once && off > 0
		if !over {
			kept = append(kept, d)
		}
	}
	b.Subscription.Discounts = kept
}

// take deducts the discount from what the coverages cost, and returns the total deducted.
func (d Discount) take(charged []Coverage) (off plan.Cents) {
	for i := range charged {
		part := charged[i].Net.Share(d.Percent, 100)
		if d.Amount > 0 {
			part = min(charged[i].Net, d.Amount-off)
		}
		charged[i].Net -= part
		off += part
	}
	return off
}

func (d Discount) describe() string {
	if d.Amount > 0 {
		return fmt.Sprintf("%s: %s off", orID(d.Name, d.Code), d.Amount)
	}
	return fmt.Sprintf("%s: %d%% off", orID(d.Name, d.Code), d.Percent)
}

// clawBack charges what was credited of invoices that have since been made void.
func (b *bill) clawBack() {
	s := &b.Subscription
	if s.Clawback == 0 || s.Plan == plan.Managed {
		return
	}
	l := Line{Kind: ProrationCharge, ID: "void", Description: "Credit of invoices that are void", Amount: s.Clawback}
	if s.Clawback < 0 {
		l.Kind = ProrationCredit
	}
	b.add(l)
	s.Clawback = 0
}

// tax adds the tax on the sum of all lines, which is negative when that is a credit.
func (b *bill) tax(t plan.Tax) {
	base := b.sum()
	if amount := base.Share(t.BasisPoints, 10_000); amount != 0 {
		b.add(Line{Kind: TaxLine, ID: "tax", Description: fmt.Sprintf("%s %s%%", t.Name, plan.Cents(t.BasisPoints)), Amount: amount})
	}
}

// settle pays from the balance, or adds a negative sum to it.
func (b *bill) settle() {
	sum, balance := b.sum(), &b.Subscription.Balance
	switch {
	case sum < 0:
		*balance -= sum
		b.add(Line{Kind: BalanceLine, ID: "balance", Description: "Credited to the balance", Amount: -sum})
	case min(sum, *balance) > 0:
		used := min(sum, *balance)
		*balance -= used
		b.add(Line{Kind: BalanceLine, ID: "balance", Description: "Used from the balance", Amount: -used})
	}
	b.Total = b.sum()
}
