package meter

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/wire"
)

// MeteredUsage is how much was used in a month, and how much may be.
type MeteredUsage struct {
	ID     string    `json:"id" doc:"The workspace or the bot."`
	Period wire.Time `json:"period" format:"" doc:"The start of the month, UTC."`
	Value  float64   `json:"value" doc:"The amount used in the month; for stocks, such as storage, the present amount."`
	Quota  float64   `json:"quota" doc:"The workspace's quota; 9007199254740991 means unlimited."`
	Type   plan.Type `json:"type" enum:"invocation_timeout,invocation_calls,storage_count,bot_count,knowledgebase_vector_storage,workspace_ratelimit,table_row_count,workspace_member_count,integrations_owned_count,ai_spend,openai_spend,bing_search_spend,always_alive,indexed_file_count,file_max_size_bytes" doc:"The type of usage."`
}

// WorkspaceQuota is how much of a type a workspace may use in a month.
type WorkspaceQuota struct {
	Period wire.Time `json:"period" format:"" doc:"The start of the month, UTC."`
	Value  float64   `json:"value" doc:"The quota; 9007199254740991 means unlimited."`
	Type   plan.Type `json:"type" enum:"invocation_timeout,invocation_calls,storage_count,bot_count,knowledgebase_vector_storage,workspace_ratelimit,table_row_count,workspace_member_count,integrations_owned_count,ai_spend,openai_spend,bing_search_spend,always_alive,indexed_file_count,file_max_size_bytes" doc:"The type of usage."`
}

// BotShare is how much of a type one bot used.
type BotShare struct {
	BotID string  `json:"botId" doc:"The bot, which may have been deleted since."`
	Value float64 `json:"value" doc:"The amount used."`
}

// QuotaCompletion is the quota of a workspace that is closest to its end.
type QuotaCompletion struct {
	Type       plan.Type `json:"type" enum:"invocation_timeout,invocation_calls,storage_count,bot_count,knowledgebase_vector_storage,workspace_ratelimit,table_row_count,workspace_member_count,integrations_owned_count,ai_spend,openai_spend,bing_search_spend,always_alive,indexed_file_count,file_max_size_bytes" doc:"The type of usage."`
	Completion float64   `json:"completion" doc:"The used share of the quota: 1 is all of it, more than 1 is over the quota."`
}

// TypeQuery is the parameter that says what is counted.
type TypeQuery struct {
	Type plan.Type `query:"type" required:"true" enum:"invocation_timeout,invocation_calls,storage_count,bot_count,knowledgebase_vector_storage,workspace_ratelimit,table_row_count,workspace_member_count,integrations_owned_count,ai_spend,openai_spend,bing_search_spend,always_alive,indexed_file_count,file_max_size_bytes" doc:"The type of usage."`
}

// PeriodQuery is the parameter that says in which month.
type PeriodQuery struct {
	Period string `query:"period" doc:"The month in UTC: 2026-11, or a date or time within it; the current month when absent."`
}

type (
	getUsageInput struct {
		TypeQuery
		PeriodQuery
		ID string `path:"id" doc:"The workspace, or one of its bots."`
	}
	getUsageOutput struct{ Body UsageAnswer }

	getMultipleUsagesInput struct {
		PeriodQuery
		Types []string `query:"types,explode" required:"true" doc:"The type of usage."`
		IDs   []string `query:"ids,explode" required:"true" doc:"The ids of workspaces or of bots, at most 100."`
	}
	listUsageHistoryInput struct {
		TypeQuery
		ID string `path:"id" doc:"The workspace, or one of its bots."`
	}
	usagesOutput struct{ Body UsageList }

	workspaceTypeInput struct {
		TypeQuery
		PeriodQuery
		ID string `path:"id" doc:"The workspace's id."`
	}
	byBotOutput struct{ Body BotShareList }

	completionOutput struct {
		Body map[string]QuotaCompletion
	}

	getWorkspaceQuotaOutput struct{ Body QuotaAnswer }
	workspacePeriodInput    struct {
		PeriodQuery
		ID string `path:"id" doc:"The workspace's id."`
	}
	listWorkspaceQuotasOutput struct{ Body QuotaList }

	changeAISpendQuotaInput struct {
		Body struct {
			MonthlySpendingLimit float64 `json:"monthlySpendingLimit" doc:"The limit of AI spend per month, in US dollars with whole cents, from 0 to 10000."`
		}
	}
)

