package billing

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// closeBatch is how many workspaces are closed in one transaction, and so how much work a
// server that dies loses at most.
const closeBatch = 50

// CloseMonths closes all months that have ended, of all workspaces, each once and in
// order, and returns how many workspaces it brought up to date. One that fails does not
// hold up the others; the next run tries it again. All errors are returned.
func (s *Service) CloseMonths(ctx context.Context) (closed int, err error) {
	var errs []error
	for after := id.Workspace(""); ; {
		due, err := selectDue(ctx, s.DB.Reader(ctx), s.Clock.Now(), after, closeBatch)
		if err != nil {
			return closed, errors.Join(append(errs, db.Convert(err))...)
		}
		if len(due) == 0 {
			return closed, errors.Join(errs...)
		}
		after = due[len(due)-1]
		if err := s.closeAll(ctx, due); err == nil {
			closed += len(due)
			continue
		}
		for _, w := range due {
			if err := s.closeAll(ctx, []id.Workspace{w}); err != nil {
				errs = append(errs, fmt.Errorf("the months of workspace %s cannot be closed: %w", w, err))
				continue
			}
			closed++
		}
		if ctx.Err() != nil {
			return closed, errors.Join(append(errs, ctx.Err())...)
		}
	}
}

func (s *Service) closeAll(ctx context.Context, due []id.Workspace) error {
	return s.DB.Tx(db.Contend(ctx, "invoices"), func(ctx context.Context, tx *db.Tx) error {
		for _, w := range due {
			sub, of, err := s.subscription(ctx, tx, w)
			if fault.Is(err, fault.ResourceNotFound) {
				continue // deleted since it was listed
			}
			if err != nil {
				return err
			}
			// A purchase that is being paid for is ended first, by its job.
			if sub.Held != "" {
				continue
			}
			if _, _, err := s.catchUp(ctx, tx, sub, of); err != nil {
				return err
			}
		}
		return nil
	})
}

// catchUp closes the months of a workspace that have ended, in order.
func (s *Service) catchUp(ctx context.Context, tx *db.Tx, sub Subscription, of party) (Subscription, party, error) {
	now := s.Clock.Now()
	if sub.CycleEnd.After(now) {
		return sub, of, nil
	}
	for !sub.CycleEnd.After(now) {
		invoice := id.NewInvoice(now)
		b, err := s.closingBill(ctx, tx, sub, invoice)
		if err != nil {
			return sub, of, err
		}
		if len(b.Lines) > 0 {
			draft := s.draft(of, b, invoice, CycleInvoice, monthOf(sub.CycleEnd), now)
			if _, err := s.issue(ctx, tx, draft); err != nil {
				return sub, of, err
			}
		}
		sub = b.Subscription
	}
	if err := s.save(ctx, tx, sub); err != nil {
		return sub, of, err
	}
	sub.kept = true
	if of.trial == "" && of.plan != sub.Plan {
		if err := s.Workspaces.SetPlan(ctx, sub.Workspace, sub.Plan); err != nil {
			return sub, of, err
		}
		of.plan = sub.Plan
	}
	return sub, of, s.pushExtras(ctx, tx, sub, now)
}

// caughtUp is the subscription as catchUp would leave it. Nothing is issued or written.
func (s *Service) caughtUp(ctx context.Context, sub Subscription) (Subscription, error) {
	for now := s.Clock.Now(); !sub.CycleEnd.After(now); {
		b, err := s.closingBill(ctx, s.DB.Reader(ctx), sub, "")
		if err != nil {
			return sub, err
		}
		sub = b.Subscription
	}
	return sub, nil
}

// closingBill is the bill at the end of the open month: the plan and the add-ons of the
// next one, and the AI spend of this one. Asked for before the month ends, it is the
// upcoming invoice.
func (s *Service) closingBill(ctx context.Context, q db.Querier, sub Subscription, invoice id.Invoice) (bill, error) {
	spends, arrears, err := s.spends(ctx, q, sub)
	if err != nil {
		return bill{}, err
	}
	b := rate(rating{Catalog: s.Plans, Subscription: sub.nextCycle(s.Plans), At: sub.CycleEnd, Invoice: invoice, Spends: spends})
	b.Subscription.Arrears = arrears
	return b, nil
}

