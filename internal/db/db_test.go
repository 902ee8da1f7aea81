package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/postgres"
)

// each runs a test on both engines.
func each(t *testing.T, test func(t *testing.T, o Options)) {
	t.Run("sqlite", func(t *testing.T) { test(t, Options{Dir: t.TempDir()}) })
	t.Run("postgres", func(t *testing.T) { test(t, Options{URL: postgres.Database(t)}) })
}

func open(t testing.TB, o Options) *DB {
	t.Helper()
	d, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// things opens a database with a table that the tests write to.
func things(t testing.TB, o Options) *DB {
	t.Helper()
	d := open(t, o)
	for _, query := range []string{
		"CREATE TABLE things (id TEXT PRIMARY KEY, n BIGINT NOT NULL)",
		"CREATE TABLE parts (thing TEXT NOT NULL REFERENCES things (id))",
	} {
		if err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
			_, err := tx.Exec(ctx, query)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func insert(ctx context.Context, q Querier, id string) error {
	_, err := q.Exec(ctx, "INSERT INTO things (id, n) VALUES ($1, $2)", id, 0)
	return err
}

// ids lists what was committed.
func ids(t testing.TB, d *DB) []string {
	t.Helper()
	rows, err := d.Reader(t.Context()).Query(t.Context(), "SELECT id FROM things ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		all = append(all, id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func expect(t testing.TB, d *DB, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, ids(t, d)); diff != "" {
		t.Errorf("committed things (-want +got):\n%s", diff)
	}
}

var errOwn = errors.New("own error")

func TestTransaction(t *testing.T) {
	each(t, func(t *testing.T, o Options) {
		d := things(t, o)
		ctx := t.Context()
		after := 0
		if err := d.Tx(ctx, func(ctx context.Context, tx *Tx) error {
			after = 0
			tx.AfterCommit(func() { after++ })
			return insert(ctx, tx, "committed")
		}); err != nil || after != 1 {
			t.Errorf("a commit: %v, and AfterCommit ran %d times", err, after)
		}
		if err := d.Tx(ctx, func(ctx context.Context, tx *Tx) error {
			tx.AfterCommit(func() { t.Error("AfterCommit ran after a rollback") })
			if err := insert(ctx, tx, "rolled back"); err != nil {
				return err
			}
			return errOwn
		}); err == nil || !errors.Is(err, errOwn) {
			t.Errorf("a rollback answered %v", err)
		}
		if err := d.Tx(ctx, func(ctx context.Context, tx *Tx) error {
			if err := insert(ctx, d.Reader(ctx), "through the reader"); err != nil {
				return err
			}
			var n int
			if err := d.Reader(ctx).QueryRow(ctx, "SELECT COUNT(*) FROM things").Scan(&n); err != nil || n != 2 {
				t.Errorf("within the transaction %d things are seen, %v", n, err)
			}
			return d.Tx(ctx, func(ctx context.Context, inner *Tx) error {
				if inner != tx {
					t.Error("a nested call did not join")
				}
				return insert(ctx, inner, "nested")
			})
		}); err != nil {
			t.Error(err)
		}
		if err := d.Tx(ctx, func(ctx context.Context, tx *Tx) error {
			if err := d.Tx(ctx, func(ctx context.Context, tx *Tx) error {
				_ = insert(ctx, tx, "half")
				return errOwn
			}); !errors.Is(err, errOwn) {
				t.Errorf("the nested call answered %v", err)
			}
			return nil
		}); !errors.Is(err, errOwn) {
			t.Errorf("a transaction with half of a nested one was committed: %v", err)
		}
		if err := d.Tx(ctx, func(ctx context.Context, tx *Tx) error {
			_ = d.Tx(ctx, func(context.Context, *Tx) error { return errOwn })
			return insert(ctx, tx, "forgiven")
		}); err != nil {
			t.Errorf("a nested call that wrote nothing cannot be forgiven: %v", err)
		}
		expect(t, d, "committed", "forgiven", "nested", "through the reader")
	})
}

func TestFailedStatementFailsTheTransaction(t *testing.T) {
	each(t, func(t *testing.T, o Options) {
		d := things(t, o)
		ctx := t.Context()
		var kept *Tx
		err := d.Tx(ctx, func(ctx context.Context, tx *Tx) error {
			kept = tx
			if err := insert(ctx, tx, "one"); err != nil {
				return err
			}
			if insert(ctx, tx, "one") == nil {
				t.Error("a key was given twice")
			}
			if err := insert(ctx, tx, "two"); err == nil {
				t.Error("a statement ran after a failed one")
			}
			var n int
			if err := tx.QueryRow(ctx, "SELECT 1").Scan(&n); err == nil {
				t.Error("a query ran after a failed statement")
			}
			return nil
		})
		if !fault.Is(err, fault.AlreadyExists) {
			t.Errorf("the failure that was swallowed is %v", err)
		}
		if _, err := kept.Exec(ctx, "DELETE FROM things"); err == nil {
			t.Error("a transaction that has ended runs statements")
		}
		err = d.Tx(ctx, func(ctx context.Context, tx *Tx) error {
			var n int
			if err := tx.QueryRow(ctx, "SELECT n FROM things WHERE id = $1", "none").Scan(&n); !errors.Is(err, sql.ErrNoRows) {
				t.Errorf("no row is %v", err)
			}
			return insert(ctx, tx, "after no row")
		})
		if err != nil {
			t.Errorf("no row is not a failure, but: %v", err)
		}
		expect(t, d, "after no row")
	})
}

func TestConvert(t *testing.T) {
	each(t, func(t *testing.T, o Options) {
		d := things(t, o)
		run := func(query string, args ...any) error {
			return d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
				_, err := tx.Exec(ctx, query, args...)
				return err
			})
		}
		if err := run("INSERT INTO things (id, n) VALUES ('a', 1)"); err != nil {
			t.Fatal(err)
		}
		if err := run("INSERT INTO parts (thing) VALUES ('a')"); err != nil {
			t.Fatal(err)
		}
		for query, want := range map[string]fault.Type{
			"INSERT INTO things (id, n) VALUES ('a', 2)":    fault.AlreadyExists,
			"INSERT INTO parts (thing) VALUES ('nothing')":  fault.ReferenceConstraint,
			"DELETE FROM things WHERE id = 'a'":             fault.ReferenceConstraint,
			"INSERT INTO things (id, n) VALUES ('b', NULL)": fault.Internal,
			"SELECT nonsense": fault.Internal,
		} {
			err := run(query)
			if !fault.Is(err, want) {
				t.Errorf("%s: %v, want %s", query, err, want)
			}
			if f := fault.From(err); strings.Contains(f.Message, "things") {
				t.Errorf("%s: the message tells of the tables: %s", query, f.Message)
			}
		}
		if _, err := d.Reader(t.Context()).Exec(t.Context(), "INSERT INTO things (id, n) VALUES ('c', 1)"); err == nil {
			t.Error("a reader can write")
		}
	})
	each(t, func(t *testing.T, o Options) {
		d := things(t, o)
		err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "a\x00b") })
		if d.Engine() == PostgreSQL && !fault.Is(err, fault.InvalidPayload) {
			t.Errorf("a text with U+0000: %v", err)
		}
	})
	kept := fault.New(fault.QuotaExceeded, "full")
	for _, err := range []error{nil, sql.ErrNoRows, context.Canceled, kept} {
		if got := Convert(err); got != err {
			t.Errorf("Convert(%v) = %v", err, got)
		}
	}
	if !fault.Is(Convert(context.DeadlineExceeded), fault.OperationTimeout) {
		t.Error("a deadline is not OperationTimeout")
	}
}

