package telemetry

import (
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

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
