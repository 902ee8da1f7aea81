package cli

import (
	"context"

	"github.com/botyard/botyard/internal/catalog"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/id"
)

type pluginCommand struct {
	Deprecate deprecatePluginCommand `cmd:"" help:"Prevent new installations of a plugin."`
}

type deprecatePluginCommand struct {
	ID   string `name:"id" required:"" help:"The plugin's id."`
	JSON bool   `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run deprecates a plugin. Bots that have it keep it.
func (d *deprecatePluginCommand) Run(ctx context.Context, c console) error {
	return deprecate(ctx, d.Installation, c, catalog.PluginKind, d.ID, d.JSON, func(s *catalog.Service) error {
		return s.DeprecatePlugin(ctx, id.Plugin(d.ID))
	})
}
