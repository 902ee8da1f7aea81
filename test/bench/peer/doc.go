// Command peer is PocketBase with one collection, for the benchmark to measure
// beside botyard.
//
// It owns the shape that makes the two do the same work: a bots collection of
// the same fields, indexed for the same list, open to a signed-in user only.
// Everything else is PocketBase's default. It is a Go module of its own, so
// that PocketBase's dependencies never reach botyard's.
package main
