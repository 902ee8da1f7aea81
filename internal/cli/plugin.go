package cli

import (
	"context"
	"fmt"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/catalog"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/id"
)

type pluginCommand struct {
	Deprecate deprecatePluginCommand `cmd:"" help:"Keep a plugin from being newly installed."`
}

type deprecatePluginCommand struct {
	config.Installation
	ID   string `name:"id" required:"" help:"The plugin's id."`
	JSON bool   `name:"json" help:"Print the result as JSON."`
}

// Run deprecates a plugin. Bots that have it keep it.
func (d *deprecatePluginCommand) Run(ctx context.Context, c console) error {
	return withInstallation(ctx, d.Installation, c, func(it *app.App) error {
		if err := it.Catalog.DeprecatePlugin(ctx, id.Plugin(d.ID)); err != nil {
			return err
		}
		if d.JSON {
			return c.printJSON(map[string]string{"pluginId": d.ID, "lifecycleStatus": string(catalog.Deprecated)})
		}
		_, err := fmt.Fprintf(c.out, "Plugin %s is deprecated: bots that have it keep it, and no other bot can install it.\n", d.ID)
		return err
	})
}
