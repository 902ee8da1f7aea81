// Package fault is the one error type of botyard.
//
// It owns the closed list of error types that the public API knows, their HTTP
// statuses, and the split between what a caller is told (Message) and what only
// the log may hold (the cause). It does not own how an error is written on the
// wire (package wire) nor how a driver's error is recognised (package db).
package fault
