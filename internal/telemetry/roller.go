package telemetry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/botyard/botyard/internal/db"
)

// maxRolled bounds the fresh blocks of one transaction of the roll-ups,
// maxRolledRecords their records and maxRolledBytes their texts. They are read
// stepRolled at a time.
const (
	maxRolled        = 512
	maxRolledRecords = 5_000
	maxRolledBytes   = 16 << 20
	stepRolled       = 16
)

// roll brings the roll-ups up to what is appended. The place up to which a volume
// is rolled up is kept in the transaction of the roll-up itself: whichever server
// does it, and wherever it dies, each record counts once. A volume that cannot be
// rolled up keeps no other from it, and is left alone for a while unless the caller
// is eager.
func (s *blockStore) roll(ctx context.Context, rollUp rollUpFunc, eager bool) error {
	days, err := s.archive.days(ctx, Events)
	if err == nil {
		err = s.recall(ctx)
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, day := range days {
		name := volumeName(Events, day)
		if !eager && s.stalls.waits(name) {
			continue
		}
		switch err := s.rollDay(ctx, day, rollUp); {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil || errors.Is(err, errDropped):
			s.resume(ctx, name)
		default:
			s.stall(ctx, name, err)
			errs = append(errs, fmt.Errorf("the roll-up of %s: %w", name, err))
		}
	}
	// A volume that was dropped while it stalled keeps nobody waiting any more.
	for _, name := range s.stalls.volumes() {
		if !slices.ContainsFunc(days, func(day int64) bool { return volumeName(Events, day) == name }) {
			s.resume(ctx, name)
		}
	}
	return errors.Join(errs...)
}

func (s *blockStore) rollDay(ctx context.Context, day int64, rollUp rollUpFunc) error {
	v, err := s.archive.open(ctx, Events, day)
	if err != nil {
		return err
	}
	marks, err := selectMarks(ctx, v.reader(ctx), v)
	if err != nil {
		return s.archive.failed(ctx, v, err)
	}
	if marks.sealed {
		return nil
	}
	return s.rollVolume(ctx, v, rollUp)
}

func (s *blockStore) rollVolume(ctx context.Context, v *volume, rollUp rollUpFunc) error {
	name := cursorName(v)
	for {
		from, err := selectCursor(ctx, s.main.Reader(ctx), name)
		if err != nil {
			return err
		}
		// What failed may have been too much for the time that a transaction has.
		records, to, err := s.fresh(ctx, v, from, max(1, maxRolled>>s.stalls.tries(v.name())))
		if err != nil {
			return s.archive.failed(ctx, v, err)
		}
		if to == from {
			return nil
		}
		err = s.count(ctx, records, rollUp, func(ctx context.Context, tx *db.Tx, _ []Record, bad []refusal) error {
			at, err := selectCursor(ctx, tx, name)
			if err != nil {
				return err
			}
			if at != from {
				return errOvertaken
			}
			if err := s.setAside(ctx, tx, v, bad); err != nil {
				return err
			}
			return putCursor(ctx, tx, name, to)
		})
		if err != nil {
			return err
		}
	}
}

// fresh reads the records of the blocks behind a place, of so many blocks at most, and
// answers the place behind them.
func (s *blockStore) fresh(ctx context.Context, v *volume, from int64, most int) (records []Record, to int64, err error) {
	to = from
	for size := 0; most > 0; {
		step := min(most, stepRolled)
		blocks, err := selectFresh(ctx, v.reader(ctx), v, to, step)
		if err != nil {
			return nil, from, err
		}
		for _, b := range blocks {
			var own []Record
			o, err := b.open(v.class)
			if err == nil {
				own, err = o.whole(nil)
			}
			if err != nil {
				s.tear(ctx, v, b, err)
			} else {
				records = append(records, own...)
				size += o.end(o.block.records - 1)
			}
			to = b.lastSequence
			if len(records) >= maxRolledRecords || size >= maxRolledBytes {
				return records, to, nil
			}
		}
		if most -= step; len(blocks) < step {
			break
		}
	}
	return records, to, nil
}

// noteFunc keeps, in the transaction of a roll-up, that good records are counted in it and
// bad ones are not. It answers errOvertaken when another server has counted some of them.
type noteFunc func(ctx context.Context, tx *db.Tx, good []Record, bad []refusal) error

// errOvertaken undoes a roll-up of records of which another server has counted some
// meanwhile. What is left to be counted has to be looked up again.
var errOvertaken = errors.New("another server was faster")

// count rolls records up in one transaction with the note. When some of them are the
// reason that it fails, it finds out which, and counts the others. When another server
// was faster it does nothing.
func (s *blockStore) count(ctx context.Context, records []Record, rollUp rollUpFunc, noted noteFunc) error {
	attempt := func(good []Record, bad []refusal) error {
		err := s.attempt(ctx, func(ctx context.Context, tx *db.Tx) error {
			if err := noted(ctx, tx, good, bad); err != nil {
				return err
			}
			return rollUp(ctx, tx, good)
		})
		if errors.Is(err, errOvertaken) {
			return nil
		}
		return err
	}
	failure := attempt(records, nil)
	if !db.OfData(failure) {
		return failure
	}
	good, bad, err := s.sift(ctx, records, rollUp)
	if err != nil || len(bad) == 0 {
		// What failed together and passes in parts is tried again later.
		return errors.Join(failure, err)
	}
	return attempt(good, bad)
}

// attempt is a transaction of the roll-ups. A panic fails it: of the records that it
// is about, only one may be the reason, and the process has more to do than that.
func (s *blockStore) attempt(ctx context.Context, fn func(ctx context.Context, tx *db.Tx) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the roll-up panicked: %v", v)
		}
	}()
	return s.main.Tx(db.Contend(ctx, "telemetry roll-up"), fn)
}
