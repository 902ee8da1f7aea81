package telemetry

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/botyard/botyard/internal/db"
)

func insertAside(ctx context.Context, tx *db.Tx, volume string, bad []refusal, now time.Time, next int64) error {
	rows := make([][]any, len(bad))
	for i, r := range bad {
		rows[i] = []any{volume, r.record.Sequence, string(r.record.Bot), int64(r.record.Kind), r.errorID, causeText(r.cause), 0, now.UnixMilli(), next}
	}
	return db.InsertRows(ctx, tx, `INSERT INTO telemetry_aside (volume, sequence, bot_id, kind, error_id, error, tries, set_aside_at, next_at) VALUES `, ``, rows)
}

// selectAside reads records that are due for a retry, those of one bot together.
func selectAside(ctx context.Context, q db.Querier, due int64, most int) (all []asideRow, err error) {
	var s db.Statement
	s.Add(`SELECT volume, sequence, bot_id, tries FROM telemetry_aside WHERE next_at <= ? ORDER BY next_at LIMIT ?`, due, most)
	err = scanAll(ctx, q, &s, func(scan func(...any) error) error {
		var row asideRow
		err := scan(&row.volume, &row.sequence, &row.bot, &row.tries)
		all = append(all, row)
		return err
	})
	slices.SortFunc(all, func(a, b asideRow) int {
		return cmp.Or(cmp.Compare(a.volume, b.volume), cmp.Compare(a.bot, b.bot), cmp.Compare(a.sequence, b.sequence))
	})
	return all, err
}

func deleteAside(ctx context.Context, q db.Querier, volume string, sequences []int64) (n int64, err error) {
	if len(sequences) == 0 {
		return 0, nil
	}
	values := make([]any, len(sequences))
	for i, sequence := range sequences {
		values[i] = sequence
	}
	var s db.Statement
	s.Add(`DELETE FROM telemetry_aside WHERE volume = ? AND sequence IN `, volume)
	s.AddList(values...)
	return q.Exec(ctx, s.Text(), s.Args()...)
}

func updateAside(ctx context.Context, q db.Querier, volume string, sequence int64, cause string, tries, next int64) error {
	_, err := q.Exec(ctx, `UPDATE telemetry_aside SET error = $1, tries = $2, next_at = $3 WHERE volume = $4 AND sequence = $5`, cause, tries, next, volume, sequence)
	return err
}

// hastenAside makes all records that were set aside due at once.
func hastenAside(ctx context.Context, q db.Querier) error {
	_, err := q.Exec(ctx, `UPDATE telemetry_aside SET next_at = 0 WHERE next_at > 0`)
	return err
}

// selectReasons reads the latest reasons for which records are set aside, newest first, and
// the number of records.
func selectReasons(ctx context.Context, q db.Querier, most int) (reasons []SetAside, records int64, err error) {
	if err := q.QueryRow(ctx, `SELECT COUNT(*) FROM telemetry_aside`).Scan(&records); err != nil || records == 0 {
		return nil, 0, err
	}
	var s db.Statement
	s.Add(`
		SELECT error_id, COUNT(*), COUNT(DISTINCT bot_id), MAX(set_aside_at) FROM telemetry_aside
		GROUP BY error_id ORDER BY MAX(set_aside_at) DESC, error_id LIMIT ?`, most)
	err = scanAll(ctx, q, &s, func(scan func(...any) error) error {
		var r SetAside
		var at int64
		err := scan(&r.ErrorID, &r.Records, &r.Bots, &at)
		r.At = db.Moment(at)
		reasons = append(reasons, r)
		return err
	})
	return reasons, records, err
}

func putStall(ctx context.Context, tx *db.Tx, s Stall, now time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO telemetry_stalls (volume, error_id, message, tries, since_at, tried_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (volume) DO UPDATE SET error_id = excluded.error_id, message = excluded.message, tries = excluded.tries,
			since_at = excluded.since_at, tried_at = excluded.tried_at`,
		s.Volume, s.ErrorID, s.Message, s.Tries, s.Since.UnixMilli(), now.UnixMilli())
	return err
}

func deleteStall(ctx context.Context, q db.Querier, volume string) error {
	_, err := q.Exec(ctx, `DELETE FROM telemetry_stalls WHERE volume = $1`, volume)
	return err
}

func selectStalls(ctx context.Context, q db.Querier) (all []Stall, err error) {
	var s db.Statement
	s.Add(`SELECT volume, error_id, message, tries, since_at FROM telemetry_stalls ORDER BY volume`)
	err = scanAll(ctx, q, &s, func(scan func(...any) error) error {
		var one Stall
		var since int64
		err := scan(&one.Volume, &one.ErrorID, &one.Message, &one.Tries, &since)
		one.Since = db.Moment(since)
		all = append(all, one)
		return err
	})
	return all, err
}

// deleteTroubles deletes the set-aside records and the stall of a volume.
func deleteTroubles(ctx context.Context, q db.Querier, volume string) error {
	if _, err := q.Exec(ctx, `DELETE FROM telemetry_aside WHERE volume = $1`, volume); err != nil {
		return err
	}
	return deleteStall(ctx, q, volume)
}
