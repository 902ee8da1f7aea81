package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/trace"
)

const (
	// leased is how long a lease lasts without being renewed, and thus how long the
	// jobs of a dead process wait.
	leased = time.Minute
	// renewEvery leaves three chances to renew before the lease ends.
	renewEvery = 15 * time.Second
	// poll is how often a worker looks for jobs of other processes and for scheduled
	// ones.
	poll = time.Second
	// concurrency bounds the jobs that a queue runs at once, unless AtOnce sets another
	// bound.
	concurrency = 16
	// grace is how long running jobs may continue after the worker is told to stop.
	grace = 20 * time.Second
	// maxFailure bounds last_error, in bytes.
	maxFailure = 4000
)

// Queue enqueues jobs and, while Run runs, works on them.
type Queue struct {
	// Tracer makes a span for every run of a job; nil makes none.
	Tracer *trace.Tracer

	db     *db.DB
	clock  clock.Clock
	log    *slog.Logger
	worker string
	wake   chan struct{}
	atOnce int
	poll   time.Duration

	kinds    map[string]kind
	handled  []string
	periodic map[string]time.Duration

	mu      sync.Mutex
	running map[id.Job]string // their kinds
}

type kind struct {
	handler Handler
	policy  Policy
}

// New makes the queue of a process. Handlers are registered before Run.
func New(db *db.DB, clock clock.Clock, log *slog.Logger) *Queue {
	return &Queue{
		db: db, clock: clock, log: log, worker: id.NewWorker(clock.Now()), wake: make(chan struct{}, 1),
		atOnce: concurrency, poll: poll, kinds: map[string]kind{}, periodic: map[string]time.Duration{}, running: map[id.Job]string{},
	}
}

// AtOnce lets the queue run up to n jobs at once; it is called before Run. Jobs that
// mostly wait for others can be many; they get a queue of their own, so as not to take the
// places of those that work.
func (q *Queue) AtOnce(n int) { q.atOnce = n }

// Handle registers the handler of a kind. Jobs of kinds without a handler are left to
// other processes. A second handler for a kind is a programming error, and panics.
func (q *Queue) Handle(name string, handler Handler, policy Policy) {
	if _, ok := q.kinds[name]; ok {
		panic(fmt.Sprintf("jobs of kind %s have two handlers", name))
	}
	q.kinds[name] = kind{handler, policy.withDefaults()}
	q.handled = append(q.handled, name)
}

// Every makes a kind with a handler periodic: it runs at once, and then an interval after
// each run ended, in one process at a time. Missed runs are not made up for: the handler
// sees from the clock how much there is to do.
func (q *Queue) Every(name string, interval time.Duration) {
	if _, ok := q.kinds[name]; !ok || interval <= 0 {
		panic(fmt.Sprintf("a periodic job needs a handler and a positive interval: %s, %s", name, interval))
	}
	q.periodic[name] = interval
}

func (q *Queue) wakeUp() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// tx runs fn in a transaction of the queue.
func (q *Queue) tx(ctx context.Context, fn func(ctx context.Context, tx *db.Tx) error) error {
	return q.db.Tx(db.Contend(ctx, "jobs"), fn)
}

// Run works until ctx ends. Then it takes no more jobs, gives the running ones some time,
// cancels the rest, and returns when all have ended. It returns an error only if the
// periodic jobs cannot be prepared; later errors are logged, and retried.
func (q *Queue) Run(ctx context.Context) error {
	if err := q.tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		for name, interval := range q.periodic {
			now := q.clock.Now()
			if err := ensurePeriodic(ctx, tx, id.NewJob(now), name, interval, now); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("the periodic jobs cannot be prepared: %w", err)
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { q.renewLeases(work) })

	ended := make(chan struct{}, q.atOnce)
	looks, busy := time.NewTicker(q.poll), 0
	defer looks.Stop()
	for ctx.Err() == nil {
		var wake <-chan struct{}
		if busy < q.atOnce {
			wake = q.wake
			for _, job := range q.take(ctx, q.atOnce-busy) {
				busy++
				all.Go(func() {
					q.work(work, job)
					ended <- struct{}{}
				})
			}
		}
		select {
		case <-wake:
		case <-ended:
			busy--
		case <-looks.C:
		case <-ctx.Done():
		}
	}

	late := time.NewTimer(grace)
	defer late.Stop()
	for ; busy > 0; busy-- {
		select {
		case <-ended:
		case <-late.C:
			cancel()
			<-ended
		}
	}
	cancel()
	all.Wait()
	return nil
}

