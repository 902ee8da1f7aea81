package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/postgres"
)

// TestMain lets the test binary be the process that dies in TestDeadProcess.
func TestMain(m *testing.M) {
	if os.Getenv("BOTYARD_TEST_DIE") != "" {
		if err := die(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	postgres.Main(m)
}

// each runs a test on both engines, with a clock that the test moves.
func each(t *testing.T, test func(t *testing.T, y *yard)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, prepare(t, db.Options{Dir: t.TempDir()}))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, prepare(t, db.Options{URL: postgres.Database(t)}))
	})
}

// yard is a database and the clock of its processes.
type yard struct {
	options db.Options
	db      *db.DB
	clock   *clock.Development
	dir     string
}

func prepare(t *testing.T, o db.Options) *yard {
	t.Helper()
	y := &yard{options: o, dir: t.TempDir()}
	var err error
	if y.db, err = db.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := y.db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := y.db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if y.clock, err = clock.NewDevelopment(y.dir); err != nil {
		t.Fatal(err)
	}
	return y
}

func (y *yard) queue() *Queue { return New(y.db, y.clock, slog.New(slog.DiscardHandler)) }

func (y *yard) advance(t *testing.T, d time.Duration) {
	t.Helper()
	if _, err := y.clock.Advance(d); err != nil {
		t.Fatal(err)
	}
}

// start runs a queue until the answered function, or the test, ends it.
func start(t *testing.T, q *Queue) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func enqueue(t *testing.T, y *yard, q *Queue, kind string, payload any, options ...Option) {
	t.Helper()
	if err := y.db.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		return q.Enqueue(ctx, tx, kind, payload, options...)
	}); err != nil {
		t.Fatal(err)
	}
}

// backlog waits until as many jobs wait and are dead.
func backlog(t *testing.T, q *Queue, waiting, buried int64) {
	t.Helper()
	var w, b int64
	var err error
	for range 6000 {
		if w, b, err = q.Backlog(t.Context()); err != nil {
			t.Fatal(err)
		}
		if w == waiting && b == buried {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d jobs wait and %d are dead; want %d and %d", w, b, waiting, buried)
}

// settled waits until the end of every run is noted: only then is it known from
// which time on a job waits.
func settled(t *testing.T, y *yard) {
	t.Helper()
	for range 6000 {
		var n int
		if err := y.db.Reader(t.Context()).QueryRow(t.Context(), "SELECT COUNT(*) FROM jobs WHERE leased_by IS NOT NULL").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("jobs are still being run")
}

// record keeps what handlers were given.
type record struct {
	mu   sync.Mutex
	seen []string
}

func (r *record) add(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, s)
}

func (r *record) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.seen))
}

func (r *record) expect(t *testing.T, want ...string) {
	t.Helper()
	for range 6000 {
		if len(r.all()) >= len(want) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if diff := cmp.Diff(want, r.all()); diff != "" {
		t.Errorf("jobs done (-want +got):\n%s", diff)
	}
}

func (r *record) handle(_ context.Context, job Job) error {
	r.add(string(job.Payload))
	return nil
}

func TestEnqueueIsPartOfItsTransaction(t *testing.T) {
	each(t, func(t *testing.T, y *yard) {
		q, done := y.queue(), &record{}
		q.Handle("greet", done.handle, Policy{})
		q.poll = time.Hour // so that only the commit itself wakes the queue
		start(t, q)
		failed := errors.New("no")
		if err := y.db.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			if err := q.Enqueue(ctx, tx, "greet", "rolled back"); err != nil {
				return err
			}
			return failed
		}); !errors.Is(err, failed) {
			t.Fatal(err)
		}
		enqueue(t, y, q, "greet", map[string]int{"a": 1})
		backlog(t, q, 0, 0)
		done.expect(t, `{"a":1}`)
	})
}

func TestEveryJobIsDoneOnce(t *testing.T) {
	each(t, func(t *testing.T, y *yard) {
		const jobs = 300
		done := &record{}
		var want []string
		first := y.queue()
		for i := range jobs {
			want = append(want, fmt.Sprint(1000+i))
		}
		var queues []*Queue
		for range 4 {
			q := y.queue()
			q.Handle("count", done.handle, Policy{})
			start(t, q)
			queues = append(queues, q)
		}
		began := time.Now()
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				for n := i; n < jobs; n += 10 {
					enqueue(t, y, queues[n%4], "count", 1000+n)
				}
			})
		}
		all.Wait()
		backlog(t, first, 0, 0)
		done.expect(t, want...)
		t.Logf("%d jobs in %s", jobs, time.Since(began))
	})
}

