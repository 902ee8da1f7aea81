// Package clock is the only place that reads the time.
//
// It owns the system clock and the development clock, which runs ahead of it by
// an offset kept in the data directory, so that tests and demonstrations can
// close a month in a second. It does not own timers, time-outs or formats.
package clock
