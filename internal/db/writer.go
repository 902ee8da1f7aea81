package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/trace"
)

// maxBatch bounds how many functions share one commit, and thus how long the first
// waits for the last.
const maxBatch = 256

// longest is how long one run of a function may take, on both engines. A function that
// exceeds it fails without affecting others.
const longest = 30 * time.Second

var (
	errClosed = errors.New("the database is closed")
	errExited = errors.New("the transaction's function ended its goroutine instead of returning")
)

// writer is the only connection that writes to the SQLite file. Its goroutine runs the
// waiting functions one after the other in one transaction, and answers them after the
// commit: a single sync of the disk serves them all (group commit).
//
// A function that fails without having written drops out. If one fails after writing,
// the transaction is rolled back and all functions run again, each under a savepoint of
// its own. If a statement ends the whole transaction, all functions but the culprit run
// again, each in a transaction of its own.
type writer struct {
	db    *DB
	pool  *sql.DB // of one connection
	conn  *sql.Conn
	stmts *statements
	limit context.Context // of the statements of the function that runs
	queue chan *request
	stop  chan struct{}
	once  sync.Once
	ended chan struct{}
}

// The states of a request.
const (
	waiting int32 = iota
	begun
	withdrawn
)

// request is a function for the writer to run.
type request struct {
	ctx   context.Context // never cancelled
	fn    func(ctx context.Context, tx *Tx) error
	state atomic.Int32
	runs  int
	span  trace.Span
	tx    *Tx
	err   error
	panic *Panic
	done  chan struct{}
}

func openWriter(ctx context.Context, d *DB, dsn string) (*writer, error) {
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	w := &writer{db: d, pool: pool, queue: make(chan *request, maxBatch), stop: make(chan struct{}), ended: make(chan struct{})}
	if err := settle(ctx, func() error { return w.connect(ctx) }); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	go w.serve(nil)
	return w, nil
}

// connect opens the connection. Its busy_timeout is short, and the writer retries BEGIN
// itself: SQLite's own backoff slows down to ten attempts a second, too few to catch the
// gap between the commits of a busy process.
func (w *writer) connect(ctx context.Context) error {
	conn, err := w.pool.Conn(ctx)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 10"); err != nil {
		return errors.Join(err, conn.Close())
	}
	w.conn, w.stmts = conn, newStatements(conn.PrepareContext)
	return nil
}

// disconnect drops the connection, and with it any open transaction. Rows are closed
// already, by Tx.end. The statements go first: the pool does not know of those that were
// prepared on one connection, and SQLite keeps a connection, with its lock, until the
// last of its statements is closed.
func (w *writer) disconnect() {
	if w.conn == nil {
		return
	}
	_ = w.stmts.close()
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn }) // has the pool close it
	_ = w.conn.Close()
	w.conn, w.stmts = nil, nil
}

func (w *writer) close() error {
	w.once.Do(func() { close(w.stop) })
	<-w.ended
	return w.pool.Close()
}

// submit queues fn and waits until it is committed or has failed.
func (w *writer) submit(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, span trace.Span) (*Tx, error) {
	r := &request{ctx: context.WithoutCancel(ctx), fn: fn, span: span, done: make(chan struct{}, 1)}
	select {
	case w.queue <- r:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-w.stop:
		return nil, errClosed
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, withdrawn) {
			return nil, ctx.Err()
		}
		<-r.done
	case <-w.ended:
		// The queue took the request after the writer had emptied it.
		if r.state.CompareAndSwap(waiting, withdrawn) {
			return nil, errClosed
		}
		<-r.done
	}
	if r.panic != nil {
		panic(r.panic)
	}
	return r.tx, r.err
}

func (r *request) begin() bool { return r.state.CompareAndSwap(waiting, begun) }

func (r *request) failed() bool { return r.err != nil || r.panic != nil }

func (r *request) answer() { r.done <- struct{}{} }

// refuse answers a request that has not started with err.
func (r *request) refuse(err error) {
	if r.begin() {
		r.err = err
		r.answer()
	}
}

// serve is the writer's goroutine. It starts with the requests left by a predecessor
// whose goroutine was ended by a function.
func (w *writer) serve(left []*request) {
	b := &batch{writer: w}
	returned := false
	defer func() {
		if !returned {
			b.exited()
			go w.serve(b.members)
		}
	}()
	b.alone(left)
	for {
		select {
		case r := <-w.queue:
			b.run(r)
			continue
		case <-w.stop:
		}
		for {
			select {
			case r := <-w.queue:
				r.refuse(errClosed)
				continue
			default:
			}
			break
		}
		w.disconnect()
		returned = true
		close(w.ended)
		return
	}
}

// begin opens a transaction for first. While another process holds the lock, it retries
// for as long as first still waits.
func (w *writer) begin(first *request) error {
	started := clock.Start()
	for {
		err := w.open()
		switch {
		case err == nil:
			return nil
		case code(err) != sqlite3.SQLITE_BUSY, started.Elapsed() > patience, first.state.Load() == withdrawn:
			w.disconnect()
			return err
		case extendedCode(err) == sqlite3.SQLITE_BUSY_SNAPSHOT:
			w.disconnect() // rows that were left open hold an old snapshot
		}
	}
}

func (w *writer) open() error {
	if w.conn == nil {
		if err := w.connect(context.Background()); err != nil {
			return err
		}
	}
	return w.control("BEGIN IMMEDIATE")
}

// control runs a statement that controls the transaction, such as COMMIT.
func (w *writer) control(query string) error {
	w.limit = context.Background()
	_, err := w.exec(w.limit, query, nil)
	return err
}

