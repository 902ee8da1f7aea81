// Package id creates identifiers, and gives each kind a type of its own.
//
// It owns these types, which keep a bot's id from being passed as a workspace's, the
// prefixes that the public API uses, and the randomness of ids. It does not own tokens
// (package access), nor whether an id exists (the domains).
package id
