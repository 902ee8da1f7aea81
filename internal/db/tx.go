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

// Tx is a write transaction; it is a Querier. It belongs to the function it was
// given to: it must not be kept, nor used by two goroutines at once.
type Tx struct {
	db    *DB
	run   conn
	ended bool
	// failure is the first error of a statement; no statement runs after it.
	failure error
	// wrote says that rows may have been changed.
	wrote bool
	after []func()
	// rows and row are the results that the function may have left open.
	rows []*sql.Rows
	row  []*sql.Row
}

// conn is what a transaction runs its statements on: the writer of SQLite, or a
// transaction of PostgreSQL.
type conn interface {
	exec(ctx context.Context, query string, args []any) (sql.Result, error)
	query(ctx context.Context, query string, args []any) (*sql.Rows, error)
	queryRow(ctx context.Context, query string, args []any) *sql.Row
}

var errEnded = errors.New("this transaction has ended; it must not be kept beyond the function it was given to")

// usable is nil while statements may run.
func (tx *Tx) usable() error {
	if tx.ended {
		return errEnded
	}
	return tx.failure
}

// note keeps what a statement did to the transaction.
func (tx *Tx) note(query string, changed int64, err error) {
	switch {
	case err != nil:
		tx.failure = err
	case changes(query) && changed != 0:
		tx.wrote = true
	}
}

// changes says whether a statement can change rows. What is not known to be
// harmless counts as a change.
func changes(query string) bool {
	query = strings.TrimLeft(query, " \t\r\n")
	return len(query) < 6 || !strings.EqualFold(query[:6], "SELECT")
}

// counted says that a statement which changed nothing answers zero.
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

// AfterCommit has f run once, in the caller's goroutine, after the transaction
// was committed and before Tx returns. It is for wake-ups and caches: what must
// not be lost belongs in the transaction.
func (tx *Tx) AfterCommit(f func()) { tx.after = append(tx.after, f) }

// join runs fn as a part of the transaction. When fn wrote and then failed, the
// transaction fails even if its function forgives the error: there is no way to
// keep one half.
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

// noteRun notes in its span that the function of a transaction is run, for the runs-th
// time: what lies before the first event is waiting, and more than one are repeats.
func noteRun(span trace.Span, runs int) {
	if span.On() {
		span.Event("run", "", "")
		span.Number("botyard.transaction.runs", int64(runs))
	}
}

// call runs fn once and answers the error that decides the transaction.
func (tx *Tx) call(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	defer tx.end()
	if err := fn(context.WithValue(ctx, carried{}, tx), tx); err != nil {
		return err
	}
	return tx.failure
}

// end closes what the function left open, here and now: closed later, by the end of
// its context, rows could outlive the connection that they are of, and SQLite would
// touch memory that it has freed.
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

// Panic is the panic of a function that ran on the SQLite writer, carried to the
// goroutine that called Tx.
type Panic struct {
	// Value is what the function panicked with.
	Value any
	// Stack is the stack of the panic.
	Stack []byte
}

// Error holds the value and the stack: it is for the log.
func (p *Panic) Error() string { return fmt.Sprintf("%v\n\n%s", p.Value, p.Stack) }

// Unwrap is the value, when it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// refusal is a database that answers every statement with one error. It is the
// only way to make a *sql.Row that holds an error.
type refusal struct{ err error }

func (r refusal) Connect(context.Context) (driver.Conn, error) { return nil, r.err }
func (r refusal) Driver() driver.Driver                        { return nil }

func failedRow(err error) *sql.Row {
	closed := sql.OpenDB(refusal{err})
	defer func() { _ = closed.Close() }() // it never had a connection
	return closed.QueryRow("")
}
