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
	ID        string `json:"id" doc:"The trial's id."`
	TrialPlan string `json:"trialPlan" doc:"The plan on trial."`
	FromPlan  string `json:"fromPlan" doc:"The plan before the trial."`
	EndsAt    string `json:"endsAt" doc:"When the trial ends, or when it was ended early."`
	IsActive  bool   `json:"isActive" doc:"Whether the trial is active."`
}

// TrialList is the answer of getTrials.
type TrialList struct {
	Trials []TrialDetails `json:"trials" doc:"Oldest first."`
}

// CreateTrialBody is the body of createTrial.
type CreateTrialBody struct {
	LengthInDays int    `json:"lengthInDays" exclusiveMinimum:"0" doc:"The length in days."`
	Plan         string `json:"plan" doc:"The plan to try."`
}

// RechargeSettings are auto-recharge settings.
type RechargeSettings struct {
	Settings map[string]RechargeSetting `json:"settings" doc:"The settings, by add-on."`
}

// RechargeSetting is the auto-recharge setting of an add-on.
type RechargeSetting struct {
	Enabled        bool   `json:"enabled" doc:"Whether auto-recharge is enabled."`
	Threshold      *int   `json:"threshold,omitempty" minimum:"1" maximum:"100" doc:"The share of the allowance, in percent, at which one more unit is bought; 90 when absent."`
	DisabledReason string `json:"disabledReason,omitempty" doc:"Why auto-recharge was disabled, when it was not disabled by a member."`
}

// SetRechargeSetting is what setAutoRechargeSettings sets for an add-on.
type SetRechargeSetting struct {
	Enabled   bool `json:"enabled" doc:"Whether one more unit is bought automatically."`
	Threshold *int `json:"threshold,omitempty" minimum:"1" maximum:"100" doc:"The share of the allowance, in percent, at which one more unit is bought; 90 when absent."`
}

// SetRechargeSettingsBody is the body of setAutoRechargeSettings.
type SetRechargeSettingsBody struct {
	Settings map[string]SetRechargeSetting `json:"settings" doc:"The settings, by add-on. Add-ons that are not named keep theirs."`
}

// CreateCreditGrantBody is the body of createCreditGrant.
type CreateCreditGrantBody struct {
	Amount  int64  `json:"amount" minimum:"1" doc:"The amount in nano-dollars: 10000000000 is ten US dollars."`
	Feature string `json:"feature" enum:"ai_spend,integration_spend" doc:"What the credit is for; both values mean the same."`
}

// CreditGrant is credit that was bought.
type CreditGrant struct {
	ID          string    `json:"id" doc:"The grant's id."`
	WorkspaceID string    `json:"workspace_id" doc:"The workspace's id."`
	InvoiceID   string    `json:"invoice_id" doc:"The invoice for the grant."`
	Amount      float64   `json:"amount" doc:"The amount, in US dollars."`
	Feature     string    `json:"feature" enum:"incoming_messages_events,integration_spend,table_rows,bot_count,collaborator_count,file_storage,vector_db_storage,saved_versions,indexed_file_count,conversation_sessions,ai_spend" doc:"What the credit is for."`
	PeriodStart wire.Time `json:"period_start" doc:"The start of the grant's validity."`
	PeriodEnd   wire.Time `json:"period_end" doc:"The end of the grant's validity, exclusive."`
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
		Summary: "List the workspace's trials", Scope: wire.InHeader, Permission: access.BillingRead,
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
		Summary: "Start a trial",
		Detail:  "The plan's limits apply immediately, and those of the paid plan again when the trial ends. Trials are free. Unless the catalogue says otherwise, a plan can be tried for 30 days in total.",
		Scope:   wire.InHeader, Permission: access.BillingWrite,
	}, func(ctx context.Context, in *createTrialInput) (*trialOutput, error) {
		t, err := s.StartTrial(ctx, access.From(ctx).Workspace, plan.ID(in.Body.Plan), in.Body.LengthInDays)
		return &trialOutput{trialDetails(t)}, err
	})
	wire.Register(m, wire.Operation{
		ID: "removeTrial", Method: http.MethodDelete, Path: trialsPath, Area: "billing",
		Summary: "End the active trial", Scope: wire.InHeader, Permission: access.BillingWrite, WhileBlocked: true,
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
		Summary: "Get the auto-recharge settings", Scope: wire.InHeader, Permission: access.BillingRead,
	}, func(ctx context.Context, _ *noInput) (*rechargesOutput, error) {
		return rechargeAnswer(s.Recharges(ctx, access.From(ctx).Workspace))
	})
	wire.Register(m, wire.Operation{
		ID: "setAutoRechargeSettings", Method: http.MethodPut, Path: rechargesPath, Area: "billing",
		Summary: "Set the auto-recharge settings",
		Detail:  "When usage reaches the threshold, one more unit is bought, up to the workspace's spending limit. Units of an allowance that renews monthly are bought for the current month only. Auto-recharge is disabled when a payment fails.",
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
		Summary: "Buy AI credit",
		Detail:  "The credit is valid from now to the end of the month and is used before AI spend is billed. Fractions of a cent are rounded up.",
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