// rollback undoes everything. A connection that cannot is dropped, to the same effect.
func (w *writer) rollback() {
	if w.conn != nil && w.control("ROLLBACK") != nil {
		w.disconnect()
	}
}

// The writer's statements use its own context instead of the caller's: an interrupted
// statement would make SQLite roll back the whole batch.

func (w *writer) exec(_ context.Context, query string, args []any) (sql.Result, error) {
	if stmt := w.stmts.get(w.limit, query); stmt != nil {
		return stmt.ExecContext(w.limit, args...)
	}
	return w.conn.ExecContext(w.limit, query, args...)
}

func (w *writer) query(_ context.Context, query string, args []any) (*sql.Rows, error) {
	if stmt := w.stmts.get(w.limit, query); stmt != nil {
		return stmt.QueryContext(w.limit, args...)
	}
	return w.conn.QueryContext(w.limit, query, args...)
}

func (w *writer) queryRow(_ context.Context, query string, args []any) *sql.Row {
	if stmt := w.stmts.get(w.limit, query); stmt != nil {
		return stmt.QueryRowContext(w.limit, args...)
	}
	return w.conn.QueryRowContext(w.limit, query, args...)
}

// batch is what shares one transaction.
type batch struct {
	*writer
	members []*request // started and not answered
	current *request   // running now
}

// run runs first and the requests queued behind it, and commits.
func (b *batch) run(first *request) {
	if err := b.begin(first); err != nil {
		first.refuse(err)
		return
	}
	for r := first; r != nil; r = b.next() {
		if !r.begin() {
			continue
		}
		b.members = append(b.members, r)
		b.call(r)
		if r.failed() && b.broken(r) {
			return
		}
		if r.failed() && r.tx.wrote {
			b.rollback()
			b.again()
			return
		}
	}
	b.commit()
}

// next is the next queued request, or nil when there is none or the batch is full.
func (b *batch) next() *request {
	if len(b.members) >= maxBatch {
		return nil
	}
	select {
	case r := <-b.queue:
		return r
	default:
		return nil
	}
}

// again runs the members in one transaction, each under a savepoint.
func (b *batch) again() {
	if err := b.begin(b.members[0]); err != nil {
		b.fail(err)
		return
	}
	for _, r := range b.members {
		err := b.control("SAVEPOINT one")
		if err == nil {
			b.call(r)
			if r.failed() && b.broken(r) {
				return
			}
			if r.failed() {
				err = b.control("ROLLBACK TO one")
			}
			if err == nil {
				err = b.control("RELEASE one")
			}
		}
		if err != nil {
			b.fail(err)
			return
		}
	}
	b.commit()
}

// broken reports whether the failure of r may have ended the whole transaction. If so,
// it answers r with it and runs the others on their own.
func (b *batch) broken(r *request) bool {
	if !breaks(r.err) && !breaks(r.tx.failure) {
		return false
	}
	b.disconnect()
	var others []*request
	for _, m := range b.members {
		if m != r {
			others = append(others, m)
		}
	}
	b.members = nil // alone sets it again
	r.answer()
	b.alone(others)
	return true
}

// alone runs every request in a transaction of its own.
func (b *batch) alone(requests []*request) {
	for i, r := range requests {
		b.members = requests[i:]
		if err := b.begin(r); err != nil {
			b.fail(err)
			return
		}
		b.call(r)
		b.members = requests[i : i+1]
		if !r.failed() {
			b.commit()
			continue
		}
		if breaks(r.err) || breaks(r.tx.failure) {
			b.disconnect()
		} else {
			b.rollback()
		}
		b.answer()
	}
}

// commit makes the batch durable and answers its members. If it fails because of what
// one of them did, such as a deferred constraint, each gets a transaction of its own.
// Otherwise all of them fail, including those that had failed already: their error may
// have been caused by rows that were never committed.
func (b *batch) commit() {
	if err := b.control("COMMIT"); err != nil {
		if breaks(err) || len(b.members) == 1 {
			b.fail(err)
			return
		}
		b.rollback()
		b.alone(b.members)
		return
	}
	b.writer.db.counts.batches.Add(1)
	b.writer.db.counts.transactions.Add(uint64(len(b.members)))
	b.answer()
}

// fail rolls the batch back and answers every member with err.
func (b *batch) fail(err error) {
	b.disconnect()
	for _, r := range b.members {
		r.err, r.panic = err, nil
	}
	b.answer()
}

func (b *batch) answer() {
	for _, r := range b.members {
		r.answer()
	}
	b.members = nil
}

// call runs the function of r and records the result.
func (b *batch) call(r *request) {
	if r.runs++; r.runs > 1 {
		b.writer.db.counts.retries.Add(1)
	}
	noteRun(r.span, r.runs)
	limit, cancel := context.WithTimeout(context.Background(), b.writer.db.longest)
	defer cancel()
	b.writer.limit = limit
	r.tx, r.err, r.panic = &Tx{db: b.writer.db, run: b.writer}, nil, nil
	b.current = r
	returned := false
	defer func() {
		if returned {
			b.current = nil
			return
		}
		if v := recover(); v != nil {
			r.panic = &Panic{Value: v, Stack: debug.Stack()}
			b.current = nil
		}
	}()
	r.err = r.tx.call(r.ctx, r.fn)
	returned = true
}

// exited cleans up after a function that ended the writer's goroutine: that function is
// answered with an error, the other members are left to run again.
func (b *batch) exited() {
	b.disconnect()
	var others []*request
	for _, r := range b.members {
		if r != b.current {
			others = append(others, r)
		}
	}
	b.members = others
	if b.current != nil {
		b.current.err = errExited
		b.current.answer()
	}
}
