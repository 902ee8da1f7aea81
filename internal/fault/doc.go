// Package fault is the one error type of botyard.
//
// It owns the closed list of the public API's error types, their HTTP statuses, and the
// separation of what a caller is told (Message) from what only the log may contain (the
// cause). It does not own how an error is encoded (package wire), nor how a driver's error
// is recognised (package db).
package fault
