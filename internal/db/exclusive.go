package db

import (
	"context"
	"database/sql"
	"errors"
	"hash/fnv"

	sqlite3 "modernc.org/sqlite/lib"
)

// Exclusive runs fn in a write transaction and commits when it returns nil. At most one
// Exclusive transaction per key runs at a time, across all processes. Each statement sees
// what was committed when it started, including all earlier transactions of the key. On
// SQLite it is Tx.
//
// It is for appending in an order that readers may rely on: what was committed first is
// seen first. Transactions of Tx may run at the same time.
func (d *DB) Exclusive(ctx context.Context, key string, fn func(ctx context.Context, tx *Tx) error) error {
	if d.engine == SQLite {
		return d.Tx(ctx, fn)
	}
	if d.within(ctx) != nil {
		return errors.New("an Exclusive transaction cannot be nested in another")
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(key)) // never fails
	lock := int64(hash.Sum64())
	tx, err := d.attempt(ctx, sql.LevelReadCommitted, func(ctx context.Context, tx *Tx) error {
		// The lock is taken by a statement of its own: the next one then sees what
		// was committed while this one waited.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", lock); err != nil {
			return err
		}
		return fn(ctx, tx)
	})
	if err != nil {
		return Convert(err)
	}
	d.counts.batches.Add(1)
	d.counts.transactions.Add(1)
	for _, f := range tx.after {
		f()
	}
	return nil
}

// Damaged reports whether err is SQLite's error for a file that is damaged or not a
// database.
func Damaged(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return true
	}
	return false
}

// NoTable says whether err is PostgreSQL's word for a table that does not exist.
func NoTable(err error) bool { return sqlState(err) == "42P01" }
