package billing

import (
	"slices"
	"time"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// Discount is a coupon that a workspace has redeemed, with the coupon's terms as
// they were then.
type Discount struct {
	ID       string        `json:"id"`
	Coupon   string        `json:"coupon"`
	Code     string        `json:"code"`
	Name     string        `json:"name,omitempty"`
	Percent  int64         `json:"percent,omitempty"`
	Amount   plan.Cents    `json:"amount,omitempty"`
	Duration plan.Duration `json:"duration"`
	Months   int           `json:"months,omitempty"`
	Start    time.Time     `json:"start"`
	End      time.Time     `json:"end,omitzero"` // exclusive; zero has none
	// Used is the month in which an amount was last deducted: it is deducted once a month,
	// however many invoices there are.
	Used time.Time `json:"used,omitzero"`
}

// applies reports whether the discount applies to an invoice of that moment.
func (d Discount) applies(at time.Time) bool {
	if at.Before(d.Start) || !d.End.IsZero() && !at.Before(d.End) {
		return false
	}
	return d.Amount == 0 || !d.Used.Equal(monthOf(at).Start)
}

// maxDiscounts bounds how many discounts a workspace has at once.
const maxDiscounts = 10

// redeem adds the discount of a coupon code. ReferenceNotFound when there is no such
// coupon, AlreadyExists when the workspace has redeemed it before, LimitExceeded when it
// has too many discounts.
func (s *Subscription) redeem(c *plan.Catalog, code string, at time.Time) error {
	k, found := c.Coupon(code)
	if !found || !k.RedeemBy.IsZero() && !at.Before(k.RedeemBy) {
		return fault.New(fault.ReferenceNotFound, "There is no coupon with the code %q, or it has expired.", fault.Bounded(code))
	}
	if slices.Contains(s.Redeemed, k.ID) {
		return fault.New(fault.AlreadyExists, "This workspace has redeemed the coupon %q already; each can be redeemed once.", k.Code)
	}
	if len(s.Discounts) >= maxDiscounts {
		return fault.New(fault.LimitExceeded, "A workspace has at most %d discounts at once and this one has %d.", maxDiscounts, len(s.Discounts))
	}
	d := Discount{
		ID: id.NewDiscount(at), Coupon: k.ID, Code: k.Code, Name: k.Name, Percent: k.PercentOff, Amount: k.AmountOff,
		Duration: k.Duration, Months: k.Months, Start: at,
	}
	if k.Duration == plan.Repeating {
		d.End = addMonths(at, k.Months)
	}
	s.Discounts, s.Redeemed = append(s.Discounts, d), append(s.Redeemed, k.ID)
	return nil
}
