package billing

import (
	"time"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// AttemptState is how an attempt to have an invoice paid stands.
//
//	pending → paid | declined | action_required
//
// What was declined may turn out to be paid after all, when the provider says so.
type AttemptState string

// The states of an attempt.
const (
	// AttemptPending: what became of it is not known yet.
	AttemptPending AttemptState = "pending"
	// AttemptPrepared is a provider's word for a charge that took no money yet. We keep
	// it as pending.
	AttemptPrepared AttemptState = "prepared"
	AttemptPaid     AttemptState = "paid"
	AttemptDeclined AttemptState = "declined"
	// AttemptActionRequired: declined until the owner of the card confirms it at the
	// bank.
	AttemptActionRequired AttemptState = "action_required"
)

// Dispute is how the payer's objection to a payment stands.
type Dispute string

// The states of a dispute; a payment that nobody disputed has none.
const (
	DisputeOpen Dispute = "open"
	DisputeWon  Dispute = "won"
	DisputeLost Dispute = "lost"
)

// Attempt is one attempt to have an invoice paid. It is written before the provider
// is asked, and an invoice has one at most that is pending: so it is never charged
// twice at once, whoever asks, and a crash leaves nothing unknown.
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
	// Reference is the provider's name of the charge; empty until it was prepared.
	Reference string
	Reason    string
	// Request is the caller's key, by which a repeated request is known.
	Request    string
	StartedAt  time.Time
	EndedAt    time.Time // zero: pending
	Dispute    Dispute
	RefundedAt time.Time
}

// refusal is the PaymentRequired of an attempt that did not lead to payment.
func (a Attempt) refusal() error {
	todo := "Set another one with POST /v2/billing/payment-methods and pay again."
	if a.State == AttemptActionRequired {
		todo = "Confirm the card with POST /v2/billing/payment-methods/intent, set it again with POST /v2/billing/payment-methods, and pay again."
	}
	return fault.New(fault.PaymentRequired, "The payment of %s %s was refused: %s %s", a.Amount, a.Currency, a.Reason, todo).
		With("invoiceId", string(a.Invoice)).With("reason", string(a.State))
}

// retryDays are when a charge that failed is tried again, in days after the first
// failure. After the last one the workspace is blocked.
var retryDays = []int{1, 3, 5, 7}

// nextTry is when an invoice that was first refused at first is tried again, after a
// try at now; ok is false when it is not.
func nextTry(first, now time.Time) (at time.Time, ok bool) {
	for _, days := range retryDays {
		if at = first.AddDate(0, 0, days); at.After(now) {
			return at, true
		}
	}
	return time.Time{}, false
}

// concludeAfter is how long the process that began an attempt has to end it, before
// whoever comes first takes over.
const concludeAfter = 2 * time.Minute

// overdue says that an invoice is not tried any more: its workspace is blocked until
// it is paid or made void.
func (i Invoice) overdue() bool {
	return i.Status == Uncollectible || i.Status == Open && i.Attempts > 0 && i.NextAttempt.IsZero()
}

// standing is the state of a subscription whose unpaid invoices are these, and
// whether its workspace is blocked.
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
