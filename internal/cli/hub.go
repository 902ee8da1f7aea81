package cli

import (
	"context"
	"fmt"

	"github.com/botyard/botyard/deploy/hub"
	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/config"
)

type hubCommand struct {
	Load hubLoadCommand `cmd:"" help:"Publish the interfaces that most packages build on. Existing versions are left unchanged."`
}

type hubLoadCommand struct {
	JSON bool `name:"json" help:"Print the result as JSON."`

	config.Installation
}

type loadedJSON struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	ID      string `json:"id,omitempty"` // absent if it existed already
}

// Run loads the definitions that are built in.
func (h *hubLoadCommand) Run(ctx context.Context, c console) error {
	return withInstallation(ctx, h.Installation, c, func(it *app.App) error {
		loaded, err := it.LoadHub(ctx, hub.Files)
		if err != nil {
			return err
		}
		if h.JSON {
			interfaces := make([]loadedJSON, len(loaded))
			for i, l := range loaded {
				interfaces[i] = loadedJSON(l)
			}
			return c.printJSON(map[string]any{"interfaces": interfaces})
		}
		for _, l := range loaded {
			made := l.ID
			if made == "" {
				made = "was there"
			}
			if _, err := fmt.Fprintf(c.out, "%-32s %s\n", l.Name+"@"+l.Version, made); err != nil {
				return err
			}
		}
		return nil
	})
}
