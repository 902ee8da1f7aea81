// Package workspace owns workspaces, their handles, their members and their
// preferences.
//
// It does not own accounts (package account), what a role may do (package access), the
// number of bots and members that a plan allows (package meter), nor what is in a
// workspace: bots, keys and counters are deleted with it through Leaver.
//
// Invariants:
//   - A workspace has exactly one owner: its creator. Ownership cannot be given
//     away, and the owner can be neither changed nor removed.
//   - A handle belongs to at most one workspace.
//   - An e-mail address is a member of a workspace at most once, from the moment it is
//     invited. Its account is filled in as soon as there is one.
//   - The owner does not count against the quota of members.
package workspace
