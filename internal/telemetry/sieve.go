package telemetry

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// refusal is a record that cannot be rolled up, and why.
type refusal struct {
	record *Record
	cause  error
	// errorID is of the cause: records that fail alike at one time share it.
	errorID string
}

// maxTrials bounds how often one sifting tries the records of a bot in parts. When it
// is used up, the records of a bot that are left fail together; those of different bots
// are always told apart.
const maxTrials = 256

// errTrial ends a transaction that only tried something.
var errTrial = errors.New("this was a trial")

// sieve tells records that can be rolled up from those that cannot.
type sieve struct {
	store  *blockStore
	rollUp rollUpFunc
	trials int
	good   []Record
	bad    []refusal
}

// sift finds the records for which rolling up fails: by rolling up halves, and halves
// of halves, in transactions that are undone. The records of one bot stay together as
// long as there are several, so that nobody's fail for another's.
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

// pass sorts records of which it is not known whether they pass.
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
		return failure // it says nothing of the records
	case len(records) == 1 || v.trials >= maxTrials && oneBot(records):
		for i := range records {
			v.bad = append(v.bad, refusal{record: &records[i], cause: failure})
		}
		return nil
	}
	return v.split(ctx, records)
}

// split sorts records that do not pass together.
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

// halfway is where records that are sorted by their bots are cut: between two bots,
// while there are two.
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
	return ofBot(records[half].Bot + "\x00") // the first bot has more than half: behind it
}
