package app

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/test/postgres"
)

func TestMain(m *testing.M) { postgres.Main(m) }

// TestBootstrapHappensOnce starts several servers at once on one new database:
// one of them makes the first start.
func TestBootstrapHappensOnce(t *testing.T) {
	for engine, url := range map[string]string{"sqlite": "", "postgres": postgres.Database(t)} {
		t.Run(engine, func(t *testing.T) {
			ctx, dir := context.Background(), t.TempDir()
			const servers = 4
			welcomes := make([]*Welcome, servers)
			var group sync.WaitGroup
			for i := range servers {
				group.Go(func() {
					a, err := Open(ctx, config.Installation{Data: dir, DatabaseURL: secret.Value(url)}, slog.New(slog.DiscardHandler))
					if err != nil {
						t.Error(err)
						return
					}
					defer a.Close()
					if welcomes[i], err = a.Bootstrap(ctx, config.Config{}); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			made := 0
			for _, w := range welcomes {
				if w != nil {
					made++
				}
			}
			if made != 1 {
				t.Errorf("%d servers made the first start, want 1", made)
			}
		})
	}
}

// TestBootstrapOfAnAccount holds that the first start is also made when the account of its
// owner was created before it, and gives that account a second workspace and token.
func TestBootstrapOfAnAccount(t *testing.T) {
	a, err := Open(t.Context(), config.Installation{Data: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	before, err := a.CreateAccount(t.Context(), "ada@example.com", "Ada")
	if err != nil {
		t.Fatal(err)
	}
	w, err := a.Bootstrap(t.Context(), config.Config{BootstrapEmail: "Ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if w.Account.ID != before.Account.ID || w.Workspace == before.Workspace || w.Token == before.Token {
		t.Errorf("the first start made %+v, the account had %+v", w, before)
	}
	if platform, found, err := a.Workspaces.Platform(t.Context(), a.DB.Reader(t.Context())); platform != w.Workspace || !found || err != nil {
		t.Errorf("the platform's workspace is %s, %t (%v)", platform, found, err)
	}
}

// TestWrongKeyIsRefused holds that a database is not opened with keys that its
// secrets were not sealed with.
func TestWrongKeyIsRefused(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	c := config.Installation{Data: dir}
	a, err := Open(ctx, c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := secret.New().Save(c.KeyFile()); err != nil {
		t.Fatal(err)
	}
	if a, err := Open(ctx, c, slog.New(slog.DiscardHandler)); err == nil {
		a.Close()
		t.Fatal("opened with another key")
	}
}
