package telemetry

import (
	"context"
	"fmt"

	"github.com/botyard/botyard/internal/db"
)

// mostRolled bounds the fresh blocks of one transaction of the roll-ups, and
// mostRolledRecords their records.
const (
	mostRolled        = 64
	mostRolledRecords = 5_000
)

// roll brings the roll-ups up to what is appended. The place up to which a volume
// is rolled up is kept in the transaction of the roll-up itself: whichever server
// does it, and wherever it dies, each record counts once.
func (s *blockStore) roll(ctx context.Context, rollUp part) error {
	days, err := s.archive.days(ctx, Events)
	if err != nil {
		return err
	}
	for _, day := range days {
		v, err := s.archive.open(ctx, Events, day)
		if err != nil {
			return err
		}
		sealed, err := selectMark(ctx, v.reader(ctx), v, markSealed)
		if err != nil {
			s.archive.failed(ctx, v, err)
			return err
		}
		if sealed == 1 {
			continue
		}
		if err := s.rollVolume(ctx, v, rollUp); err != nil {
			return fmt.Errorf("the roll-up of %s: %w", v.name(), err)
		}
	}
	return nil
}

func (s *blockStore) rollVolume(ctx context.Context, v *volume, rollUp part) error {
	name := cursorName(v)
	for {
		from, err := selectCursor(ctx, s.main.Reader(ctx), name)
		if err != nil {
			return err
		}
		blocks, err := selectFresh(ctx, v.reader(ctx), v, from, mostRolled)
		if err != nil {
			s.archive.failed(ctx, v, err)
			return err
		}
		if len(blocks) == 0 {
			return nil
		}
		var records []Record
		to := from
		for _, b := range blocks {
			var own []Record
			o, err := b.open(v.class)
			if err == nil {
				own, err = o.whole()
			}
			if err != nil {
				s.tear(ctx, v, b, err)
			} else {
				records = append(records, own...)
			}
			if to = b.lastSequence; len(records) >= mostRolledRecords {
				break
			}
		}
		err = s.main.Tx(db.Contend(ctx, "telemetry roll-up"), func(ctx context.Context, tx *db.Tx) error {
			at, err := selectCursor(ctx, tx, name)
			if err != nil || at != from {
				return err // another server was faster: look again
			}
			if err := rollUp(ctx, tx, records); err != nil {
				return err
			}
			return putCursor(ctx, tx, name, to)
		})
		if err != nil {
			return err
		}
	}
}