// take leases up to n due jobs.
func (q *Queue) take(ctx context.Context, n int) []Job {
	kinds, most := q.open(n)
	if len(kinds) == 0 {
		return nil
	}
	var taken []Job
	err := q.tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		now := q.clock.Now()
		var err error
		taken, err = lease(ctx, tx, q.db.Engine(), q.worker, kinds, q.atWork(), most, now, now.Add(leased))
		return err
	})
	if err != nil {
		if ctx.Err() == nil {
			q.log.ErrorContext(ctx, "jobs cannot be taken", "error", err)
		}
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, job := range taken {
		q.running[job.ID] = job.Kind
	}
	if most < n && len(taken) == most {
		q.wakeUp() // there may be more, of other kinds
	}
	return taken
}

// open lists the kinds of which n jobs, or as many as it returns, may be taken. An eighth of
// the places is left to jobs of other kinds: so many that hang, or are slow, do not hold up
// everything else.
func (q *Queue) open(n int) (kinds []string, most int) {
	limit := q.atOnce
	if limit > 1 && len(q.handled) > 1 {
		limit -= max(1, limit/8)
	}
	running := map[string]int{}
	q.mu.Lock()
	for _, kind := range q.running {
		running[kind]++
	}
	q.mu.Unlock()
	for _, kind := range q.handled {
		if room := limit - running[kind]; room > 0 {
			kinds, n = append(kinds, kind), min(n, room)
		}
	}
	return kinds, n
}

// atWork lists the jobs that this process runs.
func (q *Queue) atWork() []id.Job {
	q.mu.Lock()
	defer q.mu.Unlock()
	var list []id.Job
	for job := range q.running {
		list = append(list, job)
	}
	slices.Sort(list)
	return list
}

func (q *Queue) renewLeases(ctx context.Context) {
	beats := time.NewTicker(renewEvery)
	defer beats.Stop()
	for {
		select {
		case <-beats.C:
		case <-ctx.Done():
			return
		}
		list := q.atWork()
		if len(list) == 0 {
			continue
		}
		if err := q.tx(ctx, func(ctx context.Context, tx *db.Tx) error {
			return renew(ctx, tx, q.worker, list, q.clock.Now().Add(leased))
		}); err != nil && ctx.Err() == nil {
			q.log.ErrorContext(ctx, "the leases of jobs cannot be renewed", "error", err)
		}
	}
}

// work runs one job and records how it ended.
func (q *Queue) work(ctx context.Context, job Job) {
	defer func() {
		q.mu.Lock()
		delete(q.running, job.ID)
		q.mu.Unlock()
	}()
	k := q.kinds[job.Kind]
	ctx, span := q.begin(ctx, job)
	defer span.End()
	log := q.log.With("job", job.ID, "kind", job.Kind, "attempt", job.Attempts)
	var failure error
	if job.Attempts > k.policy.MaxAttempts && q.periodic[job.Kind] == 0 {
		failure = errors.New("the worker died during the last attempt")
	} else {
		failure = q.run(ctx, k, job)
	}
	// This is recorded even if the worker was told to stop.
	noted := context.WithoutCancel(ctx)
	if err := q.tx(noted, func(tctx context.Context, tx *db.Tx) error {
		return q.conclude(tctx, tx, job, failure, ctx.Err() != nil)
	}); err != nil {
		log.ErrorContext(noted, "the end of a job cannot be recorded; it will run again when its lease ends", "error", err)
		return
	}
	if failure != nil {
		span.Fail(string(fault.From(failure).Type))
		log.WarnContext(noted, "a job failed", "error", failure)
	}
}

// conclude records how a run ended. A run that was cancelled because the worker stops
// does not count as an attempt.
func (q *Queue) conclude(ctx context.Context, tx *db.Tx, job Job, failure error, cancelled bool) error {
	policy, interval := q.kinds[job.Kind].policy, q.periodic[job.Kind]
	now := q.clock.Now()
	if failure == nil {
		if interval > 0 {
			return postpone(ctx, tx, q.worker, job, now.Add(interval), 0, nil)
		}
		return finish(ctx, tx, q.worker, job)
	}
	text := failureText(failure)
	switch {
	case cancelled:
		return postpone(ctx, tx, q.worker, job, now, job.Attempts-1, &text)
	case job.Attempts < policy.MaxAttempts:
		return postpone(ctx, tx, q.worker, job, now.Add(policy.wait(job.Attempts)), job.Attempts, &text)
	case interval > 0:
		return postpone(ctx, tx, q.worker, job, now.Add(interval), 0, &text)
	}
	return bury(ctx, tx, q.worker, job, text)
}

// failureText is an error as a TEXT column accepts it: bounded, and without NUL and partial
// characters, which PostgreSQL rejects.
func failureText(failure error) string {
	text := failure.Error()
	return strings.ToValidUTF8(strings.ReplaceAll(text[:min(len(text), maxFailure)], "\x00", ""), "")
}

// run calls the handler, and turns a panic into an error.
func (q *Queue) run(ctx context.Context, k kind, job Job) (err error) {
	ctx, cancel := context.WithTimeout(ctx, k.policy.Timeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return k.handler(ctx, job)
}
