package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/config"
)

type clockCommand struct {
	Advance clockAdvanceCommand `cmd:"" help:"Move the clock forward."`
}

type clockAdvanceCommand struct {
	Data string `name:"data" env:"BOTYARD_DATA" default:"./botyard-data" placeholder:"DIRECTORY" help:"Data directory of the --dev installation."`
	By   string `arg:"" help:"By how much, in days or as a duration: 31d, 36h, 90m."`
	JSON bool   `name:"json" help:"Print the result as JSON."`
}

// Run moves the clock. It needs only the data directory; a server that was not started
// with --dev ignores it.
func (a *clockAdvanceCommand) Run(c console) error {
	by, err := days(a.By)
	if err != nil {
		return usageError{err}
	}
	d, err := clock.NewDevelopment(a.Data)
	if err != nil {
		return err
	}
	now, err := d.Advance(by)
	if errors.Is(err, clock.ErrStep) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	// A running server reads its clock's file this often: when the command returns, the
	// server has the new time.
	time.Sleep(clock.ReloadEvery)
	if a.JSON {
		return c.printJSON(map[string]string{"now": now.Format(time.RFC3339Nano)})
	}
	_, err = fmt.Fprintln(c.out, now.Format(time.RFC3339))
	return err
}

// days reads a duration that may be given in whole days.
func days(text string) (time.Duration, error) {
	if number, found := strings.CutSuffix(text, "d"); found {
		n, err := strconv.Atoi(number)
		const most = 36500
		if err != nil || n > most {
			return 0, fmt.Errorf("%q is not a number of days from 1 to %d", text, most)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration; write it as 31d, 36h or 90m", text)
	}
	return d, nil
}

type migrateCommand struct {
	Status migrateStatusCommand `cmd:"" help:"List the schema's migrations, and when each was applied."`
	Up     migrateUpCommand     `cmd:"" help:"Apply pending migrations. Starting the server does the same."`
}

type migrateStatusCommand struct {
	JSON bool `name:"json" help:"Print the result as JSON."`

	config.Installation
}

type migrationJSON struct {
	Version   int64  `json:"version"`
	Name      string `json:"name"`
	AppliedAt string `json:"appliedAt,omitempty"`
}

// Run lists the migrations.
func (m *migrateStatusCommand) Run(ctx context.Context, c console) (err error) {
	if err := app.Exists(m.Installation); err != nil {
		return err
	}
	d, err := app.Connect(ctx, m.Installation, quiet(c))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	status, err := d.Status(ctx)
	if err != nil {
		return err
	}
	rows := make([]migrationJSON, len(status))
	for i, s := range status {
		rows[i] = migrationJSON{Version: s.Version, Name: s.Name}
		if !s.AppliedAt.IsZero() {
			rows[i].AppliedAt = s.AppliedAt.UTC().Format(time.RFC3339)
		}
	}
	if m.JSON {
		return c.printJSON(map[string]any{"migrations": rows})
	}
	table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		applied := r.AppliedAt
		if applied == "" {
			applied = "not applied"
		}
		fmt.Fprintf(table, "%d\t%s\t%s\n", r.Version, r.Name, applied)
	}
	return table.Flush()
}

type migrateUpCommand struct {
	JSON bool `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run migrates.
func (m *migrateUpCommand) Run(ctx context.Context, c console) error {
	return withApp(ctx, m.Installation, c, func(*app.App) error {
		if m.JSON {
			return c.printJSON(map[string]bool{"current": true})
		}
		_, err := fmt.Fprintln(c.out, "the schema is current")
		return err
	})
}

type doctorCommand struct {
	JSON bool `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run checks the installation as /readyz does, without changing it.
func (d *doctorCommand) Run(ctx context.Context, c console) (err error) {
	it, err := app.Examine(ctx, d.Installation, quiet(c))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	checks, ready := it.Checks(ctx)
	if d.JSON {
		if err := c.printJSON(map[string]any{"ready": ready, "checks": checks}); err != nil {
			return err
		}
	} else {
		for _, check := range checks {
			state := "ok"
			if check.Reason != "" {
				state = check.Reason
			}
			if _, err := fmt.Fprintf(c.out, "%-12s %s\n", check.Name, state); err != nil {
				return err
			}
		}
	}
	if !ready {
		return errors.New("the installation is not ready")
	}
	return nil
}

type secretCommand struct {
	Rotate secretRotateCommand `cmd:"" help:"Create a new key, seal every secret with it, and discard the old ones. Stop all servers first."`
}

type secretRotateCommand struct {
	JSON bool `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run rotates the key.
func (s *secretRotateCommand) Run(ctx context.Context, c console) error {
	if s.SecretKey.Reveal() != "" && s.SecretKeyFile == "" {
		return usageError{errors.New("the keys are given by secret_key itself, where no command can replace them; keep them in a file, name it by secret_key_file, and run this again")}
	}
	return withInstallation(ctx, s.Installation, c, func(it *app.App) error {
		n, err := it.RotateKeys(ctx, s.KeyFile())
		if err != nil {
			return err
		}
		if s.JSON {
			return c.printJSON(map[string]any{"sealed": n, "keyFile": s.KeyFile()})
		}
		_, err = fmt.Fprintf(c.out, "%d secrets are sealed with a new key in %s\n", n, s.KeyFile())
		return err
	})
}
