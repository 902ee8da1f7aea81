package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/botyard/botyard/internal/backup"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/db"
)

// settingRestoring is in the table settings while a backup is being restored, so that a
// partial installation is never mistaken for a complete one.
const settingRestoring = "restoring"

// Backup writes a backup of the installation, which may be in use.
func (a *App) Backup(ctx context.Context, to io.Writer) (backup.Summary, error) {
	if err := a.Telemetry.Open(ctx); err != nil {
		return backup.Summary{}, err
	}
	return backup.Create(ctx, backup.Source{
		DB: a.DB, Blobs: a.Blobs, Volumes: a.Telemetry, Program: Version, KeyCheck: a.Keys.Check(), Now: a.Clock.Now(),
	}, to)
}

// Restore creates an installation from a backup, in an empty data directory or database.
// The key that the backup's secrets are sealed with must be there already, because a
// backup does not contain it. from is read twice, first to verify it.
func Restore(ctx context.Context, c config.Installation, from io.ReadSeeker, log *slog.Logger) (s backup.Summary, err error) {
	if s, err = backup.Verify(from); err != nil {
		return s, err
	}
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return s, err
	}
	keys, err := c.Keys(false)
	if err != nil {
		return s, err
	}
	if err := keys.VerifyCheck(s.Header.KeyCheck); err != nil {
		return s, fmt.Errorf("the secret key here is not the one that the backup's secrets are sealed with; put that key into %s first (%w)", c.KeyFile(), err)
	}
	if err := checkNoTelemetry(c); err != nil {
		return s, err
	}
	a, err := connect(ctx, c, log, false)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	a.assemble()
	if err := a.Telemetry.Open(ctx); err != nil {
		return s, err
	}
	s, err = backup.Restore(ctx, from, backup.Target{DB: a.DB, Blobs: a.Blobs, Volumes: a.Telemetry, Begin: func(ctx context.Context, h backup.Header) error {
		return a.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
			return db.Convert(setSetting(ctx, tx, settingRestoring, h.CreatedAt.String()))
		})
	}})
	if err != nil {
		return s, err
	}
	if err := a.DB.Migrate(ctx); err != nil {
		return s, err
	}
	return s, a.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		return db.Convert(deleteSetting(ctx, tx, settingRestoring))
	})
}

// checkNoTelemetry refuses a data directory with the telemetry of another installation,
// with which the restored telemetry would be mixed. backup.Restore checks the database
// itself.
func checkNoTelemetry(c config.Installation) error {
	if c.DatabaseURL.Reveal() != "" {
		return nil // it is in the database
	}
	dir := filepath.Join(c.Data, "telemetry")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty: a backup is restored into a data directory that contains only the secret key", dir)
	}
	return err
}

// checkRestored refuses an installation whose restoration was interrupted.
func (a *App) checkRestored(ctx context.Context) error {
	_, restoring, err := selectSetting(ctx, a.DB.Reader(ctx), settingRestoring)
	if err != nil {
		return db.Convert(err)
	}
	if restoring {
		return errors.New("the restoration of a backup was interrupted here: empty the data directory except for the secret key (or drop the database), and restore it again")
	}
	return nil
}