func TestPanic(t *testing.T) {
	each(t, func(t *testing.T, o Options) {
		d := things(t, o)
		for _, write := range []bool{false, true} {
			func() {
				defer func() {
					if v := recover(); !strings.Contains(fmt.Sprint(v), "boom") {
						t.Errorf("the panic arrives as %v", v)
					}
				}()
				_ = d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
					if write {
						_ = insert(ctx, tx, "panicked")
					}
					panic("boom")
				})
				t.Error("Tx returned after a panic")
			}()
		}
		if err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "alive") }); err != nil {
			t.Error(err)
		}
		expect(t, d, "alive")
	})
}

func TestContext(t *testing.T) {
	each(t, func(t *testing.T, o Options) {
		d := things(t, o)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.Tx(ended, func(context.Context, *Tx) error {
			t.Error("a function ran though its context had ended")
			return nil
		}); !errors.Is(err, context.Canceled) {
			t.Errorf("before it began: %v", err)
		}
		within, cancel := context.WithCancel(t.Context())
		err := d.Tx(within, func(ctx context.Context, tx *Tx) error {
			if err := insert(ctx, tx, "first"); err != nil {
				return err
			}
			cancel()
			return insert(ctx, tx, "second")
		})
		// SQLite carries a begun transaction to its end, PostgreSQL gives it up;
		// both tell the truth and neither keeps a half.
		switch got := ids(t, d); {
		case err == nil && len(got) == 2, err != nil && len(got) == 0:
		default:
			t.Errorf("cancelled within: %v, and committed %v", err, got)
		}
	})
}

