package telemetry

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// Records that cannot be rolled up are set aside: a table lists them with the error, and
// everything else is counted. They stay in their volume, where lists show them, and are
// retried until they succeed or their volume is dropped. Each is counted once or not at
// all.

// SetAside is a group of records that were set aside at one time for one reason.
type SetAside struct {
	// ErrorID identifies the cause in the log.
	ErrorID string
	Records int64
	Bots    int64
	At      time.Time
}

// asideRow is one record that was set aside.
type asideRow struct {
	volume   string
	sequence int64
	bot      id.Bot
	tries    int64
}

const (
	// asideEvery is how often records that are due for a retry are looked for.
	asideEvery = 5 * time.Second
	// The first retry comes after asideWait; the time doubles with each further one.
	asideWait        = time.Minute
	longestAsideWait = 6 * time.Hour
	// maxAsideAtOnce bounds the records of one bot that are retried in one transaction.
	maxAsideAtOnce = 500
)

func asideAgain(now time.Time, tries int64) int64 {
	return now.Add(min(asideWait<<min(tries, 10), longestAsideWait)).UnixMilli()
}

// setAside lists the records of a volume that were not rolled up, in the transaction that
// moves the cursor past them.
func (s *blockStore) setAside(ctx context.Context, tx *db.Tx, v *volume, bad []refusal) error {
	if len(bad) == 0 {
		return nil
	}
	tx.AfterCommit(func() {
		told := map[string]int{}
		for _, r := range bad {
			told[r.errorID]++
		}
		for _, r := range bad {
			if n := told[r.errorID]; n > 0 {
				told[r.errorID] = 0
				s.log.ErrorContext(ctx, "records cannot be rolled up and are set aside", "id", r.errorID, "records", n, "volume", v.name(),
					"bot", r.record.Bot, "kind", r.record.Kind, "sequence", r.record.Sequence, "error", r.cause)
			}
		}
	})
	now := s.clock.Now()
	return insertAside(ctx, tx, v.name(), bad, now, asideAgain(now, 0))
}

// retryAside rolls up the records that were set aside and are due.
func (s *blockStore) retryAside(ctx context.Context, rollUp rollUpFunc) error {
	for {
		due, err := selectAside(ctx, s.main.Reader(ctx), s.clock.Now().UnixMilli(), maxAsideAtOnce)
		if err != nil || len(due) == 0 {
			return err
		}
		for len(due) > 0 {
			n := 1
			for n < len(due) && due[n].volume == due[0].volume && due[n].bot == due[0].bot {
				n++
			}
			if err := s.retry(ctx, due[:n], rollUp); err != nil {
				return err
			}
			due = due[n:]
		}
	}
}

// retry rolls up records of one bot in one volume that were set aside.
func (s *blockStore) retry(ctx context.Context, rows []asideRow, rollUp rollUpFunc) error {
	records, rows, err := s.recordsOf(ctx, rows)
	if err != nil {
		return err
	}
	tries := make(map[int64]int64, len(rows))
	for _, row := range rows {
		tries[row.sequence] = row.tries
	}
	volume := rows[0].volume
	counted := 0
	err = s.count(ctx, records, rollUp, func(ctx context.Context, tx *db.Tx, good []Record, bad []refusal) error {
		counted = 0
		// This includes those that are no longer in the volume.
		gone := make([]int64, 0, len(rows))
		for _, row := range rows {
			if !slices.ContainsFunc(bad, func(r refusal) bool { return r.record.Sequence == row.sequence }) {
				gone = append(gone, row.sequence)
			}
		}
		n, err := deleteAside(ctx, tx, volume, gone)
		if err != nil {
			return err
		}
		if n != int64(len(gone)) {
			return errOvertaken // or the bot was deleted
		}
		for _, r := range bad {
			t := tries[r.record.Sequence] + 1
			if err := updateAside(ctx, tx, volume, r.record.Sequence, causeText(r.cause), t, asideAgain(s.clock.Now(), t)); err != nil {
				return err
			}
		}
		counted = len(good)
		return nil
	})
	if err == nil && counted > 0 {
		s.log.InfoContext(ctx, "records that were set aside are rolled up", "volume", volume, "bot", rows[0].bot, "records", counted)
	}
	return err
}

// recordsOf reads the records of one bot in one volume that are still there, up to
// maxRolledBytes. It answers them with the rows that it has looked up.
func (s *blockStore) recordsOf(ctx context.Context, rows []asideRow) ([]Record, []asideRow, error) {
	class, day, err := placeOf(rows[0].volume)
	if err != nil {
		return nil, nil, err
	}
	wanted := make(map[int64]bool, len(rows))
	first, last := rows[0].sequence, rows[0].sequence
	for _, row := range rows {
		wanted[row.sequence] = true
		first, last = min(first, row.sequence), max(last, row.sequence)
	}
	var found []Record
	size := 0
	later := map[int64]bool{}
	err = s.withVolume(ctx, class, day, func(v *volume) error {
		return v.eachAfter(ctx, &Filter{Bot: rows[0].bot}, first-1, func(b *block) bool {
			if b.sequence > last {
				return false
			}
			records, err := b.all(class)
			if err != nil {
				s.tear(ctx, v, b, err)
				return true
			}
			for _, r := range records {
				switch {
				case !wanted[r.Sequence]:
				case size >= maxRolledBytes:
					later[r.Sequence] = true
				default:
					size += textLength(&r)
					found = append(found, r)
				}
			}
			return len(found)+len(later) < len(wanted)
		})
	})
	if err != nil && !errors.Is(err, errDropped) {
		return nil, nil, err
	}
	return found, slices.DeleteFunc(slices.Clone(rows), func(row asideRow) bool { return later[row.sequence] }), nil
}

// Rollups is the state of the roll-ups, as far as it needs the operator's attention.
type Rollups struct {
	Stalled []Stall
	// SetAside has the latest reasons for which records are set aside, newest first.
	// Records is the number of records in all.
	SetAside []SetAside
	Records  int64
}

// Rollups reads the state of the roll-ups of all servers.
func (s *Service) Rollups(ctx context.Context) (r Rollups, err error) {
	q := s.db.Reader(ctx)
	if r.Stalled, err = selectStalls(ctx, q); err != nil {
		return r, db.Convert(err)
	}
	if r.SetAside, r.Records, err = selectReasons(ctx, q, maxReasons); err != nil {
		return r, db.Convert(err)
	}
	return r, nil
}

const maxReasons = 3

// RollupFailures counts the failed attempts of this server to roll a volume up.
func (s *Service) RollupFailures() int64 {
	if s.blocks == nil {
		return 0
	}
	return s.blocks.stalls.failures.Load()
}

// String says what is wrong, for the operator; "" when nothing is.
func (r Rollups) String() string {
	var says []string
	for _, stall := range r.Stalled {
		says = append(says, stall.Volume+" has not been rolled up since "+stall.Since.UTC().Format(time.RFC3339)+": "+stall.Message+" ("+stall.ErrorID+" in the log)")
	}
	if r.Records > 0 {
		text := strconv.FormatInt(r.Records, 10) + " records are set aside because they cannot be rolled up:"
		for i, reason := range r.SetAside {
			if i > 0 {
				text += ","
			}
			text += " " + reason.ErrorID + " in the log (" + strconv.FormatInt(reason.Records, 10) + " records of " + strconv.FormatInt(reason.Bots, 10) + " bots)"
		}
		says = append(says, text)
	}
	return strings.Join(says, "; ")
}
