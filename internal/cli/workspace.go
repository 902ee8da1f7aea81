package cli

import (
	"context"
	"fmt"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/telemetry"
)

type workspaceCommand struct {
	SetPlan    setPlanCommand    `cmd:"" help:"Put a workspace on a plan."`
	SetBilling setBillingCommand `cmd:"" help:"Set what members may not change of a workspace's billing."`

	SetRetention setRetentionCommand `cmd:"" help:"Override how long a workspace's telemetry is kept."`
}

type setPlanCommand struct {
	ID   string `name:"id" required:"" help:"The workspace."`
	Plan string `required:"" enum:"community,plus,team,enterprise,managed" help:"The plan: ${enum}. managed limits nothing."`
	JSON bool   `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run sets the plan.
func (s *setPlanCommand) Run(ctx context.Context, c console) error {
	return withInstallation(ctx, s.Installation, c, func(it *app.App) error {
		if _, err := it.Billing.AssignPlan(ctx, id.Workspace(s.ID), plan.ID(s.Plan)); err != nil {
			return err
		}
		if s.JSON {
			return c.printJSON(map[string]string{"workspaceId": s.ID, "plan": s.Plan})
		}
		_, err := fmt.Fprintf(c.out, "workspace %s is on plan %s\n", s.ID, s.Plan)
		return err
	})
}

type setBillingCommand struct {
	ID             string `name:"id" required:"" help:"The workspace."`
	PlanReadonly   *bool  `name:"plan-readonly" help:"Whether the operator alone changes the plan."`
	AddonsReadonly *bool  `name:"addons-readonly" help:"Whether the operator alone changes the add-ons."`
	JSON           bool   `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run sets what members may not change.
func (s *setBillingCommand) Run(ctx context.Context, c console) error {
	return withInstallation(ctx, s.Installation, c, func(it *app.App) error {
		sub, err := it.Billing.SetReadonly(ctx, id.Workspace(s.ID), s.PlanReadonly, s.AddonsReadonly)
		if err != nil {
			return err
		}
		if s.JSON {
			return c.printJSON(map[string]any{"workspaceId": s.ID, "planReadonly": sub.PlanReadonly, "addonsReadonly": sub.AddonsReadonly})
		}
		_, err = fmt.Fprintf(c.out, "workspace %s: plan read-only %t, add-ons read-only %t\n", s.ID, sub.PlanReadonly, sub.AddonsReadonly)
		return err
	})
}

type setRetentionCommand struct {
	ID     string `name:"id" required:"" help:"The workspace."`
	Logs   *int64 `name:"logs" placeholder:"DAYS" help:"Days that its log lines are kept."`
	Events *int64 `name:"events" placeholder:"DAYS" help:"Days that its messages, events, action runs and the like are kept."`
	JSON   bool   `name:"json" help:"Print the result as JSON."`

	config.Installation
}

type retentionJSON struct {
	WorkspaceID string `json:"workspaceId"`
	Logs        int64  `json:"logs,omitzero"`
	Events      int64  `json:"events,omitzero"`
}

// Run sets the retention. Running servers notice within seconds.
func (s *setRetentionCommand) Run(ctx context.Context, c console) error {
	own := retentionJSON{WorkspaceID: s.ID}
	for _, flag := range []struct {
		name string
		days *int64
		to   *int64
	}{{"--logs", s.Logs, &own.Logs}, {"--events", s.Events, &own.Events}} {
		if flag.days == nil {
			continue
		}
		if *flag.to = *flag.days; *flag.to == 0 {
			return usageError{fmt.Errorf("%s is 0 days; it must be at least 1", flag.name)}
		}
	}
	return withInstallation(ctx, s.Installation, c, func(it *app.App) error {
		if err := it.Telemetry.SetRetention(ctx, id.Workspace(s.ID), telemetry.Retention{Logs: own.Logs, Events: own.Events}); err != nil {
			return err
		}
		if s.JSON {
			return c.printJSON(own)
		}
		if own.Logs != 0 {
			if _, err := fmt.Fprintf(c.out, "workspace %s keeps log lines for %d days\n", s.ID, own.Logs); err != nil {
				return err
			}
		}
		if own.Events != 0 {
			if _, err := fmt.Fprintf(c.out, "workspace %s keeps messages, events and the like for %d days\n", s.ID, own.Events); err != nil {
				return err
			}
		}
		return nil
	})
}
