package id

import "time"

// NewWorker makes the id of one process's worker, for the leases it holds.
func NewWorker(now time.Time) string { return prefixed("worker", now) }