// Jobs of one kind that hang, however many there are, do not keep those of other kinds from
// being done.
func TestOneKindLeavesRoomForOthers(t *testing.T) {
	each(t, func(t *testing.T, y *yard) {
		q, done, release := y.queue(), &record{}, make(chan struct{})
		q.Handle("hang", func(context.Context, Job) error { <-release; return nil }, Policy{})
		q.Handle("work", done.handle, Policy{})
		var want []string
		if err := y.db.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			for range 2 * concurrency {
				if err := q.Enqueue(ctx, tx, "hang", nil); err != nil {
					return err
				}
			}
			want = nil
			for i := range 2 * concurrency {
				if err := q.Enqueue(ctx, tx, "work", 100+i, RunAt(y.clock.Now().Add(time.Millisecond))); err != nil {
					return err
				}
				want = append(want, fmt.Sprint(100+i))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		start(t, q)
		t.Cleanup(sync.OnceFunc(func() { close(release) }))
		done.expect(t, want...)
	})
}

func TestKindsWithoutHandlerAreLeft(t *testing.T) {
	each(t, func(t *testing.T, y *yard) {
		old, done := y.queue(), &record{}
		old.Handle("known", done.handle, Policy{})
		start(t, old)
		enqueue(t, y, old, "unknown", 1)
		enqueue(t, y, old, "known", 2)
		backlog(t, old, 1, 0)
		done.expect(t, "2")
	})
}

func TestRunAt(t *testing.T) {
	each(t, func(t *testing.T, y *yard) {
		q, done := y.queue(), &record{}
		q.Handle("later", done.handle, Policy{})
		start(t, q)
		enqueue(t, y, q, "later", "in an hour", RunAt(y.clock.Now().Add(time.Hour)))
		enqueue(t, y, q, "later", "now")
		done.expect(t, `"now"`)
		backlog(t, q, 1, 0)
		y.advance(t, time.Hour)
		backlog(t, q, 0, 0)
		done.expect(t, `"in an hour"`, `"now"`)
	})
}

// A job whose time comes before the next look at the database does not wait for that.
func TestRunAtBeforeTheNextLook(t *testing.T) {
	each(t, func(t *testing.T, y *yard) {
		q, ran := y.queue(), make(chan struct{})
		q.poll = time.Hour
		q.Handle("soon", func(context.Context, Job) error { ran <- struct{}{}; return nil }, Policy{})
		start(t, q)
		for range 20 {
			enqueue(t, y, q, "soon", nil, RunAt(y.clock.Now().Add(20*time.Millisecond)))
			select {
			case <-ran:
			case <-time.After(time.Minute):
				t.Fatal("the job waits for the next look")
			}
		}
	})
}

func TestUnique(t *testing.T) {
	each(t, func(t *testing.T, y *yard) {
		q, done := y.queue(), &record{}
		begun, release := make(chan struct{}), make(chan struct{})
		q.Handle("sync", func(ctx context.Context, job Job) error {
			done.add(string(job.Payload))
			if string(job.Payload) == `"first"` {
				close(begun)
				<-release
			}
			return nil
		}, Policy{})
		for _, payload := range []string{"first", "dropped", "dropped too"} {
			enqueue(t, y, q, "sync", payload, Unique("bot"))
		}
		enqueue(t, y, q, "sync", "of another key", Unique("other bot"))
		backlog(t, q, 2, 0)
		start(t, q)
		<-begun
		for range 3 { // while it runs: once more afterwards
			enqueue(t, y, q, "sync", "again", Unique("bot"))
		}
		done.expect(t, `"first"`, `"of another key"`)
		close(release)
		backlog(t, q, 0, 0)
		done.expect(t, `"again"`, `"first"`, `"of another key"`)
	})
}

// Work that is enqueued while an earlier run of its key is under way is done, at the earliest
// of the times that were asked for, however that run ends.
func TestUniqueWhileItRuns(t *testing.T) {
	each(t, func(t *testing.T, y *yard) {
		type times []time.Duration // from now on, in the order of enqueuing
		for name, c := range map[string]struct {
			policy   Policy
			failure  error
			enqueued times
			after    time.Duration // how far the clock moves before the next run
		}{
			"after the last attempt":         {Policy{MaxAttempts: 1}, errors.New("refused"), times{0}, 0},
			"later, after the last attempt":  {Policy{MaxAttempts: 1}, errors.New("refused"), times{time.Hour}, time.Hour},
			"later, then now":                {Policy{}, nil, times{time.Hour, 0}, 0},
			"now, then later":                {Policy{}, nil, times{0, time.Hour}, 0},
			"later, then sooner":             {Policy{}, nil, times{2 * time.Hour, time.Hour}, time.Hour},
			"later than the failed one":      {Policy{Backoff: time.Minute}, errors.New("refused"), times{time.Hour}, time.Minute},
			"sooner than the failed one":     {Policy{Backoff: 4 * time.Hour}, errors.New("refused"), times{time.Hour}, time.Hour},
			"later, then now, after failing": {Policy{Backoff: 4 * time.Hour}, errors.New("refused"), times{time.Hour, 0}, 0},
		} {
			q, done := y.queue(), &record{}
			q.poll = 20 * time.Millisecond
			begun, release := make(chan struct{}), make(chan struct{})
			q.Handle("sync", func(_ context.Context, job Job) error {
				done.add(fmt.Sprintf("%s: %s %d", name, job.Payload, job.Attempts))
				if string(job.Payload) == `"first"` {
					close(begun)
					<-release
					return c.failure
				}
				return nil
			}, c.policy)
			stop := start(t, q)
			enqueue(t, y, q, "sync", "first", Unique("k"))
			<-begun
			now := y.clock.Now()
			for _, in := range c.enqueued {
				enqueue(t, y, q, "sync", "again", Unique("k"), RunAt(now.Add(in)))
			}
			close(release)
			if c.after > 0 {
				settled(t, y)
				y.advance(t, c.after)
			}
			backlog(t, q, 0, 0)
			done.expect(t, name+`: "again" 1`, name+`: "first" 1`)
			stop()
		}
	})
}

// A run that a worker's death cut short is done when its lease ends, also if its key was
// enqueued for later meanwhile.
func TestUniqueAfterDeath(t *testing.T) {
	each(t, func(t *testing.T, y *yard) {
		dead, q, done := y.queue(), y.queue(), &record{}
		q.poll, dead.handled = 20*time.Millisecond, []string{"sync"}
		q.Handle("sync", done.handle, Policy{})
		enqueue(t, y, q, "sync", "first", Unique("k"))
		if taken := dead.take(t.Context(), 1); len(taken) != 1 {
			t.Fatalf("the worker that dies took %d jobs", len(taken))
		}
		enqueue(t, y, q, "sync", "later", Unique("k"), RunAt(y.clock.Now().Add(time.Hour)))
		y.advance(t, leased+time.Second)
		start(t, q)
		done.expect(t, `"later"`)
		settled(t, y)
		backlog(t, q, 1, 0)
		y.advance(t, time.Hour)
		backlog(t, q, 0, 0)
		done.expect(t, `"later"`, `"later"`)
	})
}

func TestBackoffAndDeath(t *testing.T) {
	each(t, func(t *testing.T, y *yard) {
		q, done := y.queue(), &record{}
		q.Handle("fail", func(_ context.Context, job Job) error {
			done.add(fmt.Sprint(job.Attempts))
			if job.Attempts == 2 {
				panic("a\x00panic")
			}
			return errors.New("refused")
		}, Policy{MaxAttempts: 3, Backoff: time.Hour})
		start(t, q)
		enqueue(t, y, q, "fail", 0, Unique("key"))
		done.expect(t, "1")
		settled(t, y)
		y.advance(t, 25*time.Minute) // less than half of the backoff, whatever the jitter and the machine
		time.Sleep(poll + 200*time.Millisecond)
		done.expect(t, "1")
		y.advance(t, 35*time.Minute)
		done.expect(t, "1", "2")
		settled(t, y)
		y.advance(t, time.Hour) // the longest backoff
		done.expect(t, "1", "2", "3")
		backlog(t, q, 0, 1)
		var failure string
		var attempts int
		if err := y.db.Reader(t.Context()).QueryRow(t.Context(), "SELECT last_error, attempts FROM jobs").Scan(&failure, &attempts); err != nil {
			t.Fatal(err)
		}
		if failure != "refused" || attempts != 3 {
			t.Errorf("the dead job has last_error %q after %d attempts", failure, attempts)
		}
		enqueue(t, y, q, "fail", 0, Unique("key")) // the dead one has given its key up
		done.expect(t, "1", "1", "2", "3")
		for _, forgotten := range []struct {
			before time.Time
			left   int64
		}{{y.clock.Now().Add(-time.Hour), 1}, {y.clock.Now().Add(time.Hour), 0}} {
			if err := q.ForgetDead(t.Context(), forgotten.before); err != nil {
				t.Fatal(err)
			}
			backlog(t, q, 1, forgotten.left)
		}
	})
}

func TestWaits(t *testing.T) {
	p := Policy{Backoff: time.Second, MaxBackoff: 10 * time.Second}.withDefaults()
	for failures, limit := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 5: 10 * time.Second, 1000: 10 * time.Second} {
		for range 100 {
			if got := p.wait(failures); got < limit/2 || got >= limit {
				t.Fatalf("after %d failures the wait is %s; want [%s, %s)", failures, got, limit/2, limit)
			}
		}
	}
}

