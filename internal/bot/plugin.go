package bot

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// PluginInstance is a plugin installed in a bot.
type PluginInstance struct {
	Alias         string
	Plugin        id.Plugin
	Enabled       bool
	Configuration wire.Object
	// What backs the plugin's dependencies, by their alias in the plugin.
	Interfaces   map[string]PluginInterface
	Integrations map[string]PluginIntegration
	CreatedAt    time.Time
	UpdatedAt    time.Time

	// Sealed is Configuration as it is stored.
	Sealed string
	// Of is read, never written; of what is just being installed it has the name and
	// version.
	Of Package
}

// PluginSetup installs a plugin or sets one up. Nil keeps what is there.
type PluginSetup struct {
	Plugin        id.Plugin
	Enabled       *bool
	Configuration wire.Object
	Interfaces    map[string]PluginInterface
	Integrations  map[string]PluginIntegration
}

// setUp is the plugin after a setup of version v; its dependencies are not bound yet. A
// plugin that is being installed has no Plugin.
func (p PluginInstance) setUp(path string, s PluginSetup, v definition.InstallablePlugin, c *checker, now time.Time) (PluginInstance, error) {
	next := p
	next.Plugin, next.UpdatedAt = v.ID, now
	next.Of.Name, next.Of.Version = v.Name, v.Version
	if p.Plugin == "" {
		next.Enabled, next.Configuration, next.CreatedAt = true, wire.Object(`{}`), now
	}
	if s.Enabled != nil {
		next.Enabled = *s.Enabled
	}
	if s.Configuration != nil {
		next.Configuration = s.Configuration
	}
	if next.Enabled || s.Configuration != nil {
		if err := c.check(path+".configuration", v.Configuration.Schema, next.Configuration, next.Enabled); err != nil {
			return p, err
		}
	}
	var err error
	if next.Interfaces, err = choose(path+".interfaces", p.Interfaces, s.Interfaces, v.Dependencies.Interfaces, v); err != nil {
		return p, err
	}
	next.Integrations, err = choose(path+".integrations", p.Integrations, s.Integrations, v.Dependencies.Integrations, v)
	return next, err
}

// choose is what backs the dependencies of a plugin. What was asked for must name a
// dependency that the version has; what was kept is dropped if it has it no longer.
func choose[B any](path string, kept, asked map[string]B, dependencies map[string]definition.Reference, v definition.InstallablePlugin) (map[string]B, error) {
	chosen := asked
	if asked == nil {
		chosen = kept
	}
	next := make(map[string]B, len(chosen))
	for _, alias := range slices.Sorted(maps.Keys(chosen)) {
		if _, known := dependencies[alias]; known {
			next[alias] = chosen[alias]
		} else if asked != nil {
			return nil, fault.New(fault.InvalidPayload, "%s has %q, and the plugin %s has no such dependency. %s", path, fault.Bounded(alias), v.Name, choices(dependencies, "Leave it out"))
		}
	}
	return next, nil
}

// backing is an instance and the version it is of.
type backing struct {
	Instance
	of definition.InstallableIntegration
}

// binder finds what backs the dependencies of one plugin among the bot's
// instances.
type binder struct {
	path  string
	setup PluginSetup // of this update; empty when it is not about the plugin
	all   instances
	load  func(id.Integration) (definition.InstallableIntegration, error)
	// asked says that this update made the choice. If an earlier choice no longer holds,
	// some other part of the update is to blame.
	asked bool
}

func (b binder) refuse(format string, args ...any) error {
	kind := fault.ReferenceConstraint
	if b.asked {
		kind = fault.ReferenceNotFound
	}
	return fault.New(kind, b.path+format, args...)
}

// instance is the one with the alias, or the first one of the integration.
func (b binder) instance(where string, integration, alias string) (backing, error) {
	i, found := b.all[alias]
	if alias == "" {
		i, found = b.all.first(id.Integration(integration))
	}
	switch {
	case !found && b.asked:
		return backing{}, b.refuse("%s names the integration %q with the alias %q, which the bot does not have. Install it in the same request, or choose another.", where, fault.Bounded(integration), fault.Bounded(alias))
	case !found:
		return backing{}, b.refuse("%s needs the integration %q, so that cannot be removed. Remove the plugin too, or choose another integration for it.", where, fault.Bounded(alias))
	case b.asked && string(i.Integration) != integration:
		return backing{}, b.refuse("%s names the integration %q, and the bot has another, %q, under the alias %q.", where, fault.Bounded(integration), i.Integration, fault.Bounded(alias))
	}
	v, err := b.load(i.Integration)
	return backing{i, v}, err
}

