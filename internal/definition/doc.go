// Package definition holds the documents that bots, integrations, interfaces and
// plugins are made of: tags, states, events, actions, channels, entities and
// configurations.
//
// It owns the types, which are the same on the wire and in storage; how a patch changes a
// document; the limits of a document; how a plugin becomes part of a bot; and which changes
// of a document break its users. It also has the checks of a few settings that bots and
// integrations share. It does no I/O: the caller passes in the function that looks up the
// packages a patch refers to. It does not own what is stored beside a definition (packages
// bot and catalog).
//
// In a patch every member is absent, null or a value. Maps merge by key: null removes the
// entry, a value replaces it. Some entries are patched in turn: the attributes of events
// and actions merge into those of the entry that is replaced, and channels and
// configurations change member by member, because their members are optional in an update.
// Patches are idempotent.
//
// Free-form JSON (schemas, payloads, configuration data) is kept byte for byte. Schemas are
// checked for their form but never compiled, because they may contain references that are
// resolved only when a plugin is installed. For the same reason the data of a configuration
// is not validated against its schema.
package definition
