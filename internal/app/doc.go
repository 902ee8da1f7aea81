// Package app puts botyard together: it is the only place that knows everybody.
//
// It owns opening and closing an installation (database, keys, blobs, clock,
// domains), the first start, the HTTP server with its probes and metrics, the
// background work, and what touches several domains at once: the rotation of keys,
// the collection of blobs, the first content of the hub. It does not own business
// rules, flags (package config) or what is printed (package cli).
package app
