// Package catalog owns the packages that bots are built from: integrations, interfaces
// and plugins, each in versions that are private to a workspace or open to others
// through the hub.
//
// It does not own their definitions (package definition), the bytes of their code,
// icons and readmes (package blob), their access keys (package access), the bots that
// have them installed (package bot), nor the workspaces that publish them.
//
// Invariants:
//   - A version belongs to one workspace. Public and unlisted versions are open:
//     anybody may read them. Only public ones are listed. Nobody outside the workspace
//     can tell that a private one exists.
//   - A workspace has at most one version of a kind, name and number, and so have all
//     workspaces together of those that are open. A name begins with the handle of its
//     workspace; only the platform's own workspace publishes names without one. All
//     open versions of a name belong to one workspace, also after its handle went to
//     another one.
//   - The content of an open version never changes, and the version cannot be deleted
//     while it is open.
//   - A definition is stored as the JSON that is answered, in a column after those that
//     lists read or, where counters change the row often, in a table of its own.
//   - The signing secret and the values of secrets are sealed in the database. The
//     signing secret is shown once, when it is made; the values never.
package catalog
