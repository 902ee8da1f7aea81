package meter

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// thresholds are the percentages of a quota that cause a warning, the highest first.
var thresholds = []int64{usedUp, 90, 75, 50}

const usedUp = 100

// JobWarn is the kind of job that sends a warning to the operator's webhook.
const JobWarn = "warn-of-quota"

// Warning is the payload of the operator's webhook.
type Warning struct {
	ID          string       `json:"id"`
	Type        string       `json:"type"`
	WorkspaceID id.Workspace `json:"workspaceId"`
	Quota       plan.Type    `json:"quota"`
	Threshold   int64        `json:"threshold"`
	Limit       int64        `json:"limit"`
	Usage       int64        `json:"usage"`
	Period      string       `json:"period"`
	CreatedAt   string       `json:"createdAt"`
}

// reached returns the thresholds that usage has reached, the highest first.
func reached(used, limit int64) []int64 {
	if limit == plan.Unlimited || used <= 0 {
		return nil
	}
	for i, threshold := range thresholds {
		if limit == 0 || float64(used) >= float64(limit)*float64(threshold)/100 {
			return thresholds[i:]
		}
	}
	return nil
}

// standing is how much a workspace has used of a type, and what it is allowed.
type standing struct {
	workspace id.Workspace
	of        plan.Type
	used      int64
	limit     int64
	passed    []int64 // thresholds, the highest first
}

func (s *Service) standing(w id.Workspace, a allowance, t plan.Type, used int64) standing {
	limit := s.limit(a, t)
	return standing{w, t, used, limit, reached(used, limit)}
}

// warn warns of the highest threshold that each workspace has reached, unless it has done so
// this month: the members by an audit record, the operator's webhook by a job, and, when
// nothing is left, the owners of bots by an issue. Lower thresholds passed on the way cause
// no warning later. all has each type of a workspace at most once.
func (s *Service) warn(ctx context.Context, tx *db.Tx, all ...standing) error {
	all = slices.DeleteFunc(all, func(one standing) bool { return len(one.passed) == 0 })
	if len(all) == 0 {
		return nil
	}
	now := s.Clock.Now()
	month := monthOf(now)
	untold, err := insertWarnings(ctx, tx, all, month, now)
	if err != nil {
		return db.Convert(err)
	}
	for _, one := range all {
		highest := warned{one.workspace, one.of, one.passed[0]}
		if !untold[highest] {
			continue
		}
		if err := s.tell(ctx, tx, one, month, now); err != nil {
			return err
		}
	}
	return nil
}

// tell warns of the highest threshold that a workspace has reached.
func (s *Service) tell(ctx context.Context, tx *db.Tx, one standing, month, now time.Time) error {
	w, t, limit, used, highest := one.workspace, one.of, one.limit, one.used, one.passed[0]
	period := month.Format("2006-01")
	if highest == usedUp {
		if err := s.tellBots(ctx, tx, w, t, limit, used, period); err != nil {
			return err
		}
	}
	// The server warns, not whoever made the request that reached the threshold.
	silent := access.With(ctx, access.Actor{})
	if err := s.Trail.Record(silent, tx, w, access.Act{
		Action: "QUOTA_WARNING", Resource: string(w), Name: string(t),
		Value: fmt.Sprintf("%d %% of the quota %s is used: %d of %d in %s", highest, t, used, limit, period),
	}); err != nil {
		return err
	}
	return s.Queue.Enqueue(ctx, tx, JobWarn, Warning{
		ID: id.NewWarning(now), Type: "quota.warning", WorkspaceID: w, Quota: t, Threshold: highest, Limit: limit, Usage: used,
		Period: month.Format(time.RFC3339), CreatedAt: now.Format("2006-01-02T15:04:05.000Z"),
	})
}

// ran are the types that running bots use up. Bots do not suffer when another one, such as
// members, is exhausted.
var ran = []plan.Type{
	plan.InvocationCalls, plan.AISpend, plan.OpenAISpend, plan.BingSearchSpend,
	plan.StorageCount, plan.VectorStorage, plan.TableRowCount, plan.IndexedFileCount,
}

// tellBots makes an exhausted quota an issue of the workspace's bots.
func (s *Service) tellBots(ctx context.Context, tx *db.Tx, w id.Workspace, t plan.Type, limit, used int64, period string) error {
	if s.Issues == nil || !slices.Contains(ran, t) {
		return nil
	}
	until := "until something of it is deleted or the quota is raised"
	if t.Monthly() {
		until = "until the month ends or the quota is raised"
	}
	return s.Issues.ReportToAll(ctx, tx, w, fault.Issue{
		Code: "quota_reached", Category: fault.Limits, Title: fmt.Sprintf("The quota %s is used up", t),
		Description: fmt.Sprintf("The bots of the workspace have used %d of the quota %s, which is %d. What goes beyond it is refused %s.", used, t, limit, until),
		Data: map[string]string{
			"quota": string(t), "limit": strconv.FormatInt(limit, 10), "usage": strconv.FormatInt(used, 10), "period": period,
		},
		GroupBy: []string{"quota"},
	})
}
