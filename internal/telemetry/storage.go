package telemetry

import (
	"context"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// storage keeps records. There is one implementation, over two kinds of places:
// SQLite files and PostgreSQL partitions. All methods are safe for concurrent use.
type storage interface {
	// Append keeps the records of one request, of each class all or none, and returns
	// when they are durable. After an error those of the other class may be kept: what
	// is sent again is told by its ids. duplicates is how many were kept before, or stand in records
	// twice; they are dropped. Records are not to be changed afterwards.
	Append(ctx context.Context, records []Record) (duplicates int, err error)
	// Scan calls visit with what passes the filter, newest first, records of one
	// millisecond by falling Sequence, until visit answers false. It sees all
	// records whose Append returned before it began.
	Scan(ctx context.Context, f Filter, visit func(*Record) bool) error
	// After answers the records that were appended after a place, in the order of
	// Sequence: it is what live tails read. They are fewer than most when no more are
	// there, or when their texts are long: none are left when it answers none.
	After(ctx context.Context, f Filter, after int64, most int) ([]Record, error)
	// Latest is the greatest Sequence of a class so far; 0 when it has no records.
	Latest(ctx context.Context, class Class) (int64, error)
	// Erase deletes what is kept of a bot, an integration or a workspace.
	Erase(ctx context.Context, of Owner) error
	// Damaged names the days that were set aside because they cannot be read.
	Damaged() []string
}

// Owner is one whose records are erased: the field that is set.
type Owner struct {
	Workspace   id.Workspace
	Bot         id.Bot
	Integration id.Integration
}

// Filter says which records are wanted. Empty fields want everything, except that
// a Bot or an Integration must be given: nobody reads across owners.
type Filter struct {
	// Kinds are wanted; all of one Class.
	Kinds       []Kind
	Bot         id.Bot
	Integration id.Integration
	// From and Until bound Record.At, both included.
	From, Until time.Time
	// Before is where to go on: only what is older than this place.
	Before       *db.Key
	Level        Level
	User         string
	Conversation string
	Workflow     string
	// Contains is a part of a log line's message, with its case.
	Contains string
	// Match is asked last, of what passed everything else; nil wants all.
	Match func(*Record) bool
}

// Class is a group of kinds that are kept together, in files or partitions of their
// own, and dropped together.
type Class string

// The classes: log lines, of which there are most and which nothing is rolled up
// from, and everything else.
const (
	Logs   Class = "logs"
	Events Class = "events"
)

// classOf is the class of a kind.
func classOf(k Kind) Class {
	if k == KindLog {
		return Logs
	}
	return Events
}
