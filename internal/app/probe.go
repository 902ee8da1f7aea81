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

// minDisk is how much room the data directory needs for the server to call
// itself ready: below it, writes are about to fail.
const minDisk = 64 << 20

// Check is one condition of readiness. A reason without unreadiness tells of what
// this build or installation lacks and can do without.
type Check struct {
	Name   string `json:"name"`
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"`
}

// Checks says whether the installation can answer requests, and if not, why.
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

// blobCheckFor is how long it is remembered whether blobs can be written. Who reaches
// /readyz could otherwise have the server write, or a bucket be billed, as often as they
// ask.
const blobCheckFor = 5 * time.Second

// blobCheck looks whether blobs can be written, for all who ask within a moment at once.
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
	// That one caller left says nothing to the others.
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

// checkKeptKey compares the keys with what the database was sealed with, as opening
// it for work does.
func (a *App) checkKeptKey(ctx context.Context) error {
	kept, found, err := selectSetting(ctx, a.DB.Reader(ctx), settingKeyCheck)
	if err != nil || !found {
		return db.Convert(err)
	}
	return a.verifyKey(kept)
}

// checkScripts tells of a build without the VRL engine. It can do all but run
// scripts, so it is ready.
func checkScripts() Check {
	c := Check{Name: "scripts", Ready: true}
	if !script.Embedded() {
		c.Reason = "this build has no VRL engine; scripts are refused"
	}
	return c
}

// paymentsStuck is how long a payment may wait for its outcome before that is told of.
const paymentsStuck = time.Hour

// checkPayments tells of payments whose outcome is long not known: the workspaces can
// buy nothing until it is. The server can serve, so it is ready.
func (a *App) checkPayments(ctx context.Context) Check {
	c := Check{Name: "payments", Ready: true}
	switch n, err := billing.PaymentsStuck(ctx, a.DB.Reader(ctx), a.Clock.Now().Add(-paymentsStuck)); {
	case err != nil:
		c.Reason = "whether payments wait for their outcome cannot be read"
	case n > 0:
		c.Reason = fmt.Sprintf("%d payments have waited for their outcome for more than an hour; botyard payment list shows them", n)
	}
	return c
}

// checkJobs tells of jobs that were given up. The server can serve, so it is ready.
func (a *App) checkJobs(ctx context.Context) Check {
	c := Check{Name: "jobs", Ready: true}
	switch _, dead, err := a.Jobs.Backlog(ctx); {
	case err != nil:
		c.Reason = "how many jobs were given up cannot be read"
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

// checkRates tells of a Redis that requests should be counted in together. Without it
// each server counts its own, which is no reason not to serve.
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
