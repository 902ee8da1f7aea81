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
	// Issues receives exhausted quotas as issues of the workspace's bots; nil for nobody.
	Issues issues
	// Debtors decides who may have AI spend in arrears; nil allows everybody.
	Debtors debtors
	// RateLimit is the most requests per second that the server allows any workspace,
	// whatever its plan; 0 is no limit.
	RateLimit int64
}

// Service counts and limits.
type Service struct {
	Options
	drift drift
}

// New makes the service over a migrated database.
func New(o Options) *Service { return &Service{Options: o} }

// Bots adds n to the number of the workspace's production bots. n may be negative, or 0 to
// check only that the workspace exists. QuotaExceeded when the plan does not allow that
// many, ResourceNotFound when the workspace was deleted meanwhile.
func (s *Service) Bots(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error {
	return s.Gauge(ctx, tx, w, plan.BotCount, n)
}

// Members adds n to the workspace's members beside the owner.
func (s *Service) Members(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error {
	return s.Gauge(ctx, tx, w, plan.MemberCount, n)
}

// Integrations adds n to the number of integrations that the workspace owns: names of which
// it has production versions.
func (s *Service) Integrations(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error {
	return s.Gauge(ctx, tx, w, plan.IntegrationsOwned, n)
}

// Gauge adds n to the current count of a type. A decrease is always allowed, even while the
// count is above a lowered quota. QuotaExceeded when an increase would pass the quota,
// ResourceNotFound when the workspace was deleted meanwhile.
func (s *Service) Gauge(ctx context.Context, tx *db.Tx, w id.Workspace, t plan.Type, n int64) error {
	value, a, err := addToGauge(ctx, tx, w, t, n)
	if err != nil {
		return db.Convert(err)
	}
	if a.plan == "" {
		// It was deleted after the request was authorised; nothing may be added to it.
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

// Versions checks whether a bot of the workspace may have n saved versions: QuotaExceeded
// when fewer are allowed, ResourceNotFound when the workspace was deleted meanwhile. The
// caller counts the versions.
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

// allowance reads what decides the quotas of a workspace; ResourceNotFound when it is gone.
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

// SetQuota overrides a quota of a workspace, whatever its plan and add-ons allow; nil
// removes the override, plan.Unlimited removes the limit. It is for the operator, and no
// operation of the API leads here. InvalidPayload when there is no such type or the value
// is out of bounds.
func (s *Service) SetQuota(ctx context.Context, w id.Workspace, t plan.Type, value *int64) error {
	if !t.Known() && t != savedVersions {
		return fault.New(fault.InvalidPayload, "There is no quota %q; the quotas are %v and %s.", fault.Bounded(string(t)), plan.Types, savedVersions)
	}
	kept, text := sql.NullInt64{}, "as the plan says"
	if value != nil {
		if *value < plan.Unlimited || *value > maxValue {
			return fault.New(fault.InvalidPayload, "A quota of %d is not possible; it must be from 0 to %d, or %d for no limit.", *value, maxValue, plan.Unlimited)
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

// SetExtras replaces what add-ons and credits add to the plan's quotas. Nothing is added to
// types that are not named.
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

// SetSpending sets the members' own limit of AI spend a month. InvalidPayload when the amount
// is out of bounds, PaymentRequired when it is more than the plan includes and the
// workspace could not be charged for it.
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

// DeleteWorkspace deletes the usage and the quotas of a workspace.
func (s *Service) DeleteWorkspace(ctx context.Context, tx *db.Tx, w id.Workspace) error {
	return db.Convert(deleteWorkspace(ctx, tx, w))
}

// LeaveBot subtracts a deleted bot's share from the gauges of its workspace. What it used
// remains in the workspace's usage.
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
		err = setMonths(ctx, tx, append(values, nothing(b, changes)...))
	}
	return db.Convert(err)
}

// nothing is what a bot has of gauges that it no longer has a part of, so that later months
// do not show what it had.
func nothing(b id.Bot, of []monthSum) []monthSum {
	none := slices.Clone(of)
	for i := range none {
		none[i].bot, none[i].value = b, 0
	}
	return none
}

// Used is how much of a type a workspace used in a month; of a gauge, what it had at the
// end of the month, or has now.
func (s *Service) Used(ctx context.Context, q db.Querier, w id.Workspace, t plan.Type, month time.Time) (int64, error) {
	return s.used(ctx, q, w, "", t, monthOf(month), monthOf(s.Clock.Now()))
}
