package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/backup"
	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/bot"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/test/postgres"
)

// TestBackup carries an installation from engine to engine by backups, each made
// while bots are being created: every row arrives as it was, and every blob that a
// row names.
func TestBackup(t *testing.T) {
	for _, way := range [][2]db.Engine{{db.SQLite, db.PostgreSQL}, {db.PostgreSQL, db.SQLite}, {db.SQLite, db.SQLite}} {
		t.Run(string(way[0])+" to "+string(way[1]), func(t *testing.T) {
			ctx := t.Context()
			from := installation(t, way[0])
			a, err := Open(ctx, from, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			w, err := a.CreateAccount(ctx, "ada@example.com", "Ada")
			if err != nil {
				t.Fatal(err)
			}
			stop, done := make(chan struct{}), make(chan error, 1)
			go func() { done <- keepCreating(ctx, a, w, stop) }()
			for a.DB.Stats().Transactions < 20 {
				select {
				case err := <-done:
					t.Fatalf("no bots are made any more: %v", err)
				case <-time.After(time.Millisecond):
				}
			}
			var file bytes.Buffer
			made, err := a.Backup(ctx, &file)
			if err != nil {
				t.Fatal(err)
			}
			close(stop)
			if err := errors.Join(<-done, a.Close()); err != nil {
				t.Fatal(err)
			}
			if made.Rows["bots"] == 0 || made.Rows["bot_secrets"] != made.Rows["bots"] || made.Blobs < int(made.Rows["bots"]) {
				t.Fatalf("the backup holds %v and %d blobs", made.Rows, made.Blobs)
			}

			to := installation(t, way[1])
			key, err := os.ReadFile(from.KeyFile())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(to.KeyFile(), key, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Restore(ctx, to, bytes.NewReader(file.Bytes()), slog.New(slog.DiscardHandler)); err != nil {
				t.Fatal(err)
			}
			b, err := Open(ctx, to, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			var again bytes.Buffer
			restored, err := b.Backup(ctx, &again)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(made.Rows, restored.Rows); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(contents(t, file.Bytes()), contents(t, again.Bytes())); diff != "" {
				t.Error(diff)
			}
			everyBotHasItsCode(t, b)
			if _, err := Restore(ctx, to, bytes.NewReader(file.Bytes()), slog.New(slog.DiscardHandler)); err == nil {
				t.Error("restored over what is there")
			}
		})
	}
}

func installation(t *testing.T, engine db.Engine) config.Installation {
	c := config.Installation{Data: t.TempDir()}
	if engine == db.PostgreSQL {
		c.DatabaseURL = secret.Value(postgres.Database(t))
	}
	return c
}

// keepCreating makes bots, each with code of its own and a secret, until it is told
// to stop.
func keepCreating(ctx context.Context, a *App, w Welcome, stop <-chan struct{}) error {
	actor := access.Actor{Kind: access.KindAccount, Account: w.Account.ID, Workspace: w.Workspace, Role: access.Owner}
	for n := 0; ; n++ {
		select {
		case <-stop:
			return nil
		default:
		}
		code, value := fmt.Sprintf("module.exports = %d // \u2028 é 😀", n), "a secret"
		if _, _, err := a.Bots.Create(access.With(ctx, actor), actor, bot.Draft{Code: &code, Secrets: map[string]string{"KEY": value}}); err != nil {
			return err
		}
	}
}

// contents are the rows of a backup's tables and the hashes of its blobs, in an order
// that does not depend on the engine.
func contents(t *testing.T, file []byte) map[string]map[string]bool {
	t.Helper()
	all := map[string]map[string]bool{"blobs": {}}
	err := backup.Each(bytes.NewReader(file), func(table string, row []any) error {
		if all[table] == nil {
			all[table] = map[string]bool{}
		}
		all[table][fmt.Sprintf("%#v", row)] = true
		return nil
	}, func(h blob.Hash) error {
		all["blobs"][string(h)] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func everyBotHasItsCode(t *testing.T, a *App) {
	t.Helper()
	rows, err := a.DB.Reader(t.Context()).Query(t.Context(), `SELECT code_hash FROM bots`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var h blob.Hash
		if err := rows.Scan(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Blobs.Get(t.Context(), h); err != nil {
			t.Error(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedBackup changes a backup in every way a disk or a cable would: none is
// taken for whole, and none is begun to be restored.
func TestDamagedBackup(t *testing.T) {
	ctx := t.Context()
	from := installation(t, db.SQLite)
	a, err := Open(ctx, from, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.CreateAccount(ctx, "ada@example.com", "Ada"); err != nil {
		t.Fatal(err)
	}
	var whole bytes.Buffer
	made, err := a.Backup(ctx, &whole)
	if err != nil {
		t.Fatal(err)
	}
	verified, err := backup.Verify(bytes.NewReader(whole.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made, verified); diff != "" {
		t.Errorf("what was written and what is read differ:\n%s", diff)
	}
	for n := 0; n < whole.Len(); n += max(1, whole.Len()/200) {
		flipped := bytes.Clone(whole.Bytes())
		flipped[n] ^= 0x40
		// Compression has bits that mean nothing: a change of one changes nothing that is read.
		if _, err := backup.Verify(bytes.NewReader(flipped)); err == nil && !cmp.Equal(contents(t, flipped), contents(t, whole.Bytes())) {
			t.Errorf("a backup with byte %d changed was taken for whole", n)
		}
		if _, err := backup.Verify(bytes.NewReader(whole.Bytes()[:n])); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("the first %d bytes of a backup: %v", n, err)
		}
	}
	dir := t.TempDir()
	if _, err := Restore(ctx, config.Installation{Data: dir}, bytes.NewReader(whole.Bytes()[:whole.Len()/2]), slog.New(slog.DiscardHandler)); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("half a backup: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("half a backup left %v (%v)", left, err)
	}
}

// TestUnfinishedRestoration holds that an installation is not opened while it is half
// restored.
func TestUnfinishedRestoration(t *testing.T) {
	ctx, c := t.Context(), installation(t, db.SQLite)
	a, err := Open(ctx, c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	err = a.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error { return setSetting(ctx, tx, settingRestoring, "now") })
	if err := errors.Join(err, a.Close()); err != nil {
		t.Fatal(err)
	}
	if a, err := Open(ctx, c, slog.New(slog.DiscardHandler)); err == nil {
		a.Close()
		t.Error("half an installation was opened")
	}
}
