package app

import (
	"context"
	"time"

	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/meter"
)

const (
	jobReconcileGauges = "reconcile-gauges"
	jobForgetUsage     = "forget-usage-records"
)

// meterWork is what is done for the meter in the background.
func (s *Server) meterWork() {
	s.Jobs.Handle(jobReconcileGauges, func(ctx context.Context, _ jobs.Job) error {
		_, err := s.Meter.Reconcile(ctx)
		return err
	}, jobs.Policy{Timeout: time.Hour})
	s.Jobs.Every(jobReconcileGauges, time.Hour)
	s.Jobs.Handle(jobForgetUsage, func(ctx context.Context, _ jobs.Job) error {
		_, err := s.Meter.Forget(ctx)
		return err
	}, jobs.Policy{Timeout: time.Hour})
	s.Jobs.Every(jobForgetUsage, 24*time.Hour)
	webhook := meter.Webhook{URL: s.config.QuotaWebhookURL, Secret: s.config.QuotaWebhookSecret, Clock: s.Clock}
	s.Jobs.Handle(meter.JobWarn, webhook.Tell, jobs.Policy{MaxAttempts: 12, Backoff: 10 * time.Second, MaxBackoff: time.Hour, Timeout: 30 * time.Second})
}
