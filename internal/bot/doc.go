// Package bot owns bots: their definition, tags, secrets, code and settings, from
// creation to deletion.
//
// It does not own what bots are made of (package definition), the bytes of their
// code (package blob), their keys (package access), how many a workspace may have
// (package meter), nor who is a member of the workspace (package workspace).
//
// What holds at all times:
//   - A bot belongs to one workspace; every statement but introspection's names
//     it, so a foreign bot and a missing one are the same.
//   - The definition is stored as the JSON that is answered: reading a bot is one
//     query, and its bytes are copied, not decoded. Lists never read it.
//   - The signing secret and the values of secrets are sealed in the database. The
//     former is shown once, when the bot is made; the latter never.
//   - Tags stand twice: in the bot's row, for answers, and in rows of their own,
//     for filters. One transaction writes both.
//   - Every accepted update moves updatedAt and leaves an audit record, also one
//     that changes nothing: it says when someone last deployed.
//
// Integrations and plugins cannot be installed yet, so a bot has none. A request
// that installs one names something that does not exist, and is refused with
// ReferenceNotFound; one that removes one has nothing to do; a list of the bots
// that have one is empty.
package bot
