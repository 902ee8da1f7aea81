package db

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// steps are the migrations of the program and some that a later one could have.
func steps(t *testing.T, later ...string) fs.FS {
	t.Helper()
	all := fstest.MapFS{}
	for _, name := range must(fs.Glob(migrations(), "*.sql")) {
		all[name] = &fstest.MapFile{Data: must(fs.ReadFile(migrations(), name))}
	}
	for i, text := range later {
		all["9000"+string(rune('1'+i))+"_later.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text + ";\n")}
	}
	return all
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func settings(t *testing.T, d *DB) (n int) {
	t.Helper()
	if err := d.Reader(t.Context()).QueryRow(t.Context(), "SELECT COUNT(*) FROM settings").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func addSetting(t *testing.T, d *DB) {
	t.Helper()
	if err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO settings (key, value) VALUES ('a', 'b')")
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestMigrate(t *testing.T) {
	each(t, func(t *testing.T, o Options) {
		d := open(t, o)
		list, err := d.Status(t.Context())
		if err != nil || len(list) == 0 || !list[0].Pending() || list[0].Version != 1 || list[0].Name != "foundation" {
			t.Fatalf("the status of an empty database: %+v, %v", list, err)
		}
		for range 2 {
			if err := d.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		list, err = d.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			if m.Pending() {
				t.Errorf("pending after Migrate: %+v", m)
			}
		}
		addSetting(t, d)
		if copies := must(filepath.Glob(filepath.Join(o.Dir, "*before*"))); len(copies) != 0 {
			t.Errorf("an empty database was copied: %v", copies)
		}
	})
}

func TestMigrateTogether(t *testing.T) {
	each(t, func(t *testing.T, o Options) {
		var all sync.WaitGroup
		for range 4 {
			d := open(t, o)
			all.Go(func() {
				if err := d.Migrate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		addSetting(t, open(t, o))
	})
}

func TestNewerSchemaIsRefused(t *testing.T) {
	each(t, func(t *testing.T, o Options) {
		d := open(t, o)
		if err := d.migrate(t.Context(), steps(t, "CREATE TABLE later (id TEXT PRIMARY KEY)")); err != nil {
			t.Fatal(err)
		}
		if err := d.Migrate(t.Context()); !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "90001") {
			t.Errorf("Migrate on a newer schema: %v", err)
		}
		if _, err := d.Status(t.Context()); !errors.Is(err, ErrNewer) {
			t.Errorf("Status of a newer schema: %v", err)
		}
	})
}

func TestFailedMigrationChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, o Options) {
		d := open(t, o)
		if err := d.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := d.migrate(t.Context(), steps(t, "CREATE TABLE good (id TEXT PRIMARY KEY)", "CREATE TABLE half (id TEXT PRIMARY KEY);\nINSERT INTO nothing VALUES (1)"))
		if err == nil {
			t.Fatal("a broken migration was applied")
		}
		if err := d.migrate(t.Context(), steps(t, "CREATE TABLE good (id TEXT PRIMARY KEY)", "CREATE TABLE half (id TEXT PRIMARY KEY)")); err != nil {
			t.Errorf("after the migration was mended: %v", err)
		}
	})
}

func TestCopyBeforeMigration(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "a dir%20with ? and #")}
	if err := os.Mkdir(o.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d := open(t, o)
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	addSetting(t, d)
	broken := steps(t, "INSERT INTO nothing VALUES (1)")
	if err := d.migrate(t.Context(), broken); err == nil {
		t.Fatal("a broken migration was applied")
	}
	if err := d.migrate(t.Context(), steps(t, "DELETE FROM settings")); err != nil {
		t.Fatal(err)
	}
	if n := settings(t, d); n != 0 {
		t.Errorf("the migration left %d settings", n)
	}
	if found := must(os.ReadDir(o.Dir)); len(found) != 4 { // the file, -wal, -shm and the copy
		t.Errorf("the data directory holds %v", found)
	}
	restored := Options{Dir: t.TempDir()}
	if err := os.Rename(filepath.Join(o.Dir, "botyard-before-90001.db"), filepath.Join(restored.Dir, fileName)); err != nil {
		t.Fatal(err)
	}
	if n := settings(t, open(t, restored)); n != 1 {
		t.Errorf("the copy holds %d settings", n)
	}
}

// An upgrade that fails halfway leaves the copy of what was there before it: a second
// attempt makes a copy of its own.
func TestCopyOutlivesHalfAnUpgrade(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	d := open(t, o)
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	addSetting(t, d)
	for range 2 {
		if err := d.migrate(t.Context(), steps(t, "DELETE FROM settings", "INSERT INTO nothing VALUES (1)")); err == nil {
			t.Fatal("a broken migration was applied")
		}
	}
	for copied, want := range map[string]int{"botyard-before-90001.db": 1, "botyard-before-90002.db": 0} {
		restored := Options{Dir: t.TempDir()}
		if err := os.Rename(filepath.Join(o.Dir, copied), File(restored.Dir)); err != nil {
			t.Fatal(err)
		}
		if n := settings(t, open(t, restored)); n != want {
			t.Errorf("%s holds %d settings, want %d", copied, n, want)
		}
	}
}

// The copy is of the schema before the migration, also when another process migrates
// while it is made.
func TestCopyIsNotOfWhatAnotherMigrated(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	d := open(t, o)
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	pool := must(sql.Open("sqlite", dsn(d.path, "FULL", Options{}, false)))
	defer pool.Close()
	if err := d.copyBefore(t.Context(), pool, 90001, func() (bool, error) { return false, nil }); err != nil {
		t.Fatal(err)
	}
	if left := must(filepath.Glob(filepath.Join(o.Dir, "*before*"))); len(left) != 0 {
		t.Errorf("a copy of the migrated file was kept: %v", left)
	}
}

// What is in the database is nobody else's to read, whatever the umask and the
// directory allow.
func TestFilesArePrivate(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	d := open(t, o)
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	addSetting(t, d)
	if err := d.migrate(t.Context(), steps(t, "DELETE FROM settings")); err != nil {
		t.Fatal(err)
	}
	entries := must(os.ReadDir(o.Dir))
	if len(entries) != 4 { // the file, -wal, -shm and the copy
		t.Errorf("the data directory holds %v", entries)
	}
	for _, e := range entries {
		if mode := must(e.Info()).Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has the mode %v, want -rw-------", e.Name(), mode)
		}
	}
}
