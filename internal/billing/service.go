package billing

import (
	"context"
	"log/slog"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// Options are what the service needs.
type Options struct {
	DB         *db.DB
	Clock      clock.Clock
	Log        *slog.Logger
	Plans      *plan.Catalog
	Trail      trail
	Queue      queue
	Usage      usage
	Workspaces workspaces
	// Issues receives blocks as issues of the workspace's bots; nil for nobody.
	Issues issues
	// Collect charges invoices; nil charges them by the Provider.
	Collect collector
	// Provider takes payments; with nil the operator marks invoices as paid.
	Provider Provider
	// Seller is who issues the invoices, with address and tax numbers, and Note is printed
	// below their totals; both may have several lines.
	Seller, Note string
	// PDFURL is the address of an invoice's PDF; nil when there is none.
	PDFURL func(Invoice) string
}

// Service holds the use cases of subscriptions and invoices.
type Service struct{ Options }

// New makes the service over a migrated database.
func New(o Options) *Service {
	s := &Service{o}
	if o.Collect == nil {
		s.Collect = Payments{s}
	}
	return s
}

// subscription reads the subscription of a workspace, or makes one that is not stored yet.
// ResourceNotFound when there is no such workspace.
func (s *Service) subscription(ctx context.Context, q db.Querier, w id.Workspace) (Subscription, party, error) {
	p, found, err := selectParty(ctx, q, w)
	if err != nil {
		return Subscription{}, party{}, db.Convert(err)
	}
	if !found {
		return Subscription{}, party{}, access.NoSuchWorkspace(w)
	}
	sub, found, err := selectSubscription(ctx, q, w)
	if err != nil {
		return Subscription{}, party{}, db.Convert(err)
	}
	if found {
		return sub, p, nil
	}
	has := p.plan
	if p.trial != "" {
		// The workspace has the plan that it tries; it pays for the one before.
		t, there, err := selectTrial(ctx, q, w, p.trial)
		switch {
		case err != nil:
			return Subscription{}, party{}, db.Convert(err)
		case !there: // the workspace was deleted between two reads
			return Subscription{}, party{}, access.NoSuchWorkspace(w)
		}
		has = t.From
	}
	return newSubscription(w, has, s.Clock.Now()), p, nil
}

// save writes a subscription.
func (s *Service) save(ctx context.Context, tx *db.Tx, sub Subscription) error {
	sub.UpdatedAt = s.Clock.Now()
	return db.Convert(upsertSubscription(ctx, tx, sub))
}
