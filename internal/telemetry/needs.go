package telemetry

import (
	"context"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/plan"
)

// bots knows bots and what is installed in them. Package bot implements it.
type bots interface {
	// WorkspaceOf answers the workspace of a bot, and false when there is no such bot.
	WorkspaceOf(ctx context.Context, q db.Querier, bot id.Bot) (id.Workspace, bool, error)
	// HasIntegration says whether an integration is installed in a bot.
	HasIntegration(ctx context.Context, q db.Querier, bot id.Bot, i id.Integration) (bool, error)
	// LetIn answers an error when the allowlist of a bot excludes the account.
	LetIn(ctx context.Context, account id.Account, bots []id.Bot) error
}

// meter counts usage. Package meter implements it. It ignores a usage whose id it has
// counted before, and one of a workspace that is gone.
type meter interface {
	Add(ctx context.Context, tx *db.Tx, records []plan.Usage) error
}

// actions knows the actions of integrations. Package catalog implements it.
type actions interface {
	// Billable answers, for each bot, the actions that the installed version of the named
	// integration declares billable.
	Billable(ctx context.Context, q db.Querier, integration string, bots []id.Bot) (map[id.Bot][]string, error)
}

// readers knows who may read a bot. Package bot implements it.
type readers interface {
	// Introspect answers the workspace of a bot that the account may read;
	// ResourceNotFound when there is none.
	Introspect(ctx context.Context, account id.Account, bot id.Bot) (id.Workspace, error)
}

// integrations knows who has published an integration. Package catalog implements it.
type integrations interface {
	// OwnsIntegration says whether a version of an integration belongs to a workspace.
	OwnsIntegration(ctx context.Context, q db.Querier, w id.Workspace, i id.Integration) (bool, error)
	// NoSuchIntegration is the error for one that does not exist or is another workspace's.
	NoSuchIntegration(i id.Integration) error
}

// trail is the audit trail. Package audit implements it.
type trail interface {
	// Record adds what the actor of ctx did, in the transaction of the change.
	Record(ctx context.Context, tx *db.Tx, w id.Workspace, act access.Act) error
}

// queue runs jobs after the transaction that enqueues them. Package jobs implements it.
type queue interface {
	Enqueue(ctx context.Context, tx *db.Tx, kind string, payload any, options ...jobs.Option) error
}
