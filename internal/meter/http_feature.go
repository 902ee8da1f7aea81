package meter

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/wire"
)

// FeatureUsage is how much of a feature is used and may be.
type FeatureUsage struct {
	Usage *float64 `json:"usage,omitempty" doc:"The amount used; absent for types that are not counted per workspace."`
	Quota float64  `json:"quota" doc:"The quota; 9007199254740991 means unlimited."`
}

type (
	getQuotasOutput struct {
		Body map[string]float64
	}
	getWorkspaceUsageInput struct {
		Feature plan.Feature `query:"feature" required:"true" enum:"incoming_messages_events,integration_spend,table_rows,bot_count,collaborator_count,file_storage,vector_db_storage,saved_versions,indexed_file_count,conversation_sessions,ai_spend" doc:"The type of usage."`
		Period  string       `query:"period" required:"true" format:"date-time" doc:"A time within the month."`
	}
	getWorkspaceUsageOutput struct{ Body FeatureUsage }
	getWorkspaceUsagesInput struct {
		Period string `query:"period" required:"true" format:"date-time" doc:"A time within the month."`
	}
	getWorkspaceUsagesOutput struct{ Body FeatureUsages }
)

// FeatureUsages is the answer of getWorkspaceUsages.
type FeatureUsages struct {
	Quotas map[string]FeatureUsage `json:"quotas" doc:"The quotas, by feature."`
}

func featureOnWire(u Usage, counted bool) FeatureUsage {
	on := FeatureUsage{Quota: float64(shown(u.Limit))}
	if counted {
		used := float64(u.Value)
		on.Usage = &used
	}
	return on
}

func mountFeatures(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "getQuotas", Method: http.MethodGet, Path: "/v2/billing/quotas", Area: area,
		Summary: "Get the quotas by feature",
		Scope:   wire.InHeader, Permission: access.WorkspaceRead,
	}, func(ctx context.Context, _ *struct{}) (*getQuotasOutput, error) {
		quotas, err := s.Features(ctx, access.From(ctx).Workspace, "", quotaFeatures...)
		if err != nil {
			return nil, err
		}
		out := &getQuotasOutput{Body: make(map[string]float64, len(quotas))}
		for i, f := range quotaFeatures {
			out.Body[string(f)] = float64(shown(quotas[i].Limit))
		}
		return out, nil
	})
	wire.Register(m, wire.Operation{
		ID: "getWorkspaceUsage", Method: http.MethodGet, Path: "/v2/usage/workspace-usage", Area: area,
		Summary: "Get the usage of a feature",
		Scope:   wire.InHeader, Permission: access.WorkspaceRead,
	}, func(ctx context.Context, in *getWorkspaceUsageInput) (*getWorkspaceUsageOutput, error) {
		usages, err := s.Features(ctx, access.From(ctx).Workspace, in.Period, in.Feature)
		if err != nil {
			return nil, err
		}
		return &getWorkspaceUsageOutput{Body: featureOnWire(usages[0], isCounted(in.Feature))}, nil
	})
	wire.Register(m, wire.Operation{
		ID: "getWorkspaceUsages", Method: http.MethodGet, Path: "/v2/usage/workspace-usages", Area: area,
		Summary: "Get the usage of all features",
		Scope:   wire.InHeader, Permission: access.WorkspaceRead,
	}, func(ctx context.Context, in *getWorkspaceUsagesInput) (*getWorkspaceUsagesOutput, error) {
		usages, err := s.Features(ctx, access.From(ctx).Workspace, in.Period, usageFeatures...)
		if err != nil {
			return nil, err
		}
		out := &getWorkspaceUsagesOutput{Body: FeatureUsages{Quotas: make(map[string]FeatureUsage, len(usages))}}
		for i, f := range usageFeatures {
			out.Body.Quotas[string(f)] = featureOnWire(usages[i], isCounted(f))
		}
		return out, nil
	})
}
