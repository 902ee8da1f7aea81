package meter

import (
	"context"
	"database/sql"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// Options are what the service needs.
type Options struct {
	DB    *db.DB
	Clock clock.Clock
	Log   *slog.Logger
	Plans *plan.Catalog
	Trail trail
	Queue queue
	// Issues is told of quotas that are used up; nil is nobody.
	Issues issues
	// Debtors says who may allow itself AI spend that is paid later; nil is everybody.
	Debtors debtors
	// RateLimit is the most requests a second that the server lets any workspace
	// make, whatever its plan; 0 is no limit.
	RateLimit int64
}

// Service counts and limits.
type Service struct {
	Options
	drift drift
}

// New makes the service over a migrated database.
func New(o Options) *Service { return &Service{Options: o} }

// Bots adds n, which may be negative, or 0 to ask only whether the workspace is
// there, to the workspace's production bots. QuotaExceeded when the plan does not
// allow that many, ResourceNotFound when the workspace was deleted meanwhile.
func (s *Service) Bots(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error {
	return s.Gauge(ctx, tx, w, plan.BotCount, n)
}

// Members adds n to the workspace's members beside the owner.
func (s *Service) Members(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error {
	return s.Gauge(ctx, tx, w, plan.MemberCount, n)
}

// Integrations adds n to the integrations that the workspace owns: names that it has
// production versions of.
func (s *Service) Integrations(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error {
	return s.Gauge(ctx, tx, w, plan.IntegrationsOwned, n)
}

// Gauge adds n to what a workspace has of a type now. What is less than before, or as
// much, is always allowed: a workspace above a quota that was lowered can shrink.
// QuotaExceeded when it is more than the quota, ResourceNotFound when the workspace
// was deleted meanwhile.
func (s *Service) Gauge(ctx context.Context, tx *db.Tx, w id.Workspace, t plan.Type, n int64) error {
	value, a, err := addToGauge(ctx, tx, w, t, n)
	if err != nil {
		return db.Convert(err)
	}
	if a.plan == "" {
		// Deleted since the request was let in: nothing may be added to it.
		return noSuchWorkspace(w)
	}
	if n == 0 {
		return nil
	}
	if limit := s.limit(a, t); n > 0 && limit != plan.Unlimited && value > limit {
		return s.exceeded(a, t, limit, value-n)
	}
	if err := setMonth(ctx, tx, w, t, monthOf(s.Clock.Now()), max(value, 0)); err != nil {
		return db.Convert(err)
	}
	return s.warn(ctx, tx, s.standing(w, a, t, value))
}

func noSuchWorkspace(w id.Workspace) error { return access.NoSuchWorkspace(w) }

// Versions says whether a bot of the workspace may have n saved versions:
// QuotaExceeded when fewer are allowed, ResourceNotFound when the workspace was
// deleted meanwhile. The versions themselves are counted by those who keep them.
func (s *Service) Versions(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error {
	a, err := s.allowance(ctx, tx, w)
	if err != nil {
		return err
	}
	if limit := s.limit(a, savedVersions); limit != plan.Unlimited && n > limit {
		return s.exceeded(a, savedVersions, limit, n-1)
	}
	return nil
}

// allowance is what decides the quotas of a workspace; ResourceNotFound when it is
// gone.
func (s *Service) allowance(ctx context.Context, q db.Querier, w id.Workspace) (allowance, error) {
	found, err := selectAllowances(ctx, q, []id.Workspace{w})
	if err != nil {
		return allowance{}, db.Convert(err)
	}
	a, there := found[w]
	if !there {
		return allowance{}, noSuchWorkspace(w)
	}
	return a, nil
}

// SetQuota sets what the operator allows a workspace, whatever its plan and what was
// bought beside it: nil takes it back, plan.Unlimited is no limit. It is for the
// operator: no operation of the API leads here. InvalidPayload when there is no such
// type or the value is negative.
func (s *Service) SetQuota(ctx context.Context, w id.Workspace, t plan.Type, value *int64) error {
	if !t.Known() && t != savedVersions {
		return fault.New(fault.InvalidPayload, "There is no quota %q; the quotas are %v and %s.", fault.Bounded(string(t)), plan.Types, savedVersions)
	}
	kept, text := sql.NullInt64{}, "as the plan says"
	if value != nil {
		if *value < plan.Unlimited || *value > maxValue {
			return fault.New(fault.InvalidPayload, "A quota of %d is not possible; it is from 0 to %d, or %d for no limit.", *value, maxValue, plan.Unlimited)
		}
		kept, text = sql.NullInt64{Int64: *value, Valid: true}, strconv.FormatInt(*value, 10)
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := s.allowance(ctx, tx, w); err != nil {
			return err
		}
		if err := setOperatorValue(ctx, tx, w, t, kept); err != nil {
			return db.Convert(err)
		}
		return s.Trail.Record(ctx, tx, w, access.Act{Action: "UPDATE_WORKSPACE", Resource: string(w), Name: string(t), Value: "quota " + string(t) + "=" + text})
	})
}

// SetExtras sets what add-ons and credits add to the plan's quotas, in the place of
// what they added before. Types that are not named are given nothing.
func (s *Service) SetExtras(ctx context.Context, tx *db.Tx, w id.Workspace, extras map[plan.Type]int64) error {
	rows := make([][]any, 0, len(extras))
	for t, n := range extras {
		if !t.Known() || n < 0 {
			return fault.New(fault.InvalidPayload, "%d cannot be added to a quota %q.", n, fault.Bounded(string(t)))
		}
		rows = append(rows, []any{string(w), string(t), min(n, maxValue/2)})
	}
	slices.SortFunc(rows, func(a, b []any) int { return strings.Compare(a[1].(string), b[1].(string)) })
	return db.Convert(replaceAdded(ctx, tx, w, rows))
}

// SetSpending sets how much AI spend the members want to allow themselves a month, in
// nano-dollars. InvalidPayload when the amount is out of bounds, PaymentRequired when it
// is more than what costs nothing and could not be charged.
func (s *Service) SetSpending(ctx context.Context, w id.Workspace, limit spending) error {
	if err := limit.check(); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		a, err := s.allowance(ctx, tx, w)
		if err != nil {
			return err
		}
		free := s.Plans.Limit(a.plan, plan.AISpend)
		if s.Debtors != nil && free != plan.Unlimited && limit.nano() > free {
			if err := s.Debtors.MayOwe(ctx, tx, w); err != nil {
				return err
			}
		}
		if err := setMemberValue(ctx, tx, w, plan.AISpend, limit.nano()); err != nil {
			return db.Convert(err)
		}
		return s.Trail.Record(ctx, tx, w, access.Act{Action: "SET_AI_SPENDING_LIMIT", Resource: string(w), Value: limit.String()})
	})
}

// DeleteWorkspace forgets what a workspace used.
func (s *Service) DeleteWorkspace(ctx context.Context, tx *db.Tx, w id.Workspace) error {
	return db.Convert(deleteWorkspace(ctx, tx, w))
}

// LeaveBot gives back what a bot that is deleted has of its workspace's gauges. What
// it used stays a part of what the workspace used.
func (s *Service) LeaveBot(ctx context.Context, tx *db.Tx, w id.Workspace, b id.Bot) error {
	taken, err := takeBotGauges(ctx, tx, w, b)
	if err != nil {
		return db.Convert(err)
	}
	var changes []monthSum
	for t, value := range taken {
		changes = append(changes, monthSum{workspace: w, of: t, month: monthOf(s.Clock.Now()), value: -value})
	}
	slices.SortFunc(changes, inOrder)
	values, err := addToGauges(ctx, tx, changes)
	if err == nil {
		err = setMonths(ctx, tx, values)
	}
	return db.Convert(err)
}

// Used is how much of a type a workspace used in a month, or has of a gauge now.
func (s *Service) Used(ctx context.Context, q db.Querier, w id.Workspace, t plan.Type, month time.Time) (int64, error) {
	return s.used(ctx, q, w, "", t, monthOf(month), monthOf(s.Clock.Now()))
}
