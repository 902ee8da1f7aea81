package definition

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// Change is a change of a definition that breaks its users.
type Change struct {
	// Path says where, such as actions.send.input.
	Path string
	// Reason says what, such as: required property "to" was added.
	Reason string
}

// String is path and reason in one line.
func (c Change) String() string { return c.Path + ": " + c.Reason }

// maxChanges is how many changes are reported at most.
const maxChanges = 100

// BreakingIntegration lists the changes from old to next that break bots and plugins which
// use old, by the rules of docs/breaking-changes.md: at most 100, always in the same order.
// Equal definitions have none, nor have optional additions.
func BreakingIntegration(old, next Integration) []Change {
	c := newChanges()
	c.configuration("configuration", old.Configuration, next.Configuration)
	each(c, "configurations", "configuration", old.Configurations, next.Configurations, c.configuration)
	c.actions(old.Actions, next.Actions)
	c.events(old.Events, next.Events)
	each(c, "states", "state", old.States, next.States, func(path string, old, next IntegrationState) {
		c.state(path, old.Type, next.Type, old.Schema, next.Schema)
	})
	c.entities(old.Entities, next.Entities)
	each(c, "channels", "channel", old.Channels, next.Channels, func(path string, old, next Channel) {
		c.messages(path, old.Messages, next.Messages)
		c.creatable(path+".conversation", "conversations", old.Conversation, next.Conversation)
		c.tags(path+".message", old.Message.Tags, next.Message.Tags)
	})
	c.creatable("user", "users", old.User, next.User)
	each(c, "interfaces", "implementation", old.Interfaces, next.Interfaces, c.implementation)
	return c.found
}

// BreakingInterface lists the changes from old to next that break plugins and bots which use
// old, as BreakingIntegration does. Additions do not break implementations, because those
// implement the version that they name.
func BreakingInterface(old, next Interface) []Change {
	c := newChanges()
	c.actions(old.Actions, next.Actions)
	c.events(old.Events, next.Events)
	c.entities(old.Entities, next.Entities)
	each(c, "channels", "channel", old.Channels, next.Channels, func(path string, old, next InterfaceChannel) {
		c.messages(path, old.Messages, next.Messages)
	})
	return c.found
}

// BreakingPlugin lists the changes from old to next that break bots which use old, as
// BreakingIntegration does.
func BreakingPlugin(old, next Plugin) []Change {
	c := newChanges()
	c.schema("configuration", accepted, old.Configuration.Schema, next.Configuration.Schema)
	c.actions(old.Actions, next.Actions)
	c.events(old.Events, next.Events)
	each(c, "states", "state", old.States, next.States, func(path string, old, next StateDefinition) {
		c.state(path, old.Type, next.Type, old.Schema, next.Schema)
	})
	c.tags("user", old.User.Tags, next.User.Tags)
	c.tags("conversation", old.Conversation.Tags, next.Conversation.Tags)
	c.tags("message", old.Message.Tags, next.Message.Tags)
	c.dependencies("dependencies.interfaces", old.Dependencies.Interfaces, next.Dependencies.Interfaces)
	c.dependencies("dependencies.integrations", old.Dependencies.Integrations, next.Dependencies.Integrations)
	return c.found
}

// changes collects breaking changes.
type changes struct {
	found []Change
	seen  map[Change]bool
	// budget is how many steps of comparing schemas are left; see maxComparisonWork.
	budget int
}

func newChanges() *changes { return &changes{seen: map[Change]bool{}, budget: maxComparisonWork} }

func (c *changes) add(path, format string, args ...any) {
	change := Change{path, fmt.Sprintf(format, args...)}
	if !c.seen[change] && len(c.found) < maxChanges {
		c.seen[change] = true
		c.found = append(c.found, change)
	}
}

// each compares the entries that have the same name, and reports those of old that next does
// not have. A renamed entry counts as removed.
func each[T any](c *changes, path, what string, old, next map[string]T, compare func(path string, old, next T)) {
	for _, name := range slices.Sorted(maps.Keys(old)) {
		then, stands := next[name]
		switch at := path + "." + fault.Bounded(name); {
		case !stands:
			c.add(at, "the %s was removed", what)
		case compare != nil:
			compare(at, old[name], then)
		}
	}
}

