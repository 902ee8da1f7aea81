// Package db is how botyard keeps what it knows: in an SQLite file or in
// PostgreSQL, with the same SQL text and the same behaviour.
//
// It owns the connections, the write transaction with its repeats, the group
// commit of SQLite, the migrations, and how a driver's error becomes one that a
// caller understands. It does not own the meaning of any table: those who do keep
// their SQL in their own store files.
//
// Invariants:
//   - A transaction is all or nothing, durable when Tx returns nil, and
//     serializable on both engines: no update is lost, in one process or in many.
//   - A statement that failed fails its whole transaction, on SQLite too, though
//     SQLite would let it go on: otherwise the engines would differ.
//   - Nobody is told of success before the commit, and nobody is told of a
//     failure that rests on rows which were never committed.
//   - Errors are recognised by the driver's code, never by its text.
package db
