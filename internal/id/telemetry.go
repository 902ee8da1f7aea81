package id

import (
	"encoding/binary"
	"time"

	"github.com/oklog/ulid/v2"
)

// Issue names an issue of a bot.
type Issue string

// IssueEvent names one event of an issue.
type IssueEvent string

// NewIssue makes the id of an issue: a ULID behind "iss_".
func NewIssue(now time.Time) Issue { return Issue(prefixed("iss", now)) }

// NewIssueEvent makes the id of an event of an issue: a ULID behind "issevt_".
func NewIssueEvent(now time.Time) IssueEvent { return IssueEvent(prefixed("issevt", now)) }

// IssueEventOf is the id of the event that a record tells of: always the same, and
// in the order of time, then of the records' numbers.
func IssueEventOf(at time.Time, sequence int64) IssueEvent {
	var u ulid.ULID
	_ = u.SetTime(uint64(at.UnixMilli()) & ulid.MaxTime()) // fails only for what is masked away
	binary.BigEndian.PutUint64(u[8:], uint64(sequence))
	return IssueEvent("issevt_" + u.String())
}

// NewActivity makes the id of an activity, or of the run of an action that was sent
// without one: a ULID behind "activty_".
func NewActivity(now time.Time) string { return prefixed("activty", now) }
