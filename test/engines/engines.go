package engines

import (
	"context"
	"errors"
	"testing"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/postgres"
)

// Each runs a test on a fresh, migrated database of each engine. The package's
// TestMain is postgres.Main, which stops the server that this starts.
func Each(t *testing.T, test func(t *testing.T, d *db.DB)) {
	t.Helper()
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) { test(t, Open(t, engine)) })
	}
}

// Open opens a fresh, migrated database, which is closed when the test ends.
func Open(t testing.TB, engine db.Engine) *db.DB {
	t.Helper()
	o := db.Options{Dir: t.TempDir(), Synchronous: "NORMAL"}
	if engine == db.PostgreSQL {
		o = db.Options{URL: PostgreSQL(t)}
	}
	d, err := db.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// PostgreSQL is the URL of a fresh PostgreSQL database that is migrated already. It goes
// with the test.
func PostgreSQL(t testing.TB) string {
	t.Helper()
	return postgres.Copy(t, "migrated", func(ctx context.Context, url string) error {
		d, err := db.Open(ctx, db.Options{URL: url})
		if err != nil {
			return err
		}
		return errors.Join(d.Migrate(ctx), d.Close())
	})
}

// InTx runs do in a transaction, which has to succeed.
func InTx(t testing.TB, d *db.DB, do func(ctx context.Context, tx *db.Tx) error) {
	t.Helper()
	if err := d.Tx(t.Context(), do); err != nil {
		t.Fatal(err)
	}
}