func TestClosed(t *testing.T) {
	d, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Tx(t.Context(), func(context.Context, *Tx) error { return nil }); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, o := range []Options{
		{}, {URL: "mysql://host"}, {URL: "postgres://%"}, {Dir: t.TempDir(), Synchronous: "OFF"},
		{Dir: t.TempDir() + "/missing"}, {URL: "postgres:///x?host=/nowhere"}, {URL: "postgres:///x?host=/nowhere", ExecMode: "fast"},
	} {
		if d, err := Open(t.Context(), o); err == nil {
			t.Errorf("%+v was opened", o)
			_ = d.Close()
		}
	}
}

func TestLostConnection(t *testing.T) {
	d := things(t, Options{URL: postgres.Database(t)})
	kill := func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, "SELECT pg_terminate_backend(pg_backend_pid())")
		return err
	}
	runs := 0
	err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
		if runs++; runs == 1 {
			return kill(ctx, tx)
		}
		return insert(ctx, tx, "second run")
	})
	if err != nil || runs != 2 {
		t.Errorf("one lost connection: %v after %d runs", err, runs)
	}
	runs = 0
	err = d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
		runs++
		return kill(ctx, tx)
	})
	if !fault.Is(err, fault.Internal) || runs != 2 {
		t.Errorf("connections lost again and again: %v after %d runs", err, runs)
	}
	expect(t, d, "second run")
}

// A panic in a nested call takes with it what the outer function wrote before.
func TestPanicOfNestedCall(t *testing.T) {
	each(t, func(t *testing.T, o Options) {
		d := things(t, o)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("Tx returned after a panic")
				}
			}()
			_ = d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
				if err := insert(ctx, tx, "before the panic"); err != nil {
					return err
				}
				return d.Tx(ctx, func(context.Context, *Tx) error { panic("boom") })
			})
		}()
		if err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "alive") }); err != nil {
			t.Error(err)
		}
		expect(t, d, "alive")
	})
}

// A panic gives the turn in a lane back, or everything that contends with it would
// wait for ever.
func TestPanicLeavesItsLane(t *testing.T) {
	d := things(t, Options{URL: postgres.Database(t)})
	ctx := Contend(t.Context(), "busy")
	d.lanes.of(ctx).conflicted()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("Tx returned after a panic")
			}
		}()
		_ = d.Tx(ctx, func(context.Context, *Tx) error { panic("boom") })
	}()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := d.Tx(ctx, func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "next") }); err != nil {
		t.Errorf("after the panic: %v", err)
	}
}

// A statement of PostgreSQL is interrupted when its transaction has had its time,
// though the caller would wait longer.
func TestRunawayStatement(t *testing.T) {
	d := things(t, Options{URL: postgres.Database(t)})
	d.longest = time.Second
	began := time.Now()
	err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, "SELECT pg_sleep(300)")
		return err
	})
	if !fault.Is(err, fault.OperationTimeout) {
		t.Errorf("the runaway: %v", err)
	}
	if took := time.Since(began); took > 2*time.Minute {
		t.Errorf("the runaway took %s", took)
	}
	if err := d.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
