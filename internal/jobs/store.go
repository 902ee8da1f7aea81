package jobs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// The states of a row. A finished job has no row.
const (
	pending = "pending"
	dead    = "dead"
)

// insert adds a job. If its unique key is that of a running job, again_at notes that another
// run is wanted, and when: the end of the run decides what becomes of it.
func insert(ctx context.Context, q db.Querier, id id.Job, kind string, payload jsontext.Value, e enqueued, now time.Time) error {
	_, err := q.Exec(ctx, `
		INSERT INTO jobs (id, kind, unique_key, payload, state, run_at, attempts, created_at, traceparent)
		VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8)
		ON CONFLICT (unique_key) DO UPDATE SET
			run_at = CASE WHEN jobs.leased_by IS NULL AND excluded.run_at < jobs.run_at THEN excluded.run_at ELSE jobs.run_at END,
			again_at = CASE
				WHEN jobs.leased_by IS NULL THEN NULL
				WHEN jobs.again_at < excluded.run_at THEN jobs.again_at
				ELSE excluded.run_at END,
			payload = CASE WHEN jobs.leased_by IS NOT NULL THEN excluded.payload ELSE jobs.payload END,
			traceparent = CASE WHEN jobs.leased_by IS NOT NULL THEN excluded.traceparent ELSE jobs.traceparent END`,
		id, kind, e.key, string(payload), pending, e.runAt.UnixMilli(), now.UnixMilli(), db.Text(e.traceparent))
	return db.Convert(err)
}

// ensurePeriodic creates the row of a periodic kind, and brings its next run forward to at
// most one interval from now.
func ensurePeriodic(ctx context.Context, q db.Querier, id id.Job, kind string, interval time.Duration, now time.Time) error {
	if _, err := q.Exec(ctx, `
		INSERT INTO jobs (id, kind, unique_key, payload, state, run_at, attempts, created_at)
		VALUES ($1, $2, $3, 'null', $4, $5, 0, $5)
		ON CONFLICT (unique_key) DO NOTHING`,
		id, kind, periodicKey(kind), pending, now.UnixMilli()); err != nil {
		return db.Convert(err)
	}
	latest := now.Add(interval).UnixMilli()
	_, err := q.Exec(ctx, "UPDATE jobs SET run_at = $1 WHERE unique_key = $2 AND run_at > $1 AND leased_by IS NULL",
		latest, periodicKey(kind))
	return db.Convert(err)
}

func periodicKey(kind string) string { return "every " + kind }

// lease gives worker up to n due jobs of the kinds until the given time, but none of those
// in running: the worker may have failed to renew their leases and still be working on
// them. A run that was wanted until now, of a job whose worker has died, is this one.
func lease(ctx context.Context, tx *db.Tx, engine db.Engine, worker string, kinds []string, running []id.Job, n int, now, until time.Time) ([]Job, error) {
	args := []any{worker, until.UnixMilli(), pending, now.UnixMilli(), n}
	query := `
		UPDATE jobs SET leased_by = $1, leased_until = $2, attempts = attempts + 1,
			again_at = CASE WHEN again_at > $4 THEN again_at END
		WHERE id IN (
			SELECT id FROM jobs
			WHERE state = $3 AND run_at <= $4 AND (leased_until IS NULL OR leased_until < $4)
				AND kind IN (` + list(&args, kinds) + ")"
	if len(running) > 0 {
		query += " AND id NOT IN (" + list(&args, running) + ")"
	}
	query += " ORDER BY run_at, id LIMIT $5"
	if engine == db.PostgreSQL {
		query += " FOR UPDATE SKIP LOCKED"
	}
	query += ") RETURNING id, kind, payload, attempts, COALESCE(traceparent, '')"
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, db.Convert(err)
	}
	defer func() { _ = rows.Close() }() // read to its end; Err says what went wrong
	var leased []Job
	for rows.Next() {
		var job Job
		var payload string
		if err := rows.Scan(&job.ID, &job.Kind, &payload, &job.Attempts, &job.cause.Traceparent); err != nil {
			return nil, db.Convert(err)
		}
		job.Payload = jsontext.Value(payload)
		leased = append(leased, job)
	}
	return leased, db.Convert(rows.Err())
}

