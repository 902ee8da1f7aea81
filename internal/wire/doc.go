// Package wire is the surface of the public API: it turns requests into typed inputs, and
// answers and errors into bytes.
//
// It owns the set-up of huma and chi: operations with their permission and rate class, the
// error envelope, the value types of bodies and queries, pagination and its cursors, body
// limits, CORS, rate limits, idempotency keys, event streams, signed downloads, the
// published document. It does not own any operation: each domain declares its own in
// http.go and registers it here.
package wire
