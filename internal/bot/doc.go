// Package bot owns bots: their definition, tags, secrets, code and settings, the
// integrations and plugins installed in them with how far those know of it, and their
// saved versions, from creation to deletion.
//
// It does not own what bots are made of (package definition), what there is to
// install (package catalog), the bytes of their code (package blob), how integrations
// are called (package dispatch), their keys (package access), how many a workspace may have (package meter), nor who is a
// member of the workspace (package workspace).
//
// What holds at all times:
//   - A bot belongs to one workspace; every statement but introspection's names
//     it, so a foreign bot and a missing one are the same.
//   - Whom a bot's allowlist keeps out, it does not exist for: package wire asks
//     LetIn before every operation that names a bot, and lists leave it out.
//   - A bot that is transferred takes along all that is its own, in one transaction
//     with its quotas; whoever keeps more under its workspace is a Mover.
//   - The definition is stored as the JSON that is answered: reading a bot is one
//     query, and one more when something is installed; its bytes are copied, not
//     decoded. Lists never read it.
//   - The signing secret, the values of secrets and the configurations of what is
//     installed, also in saved versions, are sealed in the database. The first is shown
//     once, when the bot is made; the second never.
//   - Tags stand twice: in the bot's row, for answers, and in rows of their own,
//     for filters. One transaction writes both.
//   - A bot with plugins has two definitions: its own, which updates change, and
//     the one with what the plugins bring, which is answered. The latter is made
//     anew from the former whenever it or what is installed changes.
//   - Whatever a plugin depends on is installed, or the plugin is switched off.
//   - The catalog's count of a version's installations is the number of bots that
//     have it, and changes in the transaction that changes them.
//   - A saved version never changes. Deploying one is an update like any other, of the
//     whole bot: it happens in one transaction or not at all.
//   - No secret leaves in bot json, and what it is made of makes the same bytes again.
//   - An integration is told of an instance, and that it is no more, by jobs that commit
//     with the change. What came of a call is written only when the instance was not
//     written since.
//   - Every accepted update moves updatedAt and leaves an audit record, also one
//     that changes nothing: it says when someone last deployed.
package bot
