package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/trace"
)

// Engine names the database engine.
type Engine string

// The engines that botyard runs on.
const (
	SQLite     Engine = "sqlite"
	PostgreSQL Engine = "postgres"
)

// fileName is the SQLite file in the data directory.
const fileName = "botyard.db"

// File is the SQLite file of a data directory.
func File(dir string) string { return filepath.Join(dir, fileName) }

// Options say where the data is and how the connections behave. The zero value of
// every field except Dir selects its default.
type Options struct {
	// URL is empty for the SQLite file botyard.db in Dir, or a postgres:// URL.
	URL string
	// Dir is the data directory; it exists. PostgreSQL does not need it.
	Dir string
	// File is the path of an SQLite file to open instead of botyard.db in Dir.
	File string
	// Archive lays a new File out for large values that are deleted by the thousand:
	// with larger pages, and with space that "PRAGMA incremental_vacuum" returns.
	Archive bool
	// CacheKiB bounds the page cache of each SQLite connection; 0 is 16 MiB.
	CacheKiB int
	// Readers bounds the SQLite connections that read; 0 is the number of
	// processors, but at least 4.
	Readers int
	// MaxConnections bounds the PostgreSQL pool; 0 is 20.
	MaxConnections int
	// ExecMode is pgx's default_query_exec_mode. Behind PgBouncer in transaction
	// mode it must be cache_describe, describe_exec or exec.
	ExecMode string
	// Synchronous is SQLite's setting: with FULL, the default, acknowledged
	// transactions survive a power failure; with NORMAL only the death of the process.
	Synchronous string
	// Log receives what migrations do; nil discards it.
	Log *slog.Logger
}

// DB is an open database. All methods are safe for concurrent use.
type DB struct {
	engine Engine
	log    *slog.Logger
	path   string  // of the SQLite file
	pool   *sql.DB // SQLite: the readers; PostgreSQL: all connections
	reads  *statements
	writer *writer // SQLite only
	lanes  *lanes  // PostgreSQL only
	// longest is how long one run of a transaction's function may take.
	longest time.Duration
	counts  counts
}

// Querier runs statements. Placeholders are $1, $2, …; on both engines.
//
// Rows must be closed before the next statement of the same transaction.
type Querier interface {
	// Exec runs a statement that returns no rows, and reports how many it changed.
	Exec(ctx context.Context, query string, args ...any) (int64, error)
	// Query runs a statement that returns rows; the caller closes them.
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	// QueryRow runs a statement that returns one row; Scan reports its errors,
	// including sql.ErrNoRows.
	QueryRow(ctx context.Context, query string, args ...any) *sql.Row
}

// Open connects. It does not migrate: see Migrate.
func Open(ctx context.Context, o Options) (*DB, error) {
	d := &DB{log: o.Log, longest: longest}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.URL == "":
		if o.Dir == "" && o.File == "" {
			return nil, errors.New("the SQLite database needs a data directory, and none was given")
		}
		if o.File == "" {
			o.File = File(o.Dir)
		}
		if o.Readers <= 0 {
			o.Readers = max(4, runtime.GOMAXPROCS(0))
		}
		d.engine, d.path = SQLite, o.File
		return d, d.openSQLite(ctx, o)
	case strings.HasPrefix(o.URL, "postgres://"), strings.HasPrefix(o.URL, "postgresql://"):
		d.engine = PostgreSQL
		return d, d.openPostgres(ctx, o)
	}
	scheme, _, _ := strings.Cut(o.URL, ":")
	return nil, fmt.Errorf("the database URL begins with %.20q; it must begin with postgres://, or be empty for the SQLite file in the data directory", scheme)
}

// Engine names the engine behind the database.
func (d *DB) Engine() Engine { return d.engine }

// Close lets transactions that have begun finish, refuses those that wait, and
// closes the connections.
func (d *DB) Close() error {
	if d.writer != nil {
		return errors.Join(d.reads.close(), d.pool.Close(), d.writer.close())
	}
	return d.pool.Close()
}