func TestTimeout(t *testing.T) {
	each(t, func(t *testing.T, y *yard) {
		q := y.queue()
		q.Handle("hang", func(ctx context.Context, _ Job) error {
			<-ctx.Done()
			return ctx.Err()
		}, Policy{MaxAttempts: 1, Timeout: 10 * time.Millisecond})
		start(t, q)
		enqueue(t, y, q, "hang", 0)
		backlog(t, q, 0, 1)
	})
}

func TestPeriodic(t *testing.T) {
	each(t, func(t *testing.T, y *yard) {
		done := &record{}
		var first *Queue
		for i := range 3 {
			q := y.queue()
			q.Handle("sweep", func(context.Context, Job) error {
				done.add("swept")
				return errors.New("and failed, which a periodic job survives")
			}, Policy{MaxAttempts: 1})
			q.Every("sweep", 24*time.Hour)
			start(t, q)
			if i == 0 {
				first = q
			}
		}
		done.expect(t, "swept")
		time.Sleep(poll + 200*time.Millisecond)
		done.expect(t, "swept")
		settled(t, y)
		y.advance(t, 10*24*time.Hour)
		done.expect(t, "swept", "swept")
		time.Sleep(poll + 200*time.Millisecond)
		done.expect(t, "swept", "swept")
		backlog(t, first, 1, 0)
	})
}

