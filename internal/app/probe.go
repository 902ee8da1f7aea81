package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/script"
)

// minDisk is the free space that the data directory needs for the server to be ready:
// below it, writes are about to fail.
const minDisk = 64 << 20

// Check is one condition of readiness. A check that is ready and has a reason reports
// something that the server can do without.
type Check struct {
	Name   string `json:"name"`
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"`
}

// Checks reports whether the installation can serve requests, and if not, why.
func (a *App) Checks(ctx context.Context) (checks []Check, ready bool) {
	ready = true
	add := func(name string, err error) {
		c := Check{Name: name, Ready: err == nil}
		if err != nil {
			c.Reason, ready = err.Error(), false
		}
		checks = append(checks, c)
	}
	add("database", a.DB.Ping(ctx))
	add("migrations", a.checkMigrations(ctx))
	add("keys", a.checkKeptKey(ctx))
	add("disk", a.checkDisk())
	add("blobs", a.blobCheck.of(ctx, a.Blobs))
	return append(checks, checkScripts(), a.checkPayments(ctx), a.checkJobs(ctx), a.checkRollups(ctx)), ready
}

// blobCheckFor is how long the result of writing a blob is remembered. Otherwise everybody
// who reaches /readyz could make the server write, or have a bucket billed, at will.
const blobCheckFor = 5 * time.Second

// blobCheck checks that blobs can be written, once for all who ask within a few seconds.
type blobCheck struct {
	mu     sync.Mutex
	looked bool
	at     clock.Started
	err    error
}

func (c *blobCheck) of(ctx context.Context, blobs *blob.Store) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.looked && c.at.Elapsed() < blobCheckFor {
		return c.err
	}
	err := blobs.Check(ctx)
	// A caller that went away proves nothing for the others.
	c.looked, c.at, c.err = !errors.Is(err, context.Canceled), clock.Start(), err
	return err
}

func (a *App) checkMigrations(ctx context.Context) error {
	migrations, err := a.DB.Status(ctx)
	if err != nil {
		return err
	}
	for _, m := range migrations {
		if m.AppliedAt.IsZero() {
			return fmt.Errorf("migration %d %s is not applied; run \"botyard migrate up\"", m.Version, m.Name)
		}
	}
	return nil
}

// checkKeptKey compares the keys with those that the database was sealed with, as Open
// does.
func (a *App) checkKeptKey(ctx context.Context) error {
	kept, found, err := selectSetting(ctx, a.DB.Reader(ctx), settingKeyCheck)
	if err != nil || !found {
		return db.Convert(err)
	}
	return a.verifyKey(kept)
}

// checkScripts reports a build without the VRL engine, which can do everything except run
// scripts.
func checkScripts() Check {
	c := Check{Name: "scripts", Ready: true}
	if !script.Embedded() {
		c.Reason = "this build has no VRL engine; scripts are refused"
	}
	return c
}

// paymentsStuck is how long the outcome of a payment may be unknown before that is
// reported.
const paymentsStuck = time.Hour

// checkPayments reports payments whose outcome has been unknown for long: until it is known,
// their workspaces can buy nothing.
func (a *App) checkPayments(ctx context.Context) Check {
	c := Check{Name: "payments", Ready: true}
	switch n, err := billing.PaymentsStuck(ctx, a.DB.Reader(ctx), a.Clock.Now().Add(-paymentsStuck)); {
	case err != nil:
		c.Reason = "payments without an outcome cannot be counted"
	case n > 0:
		c.Reason = fmt.Sprintf("%d payments have had no outcome for more than an hour; botyard payment list shows them", n)
	}
	return c
}

// checkJobs reports jobs that were given up.
func (a *App) checkJobs(ctx context.Context) Check {
	c := Check{Name: "jobs", Ready: true}
	switch _, dead, err := a.Jobs.Backlog(ctx); {
	case err != nil:
		c.Reason = "jobs that were given up cannot be counted"
	case dead > 0:
		c.Reason = fmt.Sprintf("%d jobs failed too often and were given up in the last 30 days; the log has why", dead)
	}
	return c
}

func (a *App) checkDisk() error {
	free, known := freeDisk(a.dir)
	if known && free < minDisk {
		return fmt.Errorf("the data directory has %d MiB free; at least %d are needed", free>>20, minDisk>>20)
	}
	return nil
}

// checkRates reports on the Redis that several servers count requests in. Without it each
// server counts its own, which is no reason not to serve.
func (s *Server) checkRates(ctx context.Context) (c Check, configured bool) {
	configured, err := s.Mux.CheckRates(ctx)
	c = Check{Name: "redis", Ready: true}
	if err != nil {
		c.Reason = err.Error()
	}
	return c, configured
}

// mountProbes adds /livez, /readyz and /metrics.
func (s *Server) mountProbes(registry *prometheus.Registry) {
	s.Mux.Handle("/livez", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n"))
	}))
	s.Mux.Handle("/readyz", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		checks, ready := s.Checks(ctx)
		checks = append(checks, s.checkTelemetry())
		if c, configured := s.checkRates(ctx); configured {
			checks = append(checks, c)
		}
		w.Header().Set("Content-Type", "application/json")
		if !ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.MarshalWrite(w, map[string]any{"ready": ready, "checks": checks}, json.Deterministic(true))
	}))
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newDatabaseMetrics(s.DB), newJobMetrics(s.Jobs), newGaugeDrift(s.Meter), newRollupMetrics(s.Telemetry))
	registry.MustRegister(s.Dispatch.Collectors()...)
	s.Mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
}
