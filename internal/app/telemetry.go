package app

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/telemetry"
	"github.com/botyard/botyard/internal/workspace"
)

// assembleTelemetry creates the domain, and has it notified of deletions.
func (a *App) assembleTelemetry() {
	a.Telemetry = telemetry.New(telemetry.Options{
		DB: a.DB, Clock: a.Clock, Log: a.Log, Dir: a.dir, Synchronous: a.config.SQLiteSynchronous,
		Retention: telemetry.Retention{Logs: int64(a.config.RetentionLogs), Events: int64(a.config.RetentionEvents)},
		Silence:   a.config.SessionSilence,
		Bots:      a.Bots, Readers: a.Bots, Integrations: a.Catalog, Meter: a.Meter, Actions: a.Catalog, Trail: a.Audit, Queue: a.Jobs,
	})
	a.Bots.Issues, a.Meter.Issues, a.Billing.Issues = a.Telemetry, a.Telemetry, a.Telemetry
	a.Bots.Leavers = append(a.Bots.Leavers, a.Telemetry)
	a.Catalog.Leavers = append(a.Catalog.Leavers, a.Telemetry)
	// What is made of a bot's records is found by the bot.
	a.Workspaces.Leavers = append([]workspace.Leaver{a.Telemetry}, a.Workspaces.Leavers...)
}

// jobExpire is the kind of the job that ends what is older than its retention.
const jobExpire = "expire-telemetry"

// telemetryWork starts the background work of telemetry.
func (s *Server) telemetryWork(ctx context.Context) {
	// What is to be erased is never given up.
	s.Jobs.Handle(telemetry.JobErase, s.Telemetry.EraseJob, jobs.Policy{Timeout: time.Hour, MaxAttempts: math.MaxInt32})
	s.Jobs.Handle(jobExpire, func(ctx context.Context, _ jobs.Job) error { return s.Telemetry.Expire(ctx) }, jobs.Policy{Timeout: time.Hour})
	s.Jobs.Every(jobExpire, 15*time.Minute)
	s.work.Go(func() { s.Telemetry.Run(ctx) })
	s.work.Go(func() {
		// Damage should be known before somebody runs into it.
		if _, err := s.Telemetry.Check(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "not all telemetry can be read", "error", err)
		}
	})
}

// checkRollups reports what the roll-ups could not count yet. Everything is kept and served,
// so the server is ready.
func (a *App) checkRollups(ctx context.Context) Check {
	c := Check{Name: "roll-ups", Ready: true}
	r, err := a.Telemetry.Rollups(ctx)
	if err != nil {
		c.Reason = "their state cannot be read: " + fault.From(err).Message
		return c
	}
	if c.Reason = r.String(); c.Reason != "" {
		c.Reason += ". See \"Roll-ups\" in docs/operating.md"
	}
	return c
}

// checkTelemetry reports damaged files that this server has set aside. The rest is served,
// so the server is ready.
func (a *App) checkTelemetry() Check {
	c := Check{Name: "telemetry", Ready: true}
	if damaged := a.Telemetry.Damaged(); len(damaged) > 0 {
		c.Reason = "damaged and not served: " + strings.Join(damaged, "; ")
	}
	return c
}
