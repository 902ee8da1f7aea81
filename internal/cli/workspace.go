package cli

import (
	"context"
	"fmt"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/workspace"
)

type workspaceCommand struct {
	SetPlan setPlanCommand `cmd:"" help:"Put a workspace on a plan."`
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
		if err := it.Workspaces.SetPlan(ctx, id.Workspace(s.ID), workspace.Plan(s.Plan)); err != nil {
			return err
		}
		if s.JSON {
			return c.printJSON(map[string]string{"workspaceId": s.ID, "plan": s.Plan})
		}
		_, err := fmt.Fprintf(c.out, "workspace %s is on plan %s\n", s.ID, s.Plan)
		return err
	})
}
