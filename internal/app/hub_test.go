package app

import (
	"log/slog"
	"testing"
	"testing/fstest"

	"github.com/botyard/botyard/deploy/hub"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/test/postgres"
)

// TestLoadHub loads the definitions that are built in, twice: the second time does
// nothing.
func TestLoadHub(t *testing.T) {
	for engine, url := range map[string]string{"sqlite": "", "postgres": postgres.Database(t)} {
		t.Run(engine, func(t *testing.T) {
			ctx := t.Context()
			a, err := Open(ctx, config.Installation{Data: t.TempDir(), DatabaseURL: secret.Value(url)}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			if _, err := a.LoadHub(ctx, hub.Files); !fault.Is(err, fault.ResourceNotFound) {
				t.Errorf("before the first start: %v", err)
			}
			if _, err := a.Bootstrap(ctx, config.Config{}); err != nil {
				t.Fatal(err)
			}
			for _, again := range []bool{false, true} {
				loaded, err := a.LoadHub(ctx, hub.Files)
				if err != nil {
					t.Fatal(err)
				}
				if len(loaded) != 10 {
					t.Errorf("%d interfaces were loaded, want 10", len(loaded))
				}
				for _, l := range loaded {
					if l.ID == "" != again {
						t.Errorf("again %v: %v", again, l)
					}
					i, err := a.Catalog.GetInterfaceByName(ctx, "", l.Name, "latest")
					if err != nil || i.Version != l.Version || !again && string(i.ID) != l.ID || !i.Public {
						t.Errorf("%v: %v %v", l, i, err)
					}
				}
			}
			if _, err := a.LoadHub(ctx, fstest.MapFS{"x.json": {Data: []byte("[]")}}); err == nil {
				t.Error("a file that is no definition was taken")
			}
			_, err = a.LoadHub(ctx, fstest.MapFS{"x.json": {Data: []byte(`{"name":"somebody/x","version":"1.0.0"}`)}})
			if !fault.Is(err, fault.Forbidden) {
				t.Errorf("a name of another handle: %v", err)
			}
		})
	}
}
