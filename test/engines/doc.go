// Package engines runs the tests of stores on every database engine.
//
// It owns opening a migrated database for a test and closing it. It does not own the
// servers of whole suites: those are of package harness.
package engines