// implementation binds an interface.
func (b binder) implementation(alias string, chosen PluginInterface, needed definition.Reference) (PluginInterface, backing, error) {
	where := ".interfaces." + fault.Bounded(alias)
	back, err := b.instance(where, chosen.IntegrationID, chosen.IntegrationAlias)
	if err != nil {
		return chosen, back, err
	}
	implemented, found := chosen.IntegrationInterfaceAlias, false
	if implemented == "" {
		implemented, found = back.of.Implements(needed)
	} else {
		of, known := back.of.Interfaces[implemented]
		found = known && (of.ID == needed.ID || of.Name == needed.Name)
	}
	if !found {
		return chosen, back, b.refuse("%s needs an integration that implements the interface %s, and %s %s does not. %s", where, needed.Name, back.of.Name, back.of.Version, choices(back.of.Interfaces, "Choose another integration"))
	}
	return PluginInterface{
		IntegrationID: string(back.Integration), IntegrationAlias: back.Alias,
		IntegrationInterfaceAlias: implemented, InterfaceID: needed.ID,
	}, back, nil
}

// integration binds an integration.
func (b binder) integration(alias string, chosen PluginIntegration, needed definition.Reference) (PluginIntegration, error) {
	where := ".integrations." + fault.Bounded(alias)
	back, err := b.instance(where, chosen.IntegrationID, chosen.IntegrationAlias)
	if err != nil {
		return chosen, err
	}
	if string(back.of.ID) != needed.ID && back.of.Name != needed.Name {
		return chosen, b.refuse("%s needs the integration %s, and %q is %s.", where, needed.Name, fault.Bounded(back.Alias), back.of.Name)
	}
	return PluginIntegration{IntegrationID: string(back.Integration), IntegrationAlias: back.Alias}, nil
}

// bind is the plugin with all its dependencies bound, and the instances that back its
// interfaces. A plugin that is switched off may lack some.
func (p PluginInstance) bind(v definition.InstallablePlugin, b binder) (PluginInstance, map[string]backing, error) {
	b.asked = b.setup.Interfaces != nil
	backings := make(map[string]backing, len(p.Interfaces))
	interfaces := make(map[string]PluginInterface, len(p.Interfaces))
	for _, alias := range slices.Sorted(maps.Keys(v.Dependencies.Interfaces)) {
		needed := v.Dependencies.Interfaces[alias]
		chosen, given := p.Interfaces[alias]
		if !given {
			if p.Enabled {
				return p, nil, lacking(b.path+".interfaces", alias, "an installed integration that implements the interface "+needed.Name)
			}
			continue
		}
		var err error
		if interfaces[alias], backings[alias], err = b.implementation(alias, chosen, needed); err != nil {
			return p, nil, err
		}
	}
	b.asked = b.setup.Integrations != nil
	integrations := make(map[string]PluginIntegration, len(p.Integrations))
	for _, alias := range slices.Sorted(maps.Keys(v.Dependencies.Integrations)) {
		needed := v.Dependencies.Integrations[alias]
		chosen, given := p.Integrations[alias]
		if !given {
			if p.Enabled {
				return p, nil, lacking(b.path+".integrations", alias, "an installed integration "+needed.Name)
			}
			continue
		}
		var err error
		if integrations[alias], err = b.integration(alias, chosen, needed); err != nil {
			return p, nil, err
		}
	}
	p.Interfaces, p.Integrations = interfaces, integrations
	return p, backings, nil
}

func lacking(path, alias, what string) error {
	return fault.New(fault.InvalidPayload, "%s lacks %q: the plugin needs %s there. Name one, or install the plugin with \"enabled\": false.", path, fault.Bounded(alias), what)
}

// checkPluginAlias says whether a plugin may have the alias.
func checkPluginAlias(alias string) error {
	if err := definition.CheckKey("plugins", alias); err != nil {
		return err
	}
	if mark := definition.PluginKey("", ""); strings.Contains(alias, mark) {
		return fault.New(fault.InvalidPayload, "plugins has the key %q; the alias of a plugin cannot contain %q, which separates it from the names of its actions.", fault.Bounded(alias), mark)
	}
	return nil
}

// withoutOwned is the patch without what it sets under names that belong to plugins: those
// come from the plugins. Removals of such names do nothing, so they may stay.
func withoutOwned(p definition.BotPatch, plugins map[string]PluginInstance) definition.BotPatch {
	owned := func(name string) bool {
		alias, _, found := strings.Cut(name, definition.PluginKey("", ""))
		_, installed := plugins[alias]
		return found && installed
	}
	p.Events = withoutSets(p.Events, owned)
	p.Actions = withoutSets(p.Actions, owned)
	p.States = withoutSets(p.States, owned)
	return p
}

func withoutSets[T any](patch map[string]wire.Patch[T], drop func(string) bool) map[string]wire.Patch[T] {
	if !slices.ContainsFunc(slices.Collect(maps.Keys(patch)), drop) {
		return patch
	}
	kept := maps.Clone(patch)
	maps.DeleteFunc(kept, func(name string, entry wire.Patch[T]) bool { return drop(name) && !entry.IsNull() })
	return kept
}
