package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/backup"
	"github.com/botyard/botyard/internal/config"
)

type backupCommand struct {
	Create  backupCreateCommand  `cmd:"" help:"Write a backup of an installation, which may be in use. It does not contain the secret key: keep that elsewhere."`
	Verify  backupVerifyCommand  `cmd:"" help:"Read a backup to its end and check that it is intact."`
	Restore backupRestoreCommand `cmd:"" help:"Restore a backup into an empty data directory or database. The secret key must be in place already."`
}

type backupCreateCommand struct {
	To   string `name:"to" placeholder:"FILE" help:"The file to write, which must not exist. By default, botyard-<time>.backup in the working directory."`
	JSON bool   `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run writes the backup. The file appears under its name once it is complete and durable.
func (b *backupCreateCommand) Run(ctx context.Context, c console) error {
	return withInstallation(ctx, b.Installation, c, func(it *app.App) error {
		path := b.To
		if path == "" {
			path = "botyard-" + it.Clock.Now().UTC().Format("20060102T150405Z") + ".backup"
		}
		var s backup.Summary
		err := writeNew(path, func(file *os.File) (err error) {
			s, err = it.Backup(ctx, file)
			return err
		})
		if err != nil {
			return err
		}
		return c.printSummary(b.JSON, path, s)
	})
}

// writeNew creates a file, completely or not at all.
func writeNew(path string, write func(*os.File) error) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s exists already, and is not overwritten", path)
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = file.Close(), os.Remove(file.Name()) // both may have been done
		}
	}()
	if err := write(file); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return place(file.Name(), path)
}

// place renames a file durably, to a name that must be free.
func place(from, to string) error {
	err := os.Link(from, to) // fails, unlike renaming, when the name is taken
	if err == nil {
		err = os.Remove(from)
	} else if !errors.Is(err, fs.ErrExist) {
		// The file system has no links. Reserving the name keeps others from taking it.
		err = reserve(to)
		if err == nil {
			err = os.Rename(from, to)
		}
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// reserve makes an empty file under a name that is free.
func reserve(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

type backupVerifyCommand struct {
	File string `arg:"" help:"The backup."`
	JSON bool   `name:"json" help:"Print the result as JSON."`
}

// Run verifies the backup; it needs no installation.
func (b *backupVerifyCommand) Run(c console) (err error) {
	file, err := os.Open(b.File)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	s, err := backup.Verify(file)
	if err != nil {
		return fmt.Errorf("%s: %w", b.File, err)
	}
	return c.printSummary(b.JSON, b.File, s)
}

type backupRestoreCommand struct {
	File string `arg:"" help:"The backup."`
	JSON bool   `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run restores the backup into a new installation.
func (b *backupRestoreCommand) Run(ctx context.Context, c console) (err error) {
	file, err := os.Open(b.File)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	s, err := app.Restore(ctx, b.Installation, file, quiet(c))
	if err != nil {
		return fmt.Errorf("%s: %w", b.File, err)
	}
	return c.printSummary(b.JSON, b.File, s)
}

// printSummary prints what a backup contains.
func (c console) printSummary(asJSON bool, path string, s backup.Summary) error {
	var rows int64
	for _, n := range s.Rows {
		rows += n
	}
	if asJSON {
		return c.printJSON(map[string]any{
			"file": path, "createdAt": s.Header.CreatedAt, "program": s.Header.Program, "schema": s.Header.Schema,
			"engine": s.Header.Engine, "rows": rows, "tables": s.Rows, "blobs": s.Blobs, "volumes": s.Volumes,
		})
	}
	_, err := fmt.Fprintf(c.out, "%s: %d rows of %d tables, %d blobs, %d volumes of telemetry, as of %s\n",
		path, rows, len(s.Rows), s.Blobs, s.Volumes, s.Header.CreatedAt.Format(time.RFC3339))
	return err
}
