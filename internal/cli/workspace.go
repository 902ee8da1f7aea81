package cli

import (
	"context"
	"fmt"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

type workspaceCommand struct {
	SetPlan    setPlanCommand    `cmd:"" help:"Put a workspace on a plan."`
	SetBilling setBillingCommand `cmd:"" help:"Say what of a workspace's billing its members may not change."`
}

type setPlanCommand struct {
	config.Installation
	ID   string `name:"id" required:"" help:"The workspace."`
	Plan string `required:"" enum:"community,plus,team,enterprise,managed" help:"The plan: ${enum}. managed limits nothing."`
	JSON bool   `name:"json" help:"Print the result as JSON."`
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
	config.Installation
	ID             string `name:"id" required:"" help:"The workspace."`
	PlanReadonly   *bool  `name:"plan-readonly" help:"Whether the operator alone changes the plan."`
	AddonsReadonly *bool  `name:"addons-readonly" help:"Whether the operator alone changes the add-ons."`
	JSON           bool   `name:"json" help:"Print the result as JSON."`
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
