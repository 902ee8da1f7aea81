package catalog

import (
	"context"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// trail records what the actor of ctx did; package audit.
type trail interface {
	Record(ctx context.Context, tx *db.Tx, w id.Workspace, act access.Act) error
}

// quota counts what workspaces own; package meter.
type quota interface {
	// Integrations adds n, which may be negative, to the number of integrations of a
	// workspace. QuotaExceeded when its plan does not allow that many.
	Integrations(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error
}

// workspaces knows which workspace may publish names without a handle; package workspace.
type workspaces interface {
	// Platform is the installation's own workspace.
	Platform(ctx context.Context, q db.Querier) (w id.Workspace, found bool, err error)
}

// keys manages the access keys that act as integrations; package access.
type keys interface {
	CreateKey(ctx context.Context, tx *db.Tx, kind access.TokenKind, w id.Workspace, subject, note string) (access.Token, string, error)
	Keys(ctx context.Context, q db.Querier, kind access.TokenKind, w id.Workspace, subject string) ([]access.Token, error)
	DeleteKey(ctx context.Context, tx *db.Tx, kind access.TokenKind, w id.Workspace, key id.Token) error
	DeleteSubject(ctx context.Context, tx *db.Tx, w id.Workspace, subject string) error
}

// installs knows which bots have a package installed; package bot. own are the names of
// the bots of workspace w, others is the number of bots of other workspaces.
type installs interface {
	IntegrationUsers(ctx context.Context, q db.Querier, w id.Workspace, i id.Integration) (own []string, others int, err error)
	PluginUsers(ctx context.Context, q db.Querier, w id.Workspace, p id.Plugin) (own []string, others int, err error)
	// EndpointChanged reports that an integration has a new url, or its first one.
	EndpointChanged(ctx context.Context, tx *db.Tx, i id.Integration) error
}

// Leaver keeps data of integrations that must be deleted with them.
type Leaver interface {
	// DeleteIntegration deletes the data of an integration, in the transaction that
	// deletes the integration.
	DeleteIntegration(ctx context.Context, tx *db.Tx, i id.Integration) error
}
