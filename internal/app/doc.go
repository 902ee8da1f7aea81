// Package app puts botyard together: it is the only place that knows everybody.
//
// It owns opening and closing an installation (database, keys, blobs, clock,
// domains), the first start, the HTTP server with its probes and metrics, and the
// background work. It does not own business rules, flags (package config) or
// what is printed (package cli).
package app
