package billing

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/wire"
)

// TrialDetails is a trial of a plan.
type TrialDetails struct {
	ID        string `json:"id" doc:"The trial."`
	TrialPlan string `json:"trialPlan" doc:"The plan that is tried."`
	FromPlan  string `json:"fromPlan" doc:"The plan before."`
	EndsAt    string `json:"endsAt" doc:"When it ends; when it has ended, if that was before."`
	IsActive  bool   `json:"isActive" doc:"Whether it lasts."`
}

// TrialList is the answer of getTrials.
type TrialList struct {
	Trials []TrialDetails `json:"trials" doc:"The oldest first."`
}

// CreateTrialBody is the body of createTrial.
type CreateTrialBody struct {
	LengthInDays int    `json:"lengthInDays" exclusiveMinimum:"0" doc:"How long."`
	Plan         string `json:"plan" doc:"The plan to try."`
}

// RechargeSettings are those of the add-ons that are bought by themselves.
type RechargeSettings struct {
	Settings map[string]RechargeSetting `json:"settings" doc:"By add-on."`
}

// RechargeSetting says whether an add-on is bought by itself.
type RechargeSetting struct {
	Enabled        bool   `json:"enabled" doc:"Whether it is."`
	Threshold      *int   `json:"threshold,omitempty" minimum:"1" maximum:"100" doc:"How many percent of what is allowed must be used; 90 when absent."`
	DisabledReason string `json:"disabledReason,omitempty" doc:"Why it was switched off, when that was not by a member."`
}

// SetRechargeSetting is what setAutoRechargeSettings sets for an add-on.
type SetRechargeSetting struct {
	Enabled   bool `json:"enabled" doc:"Whether one more is bought by itself."`
	Threshold *int `json:"threshold,omitempty" minimum:"1" maximum:"100" doc:"How many percent of what is allowed must be used; 90 when absent."`
}

// SetRechargeSettingsBody is the body of setAutoRechargeSettings.
type SetRechargeSettingsBody struct {
	Settings map[string]SetRechargeSetting `json:"settings" doc:"By add-on. Those not named are kept."`
}

// CreateCreditGrantBody is the body of createCreditGrant.
type CreateCreditGrantBody struct {
	Amount  int64  `json:"amount" minimum:"1" doc:"In nano-dollars: 10000000000 is ten dollars."`
	Feature string `json:"feature" enum:"ai_spend,integration_spend" doc:"What the credit is for; both are the same."`
}

// CreditGrant is credit that was bought.
type CreditGrant struct {
	ID          string    `json:"id" doc:"The grant."`
	WorkspaceID string    `json:"workspace_id" doc:"The workspace."`
	InvoiceID   string    `json:"invoice_id" doc:"The invoice for it."`
	Amount      float64   `json:"amount" doc:"In dollars."`
	Feature     string    `json:"feature" enum:"incoming_messages_events,integration_spend,table_rows,bot_count,collaborator_count,file_storage,vector_db_storage,saved_versions,indexed_file_count,conversation_sessions,ai_spend" doc:"What the credit is for."`
	PeriodStart wire.Time `json:"period_start" doc:"From when on it is good."`
	PeriodEnd   wire.Time `json:"period_end" doc:"Until before when it is good."`
	UpdatedAt   wire.Time `json:"updatedAt" doc:"When it was last changed."`
	CreatedAt   wire.Time `json:"createdAt" doc:"When it was bought."`
}

type (
	trialsOutput      struct{ Body TrialList }
	trialOutput       struct{ Body TrialDetails }
	createTrialInput  struct{ Body CreateTrialBody }
	rechargesOutput   struct{ Body RechargeSettings }
	setRechargesInput struct{ Body SetRechargeSettingsBody }
	createGrantInput  struct{ Body CreateCreditGrantBody }
	grantOutput       struct{ Body CreditGrant }
)

const (
	trialsPath    = billingPath + "/trials"
	rechargesPath = billingPath + "/auto-recharge/settings"
)

