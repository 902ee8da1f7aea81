package billing

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
)

// The kinds of jobs of payments.
const (
	jobRetry    = "collect-invoice"  // charges an invoice when it is due
	jobConclude = "conclude-payment" // finds out the outcome of an attempt
	jobRefund   = "refund-payment"   // refunds what nobody owed
	jobForget   = "forget-payment-events"
)

// retrying is the payload of jobRetry. With a request it is a try outside the schedule, by
// a method that was set at SetAt.
type retrying struct {
	Invoice id.Invoice `json:"invoice"`
	Request string     `json:"request,omitempty"`
	Method  string     `json:"method,omitempty"`
	SetAt   time.Time  `json:"setAt,omitzero"`
	// Begin starts the collection of an invoice that was issued where no provider is
	// configured, such as on the operator's command line.
	Begin bool `json:"begin,omitzero"`
}

// ofPayment is the payload of jobConclude and jobRefund.
type ofPayment struct {
	Payment id.Payment `json:"payment"`
}

// eventsKept is how long the ids of a provider's events are remembered. Stripe redelivers
// an event for three days.
const eventsKept = 30 * 24 * time.Hour

// patient is the policy of jobs that wait for a provider: they back off to once an hour and
// never give up. The operator lists and ends what has waited for too long with botyard
// payment.
var patient = jobs.Policy{MaxAttempts: math.MaxInt32, Timeout: 2 * time.Minute, Backoff: 10 * time.Second, MaxBackoff: time.Hour}

// HandlePayments has a queue do the work of payments.
func (s *Service) HandlePayments(q *jobs.Queue) {
	q.Handle(jobRetry, func(ctx context.Context, job jobs.Job) error {
		var of retrying
		if err := json.Unmarshal(job.Payload, &of); err != nil {
			return err
		}
		return s.retry(ctx, of)
	}, patient)
	q.Handle(jobConclude, func(ctx context.Context, job jobs.Job) error {
		var of ofPayment
		if err := json.Unmarshal(job.Payload, &of); err != nil {
			return err
		}
		return s.finishPayment(ctx, of.Payment)
	}, patient)
	q.Handle(SettleJob, s.Settle, jobs.Policy{MaxAttempts: math.MaxInt32, MaxBackoff: 10 * time.Minute})
	q.Handle(jobRefund, func(ctx context.Context, job jobs.Job) error {
		var of ofPayment
		if err := json.Unmarshal(job.Payload, &of); err != nil {
			return err
		}
		return s.refund(ctx, of.Payment)
	}, patient)
	q.Handle(jobForget, func(ctx context.Context, _ jobs.Job) error {
		return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
			return db.Convert(forgetEvents(ctx, tx, s.Clock.Now().Add(-eventsKept)))
		})
	}, jobs.Policy{})
	q.Every(jobForget, 24*time.Hour)
}

// schedule writes the collection state of an invoice and enqueues its next try, if it has
// one.
func (s *Service) schedule(ctx context.Context, tx *db.Tx, i Invoice) error {
	if err := updateInvoice(ctx, tx, i); err != nil {
		return db.Convert(err)
	}
	if i.NextAttempt.IsZero() {
		return nil
	}
	return s.Queue.Enqueue(ctx, tx, jobRetry, retrying{Invoice: i.ID}, jobs.Unique(string(i.ID)), jobs.RunAt(i.NextAttempt))
}

// retry charges an invoice that is still open and whose time has come. When the next try
// has been moved, because the invoice was tried by hand meanwhile or because this job runs
// again, the job is rescheduled: there is only one for an invoice.
func (s *Service) retry(ctx context.Context, of retrying) error {
	i, found, err := selectInvoiceOf(ctx, s.DB.Reader(ctx), of.Invoice)
	if err != nil {
		return db.Convert(err)
	}
	if !found || i.Status != Open || s.Provider == nil && of.Begin {
		return nil
	}
	if s.Provider == nil {
		// Another server may have one, or this one again some day: the job must not be lost.
		return fmt.Errorf("the invoice %s is to be charged, and no payment provider is configured any more", i.ID)
	}
	if of.Begin {
		return s.beginCollecting(ctx, i)
	}
	if of.Request == "" && i.NextAttempt.After(s.Clock.Now()) {
		return s.reschedule(ctx, i.ID)
	}
	if of.Request == "" && i.NextAttempt.IsZero() {
		return nil
	}
	if of.Method != "" {
		if over, err := s.superseded(ctx, i, of); err != nil || over {
			return err
		}
	}
	a, err := s.collect(ctx, i.Workspace, i.ID, of.Request)
	if fault.Is(err, fault.InvalidPayload) || fault.Is(err, fault.ResourceNotFound) {
		return nil // paid or void meanwhile
	}
	if err == nil && of.Request != a.Request && of.Method != "" && of.Method != a.Method && a.State != AttemptPaid {
		// The new method is charged as soon as the attempt it found is over.
		return fmt.Errorf("the invoice %s is being charged by an earlier method, as %s: %w", i.ID, a.ID, errUnknown)
	}
	return err
}

// superseded reports whether a try by a newly set method is needless: another method has
// been set since, which has a try of its own, or this one has been tried since. Being set
// once, a card should be declined at most once.
func (s *Service) superseded(ctx context.Context, i Invoice, of retrying) (bool, error) {
	q := s.DB.Reader(ctx)
	p, _, err := selectPayer(ctx, q, i.Workspace)
	if err != nil || p.method.ID != of.Method {
		return err == nil, db.Convert(err)
	}
	last, found, err := selectLatest(ctx, q, i.Workspace, i.ID)
	tried := found && last.Method == of.Method && last.State != AttemptPending && !last.StartedAt.Before(of.SetAt)
	return tried, db.Convert(err)
}

