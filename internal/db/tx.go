package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/botyard/botyard/internal/trace"
)

// Tx is a write transaction, and a Querier. It belongs to the function that it was
// passed to: it must not be kept, nor used by two goroutines at once.
type Tx struct {
	db    *DB
	run   conn
	ended bool
	// failure is the first error of a statement; no further statement runs.
	failure error
	// wrote reports that rows may have been changed.
	wrote bool
	after []func()
	// rows and row are results that the function may have left open.
	rows []*sql.Rows
	row  []*sql.Row
}

// conn is what a transaction runs its statements on: SQLite's writer, or a PostgreSQL
// transaction.
type conn interface {
	exec(ctx context.Context, query string, args []any) (sql.Result, error)
	query(ctx context.Context, query string, args []any) (*sql.Rows, error)
	queryRow(ctx context.Context, query string, args []any) *sql.Row
}

var errEnded = errors.New("this transaction has ended; it must not be used outside the function that it was passed to")

// usable returns the error that keeps statements from running, or nil.
func (tx *Tx) usable() error {
	if tx.ended {
		return errEnded
	}
	return tx.failure
}

// note records what a statement did to the transaction.
func (tx *Tx) note(query string, changed int64, err error) {
	switch {
	case err != nil:
		tx.failure = err
	case changes(query) && changed != 0:
		tx.wrote = true
	}
}

// changes reports whether a statement may change rows: anything but a SELECT.
func changes(query string) bool {
	query = strings.TrimLeft(query, " \t\r\n")
	return len(query) < 6 || !strings.EqualFold(query[:6], "SELECT")
}

// counted reports whether the number of changed rows of a statement can be relied on.
func counted(query string) bool {
	query = strings.TrimLeft(query, " \t\r\n")
	if len(query) < 6 {
		return false
	}
	switch strings.ToUpper(query[:6]) {
	case "INSERT", "UPDATE", "DELETE":
		return true
	}
	return false
}

// Exec is Querier's. An error fails the whole transaction.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := tx.usable(); err != nil {
		return 0, err
	}
	result, err := tx.run.exec(ctx, query, args)
	if err != nil {
		tx.note(query, 0, err)
		return 0, err
	}
	n, err := result.RowsAffected()
	if counted(query) {
		tx.note(query, n, err)
	} else {
		tx.note(query, -1, err)
	}
	return n, err
}

// Query is Querier's. An error fails the whole transaction.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := tx.usable(); err != nil {
		return nil, err
	}
	rows, err := tx.run.query(ctx, query, args)
	tx.note(query, -1, err)
	if rows != nil {
		tx.rows = append(tx.rows, rows)
	}
	return rows, err
}

// QueryRow is Querier's. An error other than sql.ErrNoRows fails the whole
// transaction.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	if err := tx.usable(); err != nil {
		return failedRow(err)
	}
	row := tx.run.queryRow(ctx, query, args)
	tx.note(query, -1, row.Err())
	tx.row = append(tx.row, row)
	return row
}

// AfterCommit runs f once, in the caller's goroutine, after the commit and before Tx
// returns. It is for wake-ups and caches: what must not be lost belongs in the
// transaction.
func (tx *Tx) AfterCommit(f func()) { tx.after = append(tx.after, f) }

// join runs fn as part of the transaction. If fn wrote and then failed, the transaction
// fails even if the outer function ignores the error: half of fn cannot be undone.
func (tx *Tx) join(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	if err := tx.usable(); err != nil {
		return err
	}
	before := tx.wrote
	tx.wrote = false
	// Deferred, because fn may panic: the writer of SQLite must still learn that there
	// is something to roll back.
	defer func() { tx.wrote = tx.wrote || before }()
	err := fn(ctx, tx)
	if err != nil && tx.wrote && tx.failure == nil {
		tx.failure = err
	}
	return err
}

// noteRun records in the span that a transaction's function starts its runs-th run. The
// time before the first event was spent waiting; later events are retries.
func noteRun(span trace.Span, runs int) {
	if span.On() {
		span.Event("run", "", "")
		span.Number("botyard.transaction.runs", int64(runs))
	}
}

// call runs fn once and returns the error that decides the transaction.
func (tx *Tx) call(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	defer tx.end()
	if err := fn(context.WithValue(ctx, carried{}, tx), tx); err != nil {
		return err
	}
	return tx.failure
}

// end closes what the function left open. Left to the end of their context, rows could
// outlive their connection, and SQLite would use memory that it has freed.
func (tx *Tx) end() {
	tx.ended = true
	for _, rows := range tx.rows {
		_ = rows.Close()
	}
	for _, row := range tx.row {
		_ = row.Scan() // closes it; one that was scanned is closed already
	}
	tx.rows, tx.row = nil, nil
}

// Panic carries a panic from the goroutine of the SQLite writer to the one that called
// Tx.
type Panic struct {
	// Value is what the function panicked with.
	Value any
	// Stack is the stack of the panic.
	Stack []byte
}

// Error includes the stack: it is for the log.
func (p *Panic) Error() string { return fmt.Sprintf("%v\n\n%s", p.Value, p.Stack) }

// Unwrap is the value, when it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// refusal is a driver whose every statement fails with one error: the only way to make
// a *sql.Row that holds an error.
type refusal struct{ err error }

func (r refusal) Connect(context.Context) (driver.Conn, error) { return nil, r.err }
func (r refusal) Driver() driver.Driver                        { return nil }

func failedRow(err error) *sql.Row {
	closed := sql.OpenDB(refusal{err})
	defer func() { _ = closed.Close() }() // it never had a connection
	return closed.QueryRow("")
}
