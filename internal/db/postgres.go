package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/trace"
)

// maxAttempts bounds the runs of one function on PostgreSQL.
const maxAttempts = 60

// The backoff between runs: full jitter below a limit that doubles.
const (
	firstWait = 2 * time.Millisecond
	maxWait   = 250 * time.Millisecond
)

var execModes = map[string]pgx.QueryExecMode{
	"cache_statement": pgx.QueryExecModeCacheStatement,
	"cache_describe":  pgx.QueryExecModeCacheDescribe,
	"describe_exec":   pgx.QueryExecModeDescribeExec,
	"exec":            pgx.QueryExecModeExec,
	"simple_protocol": pgx.QueryExecModeSimpleProtocol,
}

func (d *DB) openPostgres(ctx context.Context, o Options) error {
	config, err := pgx.ParseConfig(o.URL)
	if err != nil {
		return fmt.Errorf("the database URL is wrong: %w", err) // pgx hides the password
	}
	if o.ExecMode != "" {
		mode, ok := execModes[o.ExecMode]
		if !ok {
			return fmt.Errorf("the exec mode is %q; it must be cache_statement, cache_describe, describe_exec, exec or simple_protocol", o.ExecMode)
		}
		config.DefaultQueryExecMode = mode
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "botyard"
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = 20
	}
	d.lanes = newLanes()
	d.pool = stdlib.OpenDB(*config)
	d.pool.SetMaxOpenConns(o.MaxConnections)
	d.pool.SetMaxIdleConns(o.MaxConnections)
	d.pool.SetConnMaxIdleTime(5 * time.Minute)
	if err := d.pool.PingContext(ctx); err != nil {
		return errors.Join(fmt.Errorf("PostgreSQL cannot be reached: %w", err), d.pool.Close())
	}
	return nil
}

// transact runs fn in a serializable transaction, and retries it when PostgreSQL reports
// a conflict with another one.
//
// A unique violation is not retried: PostgreSQL reports those that hide a conflict as a
// conflict, so the key is really taken.
func (d *DB) transact(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, span trace.Span) (*Tx, error) {
	lane := d.lanes.of(ctx)
	lost := false
	for attempt := 1; ; attempt++ {
		tx, err := d.attemptInLane(ctx, lane, attempt, fn, span)
		switch {
		case err == nil:
			d.counts.batches.Add(1)
			d.counts.transactions.Add(1)
			return tx, nil
		case conflicted(err, tx):
			span.Event("conflict", "db.response.status_code", sqlState(err))
			lane.conflicted()
		case disconnected(err, tx) && !lost && ctx.Err() == nil:
			lost = true
		default:
			return nil, err
		}
		if attempt == maxAttempts {
			return nil, fault.New(fault.ResourceLockedConflict,
				"The change conflicted with other changes to the same objects %d times. Nothing was changed; repeat the request.", attempt).Because(err)
		}
		d.counts.retries.Add(1)
		if !pause(ctx, id.Jitter(min(firstWait<<min(attempt, 10), maxWait))) {
			return nil, ctx.Err()
		}
	}
}

// attemptInLane runs fn once, when it is its turn.
func (d *DB) attemptInLane(ctx context.Context, l *lane, attempt int, fn func(ctx context.Context, tx *Tx) error, span trace.Span) (*Tx, error) {
	release, err := l.enter(ctx, attempt)
	if err != nil {
		return nil, err
	}
	defer release() // deferred, so that a panic of fn does not keep the turn for ever
	noteRun(span, attempt)
	return d.attempt(ctx, sql.LevelSerializable, fn)
}

// unknown is an error of COMMIT after which it is unknown whether it took effect.
type unknown struct{ cause error }

func (u *unknown) Error() string {
	return "whether the commit happened is not known: " + u.cause.Error()
}
func (u *unknown) Unwrap() error { return u.cause }

// attempt runs fn once. The returned Tx is nil if the transaction did not start.
//
// The end of ctx interrupts the wait for a connection and the statements, but not the
// commit: abandoned halfway, its outcome would be unknown. The time limit applies to all
// three.
func (d *DB) attempt(ctx context.Context, isolation sql.IsolationLevel, fn func(ctx context.Context, tx *Tx) error) (*Tx, error) {
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.longest)
	defer cancel()
	detach := context.AfterFunc(ctx, cancel)
	native, err := d.pool.BeginTx(lasting, &sql.TxOptions{Isolation: isolation})
	if ended := !detach(); ended {
		if err == nil {
			_ = native.Rollback() // its context has ended, which does the same
		}
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	tx := &Tx{db: d, run: session{native}}
	defer func() { _ = native.Rollback() }() // does nothing after a commit
	// database/sql does not interrupt a statement when the context of its transaction
	// ends, only when the statement's own does.
	deadline, _ := lasting.Deadline()
	limited, stop := context.WithDeadline(ctx, deadline)
	defer stop()
	if err := tx.call(limited, fn); err != nil {
		return tx, err
	}
	err = native.Commit()
	switch sqlState(err) {
	case "40001", "40P01", "23505", "23503", "23514", "23P01":
		return tx, err
	}
	switch {
	case err == nil, errors.Is(err, pgx.ErrTxCommitRollback):
		return tx, err
	case errors.Is(err, sql.ErrTxDone), err == lasting.Err(): //nolint:errorlint // bare, it says that COMMIT was not sent
		return tx, context.DeadlineExceeded
	}
	return tx, &unknown{err}
}

// conflicted reports whether another run can succeed. A function may hide the conflict
// behind an error of its own, so the errors of its statements count too, and so does
// 25P02, the error of statements after a failed one.
func conflicted(err error, tx *Tx) bool {
	var failure error
	if tx != nil {
		failure = tx.failure
	}
	var u *unknown
	if errors.As(err, &u) {
		return false
	}
	for _, e := range []error{err, failure} {
		switch sqlState(e) {
		case "40001", "40P01", "25P02":
			return true
		}
	}
	return errors.Is(err, pgx.ErrTxCommitRollback)
}

// disconnected reports whether the connection was lost before the commit was sent.
func disconnected(err error, tx *Tx) bool {
	var u *unknown
	if errors.As(err, &u) {
		return false
	}
	return lostConnection(err) || tx != nil && lostConnection(tx.failure)
}

func lostConnection(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	switch state := sqlState(err); {
	case state == "":
	case state == "57P01", state == "57P02", state == "57P03", strings.HasPrefix(state, "08"):
		return true
	default:
		return false
	}
	var network net.Error
	return errors.Is(err, driver.ErrBadConn) || pgconn.SafeToRetry(err) || unexpectedEnd(err) || errors.As(err, &network)
}

// session runs statements in a PostgreSQL transaction.
type session struct{ tx *sql.Tx }

func (n session) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	return n.tx.ExecContext(ctx, query, args...)
}

func (n session) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	return n.tx.QueryContext(ctx, query, args...)
}

func (n session) queryRow(ctx context.Context, query string, args []any) *sql.Row {
	return n.tx.QueryRowContext(ctx, query, args...)
}