// reschedule enqueues the next try of an invoice.
func (s *Service) reschedule(ctx context.Context, which id.Invoice) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		i, found, err := selectInvoiceOf(ctx, tx, which)
		if err != nil || !found || i.Status != Open {
			return db.Convert(err)
		}
		return s.schedule(ctx, tx, i)
	})
}

// beginCollecting starts the collection of an invoice, unless that has happened.
func (s *Service) beginCollecting(ctx context.Context, i Invoice) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		i, found, err := selectInvoice(ctx, tx, i.Workspace, i.ID)
		if err != nil || !found || i.Status != Open || i.Attempts > 0 || !i.NextAttempt.IsZero() {
			return db.Convert(err)
		}
		return s.Collect.Issued(ctx, tx, i)
	})
}

// finishPayment finds out the outcome of an attempt that is still pending.
func (s *Service) finishPayment(ctx context.Context, which id.Payment) error {
	a, found, err := selectAttempt(ctx, s.DB.Reader(ctx), which)
	if err != nil || !found || a.State != AttemptPending {
		return db.Convert(err)
	}
	_, err = s.pursue(ctx, a, false)
	return err
}

// refund refunds what an attempt took although nobody owed it any more.
func (s *Service) refund(ctx context.Context, which id.Payment) error {
	a, found, err := selectAttempt(ctx, s.DB.Reader(ctx), which)
	if err != nil || !found || a.State != AttemptSurplus || !a.RefundedAt.IsZero() || a.Dispute == DisputeLost {
		return db.Convert(err) // there is nothing to refund, or nothing any more
	}
	if s.Provider == nil || s.Provider.Name() != a.Provider {
		return errors.New("the payment provider " + a.Provider + " is not configured any more: refund " + a.Reference + " there by hand")
	}
	if err := s.Provider.Refund(ctx, a); err != nil {
		return err
	}
	s.Log.WarnContext(ctx, "a payment that nobody owed was refunded", "payment", a.ID, "invoice", a.Invoice, "amount", a.Amount.String())
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if a, _, err = selectAttempt(ctx, tx, which); err != nil {
			return db.Convert(err)
		}
		a.RefundedAt = s.Clock.Now()
		return db.Convert(updateAttempt(ctx, tx, a))
	})
}

// event is what a provider reports about a charge.
type event struct {
	ID string
	// Reference is the provider's id of the charge. Payment is ours, if the provider
	// reports that as well.
	Reference string
	Payment   id.Payment
	// Paid says that money was taken, and Amount how much.
	Paid     bool
	Amount   int64
	Currency string
	// Changed says that the state of the charge has changed.
	Changed bool
	// Dispute is the state of a dispute about the charge; empty when there is none.
	Dispute Dispute
}

// takeEvent processes an event once. Events come late, twice and in any order: "paid" is
// true whenever it is reported, anything else is only a reason to look the charge up.
func (s *Service) takeEvent(ctx context.Context, e event) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		fresh, err := noteEvent(ctx, tx, s.Provider.Name(), e.ID, s.Clock.Now())
		if err != nil || !fresh {
			return db.Convert(err)
		}
		a, found, err := selectAttemptByReference(ctx, tx, s.Provider.Name(), e.Reference)
		if err == nil && !found && e.Payment != "" {
			a, found, err = selectAttempt(ctx, tx, e.Payment)
			found = found && a.Provider == s.Provider.Name() && a.Reference == ""
		}
		if err != nil || !found {
			return db.Convert(err) // of a charge that is not ours
		}
		if a.Reference == "" {
			a.Reference = e.Reference
			if err := updateAttempt(ctx, tx, a); err != nil {
				return db.Convert(err)
			}
		}
		switch {
		case e.Dispute != "":
			return s.dispute(ctx, tx, a, e.Dispute)
		case e.Paid && (e.Amount != int64(a.Amount) || e.Currency != a.Currency):
			s.Log.ErrorContext(ctx, "the provider tells of a payment of another amount; it is not taken for the invoice's", "payment", a.ID, "told", e.Amount, "asked", int64(a.Amount))
			return nil
		case e.Paid:
			_, err := s.recordOutcome(ctx, a.ID, Outcome{State: AttemptPaid})
			return err
		case e.Changed && a.State == AttemptPending:
			return s.Queue.Enqueue(ctx, tx, jobConclude, ofPayment{a.ID}, jobs.Unique(string(a.ID)))
		}
		return nil
	})
}

// dispute records the state of a dispute about a payment. When it is lost, the bank has
// taken the money back: the invoice that it paid is owed again. It is not collected
// automatically any more, so the workspace is blocked.
func (s *Service) dispute(ctx context.Context, tx *db.Tx, a Attempt, d Dispute) error {
	if a.Dispute == d || a.Dispute == DisputeLost || a.Dispute == DisputeWon && d == DisputeOpen {
		return nil
	}
	a.Dispute = d
	if err := updateAttempt(ctx, tx, a); err != nil {
		return db.Convert(err)
	}
	s.Log.WarnContext(ctx, "a payment is disputed", "payment", a.ID, "invoice", a.Invoice, "workspace", a.Workspace, "dispute", d)
	if d != DisputeLost || a.State != AttemptPaid {
		return nil
	}
	i, found, err := selectInvoice(ctx, tx, a.Workspace, a.Invoice)
	if err != nil || !found || i.Status != Paid {
		return db.Convert(err)
	}
	i.Status, i.PaidAt, i.Reason = Uncollectible, time.Time{}, "The payment was disputed, and the bank took it back."
	if err := updateInvoice(ctx, tx, i); err != nil {
		return db.Convert(err)
	}
	return s.syncStanding(ctx, tx, i.Workspace)
}
