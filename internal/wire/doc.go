// Package wire is the public API's surface: how a request becomes a typed input
// and how an answer, or an error, becomes bytes.
//
// It owns huma and chi, set up once: operations with their permission and rate
// class, the error envelope, the value types of bodies and queries, pages and
// their cursors, body limits, CORS, rate limits, idempotency keys, the published
// document. It does not own any operation: each domain declares its own in its
// http.go and registers it here.
package wire
