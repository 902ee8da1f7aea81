// Package account owns the people that use an installation: their account, their
// preferences, and the operations on their access tokens.
//
// It does not own tokens themselves (package access), nor which workspaces a
// person is a member of (package workspace). There are no passwords: accounts are
// made by the operator's command line, and a person shows who they are by a token.
package account