// Ping checks that statements can run; on SQLite, on the writer too.
func (d *DB) Ping(ctx context.Context) error {
	if err := d.pool.PingContext(ctx); err != nil {
		return Convert(err)
	}
	if d.writer == nil {
		return nil
	}
	return d.Tx(ctx, func(ctx context.Context, tx *Tx) error {
		var one int
		return tx.QueryRow(ctx, "SELECT 1").Scan(&one)
	})
}

// carried is the key of the transaction that a context carries.
type carried struct{}

// within is the transaction of d that ctx carries, or nil.
func (d *DB) within(ctx context.Context) *Tx {
	if tx, _ := ctx.Value(carried{}).(*Tx); tx != nil && tx.db == d {
		return tx
	}
	return nil
}

// Reader reads outside a transaction: each statement sees what was committed when it
// started. With the context of a transaction's function, it is that transaction, and
// sees its writes.
//
// Outside a transaction, Exec is refused.
func (d *DB) Reader(ctx context.Context) Querier {
	if tx := d.within(ctx); tx != nil {
		return tx
	}
	return reader{d}
}

// Tx runs fn in a write transaction and commits when it returns nil.
//
// fn may run several times before one run counts, so it must change nothing but the
// database and variables that it resets at its start. It must not start goroutines
// that use tx, nor wait for anything but the database: on SQLite it occupies the only
// writer. The context it is given carries tx: calls of Tx and Reader with it join tx.
//
// If ctx ends before fn starts, Tx returns its error and nothing happens. On SQLite a
// transaction that has started runs to its end whatever happens to ctx. The error is
// fn's own, or that of Convert. A panic in fn rolls back and continues in the caller's
// goroutine, on SQLite as a *Panic.
func (d *DB) Tx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	if tx := d.within(ctx); tx != nil {
		return tx.join(ctx, fn)
	}
	if err := ctx.Err(); err != nil {
		return Convert(err)
	}
	ctx, span := trace.Begin(ctx, "transaction", trace.Internal)
	defer span.End()
	var done *Tx
	var err error
	if d.engine == SQLite {
		done, err = d.writer.submit(ctx, fn, span)
	} else {
		done, err = d.transact(ctx, fn, span)
	}
	if span.On() {
		d.describe(span, err)
	}
	if err != nil {
		return Convert(err)
	}
	for _, f := range done.after {
		f()
	}
	return nil
}

// describe records in the span which engine ran a transaction and how it ended.
func (d *DB) describe(span trace.Span, err error) {
	span.Text("db.system.name", map[Engine]string{SQLite: "sqlite", PostgreSQL: "postgresql"}[d.engine])
	if err == nil {
		return
	}
	if t := fault.From(Convert(err)).Type; t.Status() >= 500 {
		span.Fail(string(t))
	} else {
		span.Type(string(t))
	}
}

// Stats are totals since the database was opened.
type Stats struct {
	// Batches counts SQLite's commits and Transactions what they held together;
	// on PostgreSQL both count committed transactions.
	Batches, Transactions uint64
	// Retries counts the runs of functions beyond the first of each.
	Retries uint64
	// Open and InUse count the pool's connections, Waited how often a caller had to
	// wait for one.
	Open, InUse int
	Waited      int64
}

type counts struct{ batches, transactions, retries atomic.Uint64 }

// Stats reads the totals, for metrics.
func (d *DB) Stats() Stats {
	pool := d.pool.Stats()
	return Stats{
		Batches: d.counts.batches.Load(), Transactions: d.counts.transactions.Load(), Retries: d.counts.retries.Load(),
		Open: pool.OpenConnections, InUse: pool.InUse, Waited: pool.WaitCount,
	}
}

// reader runs statements outside a transaction.
type reader struct{ db *DB }

var errReader = errors.New("a Reader does not write; use Tx")

func (r reader) Exec(context.Context, string, ...any) (int64, error) { return 0, errReader }

func (r reader) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := r.db.reads.get(ctx, query); stmt != nil {
		return stmt.QueryContext(ctx, args...)
	}
	return r.db.pool.QueryContext(ctx, query, args...)
}

func (r reader) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	if stmt := r.db.reads.get(ctx, query); stmt != nil {
		return stmt.QueryRowContext(ctx, args...)
	}
	return r.db.pool.QueryRowContext(ctx, query, args...)
}
