package definition

import (
	"github.com/botyard/botyard/internal/wire"
)

// Plugin is the definition of a plugin: what it adds to the bot that it is installed in. It is
// stored as the JSON that is answered.
type Plugin struct {
	Configuration PluginConfiguration         `json:"configuration" doc:"The configuration schema of an installation."`
	States        map[string]StateDefinition  `json:"states" doc:"The states, by name."`
	Events        map[string]EventDefinition  `json:"events" doc:"The events, by name."`
	Actions       map[string]ActionDefinition `json:"actions" doc:"The actions, by name."`
	Dependencies  Dependencies                `json:"dependencies" doc:"The plugin's dependencies."`
	User          TagSet                      `json:"user" doc:"The tags of users."`
	Conversation  TagSet                      `json:"conversation" doc:"The tags of conversations."`
	Message       TagSet                      `json:"message" doc:"The tags of messages."`
}

// PluginConfiguration says how a plugin is configured.
type PluginConfiguration struct {
	Title       string      `json:"title,omitempty" maxLength:"64" doc:"The display name."`
	Description string      `json:"description,omitempty" maxLength:"256" doc:"What it is for."`
	Schema      wire.Object `json:"schema" doc:"The JSON schema of the configuration."`
}

// EmptyPlugin is the definition that patches of a new plugin are applied to.
func EmptyPlugin() Plugin {
	return Plugin{Configuration: PluginConfiguration{Schema: wire.Object(emptySchema)}}
}

// ParsePlugin parses the output of Plugin.JSON.
func ParsePlugin(text []byte) (p Plugin, err error) {
	err = wire.ParseJSON(text, &p)
	return p, err
}

// JSON is the definition as it is stored and answered. LimitExceeded when it is too large as
// a whole.
func (p Plugin) JSON() ([]byte, error) { return encode("plugin", p) }

// NewPlugin is the definition in a request that creates a plugin.
type NewPlugin struct {
	Configuration *PluginConfiguration        `json:"configuration,omitempty" doc:"The configuration schema of an installation."`
	States        map[string]StateDefinition  `json:"states,omitempty" doc:"The states, by name."`
	Events        map[string]EventDefinition  `json:"events,omitempty" doc:"The events, by name."`
	Actions       map[string]ActionDefinition `json:"actions,omitempty" doc:"The actions, by name."`
	User          TagSet                      `json:"user,omitzero" doc:"The tags of users."`
	Conversation  TagSet                      `json:"conversation,omitzero" doc:"The tags of conversations."`
	Message       TagSet                      `json:"message,omitzero" doc:"The tags of messages."`
	Dependencies  NewDependencies             `json:"dependencies,omitzero" doc:"The plugin's dependencies."`
	Attributes    map[string]Attribute        `json:"attributes,omitempty" doc:"Free-form attributes for tools, by name."`
}

// Patch is the patch that turns an empty definition into this one.
func (n NewPlugin) Patch() PluginPatch {
	p := PluginPatch{
		States:       sets(n.States, same[StateDefinition]),
		Events:       sets(n.Events, EventDefinition.patch),
		Actions:      sets(n.Actions, ActionDefinition.patch),
		User:         PluginTagSetPatch{sets(n.User.Tags, same[TagDefinition])},
		Conversation: PluginTagSetPatch{sets(n.Conversation.Tags, same[TagDefinition])},
		Message:      PluginTagSetPatch{sets(n.Message.Tags, same[TagDefinition])},
		Dependencies: DependenciesPatch{
			Interfaces:   sets(n.Dependencies.Interfaces, same[DependencySettings]),
			Integrations: sets(n.Dependencies.Integrations, same[DependencySettings]),
		},
		Attributes: sets(n.Attributes, same[Attribute]),
	}
	if n.Configuration != nil {
		p.Configuration = wire.Set(*n.Configuration)
	}
	return p
}

// PluginTagSetPatch changes a TagSet of a plugin.
type PluginTagSetPatch struct {
	Tags map[string]wire.Patch[TagDefinition] `json:"tags" doc:"Tags to set, by name; null removes one."`
}

