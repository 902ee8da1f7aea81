package workspace

import (
	"context"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// trail keeps what was done.
type trail interface {
	// Record keeps what the actor of ctx did, in the transaction of the change.
	Record(ctx context.Context, tx *db.Tx, w id.Workspace, act access.Act) error
}

// quota holds workspaces to what their plan allows.
type quota interface {
	// Members adds n, which may be negative, to the members beside the owner;
	// QuotaExceeded when the plan does not allow that many.
	Members(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error
}

// accounts knows who is behind an e-mail address.
type accounts interface {
	// ByEmail answers the account of an address; found is false when it has none.
	ByEmail(ctx context.Context, q db.Querier, email string) (account id.Account, found bool, err error)
}

// Leaver is whoever keeps things of a workspace that leave with it.
type Leaver interface {
	// DeleteWorkspace deletes them, in the transaction that deletes the workspace.
	DeleteWorkspace(ctx context.Context, tx *db.Tx, w id.Workspace) error
}
