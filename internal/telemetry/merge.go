package telemetry

import (
	"context"
	"errors"
	"slices"

	"github.com/botyard/botyard/internal/db"
)

// The blocks of an owner are merged when there are at least minMerged of them, or enough
// for a full block; at most maxMerged at a time. When the day is over, two are enough.
const (
	minMerged = 8
	maxMerged = 256
	maxPass   = 500 // owners
	passAfter = 64  // blocks
	// The limits of what is in memory at once, in records and in bytes of compressed text.
	maxMergedRecords = 4 * maxRecords
	maxMergedIn      = 2 << 20
)

// merge combines the small blocks of each owner in a volume, in one transaction an owner:
// readers see either the old blocks or the new ones. done says that the day is over, so
// nothing is left for later. more says that there may be more to merge.
func (s *blockStore) merge(ctx context.Context, v *volume, done bool) (more bool, err error) {
	rolled, err := s.rolled(ctx, v)
	if err != nil {
		return false, err
	}
	least := minMerged
	if done {
		least = 2
	}
	debts, err := selectDebts(ctx, v.reader(ctx), v, rolled, least, maxPass)
	if err != nil {
		return false, err
	}
	for _, d := range debts {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		left, err := s.mergeOwner(ctx, v, d.owner, rolled, done)
		if err != nil {
			return false, err
		}
		more = more || left
	}
	return more || len(debts) == maxPass, nil
}

// mergeOwner decodes, sorts and encodes outside of the transaction, in which the blocks
// that it read must still be there. left says that it stopped at its limits.
func (s *blockStore) mergeOwner(ctx context.Context, v *volume, o owner, rolled int64, done bool) (left bool, err error) {
	blocks, err := selectToMerge(ctx, v.reader(ctx), v, o, rolled, maxMerged)
	if err != nil {
		return false, err
	}
	left = len(blocks) == maxMerged
	if !done {
		blocks = worthMerging(blocks)
	}
	if len(blocks) < 2 {
		return false, nil
	}
	all := 0
	for _, b := range blocks {
		all += b.records
	}
	records := make([]Record, 0, min(all, maxMergedRecords))
	taken := blocks[:0]
	size := 0
	for _, b := range blocks {
		size += len(b.text)
		if (size > maxMergedIn || len(records)+b.records > maxMergedRecords) && len(taken) >= 2 {
			left = true
			break
		}
		o, err := b.open(v.class)
		var more []Record
		if err == nil {
			more, err = o.whole(records)
		}
		if err != nil {
			s.tear(ctx, v, b, err)
			continue
		}
		taken, records = append(taken, b), more
	}
	if len(taken) < 2 {
		return false, nil
	}
	slices.SortFunc(records, func(x, y Record) int { return older(&x, &y) })
	made, err := encodeAll(records)
	if err != nil {
		return false, err
	}
	swapped := false
	err = v.exclusive(ctx, func(ctx context.Context, tx *db.Tx) error {
		swapped = false
		for _, b := range taken {
			found, err := deleteBlock(ctx, tx, v, b.sequence)
			if err != nil {
				return err
			}
			if !found {
				return errMerged // by another server, or erased
			}
		}
		for _, b := range made {
			if err := insertBlock(ctx, tx, v, b); err != nil {
				return err
			}
		}
		swapped = true
		return nil
	})
	if errors.Is(err, errMerged) {
		return false, nil
	}
	return swapped && left, err
}

// worthMerging selects, from blocks in ascending order of size, those that are worth
// rewriting. All are if they make a full block, which is never rewritten. Otherwise a
// block is rewritten only together with smaller ones that have at least half as many
// records, so that each record is rewritten a few times and not once for each append.
func worthMerging(blocks []*block) []*block {
	all := 0
	for _, b := range blocks {
		all += b.records
	}
	if all >= maxRecords {
		return blocks
	}
	n, sum := 0, 0
	for n < len(blocks) && (n == 0 || sum >= blocks[n].records/2 || n < minMerged && blocks[n].records < maxRecords/minMerged) {
		sum += blocks[n].records
		n++
	}
	if n < minMerged {
		return nil
	}
	return blocks[:n]
}

// encodeAll makes blocks of sorted records; all but the last are full.
func encodeAll(records []Record) ([]*block, error) {
	var made []*block
	for len(records) > 0 {
		n, length := 0, 0
		for n < len(records) && n < maxRecords && length < maxBlockText {
			length += textLength(&records[n])
			n++
		}
		b, err := encodeSorted(records[:n])
		if err != nil {
			return nil, err
		}
		b.full = n == maxRecords || length >= maxBlockText
		made = append(made, b)
		records = records[n:]
	}
	return made, nil
}

// textLength is roughly what a record adds to the text of a block.
func textLength(r *Record) int {
	switch body := r.Body.(type) {
	case nil:
		return len(r.Message)
	case *ActionRun:
		return len(body.Input) + len(body.Output) + 200
	case *Activity:
		return len(body.Data) + len(body.Description) + 100
	case *Issue:
		return 1000
	}
	return 100
}
