package cli

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/notice"
	"github.com/botyard/botyard/internal/script"
	"github.com/botyard/botyard/internal/wire"
)

type openAPICommand struct{}

// Run prints the document. It needs no installation.
func (openAPICommand) Run(c console) error {
	nobody := &app.App{Clock: clock.System(), Log: slog.New(slog.DiscardHandler)}
	_, err := c.out.Write(app.NewMux(nobody, config.Config{MaxBody: 1 << 20, MaxCodeBody: 64 << 20}, nil).Document())
	return err
}

type versionCommand struct {
	JSON   bool `name:"json" help:"Print the result as JSON."`
	Notice bool `name:"notice" help:"Print the licences of everything that is built in."`
}

// Run prints the version.
func (v *versionCommand) Run(c console) error {
	if v.Notice {
		for _, text := range []string{notice.Modules, script.Notice(), wire.ReferenceNotice(), billing.Notice()} {
			if _, err := io.WriteString(c.out, text+"\n"); err != nil {
				return err
			}
		}
		return nil
	}
	if v.JSON {
		return c.printJSON(map[string]string{"version": app.Version})
	}
	_, err := fmt.Fprintln(c.out, "botyard "+app.Version)
	return err
}
