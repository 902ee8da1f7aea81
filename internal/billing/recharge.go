package billing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// defaultThreshold is the threshold, in percent, of a setting without one.
const defaultThreshold = 90

// Recharges reads the auto-recharge settings of a workspace, by add-on.
func (s *Service) Recharges(ctx context.Context, w id.Workspace) (map[string]Recharge, error) {
	sub, err := s.Subscription(ctx, w)
	return sub.Recharges, err
}

// SetRecharges changes auto-recharge settings; add-ons not named keep theirs.
// ReferenceNotFound when one is not in the catalogue, Forbidden when it is not for sale.
func (s *Service) SetRecharges(ctx context.Context, w id.Workspace, settings map[string]Recharge) (kept map[string]Recharge, err error) {
	for name, r := range settings {
		of, found := s.Plans.Addon(name)
		if !found {
			return nil, fault.New(fault.ReferenceNotFound, "There is no add-on %q; listAddons lists them.", fault.Bounded(name))
		}
		if of.Month == nil && r.Enabled {
			return nil, fault.New(fault.Forbidden, "The add-on %q is not for sale, so it cannot be recharged automatically.", name)
		}
	}
	err = s.edit(ctx, w, "auto-recharge", func(sub *Subscription) {
		kept = maps.Clone(sub.Recharges)
		if kept == nil {
			kept = map[string]Recharge{}
		}
		for name, r := range settings {
			kept[name] = Recharge{Enabled: r.Enabled, Threshold: r.Threshold}
		}
		sub.Recharges = kept
	})
	return kept, err
}

// RechargeAddons buys one of every add-on with auto-recharge whose quota is used up to the
// threshold: the work of a periodic job. A workspace that fails does not hold up the
// others.
func (s *Service) RechargeAddons(ctx context.Context) error {
	if s.Usage == nil {
		return nil
	}
	var errs []error
	for after := id.Workspace(""); ; {
		list, err := selectRecharging(ctx, s.DB.Reader(ctx), after, closeBatch)
		if err != nil || len(list) == 0 {
			return errors.Join(append(errs, db.Convert(err))...)
		}
		for _, w := range list {
			// A workspace that has been deleted since it was listed has nothing to recharge.
			if err := s.rechargeOf(ctx, w); err != nil && !fault.Is(err, fault.ResourceNotFound) {
				errs = append(errs, fmt.Errorf("the add-ons of workspace %s cannot be recharged: %w", w, err))
			}
		}
		after = list[len(list)-1]
	}
}

func (s *Service) rechargeOf(ctx context.Context, w id.Workspace) error {
	sub, of, err := s.subscription(ctx, s.DB.Reader(ctx), w)
	if err != nil || of.blocked {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(sub.Recharges)) {
		r := sub.Recharges[name]
		if !r.Enabled {
			continue
		}
		due, err := s.usedUp(ctx, s.DB.Reader(ctx), w, name, r)
		if err == nil && due {
			_, _, err = s.buy(ctx, w, Purchase{Recharge: name})
		}
		switch {
		case fault.Is(err, fault.PaymentRequired), fault.Is(err, fault.ResourceLockedConflict), errors.Is(err, errNotDue):
			// A declined payment was recorded with the purchase. A purchase under way ends
			// without us. And another server, or the owner, may have been faster.
		case fault.Is(err, fault.Forbidden), fault.Is(err, fault.ReferenceNotFound), fault.Is(err, fault.InvalidPayload), fault.Is(err, fault.LimitExceeded):
			if err := s.switchOff(ctx, w, name, r, fault.From(err).Message); err != nil {
				return err
			}
		case err != nil:
			return err
		}
	}
	return nil
}

// errNotDue says that an add-on need not be recharged, or not any more.
var errNotDue = errors.New("the add-on need not be recharged")

// stillDue checks again, within the transaction of the purchase, whether an add-on is to be
// recharged: when two servers find it used up, one of them buys.
func (s *Service) stillDue(ctx context.Context, tx *db.Tx, sub Subscription, name string) error {
	r := sub.Recharges[name]
	due, err := s.usedUp(ctx, tx, sub.Workspace, name, r)
	if err == nil && !(due && r.Enabled) {
		return errNotDue
	}
	return err
}

// reached reports whether usage has reached the threshold, which is rounded up: of a quota
// of 1, a use of 0 is never enough.
func (r Recharge) reached(used, quota int64) bool {
	percent := int64(r.Threshold)
	if percent == 0 {
		percent = defaultThreshold
	}
	// Divide before multiplying: quotas of spend come close to the limits of int64.
	return used >= quota/100*percent+(quota%100*percent+99)/100
}

// usedUp reports whether a quota that an add-on adds to has reached the threshold.
// LimitExceeded when it has, but buying would not raise it.
func (s *Service) usedUp(ctx context.Context, q db.Querier, w id.Workspace, name string, r Recharge) (bool, error) {
	of, found := s.Plans.Addon(name)
	if !found {
		return true, nil // the purchase fails, and says so
	}
	var fixed error
	for f := range of.Increments {
		types := plan.TypesOf(f)
		if len(types) == 0 {
			continue
		}
		t := types[0] // the others are parts of it
		quota, isFixed, err := s.Usage.Quota(ctx, q, w, t)
		if err != nil {
			return false, err
		}
		used, err := s.Usage.Used(ctx, q, w, t, s.Clock.Now())
		if err != nil {
			return false, err
		}
		switch {
		case quota == plan.Unlimited || !r.reached(used, quota):
		case !isFixed:
			return true, nil
		default:
			fixed = fault.New(fault.LimitExceeded, "The quota %s is fixed at %d, by the operator or with changeAISpendQuota; one more %s would not raise it.", t, quota, name)
		}
	}
	return false, fixed
}

// checkSpending returns LimitExceeded when a recharge would pass the workspace's spending
// limit for the month.
func (s *Service) checkSpending(ctx context.Context, tx *db.Tx, of party, w id.Workspace, total plan.Cents, at time.Time) error {
	bought, err := sumBought(ctx, tx, w, monthOf(at))
	if err != nil {
		return db.Convert(err)
	}
	if plan.Cents(bought)+total > of.spending {
		return fault.New(fault.LimitExceeded, "The spending limit of this workspace is %s dollars a month; %s has been spent this month, and this costs %s.", of.spending, plan.Cents(bought), total)
	}
	return nil
}

// switchOff disables auto-recharge of an add-on whose setting was r when it failed; one that
// has been changed since is left as it is.
func (s *Service) switchOff(ctx context.Context, w id.Workspace, name string, r Recharge, why string) error {
	return s.DB.Tx(db.Contend(ctx, string(w)), func(ctx context.Context, tx *db.Tx) error {
		sub, _, err := s.subscription(ctx, tx, w)
		if err != nil || sub.Recharges[name] != r {
			return err
		}
		if err := s.disableRecharge(ctx, tx, &sub, name, why); err != nil {
			return err
		}
		return s.save(ctx, tx, sub)
	})
}

// disableRecharge switches auto-recharge of an add-on off, because it would fail again and
// again, and records why.
func (s *Service) disableRecharge(ctx context.Context, tx *db.Tx, sub *Subscription, name, why string) error {
	sub.Recharges = maps.Clone(sub.Recharges)
	r := sub.Recharges[name]
	r.Enabled, r.DisabledReason = false, why
	if sub.Recharges == nil {
		sub.Recharges = map[string]Recharge{}
	}
	sub.Recharges[name] = r
	return s.Trail.Record(ctx, tx, sub.Workspace, access.Act{Action: "EXECUTE_AUTO_RECHARGE_FAILED", Resource: name, Value: why})
}
