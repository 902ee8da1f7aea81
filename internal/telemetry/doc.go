// Package telemetry keeps what bots do: log lines, action runs, issues, activities,
// messages, events and what they cost.
//
// It owns the records, their way in (ingest), the two stores that keep them (one
// SQLite file a day, or daily partitions in PostgreSQL), their retention, and
// the roll-ups that are made of them. It does not own bots, integrations or who
// may read them: it asks for those through the interfaces of needs.go.
//
// The way of a record:
//
//	http_ingest → parse (lines to Records) → pipeline → storage.Append → acknowledged
//	                                            ↓ afterwards, in order, exactly once
//	                                          rollUp, in a transaction of the main database
//
// Invariants:
//   - A record is acknowledged only when it is durable.
//   - Of records of one bot, kind and id only the first is kept, however often and
//     wherever it is sent again within the retention. A record without an id is
//     always a new one.
//   - Every kept record whose kind feeds roll-ups reaches rollUp exactly once. One that
//     it fails for is set aside and named to the operator, and holds up no other.
//   - Memory is bounded: what does not fit is refused with RateLimited and a time
//     to wait, and nothing of it is kept.
package telemetry