func mountTrials(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "getTrials", Method: http.MethodGet, Path: trialsPath, Area: "billing",
		Summary: "List the trials of the workspace", Scope: wire.InHeader, Permission: access.BillingRead,
	}, func(ctx context.Context, _ *noInput) (*trialsOutput, error) {
		list, err := s.Trials(ctx, access.From(ctx).Workspace)
		out := &trialsOutput{TrialList{[]TrialDetails{}}}
		for _, t := range list {
			out.Body.Trials = append(out.Body.Trials, trialDetails(t))
		}
		return out, err
	})
	wire.Register(m, wire.Operation{
		ID: "createTrial", Method: http.MethodPost, Path: trialsPath, Area: "billing",
		Summary: "Try a plan",
		Detail:  "The workspace is held to the plan at once, and to what it pays for again when the trial ends. It costs nothing. A plan can be tried for 30 days in all, where the catalogue does not say otherwise.",
		Scope:   wire.InHeader, Permission: access.BillingWrite,
	}, func(ctx context.Context, in *createTrialInput) (*trialOutput, error) {
		t, err := s.StartTrial(ctx, access.From(ctx).Workspace, plan.ID(in.Body.Plan), in.Body.LengthInDays)
		return &trialOutput{trialDetails(t)}, err
	})
	wire.Register(m, wire.Operation{
		ID: "removeTrial", Method: http.MethodDelete, Path: trialsPath, Area: "billing",
		Summary: "End the trial that the workspace is in", Scope: wire.InHeader, Permission: access.BillingWrite, WhileBlocked: true,
	}, func(ctx context.Context, _ *noInput) (*wire.Nothing, error) {
		return &wire.Nothing{}, s.StopTrial(ctx, access.From(ctx).Workspace)
	})
}

func trialDetails(t Trial) TrialDetails {
	ends := t.Ends
	if !t.Ended.IsZero() {
		ends = t.Ended
	}
	return TrialDetails{string(t.ID), string(t.Plan), string(t.From), text(ends), t.Ended.IsZero()}
}

func mountCredit(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "getAutoRechargeSettings", Method: http.MethodGet, Path: rechargesPath, Area: "billing",
		Summary: "Say which add-ons are bought by themselves", Scope: wire.InHeader, Permission: access.BillingRead,
	}, func(ctx context.Context, _ *noInput) (*rechargesOutput, error) {
		return rechargeAnswer(s.Recharges(ctx, access.From(ctx).Workspace))
	})
	wire.Register(m, wire.Operation{
		ID: "setAutoRechargeSettings", Method: http.MethodPut, Path: rechargesPath, Area: "billing",
		Summary: "Set which add-ons are bought by themselves",
		Detail:  "When as many percent of what is allowed are used as the threshold says, one more is bought, up to the spending limit of the workspace. What a month brings anew is bought for the month alone. It is switched off when it cannot be paid.",
		Scope:   wire.InHeader, Permission: access.BillingWrite,
	}, func(ctx context.Context, in *setRechargesInput) (*rechargesOutput, error) {
		if n := len(in.Body.Settings); n > maxKinds {
			return nil, fault.New(fault.InvalidPayload, "settings names %d add-ons; at most %d are allowed.", n, maxKinds)
		}
		settings := map[string]Recharge{}
		for name, r := range in.Body.Settings {
			kept := Recharge{Enabled: r.Enabled}
			if r.Threshold != nil {
				kept.Threshold = *r.Threshold
			}
			settings[name] = kept
		}
		return rechargeAnswer(s.SetRecharges(ctx, access.From(ctx).Workspace, settings))
	})
	wire.Register(m, wire.Operation{
		ID: "createCreditGrant", Method: http.MethodPost, Path: billingPath + "/credit-grants", Area: "billing",
		Summary: "Buy credit for AI",
		Detail:  "It is good from now to the end of the month and is used before AI spend is billed. A part of a cent costs one.",
		Scope:   wire.InHeader, Permission: access.BillingWrite, Outward: true,
	}, func(ctx context.Context, in *createGrantInput) (*grantOutput, error) {
		w := access.From(ctx).Workspace
		g, err := s.BuyCredit(ctx, w, plan.Nano(in.Body.Amount), wire.RepeatKey(ctx))
		if err != nil {
			return nil, err
		}
		return &grantOutput{CreditGrant{
			ID: g.ID, WorkspaceID: string(w), InvoiceID: string(g.Invoice), Amount: g.Amount.Dollars(), Feature: in.Body.Feature,
			PeriodStart: wire.TimeOf(g.Period.Start), PeriodEnd: wire.TimeOf(g.Period.End),
			UpdatedAt: wire.TimeOf(g.Created), CreatedAt: wire.TimeOf(g.Created),
		}}, nil
	})
}

func rechargeAnswer(settings map[string]Recharge, err error) (*rechargesOutput, error) {
	out := &rechargesOutput{RechargeSettings{map[string]RechargeSetting{}}}
	for name, r := range settings {
		setting := RechargeSetting{Enabled: r.Enabled, DisabledReason: r.DisabledReason}
		if r.Threshold > 0 {
			setting.Threshold = &r.Threshold
		}
		out.Body.Settings[name] = setting
	}
	return out, err
}
