// Package hub owns the definitions of the interfaces that most integrations and
// plugins build on, so that a new installation can have them in its hub. Names,
// versions and schemas are those that published packages ask for; the texts are
// our own.
//
// It does not own the hub nor how a definition gets into it: that is the catalog's
// (internal/catalog) and the command "botyard hub load".
package hub
