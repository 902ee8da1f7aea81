// Package telemetry keeps what bots report: log lines, action runs, issues, activities,
// messages, events and what they cost.
//
// It owns the records, the ingest of them, their storage (one SQLite file a day, or daily
// partitions in PostgreSQL), their retention, and the roll-ups that are computed from
// them. It does not own bots, integrations, or who may read them: it asks for those
// through the interfaces in needs.go.
//
// A record takes this path:
//
//	http_ingest → batch (bytes to Records) → blockStore.Append → acknowledged
//	                                             ↓ later, in order, exactly once
//	                                         rollUp, in a transaction of the main database
//
// Invariants:
//   - A record is acknowledged only when it is durable.
//   - Of all records with the same bot, kind and id only the first is kept, however often
//     and to whichever server it is sent again within the retention. A record without an
//     id is always a new one.
//   - Every record of a kind that is rolled up reaches rollUp exactly once. A record for
//     which rollUp fails is set aside and reported to the operator; it holds up no other.
//   - Memory is bounded: a request that does not fit is refused with RateLimited and a
//     time to wait, and nothing of it is kept.
package telemetry
