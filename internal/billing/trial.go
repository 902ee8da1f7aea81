package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// Trial is a plan that a workspace uses for a while without paying for it. Its subscription
// stays as it is, and decides its plan again afterwards.
type Trial struct {
	ID      id.Trial
	Plan    plan.ID
	From    plan.ID // the plan before
	Started time.Time
	Ends    time.Time
	Ended   time.Time // zero: it lasts
}

// tried is how long a plan has been tried in all; every trial must have ended.
func tried(trials []Trial, p plan.ID) (total time.Duration) {
	for _, t := range trials {
		if t.Plan == p {
			over := t.Ended
			if over.After(t.Ends) {
				over = t.Ends // the job that ends it comes a little later
			}
			total += over.Sub(t.Started)
		}
	}
	return total
}

const aDay = 24 * time.Hour

// Trials reads the trials of a workspace, the oldest first.
func (s *Service) Trials(ctx context.Context, w id.Workspace) ([]Trial, error) {
	list, err := selectTrials(ctx, s.DB.Reader(ctx), w)
	return list, db.Convert(err)
}

// StartTrial has a workspace try a plan for a number of days.
// AlreadyExists when it tries one now, Forbidden when the plan cannot be tried or has
// been tried for too long already.
func (s *Service) StartTrial(ctx context.Context, w id.Workspace, p plan.ID, days int) (t Trial, err error) {
	of, found := s.Plans.Plan(p)
	if !found {
		return t, fault.New(fault.ReferenceNotFound, "There is no plan %q; listPlans lists them.", fault.Bounded(string(p)))
	}
	if !of.Trial {
		return t, fault.New(fault.Forbidden, "The plan %q cannot be tried.", p)
	}
	if days < 1 {
		return t, fault.New(fault.InvalidPayload, "A trial of %d days is not possible; it must have at least one.", days)
	}
	err = s.DB.Tx(db.Contend(ctx, string(w)), func(ctx context.Context, tx *db.Tx) error {
		sub, party, err := s.subscription(ctx, tx, w)
		if err != nil {
			return err
		}
		if err := s.checkPermitted(sub, Purchase{Change: &Change{Plan: p}}); err != nil {
			return err
		}
		if sub, party, err = s.catchUp(ctx, tx, sub, party); err != nil {
			return err
		}
		if party.trial != "" {
			return fault.New(fault.AlreadyExists, "This workspace is in a trial already; end that first, with removeTrial.")
		}
		if now, _ := s.Plans.Plan(sub.Plan); sub.Plan != plan.Managed && now.Tier >= of.Tier {
			return fault.New(fault.InvalidPayload, "This workspace is on the plan %q, which includes everything of %q.", sub.Plan, p)
		}
		before, err := selectTrials(ctx, tx, w)
		if err != nil {
			return db.Convert(err)
		}
		left := time.Duration(s.Plans.Trials.MaxDays)*aDay - tried(before, p)
		if days > int(max(left, 0)/aDay) {
			return fault.New(fault.Forbidden, "A workspace may try a plan for %d days in all; for %q it has %d left, and %d are requested.", s.Plans.Trials.MaxDays, p, max(left, 0)/aDay, days)
		}
		now := s.Clock.Now()
		t = Trial{ID: id.NewTrial(now), Plan: p, From: sub.Plan, Started: now, Ends: now.Add(time.Duration(days) * aDay)}
		if err := insertTrial(ctx, tx, w, t); err != nil {
			return db.Convert(err)
		}
		return s.holdTo(ctx, w, t.ID, p)
	})
	return t, err
}

// holdTo gives a workspace the limits of a plan, for a trial or, with an empty one, without.
func (s *Service) holdTo(ctx context.Context, w id.Workspace, t id.Trial, p plan.ID) error {
	if err := s.Workspaces.SetTrial(ctx, w, t); err != nil {
		return err
	}
	return s.Workspaces.SetPlan(ctx, w, p)
}

// StopTrial ends the trial that a workspace is in; ResourceNotFound when it is in none.
func (s *Service) StopTrial(ctx context.Context, w id.Workspace) error {
	return s.DB.Tx(db.Contend(ctx, string(w)), func(ctx context.Context, tx *db.Tx) error {
		sub, of, err := s.subscription(ctx, tx, w)
		if err != nil {
			return err
		}
		if of.trial == "" {
			return fault.New(fault.ResourceNotFound, "This workspace is in no trial.")
		}
		return s.backTo(ctx, tx, sub, of)
	})
}

// backTo ends a trial and gives the workspace the plan of its subscription.
func (s *Service) backTo(ctx context.Context, tx *db.Tx, sub Subscription, of party) error {
	if err := s.endTrial(ctx, tx, sub.Workspace, of); err != nil {
		return err
	}
	return s.Workspaces.SetPlan(ctx, sub.Workspace, sub.Plan)
}

// endTrial notes that the trial of a workspace is over, if it is in one.
func (s *Service) endTrial(ctx context.Context, tx *db.Tx, w id.Workspace, of party) error {
	if of.trial == "" {
		return nil
	}
	if err := updateTrialEnded(ctx, tx, w, of.trial, s.Clock.Now()); err != nil {
		return db.Convert(err)
	}
	return s.Workspaces.SetTrial(ctx, w, "")
}

// EndTrials ends the trials whose time is over: the work of a periodic job. A
// workspace that fails does not hold up the others.
func (s *Service) EndTrials(ctx context.Context) (ended int, err error) {
	var errs []error
	for after := id.Workspace(""); ; {
		over, err := selectOverdueTrials(ctx, s.DB.Reader(ctx), s.Clock.Now(), after, closeBatch)
		if err != nil || len(over) == 0 {
			return ended, errors.Join(append(errs, db.Convert(err))...)
		}
		for _, w := range over {
			if err := s.endOverdue(ctx, w); err != nil {
				errs = append(errs, fmt.Errorf("the trial of workspace %s cannot be ended: %w", w, err))
				continue
			}
			ended++
		}
		after = over[len(over)-1]
	}
}

// endOverdue ends the trial of a workspace, unless another server has ended it and a
// new one has begun.
func (s *Service) endOverdue(ctx context.Context, w id.Workspace) error {
	return s.DB.Tx(db.Contend(ctx, string(w)), func(ctx context.Context, tx *db.Tx) error {
		sub, of, err := s.subscription(ctx, tx, w)
		if fault.Is(err, fault.ResourceNotFound) {
			return nil // deleted since it was listed
		}
		if err != nil || of.trial == "" {
			return err
		}
		t, _, err := selectTrial(ctx, tx, w, of.trial)
		if err != nil || t.Ends.After(s.Clock.Now()) {
			return db.Convert(err)
		}
		return s.backTo(ctx, tx, sub, of)
	})
}

// operator makes the operator the actor of what is done with the context.
func operator(ctx context.Context) context.Context {
	return access.With(ctx, access.Actor{Kind: access.KindOperator})
}
