package id

import "time"

// Issue names an issue of a bot.
type Issue string

// IssueEvent names one event of an issue.
type IssueEvent string

// NewIssue makes the id of an issue: a ULID behind "iss_".
func NewIssue(now time.Time) Issue { return Issue(prefixed("iss", now)) }

// NewIssueEvent makes the id of an event of an issue: a ULID behind "issevt_".
func NewIssueEvent(now time.Time) IssueEvent { return IssueEvent(prefixed("issevt", now)) }
