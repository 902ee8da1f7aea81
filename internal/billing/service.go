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
	// Issues is told of workspaces that are blocked; nil is nobody.
	Issues issues
	// Collect charges invoices; nil has the Provider do it.
	Collect collector
	// Provider takes payments; nil takes none, and the operator marks invoices as paid.
	Provider Provider
	// Seller is who issues the invoices, with address and numbers, and Note what
	// stands below their sums; both may have several lines.
	Seller, Note string
	// PDFURL is where an invoice can be read as a PDF; nil is nowhere.
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

// subscription reads the subscription of a workspace, or makes that of one which has
// none yet. ResourceNotFound when there is no such workspace.
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
	if !found {
		sub = newSubscription(w, p.plan, s.Clock.Now())
	}
	return sub, p, nil
}

// save writes a subscription.
func (s *Service) save(ctx context.Context, tx *db.Tx, sub Subscription) error {
	sub.UpdatedAt = s.Clock.Now()
	return db.Convert(upsertSubscription(ctx, tx, sub))
}
