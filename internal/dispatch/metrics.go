package dispatch

import (
	"errors"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/botyard/botyard/internal/fault"
)

// metrics are what /metrics says of calls. Labels are operation and outcome only: a
// bot or a host would make their number grow without bound.
type metrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

func newMetrics() metrics {
	return metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "botyard_calls_total",
			Help: "Calls to integrations and bots, by operation and outcome: ok, or what was wrong.",
		}, []string{"operation", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "botyard_call_seconds",
			Help:    "Time that calls to integrations and bots took, by operation.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120},
		}, []string{"operation"}),
	}
}

// Collectors are the service's metrics, for the registry of the server.
func (s *Service) Collectors() []prometheus.Collector {
	return []prometheus.Collector{s.metrics.calls, s.metrics.seconds, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "botyard_webhooks_under_way",
		Help: "Calls of webhooks that are relayed and not answered yet.",
	}, func() float64 { return float64(s.load.underWay()) })}
}

func (m metrics) observe(operation string, err error, took time.Duration) {
	m.calls.WithLabelValues(operation, outcome(err)).Inc()
	m.seconds.WithLabelValues(operation).Observe(took.Seconds())
}

// outcome is ok, or the type of the fault in lower case.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return strings.ToLower(string(f.Type))
	}
	return "cancelled"
}