// actions compares actions: bots send the input and read the output.
func (c *changes) actions(old, next map[string]ActionDefinition) {
	each(c, "actions", "action", old, next, func(path string, old, next ActionDefinition) {
		c.schema(path+".input", accepted, old.Input.Schema, next.Input.Schema)
		c.schema(path+".output", produced, old.Output.Schema, next.Output.Schema)
	})
}

func (c *changes) events(old, next map[string]EventDefinition) {
	each(c, "events", "event", old, next, func(path string, old, next EventDefinition) {
		c.schema(path, produced, old.Schema, next.Schema)
	})
}

// entities compares entities, which are parts of inputs and of outputs.
func (c *changes) entities(old, next map[string]EntityDefinition) {
	each(c, "entities", "entity", old, next, func(path string, old, next EntityDefinition) {
		c.schema(path, accepted|produced, old.Schema, next.Schema)
	})
}

// messages compares message types, which are both received and sent.
func (c *changes) messages(path string, old, next map[string]SchemaHolder) {
	each(c, path+".messages", "message type", old, next, func(path string, old, next SchemaHolder) {
		c.schema(path, accepted|produced, old.Schema, next.Schema)
	})
}

// state compares a state: values stored by the old definition must stay valid.
func (c *changes) state(path, oldType, nextType string, old, next wire.Object) {
	if oldType != nextType {
		c.add(path, "the state moved from the %s to the %s", oldType, nextType)
	}
	c.schema(path, accepted, old, next)
}

// configuration compares a configuration: those of existing installations must stay valid.
func (c *changes) configuration(path string, old, next IntegrationConfiguration) {
	c.schema(path, accepted, old.Schema, next.Schema)
	if next.Identifier.Required && !old.Identifier.Required {
		c.add(path+".identifier", "an identifier became required")
	}
}

func (c *changes) tags(path string, old, next map[string]TagDefinition) {
	each(c, path+".tags", "tag", old, next, nil)
}

func (c *changes) creatable(path, what string, old, next Creatable) {
	c.tags(path, old.Tags, next.Tags)
	if !old.Creation.Enabled {
		return
	}
	if !next.Creation.Enabled {
		c.add(path+".creation", "%s can no longer be created", what)
		return
	}
	for _, tag := range slices.Sorted(slices.Values(next.Creation.RequiredTags)) {
		if !slices.Contains(old.Creation.RequiredTags, tag) {
			c.add(path+".creation", "required tag %q was added", fault.Bounded(tag))
		}
	}
}

func (c *changes) implementation(path string, old, next Implementation) {
	if c.replaced(path, "interface", old.Reference, next.Reference) {
		return
	}
	for _, part := range []struct {
		path, what string
		old, next  map[string]Counterpart
	}{
		{"entities", "entity", old.Entities, next.Entities},
		{"actions", "action", old.Actions, next.Actions},
		{"events", "event", old.Events, next.Events},
		{"channels", "channel", old.Channels, next.Channels},
	} {
		each(c, path+"."+part.path, "counterpart", part.old, part.next, func(path string, old, next Counterpart) {
			if old != next {
				c.add(path, "the %s was %q and is %q", part.what, fault.Bounded(old.Name), fault.Bounded(next.Name))
			}
		})
	}
}

// dependencies compares dependencies: bots have to satisfy those of next.
func (c *changes) dependencies(path string, old, next map[string]Reference) {
	for _, alias := range slices.Sorted(maps.Keys(next)) {
		at := path + "." + fault.Bounded(alias)
		if before, stood := old[alias]; stood {
			c.replaced(at, "package", before, next[alias])
		} else {
			c.add(at, "the dependency was added")
		}
	}
}

// replaced reports a reference to another package, or to another major version of the same,
// and says whether there is one.
func (c *changes) replaced(path, what string, old, next Reference) bool {
	oldMajor, nextMajor := majorOf(old.Version), majorOf(next.Version)
	switch {
	case old.Name != next.Name:
		c.add(path, "the %s was %q and is %q", what, fault.Bounded(old.Name), fault.Bounded(next.Name))
	case oldMajor != nextMajor:
		c.add(path, "the %s %q had major version %s and has %s", what, fault.Bounded(old.Name), fault.Bounded(oldMajor), fault.Bounded(nextMajor))
	default:
		return false
	}
	return true
}

// majorOf is the part of a version that changes with breaking changes: the first number or,
// while that is 0, the first two.
func majorOf(version string) string {
	major, rest, _ := strings.Cut(version, ".")
	if major == "0" {
		minor, _, _ := strings.Cut(rest, ".")
		return "0." + minor
	}
	return major
}
