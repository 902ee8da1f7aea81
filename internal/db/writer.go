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

// maxBatch bounds how many functions share one commit, and so how long the first
// of them waits for the last.
const maxBatch = 256

// longest is how long one run of a function may take, on both engines. A function
// that is stopped by it fails alone.
const longest = 30 * time.Second

var (
	errClosed = errors.New("the database is closed")
	errExited = errors.New("the function of the transaction ended its goroutine instead of returning")
)

// writer is the one connection that writes to the SQLite file. Its goroutine runs
// the functions that wait, one after the other, in one transaction, and answers
// them after the commit: one wait for the disk serves them all.
//
// A function that fails without having written drops out. When one fails after
// writing, the transaction is rolled back and everyone is run again, each under a
// savepoint of its own. When a statement ends the whole transaction, everyone but
// the one to blame is run again, each in a transaction of its own.
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

// request is a function that waits to be run by the writer.
type request struct {
	ctx   context.Context // does not end
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

// connect takes the connection. Its busy_timeout is short and the writer repeats
// BEGIN instead: SQLite's own waiting slows down to ten looks a second, too few to
// find the gap between the commits of a busy process.
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

// disconnect drops the connection, and with it every open transaction. No rows are
// open: Tx.end has closed them. The statements go first, since the pool does not know
// of those that were prepared on one connection, and SQLite keeps a connection, with
// its lock, until the last of its statements is gone.
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

// submit has fn run and waits until it is committed or has failed.
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

// refuse answers a request that has not begun with err.
func (r *request) refuse(err error) {
	if r.begin() {
		r.err = err
		r.answer()
	}
}

// serve is the writer's goroutine. It begins with what an earlier one, ended by a
// function, left behind.
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

// begin opens a transaction for first. When another process holds the lock it
// repeats while first still waits.
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

// control runs a statement that rules the transaction.
func (w *writer) control(query string) error {
	w.limit = context.Background()
	_, err := w.exec(w.limit, query, nil)
	return err
}

// rollback undoes everything. A connection that cannot do so is dropped, which
// does it too.
func (w *writer) rollback() {
	if w.conn != nil && w.control("ROLLBACK") != nil {
		w.disconnect()
	}
}

// The statements of the writer run with its own context and not the caller's: an
// interrupted statement makes SQLite roll back the whole batch.

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
	members []*request // begun and not answered
	current *request   // is running
}

// run runs first and those who wait behind it, and commits.
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

// next is another request, when one waits and there is room.
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

// broken handles a failure that may have ended the whole transaction: it answers
// r with it, runs the others on their own, and says whether that was the case.
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
	b.members = nil // r is answered, and alone says anew who is not
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

// commit makes the batch durable and answers its members. When it fails for what
// one of them did, say a constraint that is looked at last, each has its own try;
// otherwise they all fail, those too whose own error may rest on rows that never
// were.
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

// call runs the function of r and keeps how it ended.
func (b *batch) call(r *request) {
	if r.runs++; r.runs > 1 {
		b.writer.db.counts.retries.Add(1)
	}
	noteRun(r.span, r.runs)
	limit, cancel := context.WithTimeout(context.Background(), b.writer.db.longest)
	defer cancel() // closes rows that the function left open
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

// exited cleans up after a function that ended the goroutine of the writer: it is
// answered with an error, the other members are left to be run again.
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
