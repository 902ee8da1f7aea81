package bot

import (
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// archiveFormat is the format of archives that this program writes and reads.
const archiveFormat = 1

// Archive is what a bot is made of, without what makes it this bot: the answer of
// getBotJson, which publishFromBotJson takes. It holds no secret: neither values of
// secrets nor members of configurations that their schemas mark secret.
//
// Its JSON is canonical: of two bots that are made of the same, it is the same to
// the byte. Without code and configurations it is the content of saved versions.
type Archive struct {
	Format           int                            `json:"format" enum:"1" doc:"The format of this document."`
	Type             Type                           `json:"type" enum:"studio,adk,desk" doc:"The tool that the bot was built with."`
	MaxExecutionTime int64                          `json:"maxExecutionTime,omitzero" minimum:"0" doc:"The time limit of a call, in seconds; absent when none was set."`
	Layers           []string                       `json:"layers" doc:"The layers that the code runs on."`
	Definition       definition.NewBot              `json:"definition" doc:"The definition, without what plugins contribute."`
	Integrations     map[string]ArchivedIntegration `json:"integrations" doc:"The installed integrations, by alias."`
	Plugins          map[string]ArchivedPlugin      `json:"plugins" doc:"The installed plugins, by alias."`
	Code             *string                        `json:"code,omitempty" doc:"The bundle that the bot runs; absent when there is none."`
}

// ArchivedIntegration is an integration installed in an archived bot.
type ArchivedIntegration struct {
	ID                string      `json:"id" doc:"The integration."`
	Name              string      `json:"name" doc:"The name, for the reader's information: the id decides."`
	Version           string      `json:"version" doc:"The version, for the reader's information."`
	Enabled           bool        `json:"enabled" doc:"Whether it is enabled."`
	ConfigurationType *string     `json:"configurationType,omitempty" doc:"The name of the configuration in use; absent for the default one."`
	Configuration     wire.Object `json:"configuration,omitzero" doc:"The configuration without the members that its schema marks as secret. The bot keeps its own values for members that are absent."`
	DisabledChannels  []string    `json:"disabledChannels" doc:"The disabled channels."`
}

// ArchivedPlugin is a plugin installed in an archived bot.
type ArchivedPlugin struct {
	ID            string                             `json:"id" doc:"The plugin."`
	Name          string                             `json:"name" doc:"The name, for the reader's information: the id decides."`
	Version       string                             `json:"version" doc:"The version, for the reader's information."`
	Enabled       bool                               `json:"enabled" doc:"Whether it is enabled."`
	Configuration wire.Object                        `json:"configuration,omitzero" doc:"The configuration without the members that its schema marks as secret. The bot keeps its own values for members that are absent."`
	Interfaces    map[string]PluginInterfaceChoice   `json:"interfaces" doc:"What backs the plugin's interfaces, by their alias."`
	Integrations  map[string]PluginIntegrationChoice `json:"integrations" doc:"What backs the plugin's integrations, by their alias."`
}

// archive is the bot's archive without code and configurations.
func (b Bot) archive() (a Archive, err error) {
	a = Archive{
		Format: archiveFormat, Type: b.Type, MaxExecutionTime: b.MaxExecutionTime,
		Integrations: make(map[string]ArchivedIntegration, len(b.Integrations)), Plugins: make(map[string]ArchivedPlugin, len(b.Plugins)),
	}
	own, err := parseDefinition(b.own())
	if err != nil {
		return a, err
	}
	a.Definition = own.Source()
	if err := wire.ParseJSON([]byte(b.Layers), &a.Layers); err != nil {
		return a, err
	}
	for _, i := range b.Integrations {
		kept := ArchivedIntegration{
			ID: string(i.Integration), Name: i.Of.Name, Version: i.Of.Version, Enabled: i.Enabled, ConfigurationType: i.ConfigurationType,
		}
		if err := wire.ParseJSON([]byte(i.DisabledChannels), &kept.DisabledChannels); err != nil {
			return a, err
		}
		a.Integrations[i.Alias] = kept
	}
	for _, p := range b.Plugins {
		kept := ArchivedPlugin{
			ID: string(p.Plugin), Name: p.Of.Name, Version: p.Of.Version, Enabled: p.Enabled,
			Interfaces: make(map[string]PluginInterfaceChoice, len(p.Interfaces)), Integrations: make(map[string]PluginIntegrationChoice, len(p.Integrations)),
		}
		for alias, of := range p.Interfaces {
			kept.Interfaces[alias] = PluginInterfaceChoice{of.IntegrationID, of.IntegrationAlias, of.IntegrationInterfaceAlias}
		}
		for alias, of := range p.Integrations {
			kept.Integrations[alias] = PluginIntegrationChoice(of)
		}
		a.Plugins[p.Alias] = kept
	}
	return a, nil
}

// json is the archive as it is stored and answered.
func (a Archive) json() ([]byte, error) { return wire.AppendJSON(nil, a) }

// parseArchive reads what Archive.json wrote.
func parseArchive(text []byte) (a Archive, err error) {
	err = wire.ParseJSON(text, &a)
	return a, err
}

// check says whether this program can read the archive, which a caller sent.
func (a Archive) check() error {
	if a.Format != archiveFormat {
		return fault.New(fault.InvalidPayload, "botJson.format is %d; this server reads the format %d. Send what getBotJson answered.", a.Format, archiveFormat)
	}
	return nil
}
