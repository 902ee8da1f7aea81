// Package postgres gives tests a real PostgreSQL.
//
// It owns one server per test process, started from the binaries of the system on
// a Unix socket in a temporary directory, and a fresh database per test. A machine
// without the binaries fails the test: a suite that skips an engine proves nothing
// about it.
package postgres
