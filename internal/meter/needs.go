package meter

import (
	"context"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
)

// trail keeps what was done; package audit.
type trail interface {
	// Record keeps what the actor of ctx did, in the transaction of the change.
	Record(ctx context.Context, tx *db.Tx, w id.Workspace, act access.Act) error
}

// queue does later what a change has promised; package jobs.
type queue interface {
	Enqueue(ctx context.Context, tx *db.Tx, kind string, payload any, options ...jobs.Option) error
}

// issues keep what the owners of bots have to know; package telemetry.
type issues interface {
	// ReportToAll makes a fault of a workspace an issue of its bots.
	ReportToAll(ctx context.Context, tx *db.Tx, w id.Workspace, i fault.Issue) error
}

// debtors says who may owe; package billing.
type debtors interface {
	// MayOwe refuses a workspace that could not be charged for what it uses and pays
	// later, with PaymentRequired.
	MayOwe(ctx context.Context, q db.Querier, w id.Workspace) error
}
