package cli

import (
	"context"
	"fmt"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/telemetry"
)

type analyticsCommand struct {
	Export analyticsExportCommand `cmd:"" help:"Print the analytics of a bot as CSV, one row per UTC day."`
}

type analyticsExportCommand struct {
	Bot  string `required:"" help:"The bot."`
	From string `required:"" placeholder:"DATE" help:"The first day, such as 2026-01-01."`
	To   string `required:"" placeholder:"DATE" help:"The last day, which is included."`

	config.Installation
}

// Run prints the table.
func (e *analyticsExportCommand) Run(ctx context.Context, c console) error {
	return withInstallation(ctx, e.Installation, c, func(it *app.App) error {
		bot := id.Bot(e.Bot)
		w, found, err := it.Bots.WorkspaceOf(ctx, it.DB.Reader(ctx), bot)
		if err != nil {
			return err
		}
		if !found {
			return access.NoSuchBot(bot)
		}
		days, err := it.Telemetry.Analytics(ctx, w, bot, e.From, e.To)
		if err != nil {
			return fmt.Errorf("the analytics cannot be read: %w", err)
		}
		return telemetry.WriteCSV(c.out, days)
	})
}
