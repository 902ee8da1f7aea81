package meter

import (
	"context"
	"database/sql"

	"github.com/botyard/botyard/internal/db"
)

// recordsAtOnce is how many records one statement inserts. Both engines take the
// eight values of each.
const recordsAtOnce = 256

// insertRecords keeps records and answers the keys of those that were not kept
// before.
func insertRecords(ctx context.Context, q db.Querier, records []record, day int64) (fresh map[string]bool, err error) {
	fresh = make(map[string]bool, len(records))
	for chunk := range db.Chunks(records, recordsAtOnce) {
		var s db.Statement
		s.Add(`INSERT INTO usage_records (record_key, workspace_id, type, used_at, bot_id, value, metadata, counted_day) VALUES `)
		for i, r := range chunk {
			if i > 0 {
				s.Add(", ")
			}
			s.AddList([]byte(r.key), string(r.workspace), string(r.of), r.at.UnixMilli(), string(r.bot), r.value, r.metadata, day)
		}
		s.Add(` ON CONFLICT (record_key) DO NOTHING RETURNING record_key`)
		if err := each(ctx, q, s, func(rows *sql.Rows) error {
			var key []byte
			err := rows.Scan(&key)
			fresh[string(key)] = true
			return err
		}); err != nil {
			return nil, err
		}
	}
	return fresh, nil
}

// addMonths adds to the sums of months, and answers what they are now.
func addMonths(ctx context.Context, q db.Querier, sums []monthSum) ([]monthSum, error) {
	totals := make([]monthSum, 0, len(sums))
	for chunk := range db.Chunks(sums, recordsAtOnce) {
		var s db.Statement
		s.Add(`INSERT INTO usage_months (workspace_id, bot_id, type, month, value) VALUES `)
		for i, sum := range chunk {
			if i > 0 {
				s.Add(", ")
			}
			s.AddList(string(sum.workspace), string(sum.bot), string(sum.of), sum.month.UnixMilli(), sum.value)
		}
		s.Add(` ON CONFLICT (workspace_id, bot_id, type, month) DO UPDATE SET value =
			CASE WHEN usage_months.value > ? - excluded.value THEN ? ELSE usage_months.value + excluded.value END
			RETURNING workspace_id, bot_id, type, month, value`, maxValue, maxValue)
		if err := each(ctx, q, s, func(rows *sql.Rows) error {
			var sum monthSum
			var month int64
			err := rows.Scan(&sum.workspace, &sum.bot, &sum.of, &month, &sum.value)
			sum.month = db.Moment(month)
			totals = append(totals, sum)
			return err
		}); err != nil {
			return nil, err
		}
	}
	return totals, nil
}

// setMonths keeps the values of gauges as those of a month.
func setMonths(ctx context.Context, q db.Querier, values []monthSum) error {
	rows := make([][]any, len(values))
	for i, v := range values {
		rows[i] = []any{string(v.workspace), string(v.bot), string(v.of), v.month.UnixMilli(), v.value}
	}
	return db.InsertRows(ctx, q, `INSERT INTO usage_months (workspace_id, bot_id, type, month, value) VALUES `,
		` ON CONFLICT (workspace_id, bot_id, type, month) DO UPDATE SET value = excluded.value`, rows)
}

// addDays adds to the sums of days. A gauge's may be negative: it is by how much the
// day changed it.
func addDays(ctx context.Context, q db.Querier, sums []daySum) error {
	rows := make([][]any, len(sums))
	for i, sum := range sums {
		rows[i] = []any{
			string(sum.workspace), string(sum.of), sum.day.UnixMilli(), sum.series, string(sum.bot),
			sum.kind, sum.subtype, sum.source, sum.value,
		}
	}
	for chunk := range db.Chunks(rows, recordsAtOnce) {
		var s db.Statement
		s.Add(`INSERT INTO usage_days (workspace_id, type, day, series, bot_id, kind, subtype, source, value) VALUES `)
		for i, row := range chunk {
			if i > 0 {
				s.Add(", ")
			}
			s.AddList(row...)
		}
		s.Add(` ON CONFLICT (workspace_id, type, day, series) DO UPDATE SET value = CASE
			WHEN excluded.value > 0 AND usage_days.value > ? - excluded.value THEN ?
			WHEN excluded.value < 0 AND usage_days.value < ? - excluded.value THEN ?
			ELSE usage_days.value + excluded.value END`, maxValue, maxValue, -maxValue, -maxValue)
		if _, err := q.Exec(ctx, s.Text(), s.Args()...); err != nil {
			return err
		}
	}
	return nil
}

// addToGauges changes gauges of workspaces and answers their new values; a gauge does
// not go below nothing.
func addToGauges(ctx context.Context, q db.Querier, changes []monthSum) (values []monthSum, err error) {
	for _, c := range changes {
		var s db.Statement
		if c.bot == "" {
			s.Add(`INSERT INTO gauges (workspace_id, type, value) VALUES (?, ?, ?)
				ON CONFLICT (workspace_id, type) DO UPDATE SET value = `, string(c.workspace), string(c.of), max(c.value, 0))
			addBounded(&s, "gauges", c.value)
		} else {
			s.Add(`INSERT INTO bot_gauges (workspace_id, bot_id, type, value) VALUES (?, ?, ?, ?)
				ON CONFLICT (workspace_id, bot_id, type) DO UPDATE SET value = `, string(c.workspace), string(c.bot), string(c.of), max(c.value, 0))
			addBounded(&s, "bot_gauges", c.value)
		}
		if err := q.QueryRow(ctx, s.Text()+` RETURNING value`, s.Args()...).Scan(&c.value); err != nil {
			return nil, err
		}
		values = append(values, c)
	}
	return values, nil
}

// addBounded writes the sum of a gauge and a change, held between nothing and
// maxValue.
func addBounded(s *db.Statement, table string, change int64) {
	s.Add(`CASE WHEN `+table+`.value + ? < 0 THEN 0 WHEN `+table+`.value + ? > ? THEN ? ELSE `+table+`.value + ? END`,
		change, change, maxValue, maxValue, change)
}

// deleteRecords forgets up to n records that were counted before a day.
func deleteRecords(ctx context.Context, q db.Querier, before int64, n int) (int64, error) {
	return q.Exec(ctx, `
		DELETE FROM usage_records WHERE record_key IN (
			SELECT record_key FROM usage_records WHERE counted_day < $1 LIMIT $2)`, before, n)
}
