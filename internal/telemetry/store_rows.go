package telemetry

import (
	"context"

	"github.com/botyard/botyard/internal/db"
)

// maxKeys is how many rows are looked for by one statement.
const maxKeys = 256

// scanAll runs a query and calls scan for each of its rows.
func scanAll(ctx context.Context, q db.Querier, s *db.Statement, scan func(func(...any) error) error) error {
	rows, err := q.Query(ctx, s.Text(), s.Args()...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// ofKeys runs a query for the rows that keys name, some hundreds at a time. columns are
// those of an index, and values what they are of one key: on both engines the rows are
// then found by it, one by one. The values are texts and numbers.
func ofKeys[K any](ctx context.Context, q db.Querier, keys []K, query, columns string, values func(K) []any, scan func(func(...any) error) error) error {
	for chunk := range db.Chunks(keys, maxKeys) {
		if err := scanAll(ctx, q, whereAny(chunk, query, columns, values), scan); err != nil {
			return err
		}
	}
	return nil
}

// whereAny names rows by a list of values and not by conditions that are joined by OR,
// of which PostgreSQL makes a plan for each.
func whereAny[K any](keys []K, statement, columns string, values func(K) []any) *db.Statement {
	var s db.Statement
	s.Add(statement + " WHERE (" + columns + ") IN (VALUES ")
	for i, key := range keys {
		if i > 0 {
			s.Add(", (")
		} else {
			s.Add("(")
		}
		for j, value := range values(key) {
			if j > 0 {
				s.Add(", ")
			}
			// The first row says what type a column has.
			if _, isText := value.(string); isText || i > 0 {
				s.Add("?", value)
			} else {
				s.Add("CAST(? AS BIGINT)", value)
			}
		}
		s.Add(")")
	}
	s.Add(")")
	return &s
}

// deleteKeys deletes the rows that keys name; table is DELETE FROM it.
func deleteKeys[K any](ctx context.Context, tx *db.Tx, keys []K, table, columns string, values func(K) []any) error {
	for chunk := range db.Chunks(keys, maxKeys) {
		s := whereAny(chunk, table, columns, values)
		if _, err := tx.Exec(ctx, s.Text(), s.Args()...); err != nil {
			return err
		}
	}
	return nil
}
