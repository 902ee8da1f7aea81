package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/meter"
	"github.com/botyard/botyard/internal/telemetry"
)

// metricsTime bounds the queries of a scrape.
const metricsTime = 2 * time.Second

// databaseMetrics reads the database's totals on each scrape.
type databaseMetrics struct {
	db                                    *db.DB
	batches, transactions, retries, inUse *prometheus.Desc
}

func newDatabaseMetrics(d *db.DB) *databaseMetrics {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &databaseMetrics{
		db:           d,
		batches:      desc("botyard_database_commits_total", "Commits; on SQLite one may hold many transactions."),
		transactions: desc("botyard_database_transactions_total", "Write transactions that were committed."),
		retries:      desc("botyard_database_retries_total", "Runs of a transaction beyond its first."),
		inUse:        desc("botyard_database_connections_in_use", "Connections at work."),
	}
}

// Describe implements prometheus.Collector.
func (m *databaseMetrics) Describe(to chan<- *prometheus.Desc) {
	to <- m.batches
	to <- m.transactions
	to <- m.retries
	to <- m.inUse
}

// Collect reads the totals.
func (m *databaseMetrics) Collect(to chan<- prometheus.Metric) {
	s := m.db.Stats()
	to <- prometheus.MustNewConstMetric(m.batches, prometheus.CounterValue, float64(s.Batches))
	to <- prometheus.MustNewConstMetric(m.transactions, prometheus.CounterValue, float64(s.Transactions))
	to <- prometheus.MustNewConstMetric(m.retries, prometheus.CounterValue, float64(s.Retries))
	to <- prometheus.MustNewConstMetric(m.inUse, prometheus.GaugeValue, float64(s.InUse))
}

// jobMetrics counts the jobs on each scrape.
type jobMetrics struct {
	jobs          *jobs.Queue
	waiting, dead *prometheus.Desc
}

func newJobMetrics(q *jobs.Queue) *jobMetrics {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &jobMetrics{
		jobs:    q,
		waiting: desc("botyard_jobs_waiting", "Jobs that wait or run, periodic ones and those for later included."),
		dead:    desc("botyard_jobs_dead", "Jobs that failed too often and were given up in the last 30 days."),
	}
}

// Describe implements prometheus.Collector.
func (m *jobMetrics) Describe(to chan<- *prometheus.Desc) {
	to <- m.waiting
	to <- m.dead
}

// Collect counts. The metrics are left out while the database cannot be read.
func (m *jobMetrics) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), metricsTime)
	defer cancel()
	waiting, dead, err := m.jobs.Backlog(ctx)
	if err != nil {
		return
	}
	to <- prometheus.MustNewConstMetric(m.waiting, prometheus.GaugeValue, float64(waiting))
	to <- prometheus.MustNewConstMetric(m.dead, prometheus.GaugeValue, float64(dead))
}

// gaugeDrift reads how often gauges were found to be wrong.
type gaugeDrift struct {
	meter *meter.Service
	desc  *prometheus.Desc
}

func newGaugeDrift(m *meter.Service) *gaugeDrift {
	return &gaugeDrift{m, prometheus.NewDesc("botyard_gauge_drift_total", "Gauges that differed from what they count, and were corrected.", []string{"gauge"}, nil)}
}

// Describe implements prometheus.Collector.
func (g *gaugeDrift) Describe(to chan<- *prometheus.Desc) { to <- g.desc }

// Collect reads the totals.
func (g *gaugeDrift) Collect(to chan<- prometheus.Metric) {
	for t, n := range g.meter.Drift() {
		to <- prometheus.MustNewConstMetric(g.desc, prometheus.CounterValue, float64(n), string(t))
	}
}

// rollupMetrics reads on each scrape what the roll-ups could not count.
type rollupMetrics struct {
	telemetry                   *telemetry.Service
	failures, stalled, setAside *prometheus.Desc
}

func newRollupMetrics(t *telemetry.Service) *rollupMetrics {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &rollupMetrics{
		telemetry: t,
		failures:  desc("botyard_rollup_failures_total", "Times that this server could not roll a day of telemetry up."),
		stalled:   desc("botyard_rollup_stalled", "Days of telemetry that cannot be rolled up at the moment."),
		setAside:  desc("botyard_rollup_set_aside", "Records that the roll-ups could not count and passed by."),
	}
}

// Describe implements prometheus.Collector.
func (m *rollupMetrics) Describe(to chan<- *prometheus.Desc) {
	to <- m.failures
	to <- m.stalled
	to <- m.setAside
}

// Collect reads the totals. Those in the database are left out while it cannot be read.
func (m *rollupMetrics) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstMetric(m.failures, prometheus.CounterValue, float64(m.telemetry.RollupFailures()))
	ctx, cancel := context.WithTimeout(context.Background(), metricsTime)
	defer cancel()
	r, err := m.telemetry.Rollups(ctx)
	if err != nil {
		return
	}
	to <- prometheus.MustNewConstMetric(m.stalled, prometheus.GaugeValue, float64(len(r.Stalled)))
	to <- prometheus.MustNewConstMetric(m.setAside, prometheus.GaugeValue, float64(r.Records))
}
