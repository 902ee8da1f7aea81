// Package workspace owns workspaces, their handles, their members and their
// preferences.
//
// It does not own accounts (package account), what a role may do (package access),
// the number of bots and members that a plan allows (package meter), nor what a
// workspace holds: bots, keys and counters are deleted with it through Leaver.
//
// Invariants:
//   - A workspace has exactly one owner: its creator. Ownership cannot be given
//     away, and the owner can be neither changed nor removed.
//   - A handle belongs to one workspace at most.
//   - An e-mail address is a member of a workspace once at most. It is one from the
//     moment it is invited; the account behind it is filled in when there is one.
//   - The owner is not counted against the quota of members.
package workspace
