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
