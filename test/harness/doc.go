// Package harness starts botyard for tests and speaks to it.
//
// It owns servers in this process (one per engine, shared by the tests of a
// package, or one of a test's own), processes of the real binary, and a client
// that validates every answer against the document which the server publishes. It
// does not own any expectation of what an operation does: see package exercise.
package harness