// UsageAnswer is the answer of getUsage.
type UsageAnswer struct {
	Usage MeteredUsage `json:"usage" doc:"The usage."`
}

// UsageList is the answer of the operations that answer several usages.
type UsageList struct {
	Usages []MeteredUsage `json:"usages" doc:"The usages."`
}

// BotShareList is the answer of breakDownWorkspaceUsageByBot.
type BotShareList struct {
	Data []BotShare `json:"data" doc:"The bots by usage, highest first; bots without usage are left out."`
}

// QuotaAnswer is the answer of getWorkspaceQuota.
type QuotaAnswer struct {
	Quota WorkspaceQuota `json:"quota" doc:"The quota."`
}

// QuotaList is the answer of listWorkspaceQuotas.
type QuotaList struct {
	Quotas []WorkspaceQuota `json:"quotas" doc:"All quotas."`
}

func usageOnWire(u Usage) MeteredUsage {
	return MeteredUsage{ID: u.ID, Period: wire.TimeOf(u.Month), Value: float64(u.Value), Quota: float64(shown(u.Limit)), Type: u.Type}
}

func usagesOnWire(usages []Usage) *usagesOutput {
	out := &usagesOutput{Body: UsageList{Usages: make([]MeteredUsage, len(usages))}}
	for i, u := range usages {
		out.Body.Usages[i] = usageOnWire(u)
	}
	return out
}

func quotaOnWire(u Usage) WorkspaceQuota {
	return WorkspaceQuota{Period: wire.TimeOf(u.Month), Value: float64(shown(u.Limit)), Type: u.Type}
}

const area = "usage"

// Mount registers the operations of usage and quotas.
func Mount(m *wire.Mux, s *Service) {
	mountUsage(m, s)
	mountQuotas(m, s)
	mountActivity(m, s)
	mountFeatures(m, s)
}

func mountUsage(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "getUsage", Method: http.MethodGet, Path: "/v1/admin/usages/{id}", Area: area,
		Summary: "Get the usage of a workspace or a bot",
		Detail:  "The usage of one type in one month. Not every type is counted per bot.",
		Scope:   wire.InHeader, Permission: access.WorkspaceRead,
	}, func(ctx context.Context, in *getUsageInput) (*getUsageOutput, error) {
		u, err := s.Usage(ctx, access.From(ctx).Workspace, in.ID, in.Type, in.Period)
		if err != nil {
			return nil, err
		}
		return &getUsageOutput{Body: UsageAnswer{usageOnWire(u)}}, nil
	})
	wire.Register(m, wire.Operation{
		ID: "getMultipleUsages", Method: http.MethodGet, Path: "/v1/admin/usages/multiple", Area: area,
		Summary: "Get several usages",
		Detail:  "Returns each type for each id, in that order. The ids are all of workspaces or all of bots, in any workspace that the caller is a member of.",
		Scope:   wire.Outside, Permission: access.Self,
	}, func(ctx context.Context, in *getMultipleUsagesInput) (*usagesOutput, error) {
		types := make([]plan.Type, len(in.Types))
		for i, t := range in.Types {
			types[i] = plan.Type(t)
		}
		usages, err := s.Usages(ctx, access.From(ctx).Account, in.IDs, types, in.Period)
		if err != nil {
			return nil, err
		}
		return usagesOnWire(usages), nil
	})
	wire.Register(m, wire.Operation{
		ID: "listUsageHistory", Method: http.MethodGet, Path: "/v1/admin/usages/{id}/history", Area: area,
		Summary: "List monthly usage",
		Detail:  "Newest month first, back to the first month with usage, at most two years. The quota is the present one.",
		Scope:   wire.InHeader, Permission: access.WorkspaceRead,
	}, func(ctx context.Context, in *listUsageHistoryInput) (*usagesOutput, error) {
		usages, err := s.History(ctx, access.From(ctx).Workspace, in.ID, in.Type)
		if err != nil {
			return nil, err
		}
		return usagesOnWire(usages), nil
	})
	wire.Register(m, wire.Operation{
		ID: "listWorkspaceUsages", Method: http.MethodGet, Path: "/v1/admin/workspaces/{id}/usages", Area: area,
		Summary: "List a workspace's usage",
		Detail:  "Returns the usage of the given type as a list with one item.",
		Scope:   wire.InPath, Permission: access.WorkspaceRead,
	}, func(ctx context.Context, in *workspaceTypeInput) (*usagesOutput, error) {
		usages, err := s.All(ctx, access.From(ctx).Workspace, in.Period, in.Type)
		if err != nil {
			return nil, err
		}
		return usagesOnWire(usages), nil
	})
	wire.Register(m, wire.Operation{
		ID: "breakDownWorkspaceUsageByBot", Method: http.MethodGet, Path: "/v1/admin/workspaces/{id}/usages/by-bot", Area: area,
		Summary: "Get a workspace's usage by bot",
		Scope:   wire.InPath, Permission: access.WorkspaceRead,
	}, func(ctx context.Context, in *workspaceTypeInput) (*byBotOutput, error) {
		usages, err := s.ByBot(ctx, access.From(ctx).Workspace, in.Type, in.Period)
		if err != nil {
			return nil, err
		}
		out := &byBotOutput{Body: BotShareList{Data: make([]BotShare, len(usages))}}
		for i, u := range usages {
			out.Body.Data[i] = BotShare{string(u.Bot), float64(u.Value)}
		}
		return out, nil
	})
}

