package db

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/botyard/botyard/test/postgres"
)

// TestMain lets the test binary be the other process of some tests.
func TestMain(m *testing.M) {
	process, ok := map[string]func() error{"increment": incrementAsProcess, "acknowledge": acknowledgeAsProcess}[os.Getenv("BOTYARD_TEST_PROCESS")]
	if !ok {
		postgres.Main(m)
	}
	if err := process(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// increment adds one to a thing n times by reading and writing it.
func increment(ctx context.Context, d *DB, n int) error {
	for range n {
		if err := d.Tx(ctx, func(ctx context.Context, tx *Tx) error {
			var n int
			if err := tx.QueryRow(ctx, "SELECT n FROM things WHERE id = $1", "counter").Scan(&n); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "UPDATE things SET n = $1 WHERE id = $2", n+1, "counter")
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

const (
	goroutines = 32
	increments = 10
)

func incrementConcurrently(ctx context.Context, d *DB) error {
	if os.Getenv("BOTYARD_TEST_CONTEND") != "" {
		ctx = Contend(ctx, "counter")
	}
	errs := make(chan error, goroutines)
	for range goroutines {
		go func() { errs <- increment(ctx, d, increments) }()
	}
	var all []error
	for range goroutines {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

func incrementAsProcess() error {
	d, err := Open(context.Background(), Options{Dir: os.Getenv("BOTYARD_TEST_DIR"), URL: os.Getenv("BOTYARD_TEST_URL")})
	if err != nil {
		return err
	}
	return errors.Join(incrementConcurrently(context.Background(), d), d.Close())
}

func TestNoUpdateIsLost(t *testing.T) {
	for _, contend := range []string{"", "1"} {
		t.Run("contend="+contend, func(t *testing.T) {
			t.Setenv("BOTYARD_TEST_CONTEND", contend)
			each(t, func(t *testing.T, o Options) {
				d := things(t, o)
				if err := d.Tx(t.Context(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, "counter") }); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				var all sync.WaitGroup
				all.Go(func() {
					other := exec.CommandContext(t.Context(), os.Args[0])
					other.Env = append(os.Environ(), "BOTYARD_TEST_PROCESS=increment", "BOTYARD_TEST_DIR="+o.Dir, "BOTYARD_TEST_URL="+o.URL)
					if output, err := other.CombinedOutput(); err != nil {
						t.Errorf("the other process: %v\n%s", err, output)
					}
				})
				second := open(t, o)
				for _, handle := range []*DB{d, second} {
					all.Go(func() {
						if err := incrementConcurrently(t.Context(), handle); err != nil {
							t.Error(err)
						}
					})
				}
				all.Wait()
				var n int
				if err := d.Reader(t.Context()).QueryRow(t.Context(), "SELECT n FROM things WHERE id = 'counter'").Scan(&n); err != nil {
					t.Fatal(err)
				}
				if want := 3 * goroutines * increments; n != want {
					t.Errorf("the counter is %d after %d increments", n, want)
				}
				t.Logf("%s, %+v", time.Since(began), d.Stats())
			})
		})
	}
}

// TestBusyFileIsShared has one handle write without a pause and another, which
// stands for the command line beside a server, write now and then.
func TestBusyFileIsShared(t *testing.T) {
	d := things(t, Options{Dir: t.TempDir()})
	other := open(t, Options{Dir: filepath.Dir(d.path)})
	busy, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			for n := 0; busy.Err() == nil; n++ {
				err := d.Tx(busy, func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, fmt.Sprintf("%d-%d", i, n)) })
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
					return
				}
			}
		})
	}
	var slowest time.Duration
	for i := range 20 {
		began := time.Now()
		if err := other.Tx(t.Context(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, fmt.Sprint(i)) }); err != nil {
			t.Error(err)
		}
		slowest = max(slowest, time.Since(began))
	}
	stop()
	all.Wait()
	t.Logf("the slowest of 20 took %s", slowest)
	if slowest > 25*time.Second { // patience is 30
		t.Errorf("a transaction waited %s for its turn", slowest)
	}
}

// acknowledgeAsProcess writes until it is killed, and says what was committed.
func acknowledgeAsProcess() error {
	d, err := Open(context.Background(), Options{Dir: os.Getenv("BOTYARD_TEST_DIR")})
	if err != nil {
		return err
	}
	var next atomic.Int64
	failed := make(chan error)
	for range goroutines {
		go func() {
			for {
				id := fmt.Sprint(next.Add(1))
				if err := d.Tx(context.Background(), func(ctx context.Context, tx *Tx) error { return insert(ctx, tx, id) }); err != nil {
					failed <- err
				}
				fmt.Println(id)
			}
		}()
	}
	return <-failed
}

func TestAcknowledgedSurvivesKill(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	d := things(t, o)
	other := exec.CommandContext(t.Context(), os.Args[0])
	other.Env = append(os.Environ(), "BOTYARD_TEST_PROCESS=acknowledge", "BOTYARD_TEST_DIR="+o.Dir)
	output, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		acknowledged = append(acknowledged, lines.Text())
		if len(acknowledged) == 2000 {
			if err := other.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := other.Wait(); err == nil || len(acknowledged) < 2000 {
		t.Fatalf("the other process ended by itself after %d writes: %v", len(acknowledged), err)
	}
	there := map[string]bool{}
	for _, id := range ids(t, d) {
		there[id] = true
	}
	for _, id := range acknowledged {
		if !there[id] {
			t.Errorf("thing %s was acknowledged and is lost", id)
		}
	}
	// Nothing of the dead process stands in the way.
	if err := d.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
