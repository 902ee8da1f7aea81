// Package clients runs the official clients, as they are published, against the
// real binary: @botpress/client in the scenarios and the bp command line.
//
// It owns the scenarios (scenarios/*.test.mjs, run by node's own test runner),
// the example of the README (examples), the pinned versions of the clients
// (package-lock.json) and the test that builds and starts the server, on both
// engines, and stands between the two: every answer is held against the document
// that the server publishes, and every published operation of the admin API has
// to be answered successfully at least once. It does not own the check itself
// (package validate) nor any rule of the product.
//
// package.json overrides one version: vite's, a test runner's part that the
// clients name among what they need at run time and never load. Its newer versions
// bring binaries for platforms that not every package mirror carries, and a lock
// file made there could not be installed from.
//
// Node 20 or newer and npm have to be there. A machine without them fails the
// test: a promise that is not checked is not kept.
package clients
