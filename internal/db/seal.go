package db

import (
	"context"
	"strings"
)

// Sealer seals values for one place each, and opens them; see package secret.
type Sealer interface {
	Seal(plain []byte, table, row, field string) string
	Open(sealed, table, row, field string) ([]byte, error)
	// NeedsRotation reports whether the value was sealed by an older key than the
	// primary one.
	NeedsRotation(sealed string) bool
}

// SealedColumn is a column of sealed values. A value is bound to its table, its row (the
// key's columns joined by slashes) and its column, so it opens in no other place. Of
// several key columns, only the last may contain a slash.
type SealedColumn struct {
	Table  string
	Key    []string
	Column string
}

// Seal seals a value for the row of a key.
func (c SealedColumn) Seal(keys Sealer, plain []byte, key ...string) string {
	return keys.Seal(plain, c.Table, strings.Join(key, "/"), c.Column)
}

// Open opens the value of a key's row.
func (c SealedColumn) Open(keys Sealer, sealed string, key ...string) ([]byte, error) {
	return keys.Open(sealed, c.Table, strings.Join(key, "/"), c.Column)
}

// resealBatch is how many rows one transaction examines: few enough not to hold up a
// server on the same database.
const resealBatch = 200

// Reseal seals the columns' values again that were sealed by an older key than the primary
// one, and returns how many those were. It works in batches, one transaction each; if it
// is interrupted, the next run does the rest.
func (d *DB) Reseal(ctx context.Context, keys Sealer, columns ...SealedColumn) (resealed int, err error) {
	for _, c := range columns {
		for after, more := make([]string, len(c.Key)), true; more; {
			var last []string
			var n int
			err := d.Tx(ctx, func(ctx context.Context, tx *Tx) (err error) {
				last, n, err = c.reseal(ctx, tx, keys, after)
				return err
			})
			if err != nil {
				return resealed, err
			}
			after, more = last, last != nil
			resealed += n
		}
	}
	return resealed, nil
}

type sealedRow struct {
	key    []string
	sealed string
}

// reseal handles the batch of rows after a key, and returns the last row's key if more
// may follow.
func (c SealedColumn) reseal(ctx context.Context, tx *Tx, keys Sealer, after []string) (last []string, n int, err error) {
	rows, err := c.batch(ctx, tx, after)
	if err != nil {
		return nil, 0, Convert(err)
	}
	if len(rows) == resealBatch {
		last = rows[len(rows)-1].key
	}
	for _, r := range rows {
		if !keys.NeedsRotation(r.sealed) {
			continue
		}
		plain, err := c.Open(keys, r.sealed, r.key...)
		if err != nil {
			return nil, n, err
		}
		if err := c.write(ctx, tx, r.key, c.Seal(keys, plain, r.key...)); err != nil {
			return nil, n, Convert(err)
		}
		n++
	}
	return last, n, nil
}

func (c SealedColumn) batch(ctx context.Context, q Querier, after []string) (batch []sealedRow, err error) {
	key := strings.Join(c.Key, ", ")
	var s Statement
	s.Add("SELECT " + key + ", " + c.Column + " FROM " + c.Table + " WHERE (" + key + ") > ")
	s.AddList(anys(after)...)
	s.Add(" AND "+c.Column+" IS NOT NULL ORDER BY "+key+" LIMIT ?", resealBatch)
	rows, err := q.Query(ctx, s.Text(), s.Args()...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r := sealedRow{key: make([]string, len(c.Key))}
		into := make([]any, 0, len(c.Key)+1)
		for i := range r.key {
			into = append(into, &r.key[i])
		}
		if err := rows.Scan(append(into, &r.sealed)...); err != nil {
			return nil, err
		}
		batch = append(batch, r)
	}
	return batch, rows.Err()
}

func (c SealedColumn) write(ctx context.Context, q Querier, key []string, sealed string) error {
	var s Statement
	s.Add("UPDATE "+c.Table+" SET "+c.Column+" = ? WHERE ("+strings.Join(c.Key, ", ")+") = ", sealed)
	s.AddList(anys(key)...)
	_, err := q.Exec(ctx, s.Text(), s.Args()...)
	return err
}

func anys(texts []string) []any {
	values := make([]any, len(texts))
	for i, s := range texts {
		values[i] = s
	}
	return values
}
