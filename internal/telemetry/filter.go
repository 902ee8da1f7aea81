package telemetry

import (
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// Owner says whose records are to be erased. Exactly one field is set.
type Owner struct {
	Workspace   id.Workspace
	Bot         id.Bot
	Integration id.Integration
}

// Filter selects records. Empty fields match everything, but Bot or Integration must be
// set: nobody reads across owners.
type Filter struct {
	// Kinds are the kinds to match, all of one Class.
	Kinds       []Kind
	Bot         id.Bot
	Integration id.Integration
	// From and Until bound Record.At; both are inclusive.
	From, Until time.Time
	// Before is the position of the last record of the page before: only older ones match.
	Before       *db.Key
	Level        Level
	User         string
	Conversation string
	Workflow     string
	// Contains is a substring of a log line's message; case matters.
	Contains string
	// Match is called last, for records that match everything else; nil matches all.
	Match func(*Record) bool
}

// Class is a group of kinds that share files or partitions, and are dropped together.
type Class string

// The classes: log lines, which are the most numerous and are not rolled up, and
// everything else.
const (
	Logs   Class = "logs"
	Events Class = "events"
)

// classOf is the class that a kind belongs to.
func classOf(k Kind) Class {
	if k == KindLog {
		return Logs
	}
	return Events
}
