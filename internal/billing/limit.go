package billing

import (
	"context"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// checkMinimum refuses a purchase that costs less than the provider charges at all, once as
// much was waived in the month: else whatever is bought in small parts costs nothing.
func (s *Service) checkMinimum(ctx context.Context, tx *db.Tx, w id.Workspace, total plan.Cents, at time.Time) error {
	if s.Provider == nil || total >= s.Provider.MinCharge() {
		return nil
	}
	waived, err := sumWaived(ctx, tx, w, monthOf(at))
	if err != nil || plan.Cents(waived)+total < s.Provider.MinCharge() {
		return db.Convert(err)
	}
	return fault.New(fault.InvalidPayload, "This costs %s dollars. The payment provider charges no less than %s, and %s were waived this month already: buy more at once.",
		total, s.Provider.MinCharge(), plan.Cents(waived))
}

// checkTrust refuses credit for AI that is not paid when it is had, beyond the workspace's
// spending limit or while an invoice is overdue: the operator has to pay for it, and it
// cannot be taken back once it is spent.
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
			return fault.New(fault.PaymentRequired, "The invoice %s of %s dollars is to be paid before credit for AI is bought.", i.ID, i.Total).
				With("invoiceId", string(i.ID))
		}
		owed += s.credit(i.Lines)
	}
	if owed+costs > of.spending {
		return fault.New(fault.PaymentRequired, "Credit for AI is had on trust up to the workspace's spending limit of %s dollars: this costs %s, and %s are not paid yet. Pay them, or set a method of payment.",
			of.spending, costs, owed)
	}
	return nil
}

// MayOwe refuses a workspace that could not be charged at the end of the month for AI
// spend that it allows itself: where cards are charged, it must have given one, and must
// not owe what was refused. PaymentRequired says so.
func (s *Service) MayOwe(ctx context.Context, q db.Querier, w id.Workspace) error {
	if s.Provider == nil || !s.Provider.RequiresMethod() {
		return nil
	}
	from, _, err := selectPayer(ctx, q, w)
	if err != nil {
		return db.Convert(err)
	}
	if !s.chargeable(from) {
		return fault.New(fault.PaymentRequired, "AI spend beyond what the plan brings is paid at the end of the month: set a method of payment first, with POST /v2/billing/payment-methods.")
	}
	unpaid, _, err := selectDebts(ctx, q, w)
	if err != nil {
		return db.Convert(err)
	}
	for _, i := range unpaid {
		if i.Attempts > 0 || i.Status == Uncollectible {
			return fault.New(fault.PaymentRequired, "AI spend beyond what the plan brings is paid at the end of the month, and the invoice %s was refused: pay it first.", i.ID).With("invoiceId", string(i.ID))
		}
	}
	return nil
}

// credit is how much of what is charged is for credit for AI.
func (s *Service) credit(lines []Line) (total plan.Cents) {
	for _, l := range lines {
		of, found := s.Plans.Addon(l.ID)
		if l.Kind == GrantLine || l.Kind == AddonLine && found && of.Credit() {
			total += l.Amount
		}
	}
	return total
}
