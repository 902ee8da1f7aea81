package meter

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/audit"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/test/engines"
	"github.com/botyard/botyard/test/postgres"
)

// TestMain lets the test binary be the other process of some tests.
func TestMain(m *testing.M) {
	process, ok := map[string]func() error{"report": reportAsProcess, "grow": growAsProcess}[os.Getenv("BOTYARD_TEST_PROCESS")]
	if !ok {
		postgres.Main(m)
	}
	if err := process(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// fixture is the service over a migrated database, with workspaces on each plan.
type fixture struct {
	*Service
	clock   *clock.Development
	options db.Options
}

// onBoth runs a behaviour on both engines.
func onBoth(t *testing.T, behaviour func(*testing.T, *fixture)) {
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			o := db.Options{Dir: t.TempDir(), Synchronous: "NORMAL"}
			if engine == db.PostgreSQL {
				o.URL = engines.PostgreSQL(t)
			}
			f, err := open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.DB.Close() })
			if err := f.DB.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			behaviour(t, f)
		})
	}
}

func open(ctx context.Context, o db.Options) (*fixture, error) {
	d, err := db.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	c, err := clock.NewDevelopment(o.Dir)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	s := New(Options{DB: d, Clock: c, Log: log, Plans: plan.Default(), Trail: audit.New(d, c), Queue: jobs.New(d, c, log)})
	return &fixture{s, c, o}, nil
}

func (f *fixture) tx(t testing.TB, fn func(context.Context, *db.Tx) error) {
	t.Helper()
	if err := f.DB.Tx(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// workspace makes a workspace on a plan, with an owner and so many bots.
func (f *fixture) workspace(t testing.TB, on plan.ID, bots ...id.Bot) (id.Workspace, id.Account) {
	t.Helper()
	w, owner := id.NewWorkspace(f.Clock.Now()), id.NewAccount()
	f.tx(t, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `
			INSERT INTO workspaces (id, name, owner_id, plan, billing_version, blocked, spending_limit, about, profile_picture,
				contact_email, website, social_accounts, is_public, created_at, updated_at)
			VALUES ($1, 'W', $2, $3, 'v4', FALSE, 0, '', '', '', '', '[]', FALSE, 0, 0)`, string(w), string(owner), string(on)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO members (id, workspace_id, account_id, email, email_key, role, created_at) VALUES ($1, $2, $3, 'o', 'o', 'owner', 0)`,
			string(id.NewMember()), string(w), string(owner)); err != nil {
			return err
		}
		for _, b := range bots {
			if err := f.insertBot(ctx, tx, w, b); err != nil {
				return err
			}
		}
		return nil
	})
	return w, owner
}

func (f *fixture) insertBot(ctx context.Context, tx *db.Tx, w id.Workspace, b id.Bot) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO bots (id, workspace_id, dev, name, created_at, updated_at, type, tags, status, blocked, always_alive, signing_secret, layers, secret_names, definition)
		VALUES ($1, $2, FALSE, 'b', 0, 0, '', '{}', 'active', FALSE, FALSE, '', '[]', '[]', '{}')`, string(b), string(w))
	return err
}

// add counts usages in a transaction of their own.
func (f *fixture) add(t testing.TB, usages ...plan.Usage) {
	t.Helper()
	f.tx(t, func(ctx context.Context, tx *db.Tx) error { return f.Add(ctx, tx, usages) })
}

// value is what a usage of a month is.
func (f *fixture) value(t testing.TB, w id.Workspace, of string, u plan.Type, period string) int64 {
	t.Helper()
	usage, err := f.Usage(t.Context(), w, of, u, period)
	if err != nil {
		t.Fatal(err)
	}
	return usage.Value
}

func refused(t testing.TB, err error, kind fault.Type, says ...string) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("error %v, want %s", err, kind)
		return
	}
	for _, word := range says {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %v does not say %q", err, word)
		}
	}
}

// at is a moment of a test.
func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}
