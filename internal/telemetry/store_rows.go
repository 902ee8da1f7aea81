package telemetry

import (
	"context"

	"github.com/botyard/botyard/internal/db"
)

// maxKeys is how many rows one statement looks up.
const maxKeys = 256

// scanAll runs a query and calls scan for each row.
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

// ofKeys runs a query for the rows with the given keys, some hundreds at a time. columns
// are those of an index, and values are the values of these columns for one key, texts or
// numbers: both engines then look each row up in the index.
func ofKeys[K any](ctx context.Context, q db.Querier, keys []K, query, columns string, values func(K) []any, scan func(func(...any) error) error) error {
	for chunk := range db.Chunks(keys, maxKeys) {
		if err := scanAll(ctx, q, whereAny(chunk, query, columns, values), scan); err != nil {
			return err
		}
	}
	return nil
}

// whereAny selects rows by a list of values. Conditions joined by OR would make PostgreSQL
// plan each of them.
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
			// The first row determines the types of the columns.
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

// deleteKeys deletes the rows with the given keys; table is a DELETE FROM clause.
func deleteKeys[K any](ctx context.Context, tx *db.Tx, keys []K, table, columns string, values func(K) []any) error {
	for chunk := range db.Chunks(keys, maxKeys) {
		s := whereAny(chunk, table, columns, values)
		if _, err := tx.Exec(ctx, s.Text(), s.Args()...); err != nil {
			return err
		}
	}
	return nil
}
