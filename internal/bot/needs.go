package bot

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

// quota counts the bots of a workspace; package meter. It answers QuotaExceeded
// when n more are too many.
type quota interface {
	Bots(ctx context.Context, tx *db.Tx, w id.Workspace, n int64) error
}

// keys are the access keys that act as bots; package access.
type keys interface {
	DeleteSubject(ctx context.Context, tx *db.Tx, w id.Workspace, subject string) error
}
