// Package bot owns bots from creation to deletion: their definition, tags, secrets, code
// and settings, the integrations and plugins installed in them, how far each integration
// is registered, and their saved versions.
//
// It does not own what bots are made of (package definition), what can be installed
// (package catalog), the bytes of their code (package blob), how integrations are called
// (package dispatch), their keys (package access), how many a workspace may have (package
// meter), nor who is a member of the workspace (package workspace).
//
// Invariants:
//   - A bot belongs to one workspace. Every statement names it, except introspection's
//     and those of the server's own calls, so a foreign bot and a missing one look alike.
//   - For those whom its allowlist keeps out, a bot does not exist: package wire asks
//     LetIn before every operation that names a bot, and lists leave it out.
//   - A bot that is transferred takes everything of its own along, in one transaction
//     with its quotas; a domain that keeps rows of it by workspace is a Mover.
//   - The definition is stored as the JSON that is returned. Reading a bot is one query,
//     and a second one when something is installed; the bytes are copied, not decoded.
//     Lists never read definitions.
//   - The signing secret, the values of secrets, and the configurations of what is
//     installed, in saved versions too, are sealed in the database. The signing secret is
//     shown once, when it is made; the values of secrets never.
//   - Tags are stored twice: in the bot's row for answers, and in rows of their own for
//     filters. One transaction writes both.
//   - A bot with plugins has two definitions: its own, which updates change, and the one
//     that includes what the plugins contribute, which is returned. The latter is rebuilt
//     from the former whenever it, or what is installed, changes.
//   - A plugin is enabled only while everything it depends on is installed.
//   - The catalog's install count of a version is the number of bots that have it, and
//     changes in the transaction that changes them.
//   - A saved version never changes. Deploying one is an update of the whole bot like any
//     other: it happens in one transaction or not at all.
//   - Bot JSON contains no secret, and a bot made from it exports the same bytes again.
//   - Integrations are told about new and removed instances by jobs that commit with the
//     change. The result of a call is stored only if the instance was not written since.
//   - Every accepted update moves updatedAt and leaves an audit record, even one that
//     changes nothing: the record says when somebody last deployed.
package bot
