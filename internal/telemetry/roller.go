package telemetry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/botyard/botyard/internal/db"
)

// The limits of one roll-up transaction: maxRolled in blocks, maxRolledRecords in records
// and maxRolledBytes in bytes of text. Blocks are read stepRolled at a time.
const (
	maxRolled        = 512
	maxRolledRecords = 5_000
	maxRolledBytes   = 16 << 20
	stepRolled       = 16
)

// roll rolls up everything that has been appended. The cursor of a volume moves in the
// same transaction: whichever server does it, and whenever it crashes, each record counts
// once. A volume that cannot be rolled up does not hold up the others, and is retried with
// backoff, unless the caller is eager.
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
	// The stall of a volume that was dropped ends with it.
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
	sealed, err := v.isSealed(ctx)
	if err != nil {
		return s.archive.failed(ctx, v, err)
	}
	if sealed {
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
		// After a failure fewer records are tried, in case they took longer than a
		// transaction may.
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

// fresh reads the records of the blocks after a cursor, at most most blocks, and answers
// the cursor after them.
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

// noteFunc records, in the transaction of a roll-up, that the good records are counted and
// the bad ones are not. It returns errOvertaken when another server has counted some of
// them.
type noteFunc func(ctx context.Context, tx *db.Tx, good []Record, bad []refusal) error

// errOvertaken rolls a transaction back, some of whose records another server has counted
// in the meantime. What is left to count must be read again.
var errOvertaken = errors.New("another server was faster")

// count rolls records up in one transaction with noted. When the transaction fails because
// of some of the records, it finds out which, and counts the others. When another server
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
		// Records that fail together but pass in parts are retried later.
		return errors.Join(failure, err)
	}
	return attempt(good, bad)
}

// attempt runs a roll-up transaction. A panic becomes its error: a single record may cause
// it, which must not take the process down.
func (s *blockStore) attempt(ctx context.Context, fn func(ctx context.Context, tx *db.Tx) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the roll-up panicked: %v", v)
		}
	}()
	return s.main.Tx(db.Contend(ctx, "telemetry roll-up"), fn)
}
