// Package matrix asks every operation as every kind of caller and keeps the
// answers in one readable file, matrix.golden: a change of rights is a diff.
//
// It owns the callers, one valid request for each operation, and what must hold
// for every operation whatever its own rule is. It does not own what a successful
// answer says (the suites exercise and clients). An operation without a request
// here fails the suite, so the matrix only grows.
package matrix
