package bot

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// Whole makes an update replace the whole bot: its definition is replaced, and what the
// update does not install is removed.
type Whole struct {
	// Archive is what the bot becomes.
	Archive Archive
	// Version is the saved version that the archive is the content of; nil when it
	// came from a caller.
	Version *Version
	// settings are those of the version.
	settings savedSettings
}

// whole is the update that turns a bot into what an archive describes.
func whole(w Whole) Update {
	a := w.Archive
	u := Update{
		Type: &a.Type, Code: a.Code, Layers: append([]string{}, a.Layers...), Whole: &w,
		Integrations: make(map[string]wire.Patch[IntegrationSetup], len(a.Integrations)),
		Plugins:      make(map[string]wire.Patch[PluginSetup], len(a.Plugins)),
	}
	if a.MaxExecutionTime != 0 {
		u.MaxExecutionTime = &a.MaxExecutionTime
	}
	for alias, i := range a.Integrations {
		setup := IntegrationSetup{
			Integration: id.Integration(i.ID), Enabled: &i.Enabled, ConfigurationType: wire.Clear[string](),
			Configuration: i.Configuration, DisabledChannels: append([]string{}, i.DisabledChannels...),
		}
		if i.ConfigurationType != nil {
			setup.ConfigurationType = wire.Set(*i.ConfigurationType)
		}
		if former, saved := w.settings.Integrations[alias]; saved {
			setup.Configuration = former.Configuration
		}
		u.Integrations[alias] = wire.Set(setup)
	}
	for alias, p := range a.Plugins {
		settings := PluginSettings{
			ID: p.ID, Enabled: &p.Enabled, Configuration: p.Configuration,
			Interfaces: map[string]PluginInterfaceChoice{}, Integrations: map[string]PluginIntegrationChoice{},
		}
		maps.Copy(settings.Interfaces, p.Interfaces)
		maps.Copy(settings.Integrations, p.Integrations)
		if former, saved := w.settings.Plugins[alias]; saved {
			settings.Configuration = former.Configuration
		}
		u.Plugins[alias] = wire.Set(settings.setup())
	}
	return u
}

// what names it in the audit trail and in refusals.
func (w *Whole) what() string {
	if w.Version == nil {
		return "bot json"
	}
	return fmt.Sprintf("version %q (%s)", w.Version.Name, w.Version.ID)
}

// becomeWhole is b with the definition and the settings of the archive, except for fields
// that Update has as well.
func (b Bot) becomeWhole(w *Whole, old JSON) (Bot, error) {
	b.MaxExecutionTime = w.Archive.MaxExecutionTime
	before, err := parseDefinition(old)
	if err != nil {
		return b, err
	}
	after, err := before.Become(w.Archive.Definition)
	if err != nil {
		return b, err
	}
	text, err := after.JSON()
	if b.Own != "" {
		b.Own = JSON(text) // and Definition, when the plugins are merged into it
	} else {
		b.Definition = JSON(text)
	}
	return b, err
}

// clear looks up everything that the bot is to have, and removes the rest. Its error names
// everything that the bot cannot have.
func (in *installation) clear() error {
	w := in.u.Whole
	if err := firstError(
		checkCount("integrations", maxIntegrations, len(in.had), len(w.Archive.Integrations)),
		checkCount("plugins", maxPlugins, len(in.hadPlugins), len(w.Archive.Plugins)),
	); err != nil {
		return err
	}
	var lacking []string
	for _, alias := range slices.Sorted(maps.Keys(w.Archive.Integrations)) {
		kept := w.Archive.Integrations[alias]
		_, found, err := in.findIntegration(id.Integration(kept.ID))
		if err != nil {
			return err
		}
		if !found {
			lacking = append(lacking, nameOf("integration", alias, kept.ID, kept.Name, kept.Version))
		}
	}
	for _, alias := range slices.Sorted(maps.Keys(w.Archive.Plugins)) {
		kept := w.Archive.Plugins[alias]
		_, found, err := in.findPlugin(id.Plugin(kept.ID))
		if err != nil {
			return err
		}
		if !found {
			lacking = append(lacking, nameOf("plugin", alias, kept.ID, kept.Name, kept.Version))
		}
	}
	if len(lacking) > 0 {
		return fault.New(fault.ReferenceNotFound, "The %s needs packages that the bot's workspace cannot install, because they were deleted or are private to another workspace: %s. Nothing was changed.", w.what(), strings.Join(lacking, ", "))
	}
	maps.DeleteFunc(in.have, func(alias string, _ Instance) bool { _, stays := w.Archive.Integrations[alias]; return !stays })
	maps.DeleteFunc(in.havePlugins, func(alias string, _ PluginInstance) bool { _, stays := w.Archive.Plugins[alias]; return !stays })
	return nil
}

func nameOf(kind, alias, of, name, version string) string {
	return fmt.Sprintf("the %s %s %s (%s, alias %q)", kind, fault.Bounded(name), fault.Bounded(version), fault.Bounded(of), fault.Bounded(alias))
}

// rollsBack says that the update restores a saved version.
func (u Update) rollsBack() bool { return u.Whole != nil && u.Whole.Version != nil }

// imports says that the update takes an archive from the caller.
func (u Update) imports() bool { return u.Whole != nil && u.Whole.Version == nil }

// resume gives an instance that is installed again the webhook it had when the version was
// saved: external services are set up with it.
func (in *installation) resume(i Instance) Instance {
	if _, had := in.had[i.Alias]; had || !in.u.rollsBack() {
		return i
	}
	if former, saved := in.u.Whole.settings.Integrations[i.Alias]; saved {
		i.Webhook, i.CreatedAt = former.Webhook, former.InstalledAt
	}
	return i
}

// hintAtSecrets adds to an error that archives carry no secrets, which a configuration may
// therefore lack.
func (u Update) hintAtSecrets(err error) error {
	if !u.imports() || !fault.Is(err, fault.InvalidDataFormat) {
		return err
	}
	f := *fault.From(err)
	f.Message += " Bot json has no members of configurations that their schemas mark secret: add them to it, or set the package up in the bot first."
	return &f
}
