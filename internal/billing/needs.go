package billing

import (
	"context"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/plan"
)

// trail keeps what was done.
type trail interface {
	// Record keeps what the actor of ctx did, in the transaction of the change.
	Record(ctx context.Context, tx *db.Tx, w id.Workspace, act access.Act) error
}

// queue does work later.
type queue interface {
	// Enqueue adds a job in the transaction of tx.
	Enqueue(ctx context.Context, tx *db.Tx, kind string, payload any, options ...jobs.Option) error
}

// usage knows how much was used, and holds workspaces to what they may use.
type usage interface {
	// Used is how much of a type a workspace used in a month, or how much it has now if
	// the type is not counted by the month.
	Used(ctx context.Context, q db.Querier, w id.Workspace, t plan.Type, month time.Time) (int64, error)
	// Quota is the most of a type that a workspace may use, or plan.Unlimited. fixed says
	// that the operator or the members have set it, so that no purchase raises it.
	Quota(ctx context.Context, q db.Querier, w id.Workspace, t plan.Type) (limit int64, fixed bool, err error)
	// SetExtras sets what add-ons and credits add to what the plan allows.
	SetExtras(ctx context.Context, tx *db.Tx, w id.Workspace, extras map[plan.Type]int64) error
}

// workspaces has the workspaces, each with the plan whose limits it has.
type workspaces interface {
	// SetPlan changes the plan whose limits a workspace has. Called with the context of a
	// transaction, it is a part of it.
	SetPlan(ctx context.Context, w id.Workspace, p plan.ID) error
	// SetBlocked blocks a workspace that does not pay, or lifts the block, likewise.
	SetBlocked(ctx context.Context, w id.Workspace, blocked bool) error
	// SetTrial notes the trial that a workspace is in; empty is none.
	SetTrial(ctx context.Context, w id.Workspace, t id.Trial) error
}

// issues tells the owners of bots what they have to know.
type issues interface {
	// ReportToAll makes a fault of a workspace an issue of its bots.
	ReportToAll(ctx context.Context, tx *db.Tx, w id.Workspace, i fault.Issue) error
}

// collector charges invoices to the payment methods of workspaces.
type collector interface {
	// ChargesFirst reports whether purchases of the workspace are charged before they
	// take effect.
	ChargesFirst(ctx context.Context, q db.Querier, w id.Workspace) (bool, error)
	// Charge takes the invoice's total. It is called outside any transaction; called
	// again for the same invoice, it takes nothing more and returns the same result.
	// PaymentRequired when the payment is declined; any other error leaves open
	// whether money was taken.
	Charge(ctx context.Context, i Invoice) error
	// Issued is called for every invoice that is issued unpaid, in the transaction that
	// issues it.
	Issued(ctx context.Context, tx *db.Tx, i Invoice) error
	// Paid is called for every invoice that has been paid, in the transaction that
	// records it.
	Paid(ctx context.Context, tx *db.Tx, i Invoice) error
}
