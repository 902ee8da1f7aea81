package bot

import (
	"context"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/plan"
)

// trail records what the actor of ctx did; package audit.
type trail interface {
	Record(ctx context.Context, tx *db.Tx, w id.Workspace, act access.Act) error
}

// quota counts what a workspace has; package meter. QuotaExceeded when it would have too
// much.
type quota interface {
	Bots(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error
	// Versions says whether a bot of the workspace may have n saved versions.
	Versions(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error
	// Gauge does the same for another type.
	Gauge(ctx context.Context, tx *db.Tx, w id.Workspace, t plan.Type, n int64) error
}

// stocks are each bot's part of what its workspace stores; package meter.
type stocks interface {
	// LeaveBot gives back the part of a bot that is deleted.
	LeaveBot(ctx context.Context, tx *db.Tx, w id.Workspace, b id.Bot) error
}

// members knows who is in a workspace; package workspace.
type members interface {
	// Standing is the account's role in the workspace, and whether the workspace is
	// blocked until it pays; member is false when the account is not a member, or there
	// is no such workspace.
	Standing(ctx context.Context, q db.Querier, w id.Workspace, account id.Account) (role access.Role, blocked, member bool, err error)
}

// keys are the access keys that act as bots; package access.
type keys interface {
	Key(ctx context.Context, q db.Querier, kind access.TokenKind, w id.Workspace, key id.Token) (access.Token, error)
	Keys(ctx context.Context, q db.Querier, kind access.TokenKind, w id.Workspace, subject string) ([]access.Token, error)
	CreateKey(ctx context.Context, tx *db.Tx, kind access.TokenKind, w id.Workspace, subject, note string) (key access.Token, value string, err error)
	DeleteKey(ctx context.Context, tx *db.Tx, kind access.TokenKind, w id.Workspace, key id.Token) error
	MoveSubject(ctx context.Context, tx *db.Tx, from, to id.Workspace, subject string) error
	DeleteSubject(ctx context.Context, tx *db.Tx, w id.Workspace, subject string) error
}

// catalog knows what bots of a workspace may install: its own versions, and public or
// unlisted ones; package catalog. A version that is private to another workspace is not
// found, like one that does not exist.
type catalog interface {
	Integration(ctx context.Context, q db.Querier, w id.Workspace, i id.Integration) (v definition.InstallableIntegration, found bool, err error)
	Plugin(ctx context.Context, q db.Querier, w id.Workspace, p id.Plugin) (v definition.InstallablePlugin, found bool, err error)
	// CountInstalls adds n to the number of bots that have the integration.
	CountInstalls(ctx context.Context, tx *db.Tx, i id.Integration, n int64) error
}

// assets are the addresses of icons and readmes; package catalog. The empty hash stands
// for no icon or readme.
type assets interface {
	IconURL(icon blob.Hash) string
	ReadmeURL(readme blob.Hash) string
}

// endpoints know where integrations run, whichever workspace owns them; package catalog.
type endpoints interface {
	Endpoint(ctx context.Context, q db.Querier, i id.Integration) (e definition.Endpoint, found bool, err error)
}

// caller calls integrations and bots, never in a transaction; package dispatch. Its
// errors may be shown to users, and one with RetryAfter may be retried.
type caller interface {
	Register(ctx context.Context, c definition.Callee) error
	Unregister(ctx context.Context, c definition.Callee) error
}

// queue runs later what a transaction enqueued; package jobs.
type queue interface {
	Enqueue(ctx context.Context, tx *db.Tx, kind string, payload any, options ...jobs.Option) error
}

// issues are the problems shown to the owner of a bot; package telemetry.
type issues interface {
	Report(ctx context.Context, tx *db.Tx, w id.Workspace, b id.Bot, i fault.Issue) error
}

// Leaver is a domain that keeps rows of a bot, which are deleted with it.
type Leaver interface {
	// DeleteBot deletes them, in the transaction that deletes the bot.
	DeleteBot(ctx context.Context, tx *db.Tx, bot id.Bot) error
}
