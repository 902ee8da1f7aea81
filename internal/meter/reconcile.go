package meter

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// drift counts how often each gauge was found to differ from what it counts.
type drift struct {
	sync.Mutex
	found map[plan.Type]uint64
}

// Drift returns how often each gauge was found to differ from what it counts, since the
// process started. It is for metrics; anything but 0 is a bug.
func (s *Service) Drift() map[plan.Type]uint64 {
	s.drift.Lock()
	defer s.drift.Unlock()
	found := make(map[plan.Type]uint64, len(derived))
	for _, t := range derived {
		found[t] = s.drift.found[t]
	}
	return found
}

// derived are the gauges whose value can be recomputed by counting.
var derived = []plan.Type{plan.BotCount, plan.AlwaysAlive, plan.MemberCount, plan.IntegrationsOwned}

// reconcileBatch is how many workspaces one transaction checks: few enough that nobody has
// to wait for it.
const reconcileBatch = 100

// Reconcile compares the gauges with what they count, corrects those that differ, and
// returns how many did. Differences are logged and counted, because there should be none.
// It also warns of thresholds that were reached without usage, such as by a change of plan.
func (s *Service) Reconcile(ctx context.Context) (corrected int, err error) {
	for after := id.Workspace(""); ; {
		var batch []id.Workspace
		var wrong []correction
		err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			if batch, err = selectWorkspaces(ctx, tx, after, reconcileBatch); err != nil {
				return db.Convert(err)
			}
			wrong, err = s.reconcile(ctx, tx, batch)
			return err
		})
		if err != nil {
			return corrected, err
		}
		for _, c := range wrong {
			s.Log.WarnContext(ctx, "a gauge differed from what it counts, and was corrected",
				slog.String("workspace", string(c.workspace)), slog.String("gauge", string(c.of)), slog.Int64("gauge_said", c.said), slog.Int64("counted", c.counted))
			s.drift.Lock()
			if s.drift.found == nil {
				s.drift.found = map[plan.Type]uint64{}
			}
			s.drift.found[c.of]++
			s.drift.Unlock()
		}
		corrected += len(wrong)
		if len(batch) < reconcileBatch {
			return corrected, nil
		}
		after = batch[len(batch)-1]
	}
}

// correction is a gauge that was wrong.
type correction struct {
	workspace     id.Workspace
	of            plan.Type
	said, counted int64
}

func (s *Service) reconcile(ctx context.Context, tx *db.Tx, workspaces []id.Workspace) (wrong []correction, err error) {
	if len(workspaces) == 0 {
		return nil, nil
	}
	gauges, err := selectGauges(ctx, tx, workspaces)
	if err != nil {
		return nil, db.Convert(err)
	}
	truths, err := selectTruths(ctx, tx, workspaces)
	if err != nil {
		return nil, db.Convert(err)
	}
	allowances, err := selectAllowances(ctx, tx, workspaces)
	if err != nil {
		return nil, db.Convert(err)
	}
	month := monthOf(s.Clock.Now())
	subjects := make([]subject, len(workspaces))
	for i, w := range workspaces {
		subjects[i] = subject{workspace: w}
	}
	sums, err := s.values(ctx, tx, subjects, slices.DeleteFunc(slices.Clone(plan.Types), func(t plan.Type) bool { return !t.Monthly() }), month, month)
	if err != nil {
		return nil, err
	}
	for _, w := range workspaces {
		for _, t := range derived {
			said, counted := gauges[gauge{w, t}], truths[gauge{w, t}]
			gauges[gauge{w, t}] = counted
			if said == counted {
				continue
			}
			wrong = append(wrong, correction{w, t, said, counted})
			if err := setGauge(ctx, tx, w, t, counted); err != nil {
				return nil, db.Convert(err)
			}
			if err := setMonth(ctx, tx, w, t, month, counted); err != nil {
				return nil, db.Convert(err)
			}
		}
		for _, t := range plan.Types {
			if isLimit(t) || s.limit(allowances[w], t) == plan.Unlimited {
				continue
			}
			used := gauges[gauge{w, t}]
			if t.Monthly() {
				used = sums[measure{subject{workspace: w}, t}]
			}
			if err := s.warn(ctx, tx, s.standing(w, allowances[w], t, used)); err != nil {
				return nil, err
			}
		}
	}
	return wrong, nil
}

// gauge names one gauge of one workspace.
type gauge struct {
	workspace id.Workspace
	of        plan.Type
}
