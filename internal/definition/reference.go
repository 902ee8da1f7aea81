package definition

import (
	"maps"
	"slices"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// Reference names one version of an integration or interface. To look one up it has either the
// id, or the name and a version, which may be a range. The result of a lookup has all three.
type Reference struct {
	ID      string `json:"id" minLength:"28" maxLength:"36" doc:"The package."`
	Name    string `json:"name" maxLength:"200" doc:"The name."`
	Version string `json:"version" maxLength:"200" doc:"The version."`
}

// Find looks up the package that a reference means. Its error is a fault for the caller that
// says what is missing.
type Find func(Reference) (Reference, error)

// Counterpart is what an integration has for a part of an interface.
type Counterpart struct {
	Name string `json:"name" maxLength:"200" doc:"The interface's name in the integration."`
}

// Implementation is an interface that an integration implements, and with what.
type Implementation struct {
	Reference
	Entities map[string]Counterpart `json:"entities" doc:"The integration's entities, by the name they have in the interface."`
	Actions  map[string]Counterpart `json:"actions" doc:"The integration's actions, by the name they have in the interface."`
	Events   map[string]Counterpart `json:"events" doc:"The integration's events, by the name they have in the interface."`
	Channels map[string]Counterpart `json:"channels" doc:"The integration's channels, by the name they have in the interface."`
}

// ImplementationSettings is an Implementation in a request.
type ImplementationSettings struct {
	ID       string                 `json:"id" minLength:"28" maxLength:"36" doc:"The interface."`
	Entities map[string]Counterpart `json:"entities,omitempty" doc:"The integration's entities, by the name they have in the interface."`
	Actions  map[string]Counterpart `json:"actions,omitempty" doc:"The integration's actions, by the name they have in the interface."`
	Events   map[string]Counterpart `json:"events,omitempty" doc:"The integration's events, by the name they have in the interface."`
	Channels map[string]Counterpart `json:"channels,omitempty" doc:"The integration's channels, by the name they have in the interface."`
}

func (s ImplementationSettings) check(path string) error {
	for _, group := range []struct {
		name  string
		parts map[string]Counterpart
		most  int
	}{
		{"entities", s.Entities, maxEntities}, {"actions", s.Actions, maxActions},
		{"events", s.Events, maxEvents}, {"channels", s.Channels, maxChannels},
	} {
		if len(group.parts) > group.most {
			return fault.New(fault.LimitExceeded, "%s.%s has %d entries; at most %d are allowed.", path, group.name, len(group.parts), group.most).
				With("limit", group.most).With("count", len(group.parts))
		}
		for _, key := range slices.Sorted(maps.Keys(group.parts)) {
			if err := CheckKey(path+"."+group.name, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// implement is the implementations of an integration after a patch. LimitExceeded,
// before anything is looked up, when there would be too many.
func implement(old map[string]Implementation, patch map[string]wire.Patch[ImplementationSettings], find Find) (map[string]Implementation, error) {
	if err := growth("An integration", []part{{"interfaces", len(old), sizeAfter(old, patch), maxInterfaces}}); err != nil {
		return nil, err
	}
	found, err := lookUp(patch, find, func(s ImplementationSettings) Reference { return Reference{ID: s.ID} })
	if err != nil {
		return nil, err
	}
	resolved := make(map[string]wire.Patch[Implementation], len(patch))
	for alias, entry := range patch {
		resolved[alias] = wire.Clear[Implementation]()
		if s, set := entry.Get(); set {
			resolved[alias] = wire.Set(Implementation{
				Reference: found[alias], Entities: s.Entities, Actions: s.Actions, Events: s.Events, Channels: s.Channels,
			})
		}
	}
	return merge(old, resolved, replace[Implementation]), nil
}

// lookUp finds what each entry of a patch refers to, in the order of the keys, so that the same
// patch always fails in the same way.
func lookUp[P any](patch map[string]wire.Patch[P], find Find, reference func(P) Reference) (map[string]Reference, error) {
	found := make(map[string]Reference, len(patch))
	for _, alias := range slices.Sorted(maps.Keys(patch)) {
		entry, set := patch[alias].Get()
		if !set {
			continue
		}
		r, err := find(reference(entry))
		if err != nil {
			return nil, err
		}
		found[alias] = r
	}
	return found, nil
}

// Dependencies is what a plugin needs of the bot it is installed in.
type Dependencies struct {
	Interfaces   map[string]Reference `json:"interfaces" doc:"Interfaces that an installed integration must implement, by alias."`
	Integrations map[string]Reference `json:"integrations" doc:"Integrations that must be installed, by alias."`
}

// DependencySettings is a dependency in a request. It has an id, and then everything else is
// ignored, or a name and a version.
type DependencySettings struct {
	ID      string `json:"id,omitempty" doc:"The package."`
	Name    string `json:"name,omitempty" doc:"The name, when no id is given."`
	Version string `json:"version,omitempty" doc:"The version or a range of versions; the latest when absent."`
}

func (s DependencySettings) reference() Reference {
	switch {
	case s.ID != "":
		return Reference{ID: s.ID}
	case s.Version == "":
		return Reference{Name: s.Name, Version: "latest"}
	}
	return Reference{Name: s.Name, Version: s.Version}
}

func (s DependencySettings) check(path string) error {
	if s.ID == "" && s.Name == "" {
		return fault.New(fault.InvalidPayload, "%s has neither the id nor the name of a package; it needs one of them.", path)
	}
	return nil
}

// NewDependencies is Dependencies in a request that creates.
type NewDependencies struct {
	Interfaces   map[string]DependencySettings `json:"interfaces,omitempty" doc:"Interfaces that an installed integration must implement, by alias."`
	Integrations map[string]DependencySettings `json:"integrations,omitempty" doc:"Integrations that must be installed, by alias."`
}

// DependenciesPatch changes Dependencies.
type DependenciesPatch struct {
	Interfaces   map[string]wire.Patch[DependencySettings] `json:"interfaces,omitempty" doc:"Interfaces to depend on, by alias; null removes one."`
	Integrations map[string]wire.Patch[DependencySettings] `json:"integrations,omitempty" doc:"Integrations to depend on, by alias; null removes one."`
}

// depend is the dependencies of a plugin, of the kind that what names, after a patch.
// LimitExceeded, before anything is looked up, when there would be too many.
func depend(what string, old map[string]Reference, patch map[string]wire.Patch[DependencySettings], find Find) (map[string]Reference, error) {
	if err := growth("A plugin", []part{{what, len(old), sizeAfter(old, patch), maxDependencies}}); err != nil {
		return nil, err
	}
	found, err := lookUp(patch, find, DependencySettings.reference)
	if err != nil {
		return nil, err
	}
	resolved := make(map[string]wire.Patch[Reference], len(patch))
	for alias := range patch {
		resolved[alias] = wire.Clear[Reference]()
		if r, set := found[alias]; set {
			resolved[alias] = wire.Set(r)
		}
	}
	return merge(old, resolved, replace[Reference]), nil
}
