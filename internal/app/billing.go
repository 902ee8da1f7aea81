package app

import (
	"context"
	"time"

	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/jobs"
)

// Kinds of billing's background jobs.
const (
	jobCloseMonths    = "billing-close-months"
	jobEndTrials      = "billing-end-trials"
	jobRechargeAddons = "billing-recharge-addons"
)

// billingWork has what is due done: months closed, trials ended, what is used up
// bought, invoices and purchases paid.
func (s *Server) billingWork() {
	s.Jobs.Handle(jobCloseMonths, func(ctx context.Context, _ jobs.Job) error {
		closed, err := s.Billing.CloseMonths(ctx)
		if closed > 0 {
			s.Log.InfoContext(ctx, "months of workspaces were closed", "workspaces", closed)
		}
		return err
	}, jobs.Policy{Timeout: time.Hour})
	s.Jobs.Every(jobCloseMonths, time.Minute)
	s.Jobs.Handle(jobEndTrials, func(ctx context.Context, _ jobs.Job) error {
		_, err := s.Billing.EndTrials(ctx)
		return err
	}, jobs.Policy{Timeout: 10 * time.Minute})
	s.Jobs.Every(jobEndTrials, time.Minute)
	s.Jobs.Handle(jobRechargeAddons, func(ctx context.Context, _ jobs.Job) error { return s.Billing.RechargeAddons(ctx) }, jobs.Policy{Timeout: 10 * time.Minute})
	s.Jobs.Every(jobRechargeAddons, time.Minute)
	s.Billing.HandlePayments(s.Jobs)
}

// takePayments has billing collect invoices as the settings say.
func (a *App) takePayments(c config.Config) {
	switch c.Payments() {
	case "stripe":
		a.Billing.Provider = billing.NewStripe(billing.StripeOptions{Key: c.StripeKey, WebhookSecret: c.StripeWebhookSecret, URL: c.StripeURL})
	case "test":
		a.Billing.Provider = billing.TestProvider()
	}
	a.Billing.Seller, a.Billing.Note = c.InvoiceSeller, c.InvoiceNote
}
