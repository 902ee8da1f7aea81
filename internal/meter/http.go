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
	Period wire.Time `json:"period" format:"" doc:"The first moment of the month, UTC."`
	Value  float64   `json:"value" doc:"How much was used in the month; of what is had and not used up, how much there is."`
	Quota  float64   `json:"quota" doc:"How much the workspace may use; 9007199254740991 is no limit."`
	Type   plan.Type `json:"type" enum:"invocation_timeout,invocation_calls,storage_count,bot_count,knowledgebase_vector_storage,workspace_ratelimit,table_row_count,workspace_member_count,integrations_owned_count,ai_spend,openai_spend,bing_search_spend,always_alive,indexed_file_count,file_max_size_bytes" doc:"What is counted."`
}

// WorkspaceQuota is how much of a type a workspace may use in a month.
type WorkspaceQuota struct {
	Period wire.Time `json:"period" format:"" doc:"The first moment of the month, UTC."`
	Value  float64   `json:"value" doc:"How much it may use; 9007199254740991 is no limit."`
	Type   plan.Type `json:"type" enum:"invocation_timeout,invocation_calls,storage_count,bot_count,knowledgebase_vector_storage,workspace_ratelimit,table_row_count,workspace_member_count,integrations_owned_count,ai_spend,openai_spend,bing_search_spend,always_alive,indexed_file_count,file_max_size_bytes" doc:"What is counted."`
}

// BotShare is how much of a type one bot used.
type BotShare struct {
	BotID string  `json:"botId" doc:"The bot; it may be deleted since."`
	Value float64 `json:"value" doc:"How much it used."`
}

// QuotaCompletion is the quota of a workspace that is closest to its end.
type QuotaCompletion struct {
	Type       plan.Type `json:"type" enum:"invocation_timeout,invocation_calls,storage_count,bot_count,knowledgebase_vector_storage,workspace_ratelimit,table_row_count,workspace_member_count,integrations_owned_count,ai_spend,openai_spend,bing_search_spend,always_alive,indexed_file_count,file_max_size_bytes" doc:"What is counted."`
	Completion float64   `json:"completion" doc:"The part of the quota that is used: 1 is all of it, more is more than allowed."`
}

// TypeQuery is the parameter that says what is counted.
type TypeQuery struct {
	Type plan.Type `query:"type" required:"true" enum:"invocation_timeout,invocation_calls,storage_count,bot_count,knowledgebase_vector_storage,workspace_ratelimit,table_row_count,workspace_member_count,integrations_owned_count,ai_spend,openai_spend,bing_search_spend,always_alive,indexed_file_count,file_max_size_bytes" doc:"What is counted."`
}

// PeriodQuery is the parameter that says in which month.
type PeriodQuery struct {
	Period string `query:"period" doc:"The month: 2026-11, or a date or moment in it; the current one when absent. Months are those of UTC."`
}

type (
	getUsageInput struct {
		TypeQuery
		PeriodQuery
		ID string `path:"id" doc:"The workspace, or a bot of it."`
	}
	getUsageOutput struct{ Body UsageAnswer }

	getMultipleUsagesInput struct {
		PeriodQuery
		Types []string `query:"types,explode" required:"true" doc:"What is counted."`
		IDs   []string `query:"ids,explode" required:"true" doc:"Workspaces, or bots, 100 at most."`
	}
	listUsageHistoryInput struct {
		TypeQuery
		ID string `path:"id" doc:"The workspace, or a bot of it."`
	}
	usagesOutput struct{ Body UsageList }

	workspaceTypeInput struct {
		TypeQuery
		PeriodQuery
		ID string `path:"id" doc:"The workspace."`
	}
	byBotOutput struct{ Body BotShareList }

	completionOutput struct {
		Body map[string]QuotaCompletion
	}

	getWorkspaceQuotaOutput struct{ Body QuotaAnswer }
	workspacePeriodInput    struct {
		PeriodQuery
		ID string `path:"id" doc:"The workspace."`
	}
	listWorkspaceQuotasOutput struct{ Body QuotaList }

	changeAISpendQuotaInput struct {
		Body struct {
			MonthlySpendingLimit float64 `json:"monthlySpendingLimit" doc:"The most AI spend of a month, in US dollars and whole cents, from 0 to 10000."`
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
	Data []BotShare `json:"data" doc:"The bot that used most first; bots that used nothing are left out."`
}

// QuotaAnswer is the answer of getWorkspaceQuota.
type QuotaAnswer struct {
	Quota WorkspaceQuota `json:"quota" doc:"The quota."`
}

// QuotaList is the answer of listWorkspaceQuotas.
type QuotaList struct {
	Quotas []WorkspaceQuota `json:"quotas" doc:"Every quota."`
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
		Summary: "Read the usage of a workspace or a bot",
		Detail:  "How much of one type was used in a month. Not every type is counted for bots.",
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
		Summary: "Read several usages at once",
		Detail:  "Each type of each id, in that order. The ids are all workspaces or all bots; of any workspace that the caller is a member of.",
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
		Summary: "Read usage month by month",
		Detail:  "The newest month first, back to the first with any usage, and no more than two years. The quota is that of now.",
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
		Summary: "Read the usage of a workspace",
		Detail:  "The usage of the given type, as a list of one.",
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
		Summary: "Read which bots used how much",
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
		Summary: "Read how close every workspace is to a quota",
		Detail:  "By the id of each of the caller's workspaces, the quota of which the largest part is used. A workspace that used nothing of what is limited is left out.",
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
		Summary: "Read a quota of a workspace",
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
		Summary: "Read the quotas of a workspace",
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
		Summary: "Limit the AI spend of a month",
		Detail:  "It takes the place of what the plan includes, and never exceeds what the operator of the server allows.",
		Scope:   wire.InHeader, Permission: access.SpendingUpdate,
	}, func(ctx context.Context, in *changeAISpendQuotaInput) (*wire.Nothing, error) {
		return &wire.Nothing{}, s.SetSpending(ctx, access.From(ctx).Workspace, spendingOf(in.Body.MonthlySpendingLimit))
	})
}
