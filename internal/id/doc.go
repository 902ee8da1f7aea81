// Package id makes and names identifiers.
//
// It owns the types that keep a bot's id from being passed for a workspace's,
// the prefixes that the public API uses, and the randomness of ids. It does not
// own tokens (package access) nor whether an id exists (the domains).
package id
