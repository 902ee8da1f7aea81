package bot

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/wire"
)

// BotDetails is a bot as it goes on the wire. It is not filled: the answer is put
// together from the stored text by appendAnswer. It says what that text is, and
// a test holds the one against the other.
type BotDetails struct {
	ID               string                          `json:"id" minLength:"28" maxLength:"36" doc:"The bot."`
	CreatedAt        wire.Time                       `json:"createdAt" doc:"When it was made."`
	UpdatedAt        wire.Time                       `json:"updatedAt" doc:"When it was last updated."`
	SigningSecret    string                          `json:"signingSecret" maxLength:"2000" doc:"What calls to the bot are signed with. Shown when the bot is made, empty afterwards."`
	Integrations     map[string]InstalledIntegration `json:"integrations" doc:"The installed integrations by alias."`
	Plugins          map[string]InstalledPlugin      `json:"plugins" doc:"The installed plugins by alias."`
	MaxExecutionTime float64                         `json:"maxExecutionTime,omitzero" doc:"How long a call may take."`
	definition.Bot
	Tags        map[string]string `json:"tags" doc:"The tags by name."`
	Name        string            `json:"name" doc:"The name."`
	Description string            `json:"description,omitempty" doc:"What the bot is for."`
	DeployedAt  wire.Time         `json:"deployedAt,omitzero" doc:"When code was last deployed."`
	Dev         bool              `json:"dev" doc:"Whether it is a development bot."`
	Secrets     []string          `json:"secrets" doc:"The names of its secrets."`
	CreatedBy   string            `json:"createdBy,omitempty" doc:"The account that made it."`
	AlwaysAlive bool              `json:"alwaysAlive" doc:"Whether it is kept running."`
	Status      Status            `json:"status" enum:"active,deploying,deleting" doc:"What it is doing."`
	Type        Type              `json:"type" enum:"studio,adk,desk" doc:"The tool it is made with."`
}

// BotAnswer is the answer of the operations that show a bot.
type BotAnswer struct {
	Bot BotDetails `json:"bot" doc:"The bot."`
}

// InstalledIntegration is an integration in a bot: how it is set up there, and what
// it is.
type InstalledIntegration struct {
	Enabled            bool                  `json:"enabled" doc:"Whether it is switched on."`
	Name               string                `json:"name" maxLength:"200" doc:"Its name."`
	Version            string                `json:"version" maxLength:"200" doc:"Its version."`
	WebhookURL         string                `json:"webhookUrl" maxLength:"2000" doc:"Where the outside calls it."`
	WebhookID          string                `json:"webhookId" maxLength:"200" doc:"The end of that address."`
	Identifier         string                `json:"identifier,omitempty" maxLength:"2000" doc:"What it is known by outside."`
	ConfigurationType  wire.Nullable[string] `json:"configurationType" maxLength:"200" doc:"Which of its configurations is used; null for the default one."`
	Configuration      wire.Object           `json:"configuration" doc:"Its configuration."`
	Status             string                `json:"status" enum:"registration_pending,registered,registration_failed,unregistration_pending,unregistered,unregistration_failed" doc:"How far its registration is."`
	StatusReason       wire.Nullable[string] `json:"statusReason" maxLength:"2000" doc:"Why the registration failed or waits."`
	DisabledChannels   []string              `json:"disabledChannels" doc:"Channels that are switched off."`
	ID                 string                `json:"id" minLength:"28" maxLength:"36" doc:"The integration."`
	CreatedAt          wire.Time             `json:"createdAt" doc:"When the integration was made."`
	UpdatedAt          wire.Time             `json:"updatedAt" doc:"When the integration was last updated."`
	Title              string                `json:"title" minLength:"1" maxLength:"64" doc:"The name people see."`
	Description        string                `json:"description" maxLength:"256" doc:"What it is for."`
	IconURL            string                `json:"iconUrl" doc:"Its icon."`
	Public             bool                  `json:"public" doc:"Whether its visibility is public."`
	Visibility         string                `json:"visibility" enum:"public,private,unlisted" doc:"Who can see it."`
	VerificationStatus string                `json:"verificationStatus" enum:"unapproved,pending,approved,rejected" doc:"How far its review is."`
	LifecycleStatus    string                `json:"lifecycleStatus" enum:"published,deprecated" doc:"Whether it can be newly installed."`
}

