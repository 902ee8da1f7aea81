package cli

import (
	"context"
	"fmt"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

type quotaCommand struct {
	Set   setQuotaCommand   `cmd:"" help:"Override a quota of a workspace's plan."`
	Unset unsetQuotaCommand `cmd:"" help:"Remove such an override."`
}

type setQuotaCommand struct {
	Workspace string `required:"" help:"The workspace."`
	Type      string `required:"" help:"The quota, such as bot_count. listWorkspaceQuotas lists all but saved_versions."`
	Value     int64  `required:"" help:"The new limit; -1 is unlimited."`
	JSON      bool   `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run sets the quota.
func (s *setQuotaCommand) Run(ctx context.Context, c console) error {
	return withInstallation(ctx, s.Installation, c, func(it *app.App) error {
		if err := it.Meter.SetQuota(ctx, id.Workspace(s.Workspace), plan.Type(s.Type), &s.Value); err != nil {
			return err
		}
		if s.JSON {
			return c.printJSON(map[string]any{"workspaceId": s.Workspace, "type": s.Type, "value": s.Value})
		}
		_, err := fmt.Fprintf(c.out, "workspace %s is allowed %d of %s\n", s.Workspace, s.Value, s.Type)
		return err
	})
}

type unsetQuotaCommand struct {
	Workspace string `required:"" help:"The workspace."`
	Type      string `required:"" help:"The quota, such as bot_count."`
	JSON      bool   `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run removes the override.
func (u *unsetQuotaCommand) Run(ctx context.Context, c console) error {
	return withInstallation(ctx, u.Installation, c, func(it *app.App) error {
		if err := it.Meter.SetQuota(ctx, id.Workspace(u.Workspace), plan.Type(u.Type), nil); err != nil {
			return err
		}
		if u.JSON {
			return c.printJSON(map[string]any{"workspaceId": u.Workspace, "type": u.Type})
		}
		_, err := fmt.Fprintf(c.out, "workspace %s is allowed of %s what its plan says\n", u.Workspace, u.Type)
		return err
	})
}
