package bot

import (
	"strconv"

	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// InstalledIntegration is an integration in a bot: how it is set up there, and what
// it is.
type InstalledIntegration struct {
	Enabled            bool                  `json:"enabled" doc:"Whether it is enabled."`
	Name               string                `json:"name" maxLength:"200" doc:"The name."`
	Version            string                `json:"version" maxLength:"200" doc:"The version."`
	WebhookURL         string                `json:"webhookUrl" maxLength:"2000" doc:"The URL at which the outside world calls the integration."`
	WebhookID          string                `json:"webhookId" maxLength:"200" doc:"The last part of the webhook URL."`
	Identifier         string                `json:"identifier,omitempty" maxLength:"2000" doc:"The identifier under which the outside world knows this installation."`
	ConfigurationType  wire.Nullable[string] `json:"configurationType" maxLength:"200" doc:"The name of the configuration in use; null for the default one."`
	Configuration      wire.Object           `json:"configuration" doc:"The configuration."`
	Status             string                `json:"status" enum:"registration_pending,registered,registration_failed,unregistration_pending,unregistered,unregistration_failed" doc:"The status of the registration."`
	StatusReason       wire.Nullable[string] `json:"statusReason" maxLength:"2000" doc:"Why the registration failed or is pending."`
	DisabledChannels   []string              `json:"disabledChannels" doc:"The disabled channels."`
	ID                 string                `json:"id" minLength:"28" maxLength:"36" doc:"The integration."`
	CreatedAt          wire.Time             `json:"createdAt" doc:"When the integration was created."`
	UpdatedAt          wire.Time             `json:"updatedAt" doc:"When the integration was last updated."`
	Title              string                `json:"title" minLength:"1" maxLength:"64" doc:"The display name."`
	Description        string                `json:"description" maxLength:"256" doc:"What it is for."`
	IconURL            string                `json:"iconUrl" doc:"The URL of the icon."`
	Public             bool                  `json:"public" doc:"Whether the visibility is public."`
	Visibility         string                `json:"visibility" enum:"public,private,unlisted" doc:"The visibility."`
	VerificationStatus string                `json:"verificationStatus" enum:"unapproved,pending,approved,rejected" doc:"The status of the verification."`
	LifecycleStatus    string                `json:"lifecycleStatus" enum:"published,deprecated" doc:"Whether it can still be newly installed."`
}

// InstalledPlugin is a plugin in a bot: how it is set up there, and what it is.
type InstalledPlugin struct {
	Enabled         bool                         `json:"enabled" doc:"Whether it is enabled."`
	Name            string                       `json:"name" maxLength:"200" doc:"The name."`
	Version         string                       `json:"version" maxLength:"200" doc:"The version."`
	Configuration   wire.Object                  `json:"configuration" doc:"The configuration."`
	Interfaces      map[string]PluginInterface   `json:"interfaces,omitempty" doc:"What backs the plugin's interfaces, by their alias."`
	Integrations    map[string]PluginIntegration `json:"integrations,omitempty" doc:"What backs the plugin's integrations, by their alias."`
	ID              string                       `json:"id" minLength:"28" maxLength:"36" doc:"The plugin."`
	CreatedAt       wire.Time                    `json:"createdAt" doc:"When the plugin was created."`
	UpdatedAt       wire.Time                    `json:"updatedAt" doc:"When the plugin was last updated."`
	Title           string                       `json:"title" minLength:"1" maxLength:"64" doc:"The display name."`
	Description     string                       `json:"description" maxLength:"256" doc:"What it is for."`
	IconURL         string                       `json:"iconUrl" doc:"The URL of the icon."`
	ReadmeURL       string                       `json:"readmeUrl" doc:"The URL of the readme."`
	Public          bool                         `json:"public" doc:"Whether the visibility is public."`
	Visibility      string                       `json:"visibility" enum:"public,private,unlisted" doc:"The visibility."`
	LifecycleStatus string                       `json:"lifecycleStatus" enum:"published,deprecated" doc:"Whether it can still be newly installed."`
}

// PluginInterface is the installed integration that backs an interface of a plugin.
type PluginInterface struct {
	IntegrationID             string `json:"integrationId" minLength:"28" maxLength:"36" doc:"The integration."`
	IntegrationAlias          string `json:"integrationAlias" maxLength:"200" doc:"The integration's alias in the bot."`
	IntegrationInterfaceAlias string `json:"integrationInterfaceAlias,omitempty" maxLength:"200" doc:"The interface's alias in the integration."`
	InterfaceID               string `json:"interfaceId" minLength:"28" maxLength:"36" doc:"The interface."`
}

// PluginIntegration is the installed integration that a plugin uses.
type PluginIntegration struct {
	IntegrationID    string `json:"integrationId" minLength:"28" maxLength:"36" doc:"The integration."`
	IntegrationAlias string `json:"integrationAlias" maxLength:"200" doc:"The integration's alias in the bot."`
}

// IntegrationSettings sets up an integration in a bot.
type IntegrationSettings struct {
	Enabled           *bool              `json:"enabled,omitempty" doc:"Whether it is enabled."`
	IntegrationID     string             `json:"integrationId,omitempty" doc:"The integration; the key is its id when this is absent."`
	ConfigurationType wire.Patch[string] `json:"configurationType,omitzero" doc:"The name of the configuration in use; null for the default one."`
	Configuration     wire.Object        `json:"configuration,omitzero" doc:"The configuration."`
	DisabledChannels  []string           `json:"disabledChannels,omitempty" doc:"The disabled channels."`
}

// PluginSettings sets up a plugin in a bot.
type PluginSettings struct {
	ID            string                             `json:"id" doc:"The plugin."`
	Enabled       *bool                              `json:"enabled,omitempty" doc:"Whether it is enabled."`
	Configuration wire.Object                        `json:"configuration,omitzero" doc:"The configuration."`
	Interfaces    map[string]PluginInterfaceChoice   `json:"interfaces,omitempty" doc:"What backs the plugin's interfaces, by their alias."`
	Integrations  map[string]PluginIntegrationChoice `json:"integrations,omitempty" doc:"What backs the plugin's integrations, by their alias."`
}

// PluginInterfaceChoice chooses the integration that backs an interface of a plugin.
type PluginInterfaceChoice struct {
	IntegrationID             string `json:"integrationId" doc:"The integration."`
	IntegrationAlias          string `json:"integrationAlias,omitempty" doc:"The integration's alias in the bot; the first one when absent."`
	IntegrationInterfaceAlias string `json:"integrationInterfaceAlias,omitempty" doc:"The interface's alias in the integration."`
}

// PluginIntegrationChoice chooses the integration that a plugin uses.
type PluginIntegrationChoice struct {
	IntegrationID    string `json:"integrationId" doc:"The integration."`
	IntegrationAlias string `json:"integrationAlias" doc:"The integration's alias in the bot."`
}

func (s IntegrationSettings) setup() IntegrationSetup {
	return IntegrationSetup{
		Integration: id.Integration(s.IntegrationID), Enabled: s.Enabled, ConfigurationType: s.ConfigurationType,
		Configuration: s.Configuration, DisabledChannels: s.DisabledChannels,
	}
}

func (s PluginSettings) setup() PluginSetup {
	setup := PluginSetup{Plugin: id.Plugin(s.ID), Enabled: s.Enabled, Configuration: s.Configuration}
	if s.Interfaces != nil {
		setup.Interfaces = make(map[string]PluginInterface, len(s.Interfaces))
		for alias, c := range s.Interfaces {
			setup.Interfaces[alias] = PluginInterface{
				IntegrationID: c.IntegrationID, IntegrationAlias: c.IntegrationAlias, IntegrationInterfaceAlias: c.IntegrationInterfaceAlias,
			}
		}
	}
	if s.Integrations != nil {
		setup.Integrations = make(map[string]PluginIntegration, len(s.Integrations))
		for alias, c := range s.Integrations {
			setup.Integrations[alias] = PluginIntegration(c)
		}
	}
	return setup
}

// appendIntegrations writes a map of InstalledIntegration. By id there is room for
// one instance of each integration: its first.
func (s *Service) appendIntegrations(out []byte, all []Instance, byAlias bool) []byte {
	out = append(out, '{')
	shown := make(map[id.Integration]bool, len(all))
	for _, i := range all {
		key := i.Alias
		if !byAlias {
			if shown[i.Integration] {
				continue
			}
			key = string(i.Integration)
			shown[i.Integration] = true
		}
		if out[len(out)-1] != '{' {
			out = append(out, ',')
		}
		out = s.appendIntegration(append(wire.AppendText(out, key), ':'), i)
	}
	return append(out, '}')
}

func (s *Service) appendIntegration(out []byte, i Instance) []byte {
	out = strconv.AppendBool(append(out, `{"enabled":`...), i.Enabled)
	out = wire.AppendText(append(out, `,"name":`...), i.Of.Name)
	out = wire.AppendText(append(out, `,"version":`...), i.Of.Version)
	out = wire.AppendText(append(out, `,"webhookUrl":`...), s.PublicURL()+"/webhook/"+string(i.Webhook))
	out = wire.AppendText(append(out, `,"webhookId":`...), string(i.Webhook))
	if i.Identifier != "" {
		out = wire.AppendText(append(out, `,"identifier":`...), i.Identifier)
	}
	if out = append(out, `,"configurationType":`...); i.ConfigurationType == nil {
		out = append(out, "null"...)
	} else {
		out = wire.AppendText(out, *i.ConfigurationType)
	}
	out = append(append(out, `,"configuration":`...), i.Configuration...)
	out = wire.AppendText(append(out, `,"status":`...), string(i.Status))
	if out = append(out, `,"statusReason":`...); i.StatusReason == "" {
		out = append(out, "null"...)
	} else {
		out = wire.AppendText(out, i.StatusReason)
	}
	out = append(append(out, `,"disabledChannels":`...), i.DisabledChannels...)
	out = s.appendPackage(append(out, ','), string(i.Integration), i.Of)
	out = wire.AppendText(append(out, `,"verificationStatus":`...), i.Of.Verification)
	return append(out, '}')
}

// appendPlugins writes a map of InstalledPlugin.
func (s *Service) appendPlugins(out []byte, all []PluginInstance) []byte {
	out = append(out, '{')
	for n, p := range all {
		if n > 0 {
			out = append(out, ',')
		}
		out = s.appendPlugin(append(wire.AppendText(out, p.Alias), ':'), p)
	}
	return append(out, '}')
}

func (s *Service) appendPlugin(out []byte, p PluginInstance) []byte {
	out = strconv.AppendBool(append(out, `{"enabled":`...), p.Enabled)
	out = wire.AppendText(append(out, `,"name":`...), p.Of.Name)
	out = wire.AppendText(append(out, `,"version":`...), p.Of.Version)
	out = append(append(out, `,"configuration":`...), p.Configuration...)
	out = appendBindings(append(out, `,"interfaces":`...), p.Interfaces)
	out = appendBindings(append(out, `,"integrations":`...), p.Integrations)
	out = s.appendPackage(append(out, ','), string(p.Plugin), p.Of)
	out = wire.AppendText(append(out, `,"readmeUrl":`...), s.Assets.ReadmeURL(p.Of.Readme))
	return append(out, '}')
}

// appendBindings writes what backs dependencies. It is text, which always has a
// JSON form.
func appendBindings[B any](out []byte, bindings map[string]B) []byte {
	out, _ = wire.AppendJSON(out, bindings)
	return out
}

// appendPackage writes the members that integrations and plugins share.
func (s *Service) appendPackage(out []byte, of string, p Package) []byte {
	out = wire.AppendText(append(out, `"id":`...), of)
	out = wire.TimeOf(p.CreatedAt).AppendJSON(append(out, `,"createdAt":`...))
	out = wire.TimeOf(p.UpdatedAt).AppendJSON(append(out, `,"updatedAt":`...))
	out = wire.AppendText(append(out, `,"title":`...), p.Title)
	out = wire.AppendText(append(out, `,"description":`...), p.Description)
	out = wire.AppendText(append(out, `,"iconUrl":`...), s.Assets.IconURL(p.Icon))
	out = strconv.AppendBool(append(out, `,"public":`...), p.Visibility == "public")
	out = wire.AppendText(append(out, `,"visibility":`...), p.Visibility)
	return wire.AppendText(append(out, `,"lifecycleStatus":`...), p.Lifecycle)
}
