package telemetry

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// refusal is a record that cannot be rolled up, with the reason.
type refusal struct {
	record *Record
	cause  error
	// errorID identifies the cause in the log. Records that fail together in the same way
	// share it.
	errorID string
}

// maxTrials bounds the trials of one sifting. Beyond it the remaining records of a bot fail
// together; records of different bots are always told apart.
const maxTrials = 256

// errTrial rolls back a transaction that was only a trial.
var errTrial = errors.New("this was a trial")

// sieve separates the records that can be rolled up from those that cannot.
type sieve struct {
	store  *blockStore
	rollUp rollUpFunc
	trials int
	good   []Record
	bad    []refusal
}

// sift finds the records for which the roll-up fails, by bisection with transactions that
// are rolled back. It first separates the bots from each other, so that no bot's records
// fail because of another's.
func (s *blockStore) sift(ctx context.Context, records []Record, rollUp rollUpFunc) (good []Record, bad []refusal, err error) {
	byBot := slices.Clone(records)
	slices.SortStableFunc(byBot, func(a, b Record) int { return cmp.Compare(a.Bot, b.Bot) })
	v := &sieve{store: s, rollUp: rollUp}
	if err := v.split(ctx, byBot); err != nil {
		return nil, nil, err
	}
	ids := map[string]string{}
	for i := range v.bad {
		text := v.bad[i].cause.Error()
		if ids[text] == "" {
			ids[text] = id.NewError(s.clock.Now())
		}
		v.bad[i].errorID = ids[text]
	}
	slices.SortFunc(v.good, func(a, b Record) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return v.good, v.bad, nil
}

// pass tries records together, and splits them when they fail.
func (v *sieve) pass(ctx context.Context, records []Record) error {
	v.trials++
	failure := v.store.attempt(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := v.rollUp(ctx, tx, records); err != nil {
			return err
		}
		return errTrial
	})
	switch {
	case errors.Is(failure, errTrial):
		v.good = append(v.good, records...)
		return nil
	case !db.OfData(failure):
		return failure // which is not due to the records
	case len(records) == 1 || v.trials >= maxTrials && oneBot(records):
		for i := range records {
			v.bad = append(v.bad, refusal{record: &records[i], cause: failure})
		}
		return nil
	}
	return v.split(ctx, records)
}

// split tries the two halves of records that fail together.
func (v *sieve) split(ctx context.Context, records []Record) error {
	if len(records) == 1 {
		return v.pass(ctx, records)
	}
	half := halfway(records)
	if err := v.pass(ctx, records[:half]); err != nil {
		return err
	}
	return v.pass(ctx, records[half:])
}

func oneBot(records []Record) bool { return records[0].Bot == records[len(records)-1].Bot }

// halfway is where a list of records, sorted by bot, is split: between two bots if there
// are two.
func halfway(records []Record) int {
	half := len(records) / 2
	if oneBot(records) {
		return half
	}
	ofBot := func(bot id.Bot) int {
		at, _ := slices.BinarySearchFunc(records, bot, func(r Record, bot id.Bot) int { return cmp.Compare(r.Bot, bot) })
		return at
	}
	first := ofBot(records[half].Bot)
	if first > 0 {
		return first
	}
	return ofBot(records[half].Bot + "\x00") // after the first bot, which has more than half
}
