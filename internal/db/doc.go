// Package db stores botyard's state in an SQLite file or in PostgreSQL, with the same
// SQL text and the same behaviour.
//
// It owns the connections, the write transaction and its retries, the group commit
// of SQLite, the migrations, and the translation of drivers' errors into errors that
// a caller understands. It does not own the meaning of any table: the domains keep
// their SQL in their own store files.
//
// Invariants:
//   - A transaction is all or nothing, durable when Tx returns nil, and
//     serializable on both engines: no update is lost, in one process or in many.
//   - A failed statement fails its whole transaction, on SQLite too, although SQLite
//     would let it continue: otherwise the engines would differ.
//   - Success is reported only after the commit, and no failure is reported that was
//     caused by rows which were never committed.
//   - Errors are recognised by the driver's code, never by its text.
package db
