package app

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/db"
)

// TestChecksTellOfDeadJobs holds that whoever looks is told of jobs that were given up:
// the doctor, /readyz and /metrics.
func TestChecksTellOfDeadJobs(t *testing.T) {
	ctx, log := t.Context(), slog.New(slog.DiscardHandler)
	c := config.Config{Installation: config.Installation{Data: t.TempDir()}, Listen: "127.0.0.1:0", MaxBody: 1 << 20, MaxCodeBody: 1 << 20,
		MaxParallelUploads: 1, RequestTimeout: time.Minute, ReadTimeout: time.Minute}
	s, _, err := Start(ctx, c, log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}()
	reason := func(a *App) string {
		t.Helper()
		checks, ready := a.Checks(ctx)
		if !ready {
			t.Errorf("it is not ready: %v", checks)
		}
		for _, c := range checks {
			if c.Name == "jobs" {
				return c.Reason
			}
		}
		t.Error("nobody looks at the jobs")
		return ""
	}
	if r := reason(s.App); r != "" {
		t.Errorf("a new installation says %q", r)
	}
	if err := s.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO jobs (id, kind, payload, state, run_at, attempts, created_at) VALUES ('j', 'k', 'null', 'dead', $1, 9, 1)`, s.Clock.Now().UnixMilli())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	examined, err := Examine(ctx, c.Installation, log)
	if err != nil {
		t.Fatal(err)
	}
	defer examined.Close()
	for _, a := range []*App{s.App, examined} {
		if r := reason(a); !strings.HasPrefix(r, "1 jobs failed") {
			t.Errorf("of a dead job it says %q", r)
		}
	}
	for path, want := range map[string]string{"/readyz": "1 jobs failed", "/metrics": "\nbotyard_jobs_dead 1\n", "/livez": "ok"} {
		if text := read(t, s.URL()+path); !strings.Contains(text, want) {
			t.Errorf("%s answers %s", path, text)
		}
	}
}

func read(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s (%v)", url, answer.StatusCode, text, err)
	}
	return string(text)
}
