package telemetry

import (
	"context"

	"github.com/botyard/botyard/internal/db"
)

// rollUp adds records to everything that is counted of them. It is called with
// every kept record of class Events exactly once, in the order of Sequence, in the
// transaction that also notes how far the roll-up has come: it may be run again, as
// every function of a transaction, and in trials that are undone; only one run counts.
// Records are of many bots and workspaces, some of which may have been deleted
// meanwhile. Those for which it fails, in whatever company, are set aside and come
// again later, so it must not fail for one bot because of another.
func (s *Service) rollUp(ctx context.Context, tx *db.Tx, records []Record) error {
	for _, part := range s.parts {
		if err := part(ctx, tx, records); err != nil {
			return err
		}
	}
	return nil
}

// part is one of the things that are rolled up.
type part func(ctx context.Context, tx *db.Tx, records []Record) error
