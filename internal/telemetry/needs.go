package telemetry

import (
	"context"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/plan"
)

// bots knows bots and what is installed in them; package bot.
type bots interface {
	// WorkspaceOf answers the workspace of a bot; false when there is no such bot.
	WorkspaceOf(ctx context.Context, q db.Querier, bot id.Bot) (id.Workspace, bool, error)
	// HasIntegration says whether an integration is installed in a bot.
	HasIntegration(ctx context.Context, q db.Querier, bot id.Bot, i id.Integration) (bool, error)
	// LetIn refuses an account that a bot's allowlist keeps out.
	LetIn(ctx context.Context, account id.Account, bots []id.Bot) error
}

// meter counts what is used; package meter. A usage whose id it has counted, and one
// of a workspace that is gone, is left out.
type meter interface {
	Add(ctx context.Context, tx *db.Tx, records []plan.Usage) error
}

// actions knows what bots can do through their integrations; package catalog.
type actions interface {
	// Billable answers, of bots, the actions that cost: those that the integration of that
	// name declares so, as the bot has it installed.
	Billable(ctx context.Context, q db.Querier, integration string, bots []id.Bot) (map[id.Bot][]string, error)
}

// readers knows who may read a bot; package bot.
type readers interface {
	// Introspect answers the workspace of a bot that the account may read;
	// ResourceNotFound when there is none.
	Introspect(ctx context.Context, account id.Account, bot id.Bot) (id.Workspace, error)
}

// integrations knows who has published an integration; package catalog.
type integrations interface {
	// OwnsIntegration says whether a version of an integration is of a workspace.
	OwnsIntegration(ctx context.Context, q db.Querier, w id.Workspace, i id.Integration) (bool, error)
	// NoSuchIntegration is the answer for one that is not there, or another's.
	NoSuchIntegration(i id.Integration) error
}

// trail keeps what was done; package audit.
type trail interface {
	// Record keeps what the actor of ctx did, in the transaction of the change.
	Record(ctx context.Context, tx *db.Tx, w id.Workspace, act access.Act) error
}

// queue does later what a deletion has promised; package jobs.
type queue interface {
	Enqueue(ctx context.Context, tx *db.Tx, kind string, payload any, options ...jobs.Option) error
}
