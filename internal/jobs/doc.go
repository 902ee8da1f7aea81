// Package jobs does later what a change has promised: it is a queue in the
// database of the change.
//
// It owns the table jobs: enqueuing in the transaction of the change, leases,
// repeats with growing waits, unique keys and periodic jobs. It does not own what
// a job does: the domains register their handlers.
//
// Invariants:
//   - A job is enqueued if and only if its change is committed.
//   - A job is done at least once: a handler must bear a repeat, because a process
//     may die between the end of the handler and the note of it. Without a death
//     it is done once, however many processes work.
//   - Two jobs with the same unique key neither wait nor run at the same time.
//   - A job that failed for the last time stays, as dead, with its last error.
//
// Leases rest on the clocks of the processes: they must not differ by more than a
// fraction of the lease, one minute.
package jobs
