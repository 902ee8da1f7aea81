// Package contract holds the published document against the public contract of
// the cloud: every operation, parameter, field, type, limit and enum value.
//
// It owns the facts of the contract (facts/, one operation a line), what counts
// as a difference, the list of differences that are meant (exceptions.txt), the
// list of operations that are not built yet (pending.txt), and the table of
// docs/compatibility.md. It does not own how an operation behaves (the suites
// exercise, clients and matrix).
package contract
