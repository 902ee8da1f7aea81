// Package definition holds the documents that bots, integrations, interfaces and
// plugins are made of: tags, states, events, actions, channels, entities and
// configurations.
//
// It owns the types, which are the same on the wire and in storage; how a patch
// changes a document; what a document may hold; how a plugin becomes part of a bot;
// and which changes of a document break those who use it. It does no I/O: whoever
// applies a patch gives it the function that finds the packages it refers to. It
// does not own what stands beside a definition (packages bot and catalog).
//
// A patch is absent, null or a value at every place. Maps merge by key: null
// removes the entry, a value replaces it. Some entries are patched themselves:
// the attributes of events and actions merge into those of the entry that is
// replaced, and channels and configurations are changed member by member, since
// their members are optional in an update. Applying a patch twice is the same as
// applying it once.
//
// Free-form JSON (schemas, payloads, configuration data) is kept as it came.
// Schemas are looked at but never compiled: they may refer to what only the
// installation of a plugin resolves. The data of a configuration is for the same
// reason not held against its schema.
package definition
