// Package access says who is calling and what they may do.
//
// It owns the actor of a request, the roles of a workspace, the one table of
// permissions, and access tokens: their form, their storage as hashes, their
// expiry and last use. It does not own membership (package workspace) nor which
// operation needs which permission (each domain declares that where it declares
// the operation).
package access
