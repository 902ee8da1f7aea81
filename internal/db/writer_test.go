package db

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/fault"
)

func TestFunctionThatEndsItsGoroutine(t *testing.T) {
	d := things(t, Options{Dir: t.TempDir()})
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
				if err := insert(ctx, tx, fmt.Sprintf("%02d", i)); err != nil {
					return err
				}
				if i == 10 {
					runtime.Goexit()
				}
				return nil
			})
			if (err != nil) != (i == 10) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
	if got := ids(t, d); len(got) != 19 || slices.Contains(got, "10") {
		t.Errorf("committed: %v", got)
	}
}

func TestWaitingRequestWithdraws(t *testing.T) {
	d := things(t, Options{Dir: t.TempDir()})
	begun, release := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		if err := d.Tx(t.Context(), func(context.Context, *Tx) error {
			close(begun)
			<-release
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := d.Tx(ctx, func(context.Context, *Tx) error {
		t.Error("a withdrawn function ran")
		return nil
	})
	if !fault.Is(err, fault.OperationTimeout) {
		t.Errorf("the deadline passed: %v", err)
	}
	close(release)
	all.Wait()
	if err := d.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestBatchIsolatesFailures holds the writer until many functions wait, so that
// they share a batch, and has them fail in every way.
func TestBatchIsolatesFailures(t *testing.T) {
	d := things(t, Options{Dir: t.TempDir()})
	begun, release := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		_ = d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
			select {
			case <-begun:
			default:
				close(begun)
			}
			<-release
			return insert(ctx, tx, "000")
		})
	})
	<-begun
	var after, panics atomic.Int64
	for i := 1; i <= 100; i++ {
		all.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					panics.Add(1)
					if i%10 != 3 {
						t.Errorf("%d: %v", i, v)
					}
				}
			}()
			err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
				tx.AfterCommit(func() { after.Add(1) })
				if i%10 == 1 {
					return errOwn
				}
				if err := insert(ctx, tx, fmt.Sprintf("%03d", i)); err != nil {
					return err
				}
				switch i % 10 {
				case 2:
					return errOwn
				case 3:
					panic("boom")
				case 4:
					return insert(ctx, tx, fmt.Sprintf("%03d", i))
				}
				return nil
			})
			switch i % 10 {
			case 1, 2:
				if !errors.Is(err, errOwn) {
					t.Errorf("%d: %v", i, err)
				}
			case 4:
				if !fault.Is(err, fault.AlreadyExists) {
					t.Errorf("%d: %v", i, err)
				}
			default:
				if err != nil {
					t.Errorf("%d: %v", i, err)
				}
			}
		})
	}
	for len(d.writer.queue) < 100 {
		time.Sleep(time.Millisecond)
	}
	close(release)
	all.Wait()
	if got := ids(t, d); len(got) != 61 || after.Load() != 60 || panics.Load() != 10 {
		t.Errorf("%d things, %d AfterCommit, %d panics; want 61, 60, 10", len(got), after.Load(), panics.Load())
	}
	if s := d.Stats(); s.Retries == 0 || s.Batches >= s.Transactions {
		t.Errorf("the functions did not share a batch: %+v", s)
	}
}

// TestFullDisk bounds the SQLite file, which SQLite reports as a full disk.
func TestFullDisk(t *testing.T) {
	d := things(t, Options{Dir: t.TempDir()})
	limit := func(pages int) {
		t.Helper()
		if err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
			return tx.QueryRow(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Scan(&pages)
		}); err != nil {
			t.Fatal(err)
		}
	}
	fill := func(id string) error {
		return d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
			return insert(ctx, tx, id+strings.Repeat("x", 100_000))
		})
	}
	limit(20)
	err := fill("full")
	if !fault.Is(err, fault.Internal) || !strings.Contains(fault.From(err).Message, "no space left") {
		t.Errorf("a full disk: %v", err)
	}
	if got := ids(t, d); len(got) != 0 {
		t.Errorf("the refused thing is there")
	}
	// The connection was replaced, and with it the limit.
	if err := fill("recovered"); err != nil {
		t.Errorf("after space was freed: %v", err)
	}
}

func TestRunawayStatementFailsAlone(t *testing.T) {
	d := things(t, Options{Dir: t.TempDir()})
	d.longest = 2 * time.Second // which the inserts must keep to on a busy machine
	var all sync.WaitGroup
	all.Go(func() {
		err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
			var n int
			return tx.QueryRow(ctx, "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT COUNT(*) FROM c").Scan(&n)
		})
		if !fault.Is(err, fault.OperationTimeout) {
			t.Errorf("the runaway: %v", err)
		}
	})
	for i := range 10 {
		all.Go(func() {
			if err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, fmt.Sprint(i)) }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := ids(t, d); len(got) != 10 {
		t.Errorf("committed %v", got)
	}
}

func TestRowsLeftOpenHarmNobody(t *testing.T) {
	d := things(t, Options{Dir: t.TempDir()})
	other := open(t, Options{Dir: filepath.Dir(d.path)})
	for i := range 50 {
		for _, handle := range []*DB{d, other} {
			if err := handle.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
				if err := insert(ctx, tx, fmt.Sprintf("%p-%d", handle, i)); err != nil {
					return err
				}
				rows, err := tx.Query(ctx, "SELECT id FROM things")
				if err != nil {
					return err
				}
				rows.Next() // and no Close
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := ids(t, d); len(got) != 100 {
		t.Errorf("committed %d things", len(got))
	}
}

// TestConstraintOfTheCommit has one of many functions break a constraint that
// SQLite looks at when it commits.
func TestConstraintOfTheCommit(t *testing.T) {
	d := things(t, Options{Dir: t.TempDir()})
	begun, release := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		if err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
			select {
			case <-begun:
			default:
				close(begun)
			}
			<-release
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-begun
	for i := range 10 {
		all.Go(func() {
			err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
				if i != 5 {
					return insert(ctx, tx, fmt.Sprint(i))
				}
				if _, err := tx.Exec(ctx, "PRAGMA defer_foreign_keys = 1"); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, "INSERT INTO parts (thing) VALUES ('nothing')")
				return err
			})
			if fault.Is(err, fault.ReferenceConstraint) != (i == 5) || err != nil && i != 5 {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	for len(d.writer.queue) < 10 {
		time.Sleep(time.Millisecond)
	}
	close(release)
	all.Wait()
	if got := ids(t, d); len(got) != 9 {
		t.Errorf("committed %v", got)
	}
}

// TestRowsLeftOpen has functions leave rows and a row open and then break their
// transaction, many times over: the writer goes on, and nothing is freed twice.
func TestRowsLeftOpen(t *testing.T) {
	d := things(t, Options{Dir: t.TempDir()})
	for i := range 60 {
		if err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, fmt.Sprintf("%02d", i)) }); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil && i%4 != 1 {
					t.Errorf("%d: panic %v", i, p)
				}
			}()
			err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error {
				rows, err := tx.Query(ctx, "SELECT id FROM things") // left open on purpose
				if err != nil {
					return err
				}
				rows.Next()
				tx.QueryRow(ctx, "SELECT id FROM things")
				switch i % 4 {
				case 0:
					runtime.Goexit()
				case 1:
					panic("on purpose")
				case 2:
					return context.DeadlineExceeded // as an interrupted statement answers
				}
				return nil
			})
			if (err != nil) != (i%4 != 3) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
	if got := ids(t, d); len(got) != 60 {
		t.Errorf("%d things are there, want 60", len(got))
	}
}