// spends reads the AI spend of the open month, and of the month before it whatever was
// reported after it had been closed.
func (s *Service) spends(ctx context.Context, q db.Querier, sub Subscription) ([]Spend, *Arrears, error) {
	if s.Usage == nil || sub.Plan == plan.Managed {
		return nil, nil, nil
	}
	month := monthOf(sub.CycleEnd.Add(-time.Second))
	var spends []Spend
	if late := sub.Arrears; late != nil {
		used, err := s.Usage.Used(ctx, q, sub.Workspace, plan.AISpend, late.Month)
		if err != nil {
			return nil, nil, err
		}
		spends = append(spends, Spend{Month: monthOf(late.Month), Used: plan.Nano(used), Free: late.Free, Limit: late.Limit, Billed: late.Billed})
	}
	used, err := s.Usage.Used(ctx, q, sub.Workspace, plan.AISpend, month.Start)
	if err != nil {
		return nil, nil, err
	}
	now := Spend{Month: month, Used: plan.Nano(used), Free: math.MaxInt64}
	if free := s.Plans.Limit(sub.Plan, plan.AISpend); free != plan.Unlimited {
		granted, err := sumGrants(ctx, q, sub.Workspace, month)
		if err != nil {
			return nil, nil, db.Convert(err)
		}
		now.Free = plan.Nano(free + sub.extras(s.Plans)[plan.AISpend] + granted)
		quota, _, err := s.Usage.Quota(ctx, q, sub.Workspace, plan.AISpend)
		if err != nil {
			return nil, nil, err
		}
		if now.Limit = max(plan.Nano(quota)-now.Free, 0); quota == plan.Unlimited {
			now.Limit = math.MaxInt64
		}
	}
	return append(spends, now), &Arrears{Month: month.Start, Free: now.Free, Limit: now.Limit, Billed: max(now.cost(), 0)}, nil
}

// Upcoming is the bill that the open month will be closed with, if nothing more is bought
// or used.
func (s *Service) Upcoming(ctx context.Context, w id.Workspace) (Subscription, []Line, error) {
	q := s.DB.Reader(ctx)
	sub, _, err := s.subscription(ctx, q, w)
	if err != nil {
		return sub, nil, err
	}
	b, err := s.closingBill(ctx, q, sub, "")
	return sub, b.Lines, err
}

// DeleteWorkspace closes the books of a workspace that is being deleted: the AI spend that
// it still owes is invoiced and its subscription ends. Its invoices stay, because the
// operator has to account for them; each names who it was for.
func (s *Service) DeleteWorkspace(ctx context.Context, tx *db.Tx, w id.Workspace) error {
	sub, of, err := s.subscription(ctx, tx, w)
	if err != nil {
		return err
	}
	if sub.Held != "" {
		return held()
	}
	if sub.kept {
		if sub, of, err = s.catchUp(ctx, tx, sub, of); err != nil {
			return err
		}
		spends, _, err := s.spends(ctx, tx, sub)
		if err != nil {
			return err
		}
		now := s.Clock.Now()
		last := sub.clone()
		last.Addons, last.Coverages = nil, nil
		b := rate(rating{Catalog: s.Plans, Subscription: last.ended(), At: now, Spends: spends})
		if len(b.Lines) > 0 {
			if _, err := s.issue(ctx, tx, s.draft(of, b, id.NewInvoice(now), FinalInvoice, monthOf(now), now)); err != nil {
				return err
			}
		}
	}
	if err := db.Convert(deleteSubscription(ctx, tx, w)); err != nil {
		return err
	}
	unpaid, err := selectUnpaid(ctx, tx, w)
	if err != nil {
		return db.Convert(err)
	}
	return s.forgetPayer(ctx, tx, w, unpaid)
}

// ended is the subscription without anything that costs money.
func (s Subscription) ended() Subscription {
	s.Plan, s.Term = plan.Community, plan.Month
	return s
}
