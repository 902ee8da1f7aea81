// Package jobs is a queue of background work, kept in the database beside the changes
// that cause it.
//
// It owns the table jobs: enqueuing in the transaction of the change, leases, retries
// with exponential backoff, unique keys and periodic jobs. It does not own what a job
// does: the domains register their handlers.
//
// Invariants:
//   - A job is enqueued if and only if its change is committed.
//   - A job is done at least once. Handlers must be idempotent, because a process may
//     die between the end of a handler and the record of it. As long as none dies, a
//     job is done once, however many processes work.
//   - At most one job per unique key waits or runs at a time.
//   - However many jobs of one kind there are, those of other kinds have places left.
//   - A job that has failed for the last time stays, as dead, with its last error, until
//     ForgetDead.
//
// Leases rely on the processes' clocks: these must not differ by more than a fraction of
// a lease, which is one minute.
package jobs
