package billing

import (
	"context"
	"slices"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// This file is for the operator, who keeps the books; no operation of the API leads here.
// Everything is recorded in the audit trail of the workspace.

// requireIdle returns nil when no attempt to charge the invoice is pending, so that the
// operator may decide about it.
func (s *Service) requireIdle(ctx context.Context, tx *db.Tx, which id.Invoice) error {
	a, found, err := selectPending(ctx, tx, which)
	if err != nil || !found {
		return db.Convert(err)
	}
	if s.Provider != nil && a.Provider != s.Provider.Name() {
		a.State, a.Reason, a.EndedAt = AttemptDeclined, "The payment provider is not used any more.", s.Clock.Now()
		return db.Convert(updateAttempt(ctx, tx, a))
	}
	return underWay(which)
}

// decide applies a decision of the operator to an issued invoice, and records it if it
// changed anything.
func (s *Service) decide(ctx context.Context, which id.Invoice, did string, decision func(context.Context, *db.Tx, Invoice) (Invoice, error)) (i Invoice, err error) {
	err = s.DB.Tx(operator(ctx), func(ctx context.Context, tx *db.Tx) error {
		before, found, err := selectInvoiceOf(ctx, tx, which)
		if err != nil {
			return db.Convert(err)
		}
		if !found || before.Status == Draft {
			return fault.New(fault.ResourceNotFound, "There is no invoice %q.", fault.Bounded(string(which)))
		}
		if err := s.requireIdle(ctx, tx, which); err != nil {
			return err
		}
		if i, err = decision(ctx, tx, before); err != nil || i.ID == before.ID && i.Status == before.Status {
			return err
		}
		return s.record(ctx, tx, before, did)
	})
	return i, err
}

// record notes in the audit trail of a workspace what the operator did to its invoice. A
// workspace that was deleted has no trail any more.
func (s *Service) record(ctx context.Context, tx *db.Tx, i Invoice, did string) error {
	of, found, err := selectParty(ctx, tx, i.Workspace)
	if err != nil || !found {
		return db.Convert(err)
	}
	return s.Trail.Record(ctx, tx, i.Workspace, access.Act{
		Action: "UPDATE_WORKSPACE", Resource: string(i.Workspace), Name: of.name, Value: "invoice " + string(i.ID) + " " + did,
	})
}

// maxReason bounds the operator's reason, in bytes.
const maxReason = 500

func checkReason(reason string) error {
	if reason == "" || len(reason) > maxReason {
		return fault.New(fault.InvalidPayload, "The reason has %d bytes; it must have from 1 to %d.", len(reason), maxReason)
	}
	return nil
}

// MarkInvoicePaid notes that an invoice was paid by other means, such as a bank transfer.
// ResourceNotFound when there is none, ResourceLockedConflict while it is charged.
func (s *Service) MarkInvoicePaid(ctx context.Context, which id.Invoice) (Invoice, error) {
	return s.decide(ctx, which, "marked as paid", func(ctx context.Context, tx *db.Tx, i Invoice) (Invoice, error) {
		return s.markPaid(ctx, tx, i.Workspace, i.ID)
	})
}

// VoidInvoice makes an invoice void: nobody owes it any more.
// ResourceNotFound when there is none, ResourceLockedConflict while it is charged,
// InvalidPayload when it was paid.
func (s *Service) VoidInvoice(ctx context.Context, which id.Invoice, reason string) (Invoice, error) {
	if err := checkReason(reason); err != nil {
		return Invoice{}, err
	}
	return s.decide(ctx, which, "void: "+reason, func(ctx context.Context, tx *db.Tx, i Invoice) (Invoice, error) {
		i, err := s.void(ctx, tx, i.Workspace, i.ID, reason)
		if err != nil {
			return i, err
		}
		return i, s.syncStanding(ctx, tx, i.Workspace)
	})
}

// CreditInvoice credits a part of a paid invoice to the balance of its workspace, by a
// credit note with a number of its own. The unused time that the invoice paid for loses as
// much of its value. ResourceNotFound when there is no such invoice or workspace,
// InvalidPayload when it was not paid or the amount exceeds what can still be credited,
// ResourceLockedConflict while a purchase of the workspace is being paid.
func (s *Service) CreditInvoice(ctx context.Context, which id.Invoice, amount plan.Cents, reason string) (note Invoice, err error) {
	if err := checkReason(reason); err != nil {
		return Invoice{}, err
	}
	if amount < 1 {
		return Invoice{}, fault.New(fault.InvalidPayload, "A credit of %s is not possible; it must be at least 0.01.", amount)
	}
	return s.decide(ctx, which, "credited with "+amount.String()+": "+reason, func(ctx context.Context, tx *db.Tx, i Invoice) (Invoice, error) {
		if i.Status != Paid {
			return i, fault.New(fault.InvalidPayload, "The invoice %s is %s; only a paid invoice can be credited, and an unpaid one is made void instead.", i.ID, i.Status)
		}
		sub, of, err := s.subscription(ctx, tx, i.Workspace)
		if err != nil {
			return i, err
		}
		if sub.Held != "" {
			return i, held()
		}
		all, err := selectInvoices(ctx, tx, i.Workspace, db.Page{})
		if err != nil {
			return i, db.Convert(err)
		}
		rest := creditable(i, all, s.Plans.Tax)
		if amount > rest {
			return i, fault.New(fault.InvalidPayload, "%s of the invoice %s cannot be credited: %s was paid for it, of which %s can still be credited.", amount, i.ID, i.paidWith(), rest)
		}
		sub.Coverages = slices.Clone(sub.Coverages)
		for at := range sub.Coverages {
			if c := &sub.Coverages[at]; c.Invoice == i.ID {
				c.Net -= c.Net.Share(int64(amount), int64(rest))
			}
		}
		sub.Balance += amount
		if err := s.save(ctx, tx, sub); err != nil {
			return i, err
		}
		now := s.Clock.Now()
		b := bill{Subscription: sub, Lines: []Line{
			{Kind: CreditLine, ID: "credit", Description: "Credit for invoice " + InvoiceNumber(i.Number) + ": " + reason, Amount: -amount, Of: i.ID},
			{Kind: BalanceLine, ID: "balance", Description: "Credited to the balance", Amount: amount},
		}}
		return s.issue(ctx, tx, s.draft(of, b, id.NewInvoice(now), CreditNote, monthOf(now), now))
	})
}

// paidWith is what was paid for an invoice, in money and from the balance.
func (i Invoice) paidWith() plan.Cents { return i.Total + max(i.balanceUsed(), 0) }

// creditable is how much of an invoice can still be credited, given all invoices of its
// workspace: what was paid for it, less what was credited already with its tax, whether by
// the operator or because something it was for was given up.
func creditable(of Invoice, all []Invoice, t plan.Tax) plan.Cents {
	rest := of.paidWith()
	for _, i := range all {
		for _, l := range i.Lines {
			switch {
			case i.Status == Void || l.Of != of.ID:
			case l.Kind == CreditLine:
				rest += l.Amount
			case l.Kind == ProrationCredit:
				rest += l.Amount + l.Amount.Share(t.BasisPoints, 10_000)
			}
		}
	}
	return max(rest, 0)
}

// Waiting is a payment whose outcome is not known yet, or a purchase that waits for its
// payment.
type Waiting struct {
	Invoice   id.Invoice
	Workspace id.Workspace
	Amount    plan.Cents
	Currency  string
	Since     time.Time
	// Provider is who was asked for the charge, and Reference is its id there; both are
	// empty when nobody was asked.
	Provider, Reference string
	// Purchase says that a purchase waits for the payment, and that the workspace can buy
	// nothing else until then.
	Purchase bool
}

// PaymentsWaiting calls each for the payments of all workspaces whose outcome is not known
// yet.
func (s *Service) PaymentsWaiting(ctx context.Context, each func(Waiting) error) error {
	const batch = 500
	for _, alone := range []bool{false, true} {
		for after := id.Invoice(""); ; {
			list, err := selectWaiting(ctx, s.DB.Reader(ctx), alone, after, batch)
			if err != nil {
				return db.Convert(err)
			}
			for _, w := range list {
				if err := each(w); err != nil {
					return err
				}
				after = w.Invoice
			}
			if len(list) < batch {
				break
			}
		}
	}
	return nil
}

// PaymentsStuck counts the payments that have waited for their outcome since before a given
// time. It needs no service, so that it can inspect a database that is not in use.
func PaymentsStuck(ctx context.Context, q db.Querier, before time.Time) (n int, err error) {
	n, err = countWaiting(ctx, q, before)
	return n, db.Convert(err)
}

// SettlePayment records the outcome of a payment that the provider cannot be asked about
// any more, as the operator found it on the provider's own pages. A purchase that waits
// for it takes effect or is dropped. Should the provider report later that money was taken
// after all, it is refunded. ResourceNotFound when no payment of the invoice is pending,
// InvalidPayload when it is to be settled as declined and is known to be paid.
func (s *Service) SettlePayment(ctx context.Context, which id.Invoice, paid bool, reason string) error {
	if err := checkReason(reason); err != nil {
		return err
	}
	o := Outcome{AttemptDeclined, "Settled by the operator: " + reason}
	if paid {
		o.State = AttemptPaid
	}
	return s.DB.Tx(operator(ctx), func(ctx context.Context, tx *db.Tx) error {
		i, found, err := selectInvoiceOf(ctx, tx, which)
		if err != nil {
			return db.Convert(err)
		}
		if !found {
			return noPayment(which)
		}
		a, pending, err := selectPending(ctx, tx, which)
		if err != nil {
			return db.Convert(err)
		}
		sub, _, err := selectSubscription(ctx, tx, i.Workspace)
		if err != nil {
			return db.Convert(err)
		}
		if !pending && sub.Held != which {
			return noPayment(which)
		}
		if last, _, err := selectLatest(ctx, tx, i.Workspace, which); err != nil {
			return db.Convert(err)
		} else if last.State == AttemptPaid && !paid {
			return fault.New(fault.InvalidPayload, "The payment of the invoice %s was made: it can be settled as paid only.", which)
		}
		if pending {
			if _, err := s.recordOutcome(ctx, a.ID, o); err != nil {
				return err
			}
		}
		if sub.Held == which {
			var declined error
			if !paid {
				declined = fault.New(fault.PaymentRequired, "%s", o.Reason)
			}
			if _, err := s.endPurchase(ctx, tx, i, declined); err != nil {
				return err
			}
		}
		return s.record(ctx, tx, i, "settled as "+string(o.State)+": "+reason)
	})
}

func noPayment(which id.Invoice) error {
	return fault.New(fault.ResourceNotFound, "No payment of an invoice %q is under way; botyard payment list has those that are.", fault.Bounded(string(which)))
}

// InvoicesIn calls each for the invoices of all workspaces that have a status, the oldest
// first.
func (s *Service) InvoicesIn(ctx context.Context, status InvoiceStatus, each func(Invoice) error) error {
	for after := (db.Key{At: -1}); ; {
		const batch = 500
		list, err := selectByStatus(ctx, s.DB.Reader(ctx), status, after, batch)
		if err != nil {
			return db.Convert(err)
		}
		for _, i := range list {
			if err := each(i); err != nil {
				return err
			}
			after = db.Key{At: i.CreatedAt.UnixMilli(), ID: string(i.ID)}
		}
		if len(list) < batch {
			return nil
		}
	}
}
