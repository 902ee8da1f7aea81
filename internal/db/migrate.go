package db

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
	sqlite3 "modernc.org/sqlite/lib"
)

// Every file is one transaction, and the same on both engines.
//
//go:embed migrations/*.sql
var files embed.FS

// versions is goose's table of applied migrations.
const versions = "goose_db_version"

// migrationID names the advisory lock of PostgreSQL: the letters of "botyard".
const migrationID = 0x626f7479617264

// Migration is one step of the schema.
type Migration struct {
	Version int64
	Name    string
	// AppliedAt is zero while the migration is pending.
	AppliedAt time.Time
}

// Pending reports whether the migration has not been applied.
func (m Migration) Pending() bool { return m.AppliedAt.IsZero() }

// ErrNewer is the error for a schema that a newer botyard has migrated.
var ErrNewer = errors.New("the database was written by a newer version of botyard")

// Migrate brings the schema up to date. Several processes may do so at once.
//
// A schema that is newer than this program is refused with ErrNewer. An SQLite
// file that holds a schema is first copied to botyard-before-<version>.db, beside
// it, where version is the first migration that is about to be applied.
func (d *DB) Migrate(ctx context.Context) error { return d.migrate(ctx, migrations()) }

// MigrateTo brings an empty database to an older version of the schema, for data that was
// written at that version; Migrate does the rest.
func (d *DB) MigrateTo(ctx context.Context, version int64) error {
	return d.migrate(ctx, until{migrations(), version})
}

func migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	return sub
}

func (d *DB) migrate(ctx context.Context, files fs.FS) error {
	pool, dialect := d.pool, database.DialectPostgres
	var options []goose.ProviderOption
	if d.engine == SQLite {
		var err error
		dialect = database.DialectSQLite3
		if pool, err = sql.Open("sqlite", dsn(d.path, "FULL", Options{}, false)); err != nil {
			return err
		}
		defer func() { _ = pool.Close() }() // its transactions are committed
	} else {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrationID), lock.WithLockTimeout(1, 300))
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, pool, files, append(options, goose.WithDisableGlobalRegistry(true), goose.WithSlog(d.log))...)
	if err != nil {
		return fmt.Errorf("the migrations of this program are wrong: %w", err)
	}
	// Two processes may migrate one SQLite file at the same time. A migration and its row
	// in goose's table are one transaction, so the loser fails, finds the work done, and
	// continues from there.
	for {
		before, err := d.status(ctx, files)
		if err != nil {
			return err
		}
		current, next, target := reached(before)
		if current == target {
			return nil
		}
		if d.engine == SQLite && current > 0 {
			still := func() (bool, error) {
				list, err := d.status(ctx, files)
				now, _, _ := reached(list)
				return now == current, err
			}
			if err := d.copyBefore(ctx, pool, next, still); err != nil {
				return err
			}
		}
		_, failure := provider.Up(ctx)
		after, err := d.status(ctx, files)
		if err != nil {
			return errors.Join(failure, err)
		}
		now, _, _ := reached(after)
		switch {
		case now == target:
			return nil
		case now == current && code(failure) == sqlite3.SQLITE_BUSY && ctx.Err() == nil:
			// Another process is migrating for longer than SQLite waits.
		case now == current && failure != nil:
			return fmt.Errorf("the schema stays at version %d: %w", now, failure)
		case now == current:
			return fmt.Errorf("the schema stays at version %d, though nothing failed; it must be %d", now, target)
		}
	}
}

// reached is the version of the schema, the next one, and the one it should have.
func reached(list []Migration) (current, next, target int64) {
	for _, m := range list {
		target = max(target, m.Version)
		switch {
		case !m.Pending():
			current = max(current, m.Version)
		case next == 0:
			next = m.Version
		}
	}
	return current, next, target
}

// copyBefore copies the SQLite file before the migration of a version. The copy
// appears under its name when it is whole and on the disk. One that is there already
// has the same schema, from an attempt that failed, and is replaced; but not by the
// copy of a file that another process has migrated meanwhile, which still tells of.
func (d *DB) copyBefore(ctx context.Context, pool *sql.DB, version int64, still func() (bool, error)) error {
	path := filepath.Join(filepath.Dir(d.path), fmt.Sprintf("botyard-before-%d.db", version))
	temporary, err := os.CreateTemp(filepath.Dir(d.path), "botyard-before-*.new")
	if err != nil {
		return fmt.Errorf("the database cannot be copied before its migration: %w", err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // gone already, once renamed
	defer func() { _ = temporary.Close() }()           // written by SQLite, synced below
	if _, err := pool.ExecContext(ctx, "VACUUM INTO $1", temporary.Name()); err != nil {
		return fmt.Errorf("the database cannot be copied before its migration: %w", err)
	}
	if unchanged, err := still(); err != nil || !unchanged {
		return err
	}
	if err := errors.Join(temporary.Sync(), os.Rename(temporary.Name(), path)); err != nil {
		return fmt.Errorf("the database cannot be copied before its migration: %w", err)
	}
	d.log.InfoContext(ctx, "copied the database before its migration", "copy", path, "version", version)
	return nil
}

// Status lists this program's migrations by version. A newer schema is ErrNewer.
func (d *DB) Status(ctx context.Context) ([]Migration, error) { return d.status(ctx, migrations()) }

func (d *DB) status(ctx context.Context, files fs.FS) ([]Migration, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	applied, err := d.applied(ctx)
	if err != nil {
		return nil, Convert(err)
	}
	var list []Migration
	var newest int64
	for _, name := range names { // in the order of their versions: the numbers have leading zeros
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, fmt.Errorf("the migrations of this program are wrong: %w", err)
		}
		_, rest, _ := strings.Cut(strings.TrimSuffix(name, ".sql"), "_")
		list = append(list, Migration{Version: version, Name: rest, AppliedAt: applied[version]})
		newest = max(newest, version)
	}
	for version := range applied {
		if version > newest {
			return nil, fmt.Errorf("%w: its schema is at version %d and this program knows versions up to %d; run the newer program, or restore a backup that this one wrote", ErrNewer, version, newest)
		}
	}
	return list, nil
}

// applied is when each version was applied; empty for a database without a schema.
func (d *DB) applied(ctx context.Context) (map[int64]time.Time, error) {
	catalog := "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1"
	if d.engine == PostgreSQL {
		catalog = "SELECT COUNT(*) FROM pg_catalog.pg_tables WHERE schemaname = ANY (current_schemas(false)) AND tablename = $1"
	}
	var tables int
	if err := d.pool.QueryRowContext(ctx, catalog, versions).Scan(&tables); err != nil || tables == 0 {
		return nil, err
	}
	rows, err := d.pool.QueryContext(ctx, "SELECT version_id, tstamp FROM "+versions+" WHERE is_applied AND version_id > 0")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // read to its end; Err says what went wrong
	applied := map[int64]time.Time{}
	for rows.Next() {
		var version int64
		var at time.Time
		if err := rows.Scan(&version, &at); err != nil {
			return nil, err
		}
		applied[version] = at.UTC()
	}
	return applied, rows.Err()
}

// until hides the migrations after a version.
type until struct {
	fs.FS
	version int64
}

// Glob returns the names of the migrations up to the version.
func (u until) Glob(pattern string) ([]string, error) {
	names, err := fs.Glob(u.FS, pattern)
	return slices.DeleteFunc(names, u.hidden), err
}

// ReadDir returns the migrations up to the version.
func (u until) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(u.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return u.hidden(e.Name()) }), err
}

func (u until) hidden(name string) bool {
	version, err := goose.NumericComponent(name)
	return err == nil && version > u.version
}
