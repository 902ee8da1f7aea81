// Package clock is the only package that reads the time.
//
// It owns the system clock and the development clock, which runs ahead of it by an
// offset in the data directory, so that tests and demonstrations can close a month in a
// second. It does not own timers, timeouts or time formats.
package clock