// PluginPatch changes the definition of a plugin.
type PluginPatch struct {
	Configuration wire.Patch[PluginConfiguration]              `json:"configuration,omitzero" doc:"The configuration schema of an installation, replaced as a whole; null removes it."`
	States        map[string]wire.Patch[StateDefinition]       `json:"states,omitempty" doc:"States to set, by name; null removes one."`
	Events        map[string]wire.Patch[EventDefinitionPatch]  `json:"events,omitempty" doc:"Events to set, by name; null removes one."`
	Actions       map[string]wire.Patch[ActionDefinitionPatch] `json:"actions,omitempty" doc:"Actions to set, by name; null removes one."`
	User          PluginTagSetPatch                            `json:"user,omitzero" doc:"The tags of users."`
	Conversation  PluginTagSetPatch                            `json:"conversation,omitzero" doc:"The tags of conversations."`
	Message       PluginTagSetPatch                            `json:"message,omitzero" doc:"The tags of messages."`
	Dependencies  DependenciesPatch                            `json:"dependencies,omitzero" doc:"The plugin's dependencies."`
	Attributes    map[string]wire.Patch[Attribute]             `json:"attributes,omitempty" doc:"Attributes to set, by name; null removes one."`
}

// Members are the names of the members that the patch has, in a fixed order; without any it
// changes nothing.
func (p PluginPatch) Members() []string {
	return present{
		{"configuration", !p.Configuration.IsZero()},
		{"states", p.States != nil},
		{"events", p.Events != nil},
		{"actions", p.Actions != nil},
		{"user", p.User.Tags != nil},
		{"conversation", p.Conversation.Tags != nil},
		{"message", p.Message.Tags != nil},
		{"dependencies", p.Dependencies.Interfaces != nil || p.Dependencies.Integrations != nil},
		{"attributes", p.Attributes != nil},
	}.names()
}

// Apply is the definition after the patch; p is not changed. The patch must have passed Check.
// The two functions look up every dependency that the patch sets; their errors are returned
// unchanged. LimitExceeded when a part would grow beyond its limit. Attributes are not part
// of the definition: see ApplyAttributes.
func (p Plugin) Apply(patch PluginPatch, findInterface, findIntegration Find) (Plugin, error) {
	interfaces, err := depend("interface dependencies", p.Dependencies.Interfaces, patch.Dependencies.Interfaces, findInterface)
	if err != nil {
		return Plugin{}, err
	}
	integrations, err := depend("integration dependencies", p.Dependencies.Integrations, patch.Dependencies.Integrations, findIntegration)
	if err != nil {
		return Plugin{}, err
	}
	next := Plugin{
		Configuration: p.Configuration,
		States:        merge(p.States, patch.States, replace[StateDefinition]),
		Events:        merge(p.Events, patch.Events, EventDefinitionPatch.apply),
		Actions:       merge(p.Actions, patch.Actions, ActionDefinitionPatch.apply),
		Dependencies:  Dependencies{Interfaces: interfaces, Integrations: integrations},
		User:          TagSet{merge(p.User.Tags, patch.User.Tags, replace[TagDefinition])},
		Conversation:  TagSet{merge(p.Conversation.Tags, patch.Conversation.Tags, replace[TagDefinition])},
		Message:       TagSet{merge(p.Message.Tags, patch.Message.Tags, replace[TagDefinition])},
	}
	if configuration, set := patch.Configuration.Get(); set {
		next.Configuration = configuration
	} else if patch.Configuration.IsNull() {
		next.Configuration = EmptyPlugin().Configuration
	}
	return next, p.checkGrowth(next)
}

func (p Plugin) checkGrowth(next Plugin) error {
	return firstError(
		growth("A plugin", []part{
			{"state definitions", len(p.States), len(next.States), maxStates},
			{"event definitions", len(p.Events), len(next.Events), maxEvents},
			{"action definitions", len(p.Actions), len(next.Actions), maxActions},
			{"tag definitions of users", len(p.User.Tags), len(next.User.Tags), maxTagDefinitions},
			{"tag definitions of conversations", len(p.Conversation.Tags), len(next.Conversation.Tags), maxTagDefinitions},
			{"tag definitions of messages", len(p.Message.Tags), len(next.Message.Tags), maxTagDefinitions},
		}),
		growthOfAttributes(p.Events, next.Events, p.Actions, next.Actions),
	)
}

// Check checks the form and the size of each entry that the patch sets, as BotPatch.Check does.
func (p PluginPatch) Check() error {
	if configuration, set := p.Configuration.Get(); set {
		if err := checkSchema("configuration.schema", configuration.Schema); err != nil {
			return err
		}
	}
	dependency := func(path string, s DependencySettings) error { return s.check(path) }
	return firstError(
		checkStates(p.States),
		checkEvents(p.Events),
		checkActions(p.Actions),
		checkEntries("user.tags", p.User.Tags, nil),
		checkEntries("conversation.tags", p.Conversation.Tags, nil),
		checkEntries("message.tags", p.Message.Tags, nil),
		checkEntries("dependencies.interfaces", p.Dependencies.Interfaces, dependency),
		checkEntries("dependencies.integrations", p.Dependencies.Integrations, dependency),
		checkEntries("attributes", p.Attributes, nil),
	)
}
