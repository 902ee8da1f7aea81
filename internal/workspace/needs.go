package workspace

import (
	"context"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// trail is the audit trail; package audit.
type trail interface {
	// Record stores what the actor of ctx did, in the transaction of the change.
	Record(ctx context.Context, tx *db.Tx, w id.Workspace, act access.Act) error
}

// quota enforces what a workspace's plan allows; package meter.
type quota interface {
	// Members adds n, which may be negative, to the members beside the owner;
	// QuotaExceeded when the plan does not allow that many.
	Members(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error
}

// accounts finds accounts by their e-mail address; package account.
type accounts interface {
	// ByEmail returns the account of an address; found is false when it has none.
	ByEmail(ctx context.Context, q db.Querier, email string) (account id.Account, found bool, err error)
}

// Leaver is a domain that keeps rows of a workspace, which are deleted with it.
type Leaver interface {
	// DeleteWorkspace deletes them, in the transaction that deletes the workspace.
	DeleteWorkspace(ctx context.Context, tx *db.Tx, w id.Workspace) error
}
