package telemetry

import (
	"context"
	"errors"
	"slices"

	"github.com/botyard/botyard/internal/db"
)

// What is merged: the blocks of an owner when there are minMerged of them or they
// fill one, at most maxMerged at once. When the day is over, two are enough.
const (
	minMerged = 8
	maxMerged = 256
	maxPass   = 500 // owners
	passAfter = 64  // blocks
	// What is unpacked at once is bounded, in records and in bytes of packed text.
	maxMergedRecords = 4 * maxRecords
	maxMergedIn      = 2 << 20
)

// merge brings the small blocks of a volume's owners together. Each owner's is one
// transaction: a reader sees either the old blocks or the new ones. done says that
// the day is over, so that nothing is left for later. more says that there may be
// more to do.
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

// mergeOwner decodes, sorts and encodes outside the transaction; what it read
// must still be there within it. left says that it stopped at its bounds.
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
				return errMerged // by another server, or erased: nothing happened here
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

// worthMerging chooses, of blocks that ascend by size, those that are worth it. What
// makes a full block is: it is written for the last time. Else a block is written
// again only together with at least half as much that is smaller, so each record is
// written a few times and not once for each append.
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

// encodeAll makes blocks of sorted records, full ones but the last.
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

// textLength is about what a record adds to a block's text.
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
