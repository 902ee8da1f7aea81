// Package audit keeps the audit trail: who did what in a workspace, when.
//
// It owns the records and how they are read. A record is written in the transaction of the
// change that it describes, so there is never one without the other, and keeps e-mail
// addresses and names as they were, even when the account or the resource is gone. It
// does not own what is worth recording: each domain decides where it makes the change.
package audit
