package telemetry

import (
	"context"
	"slices"

	"github.com/botyard/botyard/internal/db"
)

// mostKeys is how many rows are looked for by one statement.
const mostKeys = 64

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

// ofKeys runs a query for the rows that keys name, some dozens at a time. where says
// of one key, with a placeholder for each of its values, which row it is: on both
// engines the rows are then found by their index, one by one.
func ofKeys[K any](ctx context.Context, q db.Querier, keys []K, query, where string, values func(K) []any, scan func(func(...any) error) error) error {
	for chunk := range slices.Chunk(keys, mostKeys) {
		if err := scanAll(ctx, q, whereAny(chunk, query, where, values), scan); err != nil {
			return err
		}
	}
	return nil
}

func whereAny[K any](keys []K, statement, where string, values func(K) []any) *db.Statement {
	var s db.Statement
	s.Add(statement + " WHERE ")
	for i, key := range keys {
		if i > 0 {
			s.Add(" OR ")
		}
		s.Add("("+where+")", values(key)...)
	}
	return &s
}

// deleteKeys deletes the rows that keys name; table is DELETE FROM it.
func deleteKeys[K any](ctx context.Context, tx *db.Tx, keys []K, table, where string, values func(K) []any) error {
	for chunk := range slices.Chunk(keys, mostKeys) {
		s := whereAny(chunk, table, where, values)
		if _, err := tx.Exec(ctx, s.Text(), s.Args()...); err != nil {
			return err
		}
	}
	return nil
}
