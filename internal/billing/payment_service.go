package billing

import (
	"context"
	"errors"
	"slices"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
)

// purchased is the request key of the only charge of a draft, which is made before the
// purchase takes effect.
const purchased = "purchase"

// errUnknown says that the outcome of a charge is not known yet; a job finds it out.
var errUnknown = errors.New("the outcome of the payment is not known yet")

// Payments collects invoices through the provider; it is the service's collector.
type Payments struct{ *Service }

// ChargesFirst implements collector.
func (p Payments) ChargesFirst(ctx context.Context, q db.Querier, w id.Workspace) (bool, error) {
	if p.Provider == nil {
		return false, nil
	}
	from, _, err := selectPayer(ctx, q, w)
	return p.Provider.RequiresMethod() || p.chargeable(from), db.Convert(err)
}

// chargeable reports whether a payer can be charged now.
func (s *Service) chargeable(p payer) bool {
	return s.Provider != nil && p.provider == s.Provider.Name() && p.method.ID != ""
}

// Charge implements collector.
func (p Payments) Charge(ctx context.Context, i Invoice) error {
	a, err := p.collect(ctx, i.Workspace, i.ID, purchased)
	switch {
	case err != nil:
		return err
	case a.State == AttemptPaid:
		return nil
	case a.State == AttemptPending:
		return underWay(i.ID)
	}
	return a.refusal()
}

// Issued implements collector: a workspace that has a payment method is charged at once,
// any other when the invoice is due. Where no provider is configured, as on the operator's
// command line, that is left to the servers.
func (p Payments) Issued(ctx context.Context, tx *db.Tx, i Invoice) error {
	if p.Provider == nil {
		return p.Queue.Enqueue(ctx, tx, jobRetry, retrying{Invoice: i.ID, Begin: true}, jobs.Unique("begin "+string(i.ID)))
	}
	from, _, err := selectPayer(ctx, tx, i.Workspace)
	if err != nil {
		return db.Convert(err)
	}
	if i.NextAttempt = i.DueAt; p.chargeable(from) {
		i.NextAttempt = p.Clock.Now()
	}
	return p.schedule(ctx, tx, i)
}

// Paid implements collector: a payment may end the block of a workspace.
func (p Payments) Paid(ctx context.Context, tx *db.Tx, i Invoice) error {
	return p.syncStanding(ctx, tx, i.Workspace)
}

// collect charges an invoice now: it begins an attempt, or joins the pending one, and sees
// it through, outside any transaction. The attempt it returns is pending when the outcome
// cannot be found out now. A repeated request is recognised by its key, if it has one.
// ResourceNotFound when the workspace has no such invoice, InvalidPayload when it cannot be
// paid.
func (s *Service) collect(ctx context.Context, w id.Workspace, which id.Invoice, request string) (Attempt, error) {
	if s.Provider == nil {
		return Attempt{}, noProvider()
	}
	a, fresh, err := s.begin(ctx, w, which, request)
	if fault.Is(err, fault.AlreadyExists) {
		// Another request began one since ours looked: join it.
		a, fresh, err = s.begin(ctx, w, which, request)
	}
	if err != nil || a.State != AttemptPending {
		return a, err
	}
	a, err = s.pursue(ctx, a, fresh)
	if errors.Is(err, errUnknown) {
		s.Log.WarnContext(ctx, "the outcome of a payment is not known yet", "payment", a.ID, "invoice", a.Invoice, "error", err)
		err = nil
	}
	return a, err
}

func noProvider() error {
	return fault.New(fault.InvalidPayload, "This server takes no payments: pay as the invoice says, and the operator marks it as paid.")
}

// begin writes an attempt before the provider is called; fresh is false when it returns
// one that was begun earlier.
func (s *Service) begin(ctx context.Context, w id.Workspace, which id.Invoice, request string) (a Attempt, fresh bool, err error) {
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		fresh = false
		found := false
		if request != "" {
			if a, found, err = selectRequested(ctx, tx, w, which, request); found || err != nil {
				return db.Convert(err)
			}
		}
		i, found, err := selectInvoice(ctx, tx, w, which)
		if err != nil {
			return db.Convert(err)
		}
		if !found || i.Status == Draft && request != purchased {
			return noInvoice(which)
		}
		if a, found, err = selectPending(ctx, tx, which); found || err != nil {
			return db.Convert(err)
		}
		if err := i.payable(); err != nil && i.Status != Draft {
			return err
		}
		from, _, err := selectPayer(ctx, tx, w)
		if err != nil {
			return db.Convert(err)
		}
		now := s.Clock.Now()
		a = Attempt{
			ID: id.NewPayment(now), Workspace: w, Invoice: which, Provider: s.Provider.Name(), Customer: from.customer, Method: from.method.ID,
			Amount: i.Total, Currency: i.Currency, State: AttemptPending, Request: request, StartedAt: now,
		}
		if i.Total < s.Provider.MinCharge() {
			a.State, a.Reason, a.EndedAt = AttemptPaid, "The amount is below the provider's minimum and was waived.", now
			err := insertAttempt(ctx, tx, a)
			if err == nil && i.Status != Draft {
				_, err = s.markPaid(ctx, tx, w, which)
			}
			return db.Convert(err)
		}
		if !s.chargeable(from) {
			a.State, a.Reason, a.EndedAt = AttemptDeclined, "No payment method is set.", now
			if err := insertAttempt(ctx, tx, a); err != nil {
				return db.Convert(err)
			}
			return s.noteRefusal(ctx, tx, i, a)
		}
		if err := insertAttempt(ctx, tx, a); err != nil {
			return db.Convert(err)
		}
		fresh = true
		// If this process dies, the job takes over.
		return s.Queue.Enqueue(ctx, tx, jobConclude, ofPayment{a.ID}, jobs.Unique(string(a.ID)), jobs.RunAt(now.Add(concludeAfter)))
	})
	return a, fresh, err
}

