// Package catalog owns what bots are put together from: integrations, interfaces
// and plugins, in their versions, private to a workspace or public in the hub.
//
// It does not own what they are made of (package definition), the bytes of their
// code, icons and readmes (package blob), their keys (package access), the bots
// that have them installed (package bot), nor the workspaces that publish them.
//
// What holds at all times:
//   - A version belongs to one workspace. Everybody may read the public and the
//     unlisted ones, only the public ones are listed; of a private one nobody
//     outside learns that it exists.
//   - A name and version is one package of a workspace, and one of all that are open
//     to others. A name begins with the handle of its workspace; only the platform's
//     own workspace publishes names without one.
//   - What a public or unlisted version is made of never changes, and it is not
//     deleted while it is one.
//   - The definition is stored as the JSON that is answered, where lists do not
//     touch it: behind what they read or, beside counters, in a table of its own.
//   - The signing secret and the values of secrets are sealed in the database. The
//     former is shown once, when it is made; the latter never.
package catalog