// InstalledPlugin is a plugin in a bot: how it is set up there, and what it is.
type InstalledPlugin struct {
	Enabled         bool                         `json:"enabled" doc:"Whether it is switched on."`
	Name            string                       `json:"name" maxLength:"200" doc:"Its name."`
	Version         string                       `json:"version" maxLength:"200" doc:"Its version."`
	Configuration   wire.Object                  `json:"configuration" doc:"Its configuration."`
	Interfaces      map[string]PluginInterface   `json:"interfaces,omitempty" doc:"What backs its interfaces, by their alias."`
	Integrations    map[string]PluginIntegration `json:"integrations,omitempty" doc:"What backs its integrations, by their alias."`
	ID              string                       `json:"id" minLength:"28" maxLength:"36" doc:"The plugin."`
	CreatedAt       wire.Time                    `json:"createdAt" doc:"When the plugin was made."`
	UpdatedAt       wire.Time                    `json:"updatedAt" doc:"When the plugin was last updated."`
	Title           string                       `json:"title" minLength:"1" maxLength:"64" doc:"The name people see."`
	Description     string                       `json:"description" maxLength:"256" doc:"What it is for."`
	IconURL         string                       `json:"iconUrl" doc:"Its icon."`
	ReadmeURL       string                       `json:"readmeUrl" doc:"Its readme."`
	Public          bool                         `json:"public" doc:"Whether its visibility is public."`
	Visibility      string                       `json:"visibility" enum:"public,private,unlisted" doc:"Who can see it."`
	LifecycleStatus string                       `json:"lifecycleStatus" enum:"published,deprecated" doc:"Whether it can be newly installed."`
}

// PluginInterface is the installed integration that backs an interface of a plugin.
type PluginInterface struct {
	IntegrationID             string `json:"integrationId" minLength:"28" maxLength:"36" doc:"The integration."`
	IntegrationAlias          string `json:"integrationAlias" maxLength:"200" doc:"Its alias in the bot."`
	IntegrationInterfaceAlias string `json:"integrationInterfaceAlias,omitempty" maxLength:"200" doc:"The interface's alias in the integration."`
	InterfaceID               string `json:"interfaceId" minLength:"28" maxLength:"36" doc:"The interface."`
}

// PluginIntegration is the installed integration that a plugin uses.
type PluginIntegration struct {
	IntegrationID    string `json:"integrationId" minLength:"28" maxLength:"36" doc:"The integration."`
	IntegrationAlias string `json:"integrationAlias" maxLength:"200" doc:"Its alias in the bot."`
}

// answer is the answer that shows a bot.
func answer(b Bot, signingSecret string) *botOutput {
	const members = 640 // more than what stands beside the stored texts
	size := len(b.Definition) + len(b.Tags) + len(b.SecretNames) + len(b.Name) + members
	return &botOutput{Body: wire.Document[BotAnswer]{Bytes: appendAnswer(make([]byte, 0, size), b, signingSecret)}}
}

// appendAnswer writes a BotAnswer. What is stored as JSON is copied as it is.
func appendAnswer(out []byte, b Bot, signingSecret string) []byte {
	out = appendText(append(out, `{"bot":{"id":`...), string(b.ID))
	out = wire.TimeOf(b.CreatedAt).AppendJSON(append(out, `,"createdAt":`...))
	out = wire.TimeOf(b.UpdatedAt).AppendJSON(append(out, `,"updatedAt":`...))
	out = appendText(append(out, `,"signingSecret":`...), signingSecret)
	out = append(out, `,"integrations":{},"plugins":{}`...)
	if b.MaxExecutionTime != 0 {
		out = strconv.AppendInt(append(out, `,"maxExecutionTime":`...), b.MaxExecutionTime, 10)
	}
	out = append(append(out, `,"tags":`...), b.Tags...)
	out = appendText(append(out, `,"name":`...), b.Name)
	if b.Description != nil {
		out = appendText(append(out, `,"description":`...), *b.Description)
	}
	if !b.DeployedAt.IsZero() {
		out = wire.TimeOf(b.DeployedAt).AppendJSON(append(out, `,"deployedAt":`...))
	}
	out = strconv.AppendBool(append(out, `,"dev":`...), b.Dev)
	out = append(append(out, `,"secrets":`...), b.SecretNames...)
	if b.CreatedBy != "" {
		out = appendText(append(out, `,"createdBy":`...), string(b.CreatedBy))
	}
	out = strconv.AppendBool(append(out, `,"alwaysAlive":`...), b.AlwaysAlive)
	out = appendText(append(out, `,"status":`...), string(b.Status))
	out = appendText(append(out, `,"type":`...), string(b.Type))
	// The definition is an object that is never empty: without its brace it
	// goes on where this one stands.
	out = append(append(out, ','), b.Definition[1:]...)
	return append(out, '}')
}

// appendText writes a string. AppendQuote fails only on bytes that are no UTF-8,
// and then has written the string with U+FFFD in their place.
func appendText(out []byte, s string) []byte {
	out, _ = jsontext.AppendQuote(out, s)
	return out
}
