package billing

import (
	"time"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// AttemptState is the state of an attempt to charge an invoice.
//
//	pending → paid | declined | action_required | surplus
//
// A declined attempt may still become paid, or surplus, when the provider reports so.
type AttemptState string

// The states of an attempt.
const (
	// AttemptPending: the outcome is not known yet.
	AttemptPending AttemptState = "pending"
	// AttemptPrepared is what a provider answers of a charge that has taken no money yet.
	// It is stored as pending.
	AttemptPrepared AttemptState = "prepared"
	AttemptPaid     AttemptState = "paid"
	AttemptDeclined AttemptState = "declined"
	// AttemptActionRequired: declined until the cardholder confirms it with the bank.
	AttemptActionRequired AttemptState = "action_required"
	// AttemptSurplus: money was taken when nobody owed it any more. It is refunded, and pays
	// for nothing meanwhile.
	AttemptSurplus AttemptState = "surplus"
)

// Dispute is the state of the payer's objection to a payment.
type Dispute string

// The states of a dispute; a payment that nobody disputed has none.
const (
	DisputeOpen Dispute = "open"
	DisputeWon  Dispute = "won"
	DisputeLost Dispute = "lost"
)

// Attempt is one attempt to charge an invoice. It is written before the provider is
// called, and an invoice has at most one that is pending: so nobody charges it twice at
// once, and whatever a crash interrupts can be looked up.
type Attempt struct {
	ID        id.Payment
	Workspace id.Workspace
	Invoice   id.Invoice
	Provider  string
	Customer  string
	Method    string
	Amount    plan.Cents
	Currency  string
	State     AttemptState
	// Reference is the provider's id of the charge; empty until it was prepared.
	Reference string
	Reason    string
	// Request is the caller's key, by which a repeated request is recognised.
	Request    string
	StartedAt  time.Time
	EndedAt    time.Time // zero: pending
	Dispute    Dispute
	RefundedAt time.Time
}

// refusal is the PaymentRequired of an attempt that did not lead to payment.
func (a Attempt) refusal() error {
	if a.State == AttemptSurplus {
		return fault.New(fault.PaymentRequired, "The payment of %s %s came when the invoice %s was settled already, and is refunded.", a.Amount, a.Currency, a.Invoice).
			With("invoiceId", string(a.Invoice))
	}
	todo := "Set another one with POST /v2/billing/payment-methods and pay again."
	if a.State == AttemptActionRequired {
		todo = "Confirm the card with POST /v2/billing/payment-methods/intent, set it again with POST /v2/billing/payment-methods, and pay again."
	}
	return fault.New(fault.PaymentRequired, "The payment of %s %s was declined: %s %s", a.Amount, a.Currency, a.Reason, todo).
		With("invoiceId", string(a.Invoice)).With("reason", string(a.State))
}

// retryDays are the days after the first failure on which a charge is retried. After the
// last one the workspace is blocked.
var retryDays = []int{1, 3, 5, 7}

// nextTry is when an invoice whose charge first failed at first is retried after a try at
// now; ok is false when there are no more retries.
func nextTry(first, now time.Time) (at time.Time, ok bool) {
	for _, days := range retryDays {
		if at = first.AddDate(0, 0, days); at.After(now) {
			return at, true
		}
	}
	return time.Time{}, false
}

// concludeAfter is how long the process that began an attempt has to finish it, before
// another takes over.
const concludeAfter = 2 * time.Minute

// overdue reports whether an invoice is not retried any more: its workspace is blocked
// until it is paid or made void.
func (i Invoice) overdue() bool {
	return i.Status == Uncollectible || i.Status == Open && i.Attempts > 0 && i.NextAttempt.IsZero()
}

// standing derives the status of a subscription, and whether its workspace is blocked,
// from its unpaid invoices. action has those whose last try needs the cardholder.
func standing(unpaid []Invoice, action map[id.Invoice]bool) (status Status, blocked bool) {
	status = Active
	for _, i := range unpaid {
		switch {
		case i.overdue():
			return Canceled, true
		case i.Attempts == 0:
		case action[i.ID]:
			status = ActionRequired
		case status == Active:
			status = PastDue
		}
	}
	return status, false
}
