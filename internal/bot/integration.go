package bot

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// Package is what a bot shows of an installed version of an integration or plugin.
type Package struct {
	Name, Version, Title, Description string
	Visibility, Verification          string
	Lifecycle                         string
	Icon, Readme                      blob.Hash
	CreatedAt, UpdatedAt              time.Time
}

// Instance is an integration installed in a bot. A bot may have several of one
// integration; each has an alias and an address of its own.
type Instance struct {
	Alias       string
	Integration id.Integration
	Enabled     bool
	// ConfigurationType is nil for the integration's unnamed configuration.
	ConfigurationType *string
	Configuration     wire.Object
	// DisabledChannels is a sorted array of strings.
	DisabledChannels JSON
	Webhook          id.Webhook
	// Identifier is how the external service knows the instance; empty: it does not.
	Identifier   string
	Status       Registration
	StatusReason string
	// Due says that a change requires a call of the integration; it is not stored.
	Due       bool
	CreatedAt time.Time
	UpdatedAt time.Time

	// Sealed is Configuration as it is stored.
	Sealed string
	// Of is read, never written. While the instance is being installed it has only the
	// name and version.
	Of Package
}

// IntegrationSetup installs an integration or sets one up. Nil keeps what is there.
type IntegrationSetup struct {
	// Integration is empty when the key of the setup names an instance or is the
	// id itself.
	Integration       id.Integration
	Enabled           *bool
	ConfigurationType wire.Patch[string]
	Configuration     wire.Object
	DisabledChannels  []string
}

// Limits of what a bot has installed. Only that of integrations is published.
const (
	maxIntegrations = 30
	maxPlugins      = 30
	maxChannels     = 100
)

// byAge orders instances; the first of several with one integration is the oldest.
func byAge(a, b Instance) int {
	if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
		return c
	}
	return strings.Compare(a.Alias, b.Alias)
}

// instances are those of a bot by alias.
type instances map[string]Instance

// first is the oldest instance of an integration.
func (all instances) first(integration id.Integration) (oldest Instance, found bool) {
	for _, i := range all {
		if i.Integration == integration && (!found || byAge(i, oldest) < 0) {
			oldest, found = i, true
		}
	}
	return oldest, found
}

// named resolves the key of a setup to the alias of an instance and its integration. The
// key is an alias if the setup names the integration, or if an instance has that alias.
// Otherwise it is the id of an integration, and stands for its first instance, or for a
// new one whose alias is the id.
func (all instances) named(key string, integration id.Integration) (alias string, of id.Integration) {
	if integration != "" {
		return key, integration
	}
	if i, found := all[key]; found {
		return key, i.Integration
	}
	of = id.Integration(key)
	if i, found := all.first(of); found {
		return i.Alias, of
	}
	return key, of
}

// remove removes the instance with the alias or, when none has it, every instance
// of the integration with that id.
func (all instances) remove(key string) {
	if _, found := all[key]; found {
		delete(all, key)
		return
	}
	maps.DeleteFunc(all, func(_ string, i Instance) bool { return i.Integration == id.Integration(key) })
}

// setUp is the instance after a setup of version v. An instance that is being installed has
// no webhook.
func (i Instance) setUp(path string, s IntegrationSetup, v definition.InstallableIntegration, c *checker, now time.Time) (Instance, error) {
	next := i
	next.Integration, next.UpdatedAt = v.ID, now
	next.Of.Name, next.Of.Version = v.Name, v.Version
	if i.Webhook == "" {
		next.Enabled, next.Configuration, next.DisabledChannels = true, wire.Object(`{}`), "[]"
		next.Webhook, next.CreatedAt = id.NewWebhook(), now
	}
	if s.Enabled != nil {
		next.Enabled = *s.Enabled
	}
	if s.ConfigurationType.IsNull() {
		next.ConfigurationType = nil
	} else if name, given := s.ConfigurationType.Get(); given {
		next.ConfigurationType = &name
	}
	if s.Configuration != nil {
		next.Configuration = s.Configuration
	}
	configuration := v.Configuration
	if name := next.ConfigurationType; name != nil {
		var known bool
		if configuration, known = v.Configurations[*name]; !known {
			return i, fault.New(fault.InvalidPayload, "%s.configurationType is %q, and the integration %s has no such configuration. %s", path, fault.Bounded(*name), v.Name, choices(v.Configurations, "Leave it null for the default one"))
		}
	}
	if next.Enabled || s.Configuration != nil {
		if err := c.check(path+".configuration", configuration.Schema, next.Configuration, next.Enabled); err != nil {
			return i, err
		}
	}
	var err error
	if next.DisabledChannels, err = disabledChannels(path, next.DisabledChannels, s.DisabledChannels, v); err != nil {
		return i, err
	}
	return next.registration(i, v, configuration), nil
}

// disabledChannels are the channels to switch off. Those asked for must exist; those kept
// are dropped if the version no longer has them.
func disabledChannels(path string, kept JSON, asked []string, v definition.InstallableIntegration) (JSON, error) {
	if len(asked) > maxChannels {
		return "", fault.New(fault.LimitExceeded, "%s.disabledChannels has %d channels; at most %d are allowed.", path, len(asked), maxChannels).
			With("limit", maxChannels).With("count", len(asked))
	}
	for _, channel := range asked {
		if _, known := v.Channels[channel]; !known {
			return "", fault.New(fault.InvalidPayload, "%s.disabledChannels has %q, and the integration %s has no such channel. %s", path, fault.Bounded(channel), v.Name, choices(v.Channels, "Leave the list empty"))
		}
	}
	channels := slices.Clone(asked)
	if asked == nil {
		if err := wire.ParseJSON([]byte(kept), &channels); err != nil {
			return "", err
		}
		channels = slices.DeleteFunc(channels, func(channel string) bool { _, known := v.Channels[channel]; return !known })
	}
	slices.Sort(channels)
	return toJSON(append([]string{}, slices.Compact(channels)...))
}

// choices lists what there is to choose from.
func choices[T any](known map[string]T, otherwise string) string {
	if len(known) == 0 {
		return "It has none. " + otherwise + "."
	}
	return "It has " + quoted(slices.Collect(maps.Keys(known))) + "."
}
