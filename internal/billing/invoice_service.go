package billing

import (
	"context"
	"slices"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// invoiceNumbers is the counter of the installation's invoices.
const invoiceNumbers = "invoices"

// draft makes the invoice for a bill, without a number.
func (s *Service) draft(p party, b bill, which id.Invoice, kind InvoiceKind, period Period, at time.Time) Invoice {
	return Invoice{
		ID: which, Workspace: b.Subscription.Workspace, Kind: kind, Status: Draft, Currency: s.Plans.Currency,
		Total: b.Total, Period: period, CreatedAt: at, DueAt: at.AddDate(0, 0, s.Plans.DueDays),
		BillTo: BillTo{Name: p.name, Email: p.email, Address: b.Subscription.Address}, Lines: b.Lines,
		Seller: s.Seller, Note: s.Note,
	}
}

// issue gives an invoice its number and stores it; from then on it does not change. An
// invoice whose total is zero is paid at once.
func (s *Service) issue(ctx context.Context, tx *db.Tx, i Invoice) (Invoice, error) {
	var err error
	if i.Number, err = nextNumber(ctx, tx, invoiceNumbers); err != nil {
		return i, db.Convert(err)
	}
	if i.Status = Open; i.Total == 0 {
		i.Status, i.PaidAt = Paid, i.CreatedAt
	}
	if err := insertInvoice(ctx, tx, i); err != nil {
		return i, db.Convert(err)
	}
	if i.Status == Paid {
		return i, nil
	}
	return i, s.Collect.Issued(ctx, tx, i)
}

// Invoice reads an issued invoice of a workspace; ResourceNotFound when it has no such
// invoice.
func (s *Service) Invoice(ctx context.Context, w id.Workspace, which id.Invoice) (Invoice, error) {
	return s.invoice(ctx, s.DB.Reader(ctx), w, which)
}

func (s *Service) invoice(ctx context.Context, q db.Querier, w id.Workspace, which id.Invoice) (Invoice, error) {
	i, found, err := selectInvoice(ctx, q, w, which)
	if err != nil {
		return Invoice{}, db.Convert(err)
	}
	if !found || i.Status == Draft {
		return Invoice{}, fault.New(fault.ResourceNotFound, "There is no invoice %q in this workspace.", fault.Bounded(string(which)))
	}
	return i, nil
}

// Invoices reads the issued invoices of a workspace, the newest first; next is nil on
// the last page.
func (s *Service) Invoices(ctx context.Context, w id.Workspace, page db.Page) (list []Invoice, next *db.Key, err error) {
	list, err = selectInvoices(ctx, s.DB.Reader(ctx), w, page)
	if err != nil {
		return nil, nil, db.Convert(err)
	}
	if page.Size == 0 {
		return list, nil, nil
	}
	list, next = db.Cut(list, page, func(i Invoice) db.Key { return db.Key{At: i.Number} })
	return list, next, nil
}

// markPaid records in the caller's transaction that an invoice was paid. One that is paid
// already stays as it is; InvalidPayload when it is void.
func (s *Service) markPaid(ctx context.Context, tx *db.Tx, w id.Workspace, which id.Invoice) (Invoice, error) {
	i, err := s.invoice(ctx, tx, w, which)
	if err != nil || i.Status == Paid {
		return i, err
	}
	if i, err = i.pay(s.Clock.Now()); err != nil {
		return i, err
	}
	if err := updateInvoice(ctx, tx, i); err != nil {
		return i, db.Convert(err)
	}
	return i, s.Collect.Paid(ctx, tx, i)
}

// void makes an invoice void in the caller's transaction. What it took from the balance is
// returned, credit for AI that it paid for is withdrawn, and what it covered earns no
// credit when it is given up. What has been credited of it already is clawed back by the
// next bill. InvalidPayload when it was paid.
func (s *Service) void(ctx context.Context, tx *db.Tx, w id.Workspace, which id.Invoice, reason string) (Invoice, error) {
	i, err := s.invoice(ctx, tx, w, which)
	if err != nil {
		return i, err
	}
	if i, err = i.void(reason); err != nil {
		return i, err
	}
	if err := updateInvoice(ctx, tx, i); err != nil {
		return i, db.Convert(err)
	}
	// The workspace may have been deleted since.
	sub, found, err := selectSubscription(ctx, tx, w)
	if err != nil || !found {
		return i, db.Convert(err)
	}
	if sub.Held != "" {
		return i, held()
	}
	sub.Coverages = slices.Clone(sub.Coverages)
	for at := range sub.Coverages {
		if c := &sub.Coverages[at]; c.Invoice == i.ID {
			c.Net = 0
		}
	}
	sub.Balance += max(i.balanceUsed(), 0)
	all, err := selectInvoices(ctx, tx, w, db.Page{})
	if err != nil {
		return i, db.Convert(err)
	}
	sub.Clawback += undone(i, all)
	if err := deleteGrant(ctx, tx, w, i.ID); err != nil {
		return i, db.Convert(err)
	}
	if err := s.save(ctx, tx, sub); err != nil {
		return i, err
	}
	return i, s.pushExtras(ctx, tx, sub, s.Clock.Now())
}

// undone is what has to be clawed back when an invoice is made void, given all invoices of
// its workspace: what other invoices credited of it, less what it credited itself of
// others that are void, since that was clawed back already or is about to be.
func undone(void Invoice, all []Invoice) (owed plan.Cents) {
	voids := map[id.Invoice]bool{}
	for _, i := range all {
		voids[i.ID] = i.Status == Void
	}
	for _, i := range all {
		for _, l := range i.Lines {
			switch {
			case l.Kind != ProrationCredit || l.Of == "":
			case i.ID == void.ID && l.Of != void.ID && voids[l.Of]:
				owed += l.Amount
			case i.Status != Void && l.Of == void.ID:
				owed -= l.Amount
			}
		}
	}
	return owed
}
