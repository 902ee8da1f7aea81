package billing

import (
	"time"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// InvoiceStatus is the status of an invoice; the names are those of the public API.
//
//	draft → open → paid | void | uncollectible
//	uncollectible → paid | void
//
// A draft has no number, and is deleted when its purchase is dropped. An invoice whose
// total is zero is paid as soon as it is issued.
type InvoiceStatus string

// The states of an invoice.
const (
	Draft         InvoiceStatus = "draft"
	Open          InvoiceStatus = "open"
	Paid          InvoiceStatus = "paid"
	Uncollectible InvoiceStatus = "uncollectible"
	Void          InvoiceStatus = "void"
)

// InvoiceKind is what an invoice is for.
type InvoiceKind string

// The kinds of invoice.
const (
	CycleInvoice  InvoiceKind = "cycle"  // a month that begins, and the AI spend of the one that ended
	ChangeInvoice InvoiceKind = "change" // what was bought within a month
	GrantInvoice  InvoiceKind = "grant"  // credit for AI
	FinalInvoice  InvoiceKind = "final"  // what a deleted workspace still owed
	CreditNote    InvoiceKind = "credit" // what the operator credited of another
)

// Invoice is an invoice. Once it has a number, only its status, its payment times, its
// attempts and the reason for them change.
type Invoice struct {
	ID        id.Invoice
	Workspace id.Workspace
	// Number has no gaps within an installation; 0 is a draft.
	Number   int64
	Kind     InvoiceKind
	Status   InvoiceStatus
	Currency string
	// Total is what is to be paid: the sum of the lines, and not negative.
	Total     plan.Cents
	Period    Period
	CreatedAt time.Time
	DueAt     time.Time
	PaidAt    time.Time // zero: not paid
	// Attempts counts failed charges; NextAttempt is when the next one is due, or zero.
	Attempts    int64
	NextAttempt time.Time
	// Reason says why an invoice is void or uncollectible, or the last charge failed.
	Reason string
	BillTo BillTo
	Lines  []Line
	// Seller issued the invoice, and Note is printed below its totals; both as they were
	// at the time.
	Seller, Note string
}

// BillTo is who an invoice is for, as it was when it was issued.
type BillTo struct {
	Name    string   `json:"name"` // of the workspace
	Email   string   `json:"email,omitempty"`
	Address *Address `json:"address,omitempty"`
}

// LineKind is what a line of an invoice is.
type LineKind string

// The kinds of line.
const (
	PlanLine        LineKind = "plan"
	AddonLine       LineKind = "addon"
	ProrationCredit LineKind = "proration_credit" // the unused part of what was paid for
	ProrationCharge LineKind = "proration_charge" // the rest of a period
	DiscountLine    LineKind = "discount"
	SpendLine       LineKind = "ai_spend"     // in arrears
	GrantLine       LineKind = "credit_grant" // credit for AI that was bought
	CreditLine      LineKind = "credit"       // of an invoice that was paid in error
	TaxLine         LineKind = "tax"
	BalanceLine     LineKind = "balance" // used from the balance (negative), or credited to it
)

// Line is one line of an invoice.
type Line struct {
	Kind        LineKind   `json:"kind"`
	ID          string     `json:"id"` // of the plan, add-on, coupon …
	Description string     `json:"description"`
	Amount      plan.Cents `json:"amount"`
	Quantity    int64      `json:"quantity,omitempty"`
	UnitPrice   plan.Cents `json:"unitPrice,omitempty"` // for a whole period
	From        time.Time  `json:"from,omitzero"`
	Until       time.Time  `json:"until,omitzero"`
	// Of is the invoice that charged what is credited.
	Of id.Invoice `json:"of,omitempty"`
}

// payable returns nil when the invoice can be paid, InvalidPayload otherwise.
func (i Invoice) payable() error {
	if i.Status == Open || i.Status == Uncollectible {
		return nil
	}
	return fault.New(fault.InvalidPayload, "The invoice %s is %s; only one that is open or uncollectible can be paid.", i.ID, i.Status)
}

// pay returns the invoice as paid. InvalidPayload when it cannot be paid.
func (i Invoice) pay(at time.Time) (Invoice, error) {
	if err := i.payable(); err != nil {
		return i, err
	}
	i.Status, i.PaidAt, i.NextAttempt, i.Reason = Paid, at, time.Time{}, ""
	return i, nil
}

// void returns the invoice as void. InvalidPayload when it was paid: what was paid in
// error is credited instead.
func (i Invoice) void(reason string) (Invoice, error) {
	if i.Status != Open && i.Status != Uncollectible {
		return i, fault.New(fault.InvalidPayload, "The invoice %s is %s; only one that is open or uncollectible can be made void.", i.ID, i.Status)
	}
	i.Status, i.Reason, i.NextAttempt = Void, reason, time.Time{}
	return i, nil
}

// balanceUsed is what the invoice took from the balance; negative when it added to it.
func (i Invoice) balanceUsed() (used plan.Cents) {
	for _, l := range i.Lines {
		if l.Kind == BalanceLine {
			used -= l.Amount
		}
	}
	return used
}
