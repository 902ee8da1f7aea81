package catalog

import (
	"context"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// trail keeps what the actor of ctx did; package audit.
type trail interface {
	Record(ctx context.Context, tx *db.Tx, w id.Workspace, act access.Act) error
}

// quota counts what workspaces own; package meter.
type quota interface {
	// Integrations adds n, which may be negative, to the integrations of a
	// workspace; QuotaExceeded when its plan does not allow that many.
	Integrations(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error
}

// workspaces knows which workspace may publish names without a handle; package
// workspace.
type workspaces interface {
	// Platform is the installation's own workspace.
	Platform(ctx context.Context, q db.Querier) (w id.Workspace, found bool, err error)
}

// keys are the access keys that act as integrations; package access.
type keys interface {
	CreateKey(ctx context.Context, tx *db.Tx, kind access.TokenKind, w id.Workspace, subject, note string) (access.Token, string, error)
	Keys(ctx context.Context, q db.Querier, kind access.TokenKind, w id.Workspace, subject string) ([]access.Token, error)
	DeleteKey(ctx context.Context, tx *db.Tx, kind access.TokenKind, w id.Workspace, key id.Token) error
	DeleteSubject(ctx context.Context, tx *db.Tx, w id.Workspace, subject string) error
}

// installs knows which bots have a package; package bot. own are the names of the
// bots of workspace w, others is how many bots of other workspaces there are.
type installs interface {
	IntegrationUsers(ctx context.Context, q db.Querier, w id.Workspace, i id.Integration) (own []string, others int, err error)
	PluginUsers(ctx context.Context, q db.Querier, w id.Workspace, p id.Plugin) (own []string, others int, err error)
	// EndpointChanged tells it of an integration that runs somewhere else, or somewhere
	// at last.
	EndpointChanged(ctx context.Context, tx *db.Tx, i id.Integration) error
}

// Leaver is whoever keeps things of an integration that leave with it.
type Leaver interface {
	// DeleteIntegration deletes them, in the transaction that deletes the integration.
	DeleteIntegration(ctx context.Context, tx *db.Tx, i id.Integration) error
}