// list adds values to args and returns their placeholders.
func list[T ~string](args *[]any, values []T) string {
	var placeholders []string
	for _, v := range values {
		*args = append(*args, string(v))
		placeholders = append(placeholders, fmt.Sprintf("$%d", len(*args)))
	}
	return strings.Join(placeholders, ", ")
}

// renew extends the leases that worker holds on the jobs.
func renew(ctx context.Context, q db.Querier, worker string, running []id.Job, until time.Time) error {
	args := []any{until.UnixMilli(), worker}
	_, err := q.Exec(ctx, "UPDATE jobs SET leased_until = $1 WHERE leased_by = $2 AND id IN ("+list(&args, running)+")", args...)
	return db.Convert(err)
}

// What ends a run applies only while its lease is still held: the attempts have grown if
// somebody else has taken it since.

// finish deletes a finished job, unless another run is wanted.
func finish(ctx context.Context, q db.Querier, worker string, job Job) error {
	n, err := q.Exec(ctx, "DELETE FROM jobs WHERE id = $1 AND leased_by = $2 AND attempts = $3 AND again_at IS NULL",
		job.ID, worker, job.Attempts)
	if err != nil || n > 0 {
		return db.Convert(err)
	}
	return reschedule(ctx, q, worker, job, nil)
}

// reschedule has a job of which another run is wanted wait for it. That run has all its
// attempts.
func reschedule(ctx context.Context, q db.Querier, worker string, job Job, failure *string) error {
	_, err := q.Exec(ctx, `
		UPDATE jobs SET run_at = again_at, again_at = NULL, attempts = 0, last_error = $1, leased_by = NULL, leased_until = NULL
		WHERE id = $2 AND leased_by = $3 AND attempts = $4 AND again_at IS NOT NULL`,
		failure, job.ID, worker, job.Attempts)
	return db.Convert(err)
}

// postpone reschedules a job to next, or earlier if another run is wanted earlier; a wanted
// run has all its attempts. Attempts and failure replace those of the row; no failure is NULL.
func postpone(ctx context.Context, q db.Querier, worker string, job Job, next time.Time, attempts int, failure *string) error {
	_, err := q.Exec(ctx, `
		UPDATE jobs SET leased_by = NULL, leased_until = NULL, last_error = $1,
			attempts = CASE WHEN again_at IS NULL THEN $2 ELSE 0 END,
			run_at = CASE WHEN again_at < $3 THEN again_at ELSE $3 END,
			again_at = NULL
		WHERE id = $4 AND leased_by = $5 AND attempts = $6`,
		failure, attempts, next.UnixMilli(), job.ID, worker, job.Attempts)
	return db.Convert(err)
}

// bury keeps a job that has failed for the last time, without its unique key, unless another
// run is wanted.
func bury(ctx context.Context, q db.Querier, worker string, job Job, failure string) error {
	n, err := q.Exec(ctx, `
		UPDATE jobs SET state = $1, unique_key = NULL, leased_by = NULL, leased_until = NULL, last_error = $2
		WHERE id = $3 AND leased_by = $4 AND attempts = $5 AND again_at IS NULL`,
		dead, failure, job.ID, worker, job.Attempts)
	if err != nil || n > 0 {
		return db.Convert(err)
	}
	return reschedule(ctx, q, worker, job, &failure)
}

// ForgetDead deletes the dead jobs that were last due before a time.
func (q *Queue) ForgetDead(ctx context.Context, before time.Time) error {
	return q.tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM jobs WHERE state = $1 AND run_at < $2", dead, before.UnixMilli())
		return db.Convert(err)
	})
}

// Backlog counts the jobs that wait or run, and those that are dead.
func (q *Queue) Backlog(ctx context.Context) (waiting, buried int64, err error) {
	err = q.db.Reader(ctx).QueryRow(ctx, `
		SELECT (SELECT COUNT(*) FROM jobs WHERE state = $1), (SELECT COUNT(*) FROM jobs WHERE state = $2)`, pending, dead).Scan(&waiting, &buried)
	return waiting, buried, db.Convert(err)
}
