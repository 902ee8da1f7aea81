package audit

import (
	"context"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// Service writes and reads the trail.
type Service struct {
	db    *db.DB
	clock clock.Clock
}

// New makes the service over a migrated database.
func New(d *db.DB, c clock.Clock) *Service { return &Service{db: d, clock: c} }

// Record stores what the actor of ctx did in workspace w, in the transaction of the
// change.
func (s *Service) Record(ctx context.Context, tx *db.Tx, w id.Workspace, act access.Act) error {
	actor, now := access.From(ctx), s.clock.Now()
	return db.Convert(insertRecord(ctx, tx, w, Record{
		ID: id.NewAudit(now), RecordedAt: now, Account: actor.Account, Email: actor.Email,
		Action: known(act.Action), Resource: act.Resource, Name: fault.BoundedTo(act.Name, maxText), Value: fault.BoundedTo(act.Value, maxText),
	}))
}

// List reads a page of the trail of a workspace, newest first; next is nil on the last
// page.
func (s *Service) List(ctx context.Context, w id.Workspace, page db.Page) (records []Record, next *db.Key, err error) {
	records, err = selectRecords(ctx, s.db.Reader(ctx), w, page)
	if err != nil {
		return nil, nil, db.Convert(err)
	}
	records, next = db.Cut(records, page, func(r Record) db.Key { return db.Key{ID: string(r.ID)} })
	return records, next, nil
}