func noInvoice(which id.Invoice) error {
	return fault.New(fault.ResourceNotFound, "There is no invoice %q in this workspace.", fault.Bounded(string(which)))
}

// pursue sees a pending attempt through. One that is not fresh may have been abandoned at
// any step, so its state is looked up before anything is done. The error wraps errUnknown
// when the provider does not say what happened.
func (s *Service) pursue(ctx context.Context, a Attempt, fresh bool) (Attempt, error) {
	unknown := func(err error) error { return errors.Join(errUnknown, err) }
	if s.Provider == nil || s.Provider.Name() != a.Provider {
		return a, unknown(errors.New("the payment provider " + a.Provider + " is not configured any more"))
	}
	if a.Reference == "" {
		reference, err := s.Provider.Prepare(ctx, a)
		if reason, no := refusedBy(err); no {
			return s.recordOutcome(ctx, a.ID, Outcome{AttemptDeclined, reason})
		}
		if err != nil {
			return a, unknown(err)
		}
		if a, err = s.keepReference(ctx, a.ID, reference); err != nil || a.State != AttemptPending {
			return a, err
		}
	}
	o, err := Outcome{State: AttemptPrepared}, error(nil)
	if !fresh {
		o, err = s.Provider.Look(ctx, a)
	}
	if err == nil && o.State == AttemptPrepared {
		o, err = s.Provider.Confirm(ctx, a)
	}
	if reason, no := refusedBy(err); no {
		o, err = Outcome{AttemptDeclined, reason}, nil
	}
	if err != nil {
		return a, unknown(err)
	}
	if o.State == AttemptPending || o.State == AttemptPrepared {
		return a, unknown(errors.New("the bank has not decided yet"))
	}
	return s.recordOutcome(ctx, a.ID, o)
}

// refusedBy returns the reason when the provider's error is a definite no.
func refusedBy(err error) (reason string, no bool) {
	if fault.Is(err, fault.PaymentRequired) || fault.Is(err, fault.InvalidPayload) {
		return fault.From(err).Message, true
	}
	return "", false
}

// keepReference stores the provider's id of a charge. Two processes that pursue the same
// attempt may have prepared a charge each: the one that is stored first is confirmed, the
// other never.
func (s *Service) keepReference(ctx context.Context, which id.Payment, reference string) (a Attempt, err error) {
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		a, _, err = selectAttempt(ctx, tx, which)
		if err != nil || a.State != AttemptPending || a.Reference != "" {
			return db.Convert(err)
		}
		a.Reference = reference
		return db.Convert(updateAttempt(ctx, tx, a))
	})
	return a, err
}

// recordOutcome writes the outcome of an attempt, and what follows for its invoice and its
// workspace. A known outcome stays, unless the news is that money was taken after all.
func (s *Service) recordOutcome(ctx context.Context, which id.Payment, o Outcome) (a Attempt, err error) {
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		var found bool
		if a, found, err = selectAttempt(ctx, tx, which); err != nil || !found {
			return errors.Join(db.Convert(err), missing(found, "payment "+string(which)))
		}
		if a.State == AttemptPaid || a.State == AttemptSurplus || a.State != AttemptPending && o.State != AttemptPaid {
			return nil
		}
		i, found, err := selectInvoice(ctx, tx, a.Workspace, a.Invoice)
		if err != nil {
			return db.Convert(err)
		}
		a.State, a.Reason, a.EndedAt = o.State, fault.BoundedTo(o.Reason, 500), s.Clock.Now()
		if a.State == AttemptPaid && (!found || i.Status == Void || i.Status == Paid) {
			a.State = AttemptSurplus
		}
		if err := updateAttempt(ctx, tx, a); err != nil {
			return db.Convert(err)
		}
		switch {
		case a.State == AttemptSurplus:
			return s.Queue.Enqueue(ctx, tx, jobRefund, ofPayment{a.ID}, jobs.Unique(string(a.ID)))
		case i.Status == Draft:
			return s.settleSoon(ctx, tx, i)
		case a.State != AttemptPaid:
			return s.noteRefusal(ctx, tx, i, a)
		}
		_, err = s.markPaid(ctx, tx, i.Workspace, i.ID)
		return err
	})
	return a, err
}

