package meter

import (
	"fmt"
	"strings"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/plan"
)

// boundless stands for no limit on the wire: the largest safe integer of JavaScript. Clients
// compare usage with it and divide by it, which null or a negative number would break.
const boundless = int64(1)<<53 - 1

// maxValue is where sums saturate, so that huge values cannot overflow them.
const maxValue = boundless

// savedVersions is the quota of saved versions per bot, which has a name only in the v2
// API. It is a type here so that the operator can override it.
const savedVersions = plan.Type(plan.SavedVersions)

// allowance is what decides a workspace's quotas.
type allowance struct {
	plan     plan.ID
	adjusted map[plan.Type]plan.Adjustment
}

// fixed reports whether the operator or the members have set the quota of t, so that
// neither the plan nor add-ons count.
func (a allowance) fixed(t plan.Type) bool {
	if a.adjusted[t].Set != nil || a.adjusted[t].Chosen != nil {
		return true
	}
	return t.Whole() != "" && a.fixed(t.Whole())
}

// limit is the quota of t, or plan.Unlimited.
func (s *Service) limit(a allowance, t plan.Type) int64 {
	adjusted := a.adjusted[t]
	if whole := t.Whole(); whole != "" && adjusted.Set == nil {
		return s.limit(a, whole)
	}
	if t == savedVersions {
		if adjusted.Set != nil {
			return *adjusted.Set
		}
		return s.Plans.Allows(a.plan, plan.SavedVersions)
	}
	limit := s.Plans.LimitWith(a.plan, t, adjusted)
	if t == plan.WorkspaceRatelimit && s.RateLimit > 0 && (limit == plan.Unlimited || limit > s.RateLimit) {
		return s.RateLimit
	}
	return limit
}

// shown is a limit in its form on the wire.
func shown(limit int64) int64 {
	if limit == plan.Unlimited {
		return boundless
	}
	return limit
}

// readable has the words for a type after a number.
var readable = map[plan.Type]string{
	plan.InvocationCalls: "incoming messages and events a month", plan.StorageCount: "bytes of files", plan.BotCount: "bots",
	plan.VectorStorage: "bytes of vectors", plan.TableRowCount: "rows of tables", plan.MemberCount: "members beside the owner",
	plan.IntegrationsOwned: "integrations of its own", plan.AISpend: "nano-dollars of AI spend a month",
	plan.OpenAISpend: "nano-dollars of OpenAI spend a month", plan.BingSearchSpend: "nano-dollars of web search a month",
	plan.AlwaysAlive: "bots that are always alive", plan.IndexedFileCount: "indexed files", savedVersions: "saved versions of one bot",
}

// exceeded is the QuotaExceeded of a workspace that has used all of its quota of t.
func (s *Service) exceeded(a allowance, t plan.Type, limit, used int64) error {
	of := fmt.Sprintf("the plan %q of this workspace allows", a.plan)
	if a.adjusted[t].Set != nil {
		of = "the operator of this server allows this workspace"
	} else if a.adjusted[t].Chosen != nil {
		of = "the limit that this workspace set itself with changeAISpendQuota is"
	}
	raises := s.raises(a, t, limit)
	return fault.New(fault.QuotaExceeded, "The quota %s is reached: %s %d %s, and it has %d. What raises it: %s.", t, of, limit, readable[t], used, strings.Join(raises, "; ")).
		With("quota", string(t)).With("limit", limit).With("usage", used).With("raisedBy", raises)
}

// raises lists what would raise the workspace's quota of t.
func (s *Service) raises(a allowance, t plan.Type, limit int64) (by []string) {
	switch {
	case a.adjusted[t].Set != nil:
		return []string{"the operator of this server, with botyard quota set"}
	case a.adjusted[t].Chosen != nil:
		return []string{"changeAISpendQuota"}
	}
	if t.Whole() == plan.AISpend || t == plan.AISpend {
		by = append(by, "changeAISpendQuota")
	}
	feature := plan.SavedVersions
	if t != savedVersions {
		feature = t.Feature()
	}
	for _, p := range s.Plans.Plans {
		if more := s.Plans.Allows(p.ID, feature); p.ID != plan.Managed && more > limit {
			by = append(by, "the plan "+string(p.ID))
			break
		}
	}
	for _, addon := range s.Plans.Addons {
		if addon.Increments[feature] > 0 && addon.Month != nil {
			by = append(by, "the add-on "+addon.ID)
			break
		}
	}
	return append(by, "the operator of this server, with botyard quota set")
}

// completion is the used fraction of a limit; 1 is all of it.
func completion(used, limit int64) float64 {
	switch {
	case limit == plan.Unlimited || used <= 0:
		return 0
	case limit == 0:
		return 1
	}
	return float64(used) / float64(limit)
}
