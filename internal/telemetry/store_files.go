package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
)

// files is the archive of an installation on SQLite: one file for each class and
// day, such as logs-2026-11-21.db.
type files struct {
	dir         string
	synchronous string
	clock       clock.Clock
	log         *slog.Logger
	shelf

	asideMu sync.Mutex
	aside   []string
}

func openFiles(dir, synchronous string, c clock.Clock, log *slog.Logger) (*files, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the directory of the telemetry cannot be made: %w", err)
	}
	f := &files{dir: dir, synchronous: synchronous, clock: c, log: log, shelf: newShelf()}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("the directory of the telemetry cannot be read: %w", err)
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), asideMark) && !strings.HasSuffix(e.Name(), "-wal") && !strings.HasSuffix(e.Name(), "-shm") {
			f.aside = append(f.aside, e.Name())
		}
	}
	return f, nil
}

// asideMark stands in the names of files that were set aside.
const asideMark = ".db.damaged-"

func (f *files) path(class Class, day int64) string {
	return filepath.Join(f.dir, volumeName(class, day)+".db")
}

func (f *files) days(_ context.Context, class Class) ([]int64, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, err
	}
	var days []int64
	for _, e := range entries {
		name, ours := strings.CutPrefix(e.Name(), string(class)+"-")
		name, whole := strings.CutSuffix(name, ".db")
		if !ours || !whole {
			continue
		}
		if t, err := time.Parse(time.DateOnly, name); err == nil {
			days = append(days, dayOf(t))
		}
	}
	slices.Sort(days)
	return days, nil
}

func (f *files) open(ctx context.Context, class Class, day int64) (*volume, error) {
	return f.get(class, day, func() (*volume, error) {
		if _, err := os.Stat(f.path(class, day)); errors.Is(err, fs.ErrNotExist) {
			return nil, errDropped
		}
		v, err := f.connect(ctx, class, day)
		if db.Damaged(err) {
			f.setAside(ctx, class, day, err)
			return nil, errDropped
		}
		return v, err
	})
}

func (f *files) create(ctx context.Context, class Class, day int64) (*volume, error) {
	v, err := f.open(ctx, class, day)
	if !errors.Is(err, errDropped) {
		return v, err
	}
	return f.get(class, day, func() (*volume, error) { return f.connect(ctx, class, day) })
}

// connect opens the file, and creates it when it does not exist.
func (f *files) connect(ctx context.Context, class Class, day int64) (*volume, error) {
	d, err := db.Open(ctx, db.Options{File: f.path(class, day), Archive: true, Synchronous: f.synchronous, CacheKiB: 2 << 10, Readers: 4, Log: f.log})
	if err != nil {
		return nil, err
	}
	v := &volume{class: class, day: day, db: d, names: strings.NewReplacer("{blocks}", "blocks", "{keys}", "keys", "{runs}", "runs", "{marks}", "marks")}
	err = d.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		statements := append([]string{
			`CREATE TABLE IF NOT EXISTS blocks` + schemaBlocks,
			`CREATE TABLE IF NOT EXISTS keys` + schemaKeys,
			`CREATE TABLE IF NOT EXISTS runs` + schemaRuns,
			`CREATE TABLE IF NOT EXISTS marks` + schemaMarks,
		}, schemaIndexes...)
		for _, s := range statements {
			if _, err := tx.Exec(ctx, v.text(s)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return v, nil
}

func (f *files) drop(_ context.Context, class Class, day int64) error {
	var errs []error
	f.retire(class, day, nil, func(v *volume) {
		closeRetired(v)
		for _, end := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(f.path(class, day) + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	})
	return errors.Join(errs...)
}

// closeRetired closes the file of a volume, nil for none, which is about to be deleted or
// renamed.
func closeRetired(v *volume) {
	if v != nil {
		_ = v.db.Close() // what it could not write is not needed
	}
}

func (f *files) failed(ctx context.Context, v *volume, err error) error {
	if db.Damaged(err) {
		if f.retire(v.class, v.day, v, func(v *volume) {
			closeRetired(v)
			f.setAside(ctx, v.class, v.day, err)
		}) {
			return err
		}
	}
	f.mu.Lock()
	current := f.shelf.open[place{v.class, v.day}] == v
	f.mu.Unlock()
	if !current {
		return fmt.Errorf("%w: %w", errDropped, err)
	}
	return err
}

// setAside renames a damaged file, so that someone may still recover records from it, and
// a new file can take its place.
func (f *files) setAside(ctx context.Context, class Class, day int64, cause error) {
	path := f.path(class, day)
	aside := fmt.Sprintf("%s%s%d", strings.TrimSuffix(path, ".db"), asideMark, f.clock.Now().UnixMilli())
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+end, aside+end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			f.log.ErrorContext(ctx, "a damaged file of telemetry cannot be set aside", "file", path+end, "error", err)
			return
		}
	}
	f.log.ErrorContext(ctx, "a file of telemetry is damaged and was set aside; its records are not served", "file", path, "aside", aside, "error", cause)
	f.asideMu.Lock()
	defer f.asideMu.Unlock()
	f.aside = append(f.aside, filepath.Base(aside))
}

// tidy shrinks the file in steps of 8 MiB, between which others can write.
func (f *files) tidy(ctx context.Context, v *volume) error {
	for before := int64(math.MaxInt64); ; {
		var free int64 // pages
		if err := v.reader(ctx).QueryRow(ctx, `PRAGMA freelist_count`).Scan(&free); err != nil || free == 0 || free >= before {
			return err
		}
		before = free
		if err := v.db.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `PRAGMA incremental_vacuum(1000)`)
			return err
		}); err != nil {
			return err
		}
	}
}

func (f *files) damaged() []string {
	f.asideMu.Lock()
	defer f.asideMu.Unlock()
	return slices.Clone(f.aside)
}

func (f *files) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for _, v := range f.shelf.open {
		errs = append(errs, v.db.Close())
	}
	return errors.Join(errs...)
}
