package meter

import (
	"context"

	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// aiSpend is a name that the v2 API has beside integration_spend for the same thing.
const aiSpend = plan.Feature(plan.AISpend)

// usageFeatures are the features that the v2 API answers the usage of.
var usageFeatures = []plan.Feature{
	plan.Messages, plan.IntegrationSpend, plan.TableRows, plan.Bots, plan.Collaborators, plan.FileStorage,
	plan.VectorDBStorage, plan.SavedVersions, plan.IndexedFiles, plan.ConversationSessions, aiSpend,
}

// quotaFeatures are the features whose quotas the v2 API answers.
var quotaFeatures = []plan.Feature{
	plan.Messages, plan.IntegrationSpend, plan.TableRows, plan.Bots, plan.Collaborators, plan.FileStorage,
	plan.VectorDBStorage, plan.SavedVersions, plan.IndexedFiles, plan.AlwaysAliveBots, plan.AlwaysAliveConcurrency,
	plan.Ratelimit, plan.HumanInTheLoop, plan.IntegrationSubscribe,
}

// typeOf is the type that is counted for a feature; "" when none is.
func typeOf(f plan.Feature) plan.Type {
	if f == aiSpend {
		return plan.AISpend
	}
	if types := plan.TypesOf(f); len(types) > 0 {
		return types[0] // a whole stands before its parts
	}
	return ""
}

// isCounted says that workspaces' usage of a feature is counted. Saved versions are
// limited for each bot and not in sum; sessions are not known to the server.
func isCounted(f plan.Feature) bool { t := typeOf(f); return t != "" && !isLimit(t) }

// Features reads a workspace's usage of features in a month.
func (s *Service) Features(ctx context.Context, w id.Workspace, period string, features ...plan.Feature) ([]Usage, error) {
	now := s.Clock.Now()
	month, err := parsePeriod(period, now)
	if err != nil {
		return nil, err
	}
	q := s.DB.Reader(ctx)
	a, err := s.allowance(ctx, q, w)
	if err != nil {
		return nil, err
	}
	var types []plan.Type
	for _, f := range features {
		if t := typeOf(f); t != "" {
			types = append(types, t)
		}
	}
	counted, err := s.usages(ctx, q, []subject{{workspace: w}}, map[id.Workspace]allowance{w: a}, types, month, monthOf(now))
	if err != nil {
		return nil, err
	}
	usages := make([]Usage, len(features))
	for i, f := range features {
		switch t := typeOf(f); {
		case t != "":
			usages[i], counted = counted[0], counted[1:]
		case f == plan.SavedVersions:
			usages[i] = Usage{Month: month, Limit: s.limit(a, savedVersions)}
		default:
			usages[i] = Usage{Month: month, Limit: s.Plans.Allows(a.plan, f)}
		}
	}
	return usages, nil
}
