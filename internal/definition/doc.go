// Package definition holds the documents that bots are made of: their tags,
// states, events, recurring events, actions, configuration and subscriptions.
//
// It owns the types, which are the same on the wire and in storage; how a patch
// changes a document; and what a document may hold. It does no I/O and it does
// not own what stands beside a definition in a bot (package bot).
//
// A patch is absent, null or a value at every place. Maps merge by key: null
// removes the entry, a value replaces it. The attributes of events and actions
// are the one exception: they merge into those of the entry that is replaced, so
// an entry sent without attributes keeps them. Applying a patch twice is the same
// as applying it once.
//
// Free-form JSON (schemas, payloads, configuration data) is kept as it came.
// Schemas are looked at but never compiled: they may refer to what only the
// installation of a plugin resolves. The data of a configuration is for the same
// reason not held against its schema.
package definition