func mountQuotas(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "getAllWorkspaceQuotaCompletion", Method: http.MethodGet, Path: "/v1/admin/workspaces/usages/quota-completion", Area: area,
		Summary: "Get the quota completion of all workspaces",
		Detail:  "For each of the caller's workspaces, by id, the quota with the largest used share. Workspaces without usage that counts towards a quota are left out.",
		Scope:   wire.Outside, Permission: access.Self,
	}, func(ctx context.Context, _ *struct{}) (*completionOutput, error) {
		completions, err := s.Completions(ctx, access.From(ctx).Account)
		if err != nil {
			return nil, err
		}
		out := &completionOutput{Body: make(map[string]QuotaCompletion, len(completions))}
		for w, c := range completions {
			out.Body[string(w)] = QuotaCompletion{c.Type, c.Part}
		}
		return out, nil
	})
	wire.Register(m, wire.Operation{
		ID: "getWorkspaceQuota", Method: http.MethodGet, Path: "/v1/admin/workspaces/{id}/quota", Area: area,
		Summary: "Get a workspace's quota",
		Scope:   wire.InPath, Permission: access.WorkspaceRead,
	}, func(ctx context.Context, in *workspaceTypeInput) (*getWorkspaceQuotaOutput, error) {
		quotas, err := s.Quotas(ctx, access.From(ctx).Workspace, in.Period, in.Type)
		if err != nil {
			return nil, err
		}
		return &getWorkspaceQuotaOutput{Body: QuotaAnswer{quotaOnWire(quotas[0])}}, nil
	})
	wire.Register(m, wire.Operation{
		ID: "listWorkspaceQuotas", Method: http.MethodGet, Path: "/v1/admin/workspaces/{id}/quotas", Area: area,
		Summary: "Get all quotas of a workspace",
		Scope:   wire.InPath, Permission: access.WorkspaceRead,
	}, func(ctx context.Context, in *workspacePeriodInput) (*listWorkspaceQuotasOutput, error) {
		quotas, err := s.Quotas(ctx, access.From(ctx).Workspace, in.Period, plan.Types...)
		if err != nil {
			return nil, err
		}
		out := &listWorkspaceQuotasOutput{Body: QuotaList{Quotas: make([]WorkspaceQuota, len(quotas))}}
		for i, quota := range quotas {
			out.Body.Quotas[i] = quotaOnWire(quota)
		}
		return out, nil
	})
	wire.Register(m, wire.Operation{
		ID: "changeAISpendQuota", Method: http.MethodPut, Path: "/v1/admin/quotas/ai-spend", Area: area,
		Summary: "Set the AI spend quota",
		Detail:  "Replaces the plan's limit and never exceeds what the operator of the server allows.",
		Scope:   wire.InHeader, Permission: access.SpendingUpdate,
	}, func(ctx context.Context, in *changeAISpendQuotaInput) (*wire.Nothing, error) {
		return &wire.Nothing{}, s.SetSpending(ctx, access.From(ctx).Workspace, spendingOf(in.Body.MonthlySpendingLimit))
	})
}
