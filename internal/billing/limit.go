package billing

import (
	"context"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// checkMinimum refuses a purchase below the provider's minimum charge once as much has
// been waived in the month: otherwise anything bought in small parts would be free.
func (s *Service) checkMinimum(ctx context.Context, tx *db.Tx, w id.Workspace, total plan.Cents, at time.Time) error {
	if s.Provider == nil || total >= s.Provider.MinCharge() {
		return nil
	}
	waived, err := sumWaived(ctx, tx, w, monthOf(at))
	if err != nil || plan.Cents(waived)+total < s.Provider.MinCharge() {
		return db.Convert(err)
	}
	return fault.New(fault.InvalidPayload, "This costs %s dollars. The payment provider charges at least %s, and %s has been waived this month already: buy more at once.",
		total, s.Provider.MinCharge(), plan.Cents(waived))
}

// checkTrust bounds credit for AI that is available before it is paid for: to the
// workspace's spending limit, and to workspaces without an overdue invoice. The operator
// pays for what is used, and cannot take it back.
func (s *Service) checkTrust(ctx context.Context, tx *db.Tx, of party, w id.Workspace, b bill, at time.Time) error {
	costs := s.credit(b.Lines)
	if costs == 0 {
		return nil
	}
	unpaid, err := selectUnpaid(ctx, tx, w)
	if err != nil {
		return db.Convert(err)
	}
	owed := plan.Cents(0)
	for _, i := range unpaid {
		if i.DueAt.Before(at) || i.Attempts > 0 {
			return fault.New(fault.PaymentRequired, "The invoice %s of %s dollars must be paid before more credit for AI can be bought.", i.ID, i.Total).
				With("invoiceId", string(i.ID))
		}
		owed += s.credit(i.Lines)
	}
	if owed+costs > of.spending {
		return fault.New(fault.PaymentRequired, "Without a payment method, credit for AI can be bought up to the workspace's spending limit of %s dollars: this costs %s, and %s has not been paid for yet. Pay that, or set a payment method.",
			of.spending, costs, owed)
	}
	return nil
}

// MayOwe returns PaymentRequired for a workspace that could not be charged at the end of
// the month for AI spend in arrears: where cards are charged, it needs one, and must have
// no invoice whose charge was declined.
func (s *Service) MayOwe(ctx context.Context, q db.Querier, w id.Workspace) error {
	if s.Provider == nil || !s.Provider.RequiresMethod() {
		return nil
	}
	from, _, err := selectPayer(ctx, q, w)
	if err != nil {
		return db.Convert(err)
	}
	if !s.chargeable(from) {
		return fault.New(fault.PaymentRequired, "AI spend beyond what the plan includes is charged at the end of the month: set a payment method first, with POST /v2/billing/payment-methods.")
	}
	unpaid, _, err := selectDebts(ctx, q, w)
	if err != nil {
		return db.Convert(err)
	}
	for _, i := range unpaid {
		if i.Attempts > 0 || i.Status == Uncollectible {
			return fault.New(fault.PaymentRequired, "AI spend beyond what the plan includes is charged at the end of the month, and a charge for the invoice %s was declined: pay it first.", i.ID).With("invoiceId", string(i.ID))
		}
	}
	return nil
}

// credit is how much of the lines is for credit for AI.
func (s *Service) credit(lines []Line) (total plan.Cents) {
	for _, l := range lines {
		of, found := s.Plans.Addon(l.ID)
		if l.Kind == GrantLine || l.Kind == AddonLine && found && of.Credit() {
			total += l.Amount
		}
	}
	return total
}