func TestShutdownLetsJobsEnd(t *testing.T) {
	each(t, func(t *testing.T, y *yard) {
		q, done := y.queue(), &record{}
		begun := make(chan struct{})
		q.Handle("slow", func(context.Context, Job) error {
			close(begun)
			time.Sleep(100 * time.Millisecond)
			done.add("ended")
			return nil
		}, Policy{})
		stop := start(t, q)
		enqueue(t, y, q, "slow", 0)
		<-begun
		stop()
		done.expect(t, "ended")
		backlog(t, q, 0, 0)
	})
}

// die takes a job and ends the process in the middle of it.
func die() error {
	ctx := context.Background()
	d, err := db.Open(ctx, db.Options{Dir: os.Getenv("BOTYARD_TEST_DIR"), URL: os.Getenv("BOTYARD_TEST_URL")})
	if err != nil {
		return err
	}
	c, err := clock.NewDevelopment(os.Getenv("BOTYARD_TEST_CLOCK"))
	if err != nil {
		return err
	}
	q := New(d, c, slog.New(slog.DiscardHandler))
	q.Handle("dangerous", func(context.Context, Job) error {
		fmt.Println("begun")
		os.Exit(0)
		return nil
	}, Policy{})
	return q.Run(ctx)
}

func TestDeadProcess(t *testing.T) {
	each(t, func(t *testing.T, y *yard) {
		q, done := y.queue(), &record{}
		enqueue(t, y, q, "dangerous", 0)
		other := exec.CommandContext(t.Context(), os.Args[0])
		other.Env = append(os.Environ(), "BOTYARD_TEST_DIE=1", "BOTYARD_TEST_DIR="+y.options.Dir, "BOTYARD_TEST_URL="+y.options.URL, "BOTYARD_TEST_CLOCK="+y.dir)
		if output, err := other.CombinedOutput(); err != nil || !strings.Contains(string(output), "begun") {
			t.Fatalf("the process that was to die in a job: %v\n%s", err, output)
		}
		q.Handle("dangerous", func(_ context.Context, job Job) error {
			done.add(fmt.Sprint(job.Attempts))
			return nil
		}, Policy{})
		start(t, q)
		time.Sleep(poll + 200*time.Millisecond)
		done.expect(t)
		y.advance(t, leased+time.Second)
		done.expect(t, "2")
		backlog(t, q, 0, 0)
	})
}

func TestMistakesOfTheProgram(t *testing.T) {
	y := prepare(t, db.Options{Dir: t.TempDir()})
	q := y.queue()
	q.Handle("once", (&record{}).handle, Policy{})
	for name, f := range map[string]func(){
		"two handlers":         func() { q.Handle("once", (&record{}).handle, Policy{}) },
		"periodic, no handler": func() { q.Every("unknown", time.Hour) },
		"no interval":          func() { q.Every("once", 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
	if err := y.db.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		return q.Enqueue(ctx, tx, "once", make(chan int))
	}); err == nil {
		t.Error("a payload that is no JSON was enqueued")
	}
}
