package billing

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/jobs"
)

// Do does a job of billing at once, as a queue does when its time has come.
func (s *Service) Do(ctx context.Context, job jobs.Job) error {
	var invoice retrying
	var payment ofPayment
	switch job.Kind {
	case SettleJob:
		return s.Settle(ctx, job)
	case jobRetry:
		if err := json.Unmarshal(job.Payload, &invoice); err != nil {
			return err
		}
		return s.retry(ctx, invoice)
	case jobConclude, jobRefund:
		if err := json.Unmarshal(job.Payload, &payment); err != nil {
			return err
		}
		if job.Kind == jobRefund {
			return s.refund(ctx, payment.Payment)
		}
		return s.finishPayment(ctx, payment.Payment)
	}
	return fmt.Errorf("billing has no job of the kind %q", job.Kind)
}

// Told is an event of the provider: the money of an attempt was taken.
func (s *Service) Told(ctx context.Context, event string, a Attempt) error {
	return s.takeEvent(ctx, eventOf(event, a))
}

func eventOf(name string, a Attempt) event {
	return event{ID: name, Reference: a.Reference, Payment: a.ID, Paid: true, Amount: int64(a.Amount), Currency: a.Currency}
}

// Disputed is an event of the provider: a dispute about an attempt stands differently.
func (s *Service) Disputed(ctx context.Context, name string, a Attempt, d Dispute) error {
	return s.takeEvent(ctx, event{ID: name, Reference: a.Reference, Payment: a.ID, Dispute: d})
}

// Changed is an event of the provider: an attempt stands differently.
func (s *Service) Changed(ctx context.Context, name string, a Attempt) error {
	return s.takeEvent(ctx, event{ID: name, Reference: a.Reference, Payment: a.ID, Changed: true})
}
