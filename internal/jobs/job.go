package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/trace"
)

// Job is one piece of work, as its handler sees it.
type Job struct {
	ID   id.Job
	Kind string
	// Payload is what was enqueued; null for a periodic job.
	Payload jsontext.Value
	// Attempts counts this run, so it is 1 at the first.
	Attempts int

	// cause is the span of the request that enqueued the job.
	cause trace.Parent
}

// Handler does a job. It must be idempotent, and return when ctx ends. If it returns an
// error, the job is retried according to its policy.
type Handler func(ctx context.Context, job Job) error

// Policy says how a kind of job is retried. Zero fields select the defaults.
type Policy struct {
	// MaxAttempts is how often a job is run before it is dead; 10 by default. A
	// periodic job never dies: it waits for its next turn.
	MaxAttempts int
	// Timeout bounds one run; one minute by default.
	Timeout time.Duration
	// Backoff is about the wait after the first failure, 2 seconds by default. It
	// doubles with every further one up to MaxBackoff, one hour by default.
	Backoff    time.Duration
	MaxBackoff time.Duration
}

func (p Policy) withDefaults() Policy {
	if p.MaxAttempts <= 0 {
		p.MaxAttempts = 10
	}
	if p.Timeout <= 0 {
		p.Timeout = time.Minute
	}
	if p.Backoff <= 0 {
		p.Backoff = 2 * time.Second
	}
	if p.MaxBackoff <= 0 {
		p.MaxBackoff = time.Hour
	}
	return p
}

// wait is the backoff after the given number of failures: at least half of the doubled
// interval, plus jitter, so that jobs which failed together are retried apart.
func (p Policy) wait(failures int) time.Duration {
	limit := p.Backoff
	for range failures - 1 {
		if limit *= 2; limit >= p.MaxBackoff {
			break
		}
	}
	limit = min(limit, p.MaxBackoff)
	return limit/2 + id.Jitter(limit/2)
}

// Option changes how a job is enqueued.
type Option func(*enqueued)

type enqueued struct {
	runAt       time.Time
	key         *string
	traceparent string
}

// RunAt has the job wait until t.
func RunAt(t time.Time) Option { return func(e *enqueued) { e.runAt = t } }

// Unique gives the job a key among those of its kind. If a job with the key is waiting
// already, none is added, and the waiting one runs at the earlier of the two times. If it
// is running, it will run once more afterwards, with the new payload and all its attempts,
// however the present run ends: what it has read may be older than this change.
func Unique(key string) Option { return func(e *enqueued) { e.key = &key } }

// Enqueue adds a job in the transaction of tx. It runs soon after the commit, in
// any process that handles its kind.
func (q *Queue) Enqueue(ctx context.Context, tx *db.Tx, kind string, payload any, options ...Option) error {
	encoded, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("the payload of a job %s cannot be written as JSON: %w", kind, err)
	}
	now := q.clock.Now()
	e := enqueued{runAt: now, traceparent: cause(ctx)}
	for _, option := range options {
		option(&e)
	}
	if e.key != nil {
		key := kind + "/" + *e.key
		e.key = &key
	}
	if err := insert(ctx, tx, id.NewJob(now), kind, encoded, e, now); err != nil {
		return err
	}
	switch wait := e.runAt.Sub(now); {
	case wait <= 0:
		tx.AfterCommit(q.wakeUp)
	case wait < q.poll: // its time may come before the next look
		tx.AfterCommit(func() { time.AfterFunc(wait, q.wakeUp) })
	}
	return nil
}
