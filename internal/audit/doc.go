// Package audit keeps the audit trail: who did what in a workspace, when.
//
// It owns the records and their reading. A record is written in the transaction
// of the change it tells of, so there is never one without the other; it keeps
// the e-mail address and names as they were, also after the account or the
// resource is gone. It does not own what is worth recording: each domain says so
// where it makes the change.
package audit
