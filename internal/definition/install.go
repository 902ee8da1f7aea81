package definition

import (
	"maps"
	"slices"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// EntityOf answers the schema of the entity that backs an entity of an interface, which is named
// by the alias under which a plugin depends on it.
type EntityOf func(alias, entity string) (wire.Object, bool)

// Resolve is the plugin with the references to entities in its configuration, states, events
// and actions replaced by their schemas. p is not changed. ReferenceNotFound and
// LimitExceeded name the place.
func (p Plugin) Resolve(entity EntityOf) (Plugin, error) {
	r := resolver{lookup: func(ref string) (wire.Object, bool) {
		alias, name, ok := EntityReference(ref)
		if !ok {
			return nil, false
		}
		return entity(alias, name)
	}}
	next := p
	next.Configuration.Schema = r.schema("configuration.schema", p.Configuration.Schema)
	next.States = resolved(p.States, func(name string, s StateDefinition) StateDefinition {
		s.Schema = r.schema("states."+name+".schema", s.Schema)
		return s
	})
	next.Events = resolved(p.Events, func(name string, e EventDefinition) EventDefinition {
		e.Schema = r.schema("events."+name+".schema", e.Schema)
		return e
	})
	next.Actions = resolved(p.Actions, func(name string, a ActionDefinition) ActionDefinition {
		a.Input.Schema = r.schema("actions."+name+".input.schema", a.Input.Schema)
		a.Output.Schema = r.schema("actions."+name+".output.schema", a.Output.Schema)
		return a
	})
	return next, r.err
}

// resolver resolves schemas until one fails.
type resolver struct {
	lookup func(ref string) (wire.Object, bool)
	err    error
}

func (r *resolver) schema(path string, schema wire.Object) wire.Object {
	if r.err != nil {
		return schema
	}
	schema, r.err = resolveEntities(path, schema, r.lookup)
	return schema
}

func resolved[T any](entries map[string]T, resolve func(name string, entry T) T) map[string]T {
	if entries == nil {
		return nil
	}
	next := make(map[string]T, len(entries))
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		next[name] = resolve(fault.Bounded(name), entries[name])
	}
	return next
}

// PluginKey is the key in a bot of what a plugin calls name.
func PluginKey(alias, name string) string { return alias + "#" + name }

// MergePlugin is the bot with a plugin installed under alias: the plugin's states, events and
// actions are added by their PluginKey, its tags by their own names. Existing entries are
// replaced, as when a bot is built with the plugin. The plugin's references to entities are
// resolved; bot and plugin are not changed. The limits of a bot's own definition do not
// apply to what plugins add. The errors are those of Resolve.
func MergePlugin(bot Bot, alias string, plugin Plugin, entity EntityOf) (Bot, error) {
	plugin, err := plugin.Resolve(entity)
	if err != nil {
		return Bot{}, err
	}
	bot.States = joined(bot.States, plugin.States, alias)
	bot.Events = joined(bot.Events, plugin.Events, alias)
	bot.Actions = joined(bot.Actions, plugin.Actions, alias)
	bot.User.Tags = joined(bot.User.Tags, plugin.User.Tags, "")
	bot.Conversation.Tags = joined(bot.Conversation.Tags, plugin.Conversation.Tags, "")
	bot.Message.Tags = joined(bot.Message.Tags, plugin.Message.Tags, "")
	return bot, nil
}

// joined is old with the entries of more, by their PluginKey or, without an alias, by name.
func joined[T any](old, more map[string]T, alias string) map[string]T {
	if len(more) == 0 {
		return old
	}
	next := make(map[string]T, len(old)+len(more))
	maps.Copy(next, old)
	for name, entry := range more {
		if alias != "" {
			name = PluginKey(alias, name)
		}
		next[name] = entry
	}
	return next
}