// missing returns an error unless found.
func missing(found bool, what string) error {
	if found {
		return nil
	}
	return errors.New("there is no " + what)
}

// noteRefusal records on an open invoice that a charge failed, and when it is retried.
func (s *Service) noteRefusal(ctx context.Context, tx *db.Tx, i Invoice, a Attempt) error {
	if i.Status != Open {
		return nil
	}
	first, err := selectFirstRefusal(ctx, tx, i.Workspace, i.ID)
	if err != nil {
		return db.Convert(err)
	}
	i.Attempts, i.Reason = i.Attempts+1, a.Reason
	i.NextAttempt, _ = nextTry(first, a.EndedAt)
	if err := s.schedule(ctx, tx, i); err != nil {
		return err
	}
	return s.syncStanding(ctx, tx, i.Workspace)
}

// forgetPayer deletes the payment method of a workspace that is gone, once none of its
// invoices is to be charged any more.
func (s *Service) forgetPayer(ctx context.Context, tx *db.Tx, w id.Workspace, unpaid []Invoice) error {
	if slices.ContainsFunc(unpaid, func(i Invoice) bool { return !i.NextAttempt.IsZero() }) {
		return nil
	}
	return db.Convert(deletePayer(ctx, tx, w))
}

// Pay charges an invoice of the workspace now and returns it as it is then. One that is
// paid already stays as it is. PaymentRequired when the payment is declined,
// ResourceLockedConflict when its outcome is not known yet.
func (s *Service) Pay(ctx context.Context, w id.Workspace, which id.Invoice, request string) (Invoice, error) {
	i, err := s.Invoice(ctx, w, which)
	if err != nil || i.Status == Paid {
		return i, err
	}
	a, err := s.collect(ctx, w, which, request)
	switch {
	case err != nil:
	case a.State == AttemptPaid:
		return s.Invoice(ctx, w, which)
	case a.State == AttemptPending:
		err = underWay(which)
	default:
		err = a.refusal()
	}
	// Another request may have paid it meanwhile.
	if now, lookErr := s.Invoice(ctx, w, which); lookErr == nil && now.Status == Paid {
		return now, nil
	}
	return Invoice{}, err
}

func underWay(which id.Invoice) error {
	return fault.New(fault.ResourceLockedConflict, "A payment of the invoice %s is under way and its outcome is not known yet. It is looked up automatically, and nothing is charged twice; check the invoice in a few minutes.", which).After(concludeAfter)
}

// maxCharged bounds the invoices that one request names.
const maxCharged = 100

// ChargeUnpaid charges the given unpaid invoices of a workspace, or all unpaid ones when
// none are given, and returns the result of each. ResourceNotFound, with nothing charged,
// when the workspace does not have one of them.
func (s *Service) ChargeUnpaid(ctx context.Context, w id.Workspace, only []id.Invoice, request string) (charged []Invoice, failed []Failure, err error) {
	if len(only) > maxCharged {
		return nil, nil, fault.New(fault.InvalidPayload, "invoiceIds names %d invoices; one request can charge at most %d.", len(only), maxCharged)
	}
	if s.Provider == nil {
		return nil, nil, noProvider()
	}
	var list []Invoice
	if len(only) == 0 {
		if list, err = selectUnpaid(ctx, s.DB.Reader(ctx), w); err != nil {
			return nil, nil, db.Convert(err)
		}
	}
	named := map[id.Invoice]bool{}
	for _, which := range only {
		if named[which] {
			continue
		}
		named[which] = true
		i, err := s.Invoice(ctx, w, which)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, i)
	}
	for _, i := range list {
		if err := ctx.Err(); err != nil {
			failed = append(failed, Failure{i, "It was not tried because the request timed out. Repeat the request."})
			continue
		}
		if i.Status == Paid {
			failed = append(failed, Failure{i, "It is paid already; nothing was charged."})
			continue
		}
		paid, err := s.Pay(ctx, w, i.ID, request)
		if err != nil {
			failed = append(failed, Failure{i, fault.From(err).Message})
			continue
		}
		charged = append(charged, paid)
	}
	return charged, failed, nil
}

// Failure is an invoice that was not charged, and why.
type Failure struct {
	Invoice Invoice
	Reason  string
}
