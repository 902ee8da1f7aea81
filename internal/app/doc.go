// Package app assembles botyard: it is the only package that knows all others.
//
// It owns opening and closing an installation (database, keys, blobs, clock, domains),
// the first start, the HTTP server with its probes and metrics, the background work, and
// what concerns several domains: key rotation, garbage collection of blobs, the initial
// content of the hub. It does not own business rules, settings (package config) or
// output (package cli).
package app
