package definition

import (
	"maps"
	"slices"

	"github.com/botyard/botyard/internal/wire"
)

// Integration is the definition of an integration. It is stored as the JSON that is answered.
type Integration struct {
	Identifier     IntegrationIdentifier               `json:"identifier" doc:"How incoming calls are matched to an installation."`
	Sandbox        *IntegrationSandbox                 `json:"sandbox,omitempty" doc:"How incoming calls are matched to a sandbox."`
	Configuration  IntegrationConfiguration            `json:"configuration" doc:"The default configuration of an installation."`
	Configurations map[string]IntegrationConfiguration `json:"configurations" doc:"The other configurations, by name."`
	Channels       map[string]Channel                  `json:"channels" doc:"The channels, by name."`
	States         map[string]IntegrationState         `json:"states" doc:"The states, by name."`
	Events         map[string]EventDefinition          `json:"events" doc:"The events, by name."`
	Actions        map[string]ActionDefinition         `json:"actions" doc:"The actions, by name."`
	User           Creatable                           `json:"user" doc:"The tags of users, and whether bots can create users."`
	Entities       map[string]EntityDefinition         `json:"entities" doc:"The entities, by name."`
	Interfaces     map[string]Implementation           `json:"interfaces" doc:"The implemented interfaces, by alias."`
}

// IntegrationIdentifier holds the scripts that route a call from outside.
type IntegrationIdentifier struct {
	FallbackHandlerScript string `json:"fallbackHandlerScript,omitempty" maxLength:"2000" doc:"A VRL script that answers calls that match no installation."`
	ExtractScript         string `json:"extractScript,omitempty" maxLength:"2000" doc:"A VRL script that extracts the identifier of the installation from a call."`
}

// IntegrationIdentifierPatch changes the scripts one by one.
type IntegrationIdentifierPatch struct {
	ExtractScript         wire.Patch[string] `json:"extractScript,omitzero" maxLength:"2000" doc:"A VRL script that extracts the identifier of the installation from a call; null removes it."`
	FallbackHandlerScript wire.Patch[string] `json:"fallbackHandlerScript,omitzero" maxLength:"2000" doc:"A VRL script that answers calls that match no installation; null removes it."`
}

func (p IntegrationIdentifierPatch) apply(old IntegrationIdentifier) IntegrationIdentifier {
	return IntegrationIdentifier{
		ExtractScript:         patched(p.ExtractScript, old.ExtractScript),
		FallbackHandlerScript: patched(p.FallbackHandlerScript, old.FallbackHandlerScript),
	}
}

// IntegrationSandbox holds the scripts of the sandbox. No public operation sets
// them.
type IntegrationSandbox struct {
	IdentifierExtractScript string `json:"identifierExtractScript,omitempty" maxLength:"2000" doc:"A VRL script that extracts the identifier of the sandboxed conversation from a call."`
	MessageExtractScript    string `json:"messageExtractScript,omitempty" maxLength:"2000" doc:"A VRL script that extracts the text of a message that joins or leaves the sandbox."`
}

// IntegrationConfiguration is one way to configure an integration.
type IntegrationConfiguration struct {
	Title       string                  `json:"title,omitempty" maxLength:"64" doc:"The display name."`
	Description string                  `json:"description,omitempty" maxLength:"256" doc:"The description of the configuration."`
	Identifier  ConfigurationIdentifier `json:"identifier" doc:"How an installation obtains its identifier."`
	Schema      wire.Object             `json:"schema" doc:"The JSON schema of the configuration."`
}

// ConfigurationIdentifier says how an installation gets its identifier.
type ConfigurationIdentifier struct {
	LinkTemplateScript string `json:"linkTemplateScript,omitempty" maxLength:"2000" doc:"A VRL script that gives the URL at which users authorize the integration."`
	Required           bool   `json:"required" doc:"Whether the integration works only after authorization."`
}

// NewIntegrationConfiguration is an IntegrationConfiguration in a request that
// creates.
type NewIntegrationConfiguration struct {
	Title       string                     `json:"title,omitempty" maxLength:"64" doc:"The display name."`
	Description string                     `json:"description,omitempty" maxLength:"256" doc:"The description of the configuration."`
	Schema      wire.Object                `json:"schema,omitzero" doc:"The JSON schema of the configuration."`
	Identifier  NewConfigurationIdentifier `json:"identifier,omitzero" doc:"How an installation obtains its identifier."`
}

// NewConfigurationIdentifier is a ConfigurationIdentifier in a request that creates.
type NewConfigurationIdentifier struct {
	Required           bool   `json:"required,omitzero" doc:"Whether the integration works only after authorization."`
	LinkTemplateScript string `json:"linkTemplateScript,omitempty" maxLength:"2000" doc:"A VRL script that gives the URL at which users authorize the integration."`
}

func (n NewIntegrationConfiguration) patch() IntegrationConfigurationPatch {
	return IntegrationConfigurationPatch{
		Title: &n.Title, Description: &n.Description, Schema: n.Schema,
		Identifier: ConfigurationIdentifierPatch{LinkTemplateScript: wire.Set(n.Identifier.LinkTemplateScript), Required: &n.Identifier.Required},
	}
}

// IntegrationConfigurationPatch changes a configuration member by member.
type IntegrationConfigurationPatch struct {
	Title       *string                      `json:"title,omitempty" maxLength:"64" doc:"The display name."`
	Description *string                      `json:"description,omitempty" maxLength:"256" doc:"The description of the configuration."`
	Schema      wire.Object                  `json:"schema,omitzero" doc:"The JSON schema of the configuration."`
	Identifier  ConfigurationIdentifierPatch `json:"identifier,omitzero" doc:"Members to replace in the identifier."`
}

// ConfigurationIdentifierPatch changes a ConfigurationIdentifier member by member.
type ConfigurationIdentifierPatch struct {
	LinkTemplateScript wire.Patch[string] `json:"linkTemplateScript,omitzero" maxLength:"2000" doc:"A VRL script that gives the URL at which users authorize the integration; null removes it."`
	Required           *bool              `json:"required,omitempty" doc:"Whether the integration works only after authorization."`
}

func (p IntegrationConfigurationPatch) isZero() bool {
	return p.Title == nil && p.Description == nil && p.Schema == nil && p.Identifier == ConfigurationIdentifierPatch{}
}

func (p IntegrationConfigurationPatch) apply(old IntegrationConfiguration) IntegrationConfiguration {
	next := IntegrationConfiguration{
		Title: chosen(p.Title, old.Title), Description: chosen(p.Description, old.Description), Schema: old.Schema,
		Identifier: ConfigurationIdentifier{
			LinkTemplateScript: patched(p.Identifier.LinkTemplateScript, old.Identifier.LinkTemplateScript),
			Required:           chosen(p.Identifier.Required, old.Identifier.Required),
		},
	}
	if p.Schema != nil {
		next.Schema = p.Schema
	}
	if next.Schema == nil {
		next.Schema = wire.Object(emptySchema)
	}
	return next
}

// IntegrationState declares a kind of state that an integration keeps.
type IntegrationState struct {
	Type   string      `json:"type" enum:"conversation,user,integration" doc:"The scope of the state."`
	Schema wire.Object `json:"schema" doc:"The JSON schema of the state's payload."`
}

// EmptyIntegration is the definition that patches of a new integration are applied to.
func EmptyIntegration() Integration {
	return Integration{Configuration: IntegrationConfiguration{Schema: wire.Object(emptySchema)}}
}

// ParseIntegration parses the output of Integration.JSON.
func ParseIntegration(text []byte) (i Integration, err error) {
	err = wire.ParseJSON(text, &i)
	return i, err
}

// JSON is the definition as it is stored and answered. LimitExceeded when it is too large as
// a whole.
func (i Integration) JSON() ([]byte, error) { return encode("integration", i) }

// Entity is the schema of the entity with which the integration implements an entity of the
// interface that it implements under alias.
func (i Integration) Entity(alias, entity string) (wire.Object, bool) {
	own, mapped := i.Interfaces[alias].Entities[entity]
	if !mapped {
		return nil, false
	}
	definition, declared := i.Entities[own.Name]
	return definition.Schema, declared
}

// Implements is the alias under which the integration implements the needed interface: in
// exactly that version or else in another one, of which the first by alias counts.
func (i Integration) Implements(needed Reference) (alias string, ok bool) {
	named := ""
	for _, alias := range slices.Sorted(maps.Keys(i.Interfaces)) {
		switch of := i.Interfaces[alias]; {
		case of.ID == needed.ID:
			return alias, true
		case of.Name == needed.Name && named == "":
			named = alias
		}
	}
	return named, named != ""
}

// NewIntegration is the definition in a request that creates an integration.
type NewIntegration struct {
	Configuration   NewIntegrationConfiguration            `json:"configuration,omitzero" doc:"The default configuration of an installation."`
	Configurations  map[string]NewIntegrationConfiguration `json:"configurations,omitempty" doc:"The other configurations, by name."`
	States          map[string]IntegrationState            `json:"states,omitempty" doc:"The states, by name."`
	Events          map[string]EventDefinition             `json:"events,omitempty" doc:"The events, by name."`
	Actions         map[string]ActionDefinition            `json:"actions,omitempty" doc:"The actions, by name."`
	Entities        map[string]EntityDefinition            `json:"entities,omitempty" doc:"The entities, by name."`
	Identifier      IntegrationIdentifier                  `json:"identifier,omitzero" doc:"How incoming calls are matched to an installation."`
	Channels        map[string]NewChannel                  `json:"channels,omitempty" doc:"The channels, by name."`
	User            NewCreatable                           `json:"user,omitzero" doc:"The tags of users, and whether bots can create users."`
	Interfaces      map[string]ImplementationSettings      `json:"interfaces,omitempty" doc:"The implemented interfaces, by alias."`
	ExtraOperations map[string]ExtraOperation              `json:"extraOperations,omitempty" doc:"Operations with which the integration wants to be called in addition to the usual ones, by name."`
	Attributes      map[string]Attribute                   `json:"attributes,omitempty" doc:"Free-form attributes for tools, by name."`
}

// Patch is the patch that turns an empty definition into this one.
func (n NewIntegration) Patch() IntegrationPatch {
	return IntegrationPatch{
		Configuration:  n.Configuration.patch(),
		Configurations: sets(n.Configurations, NewIntegrationConfiguration.patch),
		States:         sets(n.States, same[IntegrationState]),
		Events:         sets(n.Events, EventDefinition.patch),
		Actions:        sets(n.Actions, ActionDefinition.patch),
		Entities:       sets(n.Entities, same[EntityDefinition]),
		Identifier: IntegrationIdentifierPatch{
			ExtractScript:         wire.Set(n.Identifier.ExtractScript),
			FallbackHandlerScript: wire.Set(n.Identifier.FallbackHandlerScript),
		},
		Channels:        sets(n.Channels, NewChannel.patch),
		User:            n.User.patch(),
		Interfaces:      sets(n.Interfaces, same[ImplementationSettings]),
		ExtraOperations: sets(n.ExtraOperations, same[ExtraOperation]),
		Attributes:      sets(n.Attributes, same[Attribute]),
	}
}

// IntegrationPatch changes the definition of an integration.
type IntegrationPatch struct {
	Configuration   IntegrationConfigurationPatch                        `json:"configuration,omitzero" doc:"Members to replace in the configuration."`
	Configurations  map[string]wire.Patch[IntegrationConfigurationPatch] `json:"configurations,omitempty" doc:"Configurations to change, by name and member by member; null removes one."`
	ExtraOperations map[string]wire.Patch[ExtraOperation]                `json:"extraOperations,omitempty" doc:"Operations to enable or disable, by name; null disables one."`
	Channels        map[string]wire.Patch[ChannelPatch]                  `json:"channels,omitempty" doc:"Channels to change, by name and member by member; null removes one."`
	Identifier      IntegrationIdentifierPatch                           `json:"identifier,omitzero" doc:"The scripts, which replace the present ones."`
	Actions         map[string]wire.Patch[ActionDefinitionPatch]         `json:"actions,omitempty" doc:"Actions to set, by name; null removes one."`
	Events          map[string]wire.Patch[EventDefinitionPatch]          `json:"events,omitempty" doc:"Events to set, by name; null removes one."`
	States          map[string]wire.Patch[IntegrationState]              `json:"states,omitempty" doc:"States to set, by name; null removes one."`
	User            CreatablePatch                                       `json:"user,omitzero" doc:"The tags of users, and whether bots can create users."`
	Entities        map[string]wire.Patch[EntityDefinition]              `json:"entities,omitempty" doc:"Entities to set, by name; null removes one."`
	Interfaces      map[string]wire.Patch[ImplementationSettings]        `json:"interfaces,omitempty" doc:"Interfaces to implement, by alias; null removes one."`
	Attributes      map[string]wire.Patch[Attribute]                     `json:"attributes,omitempty" doc:"Attributes to set, by name; null removes one."`
}

// Members are the names of the members that the patch has, in a fixed order; without any it
// changes nothing.
func (p IntegrationPatch) Members() []string {
	return present{
		{"configuration", !p.Configuration.isZero()},
		{"configurations", p.Configurations != nil},
		{"extraOperations", p.ExtraOperations != nil},
		{"channels", p.Channels != nil},
		{"identifier", p.Identifier != IntegrationIdentifierPatch{}},
		{"actions", p.Actions != nil},
		{"events", p.Events != nil},
		{"states", p.States != nil},
		{"user", p.User.Creation != nil || p.User.Tags != nil},
		{"entities", p.Entities != nil},
		{"interfaces", p.Interfaces != nil},
		{"attributes", p.Attributes != nil},
	}.names()
}

// Apply is the definition after the patch; i is not changed. The patch must have passed Check.
// find looks up every interface that the patch sets; its errors are returned unchanged.
// LimitExceeded when a part would grow beyond its limit. Attributes and extra operations are
// not part of the definition: see ApplyAttributes and ApplyExtraOperations.
func (i Integration) Apply(p IntegrationPatch, find Find) (Integration, error) {
	implementations, err := implement(i.Interfaces, p.Interfaces, find)
	if err != nil {
		return Integration{}, err
	}
	next := Integration{
		Identifier:     p.Identifier.apply(i.Identifier),
		Sandbox:        i.Sandbox,
		Configuration:  p.Configuration.apply(i.Configuration),
		Configurations: merge(i.Configurations, p.Configurations, IntegrationConfigurationPatch.apply),
		Channels:       merge(i.Channels, p.Channels, ChannelPatch.apply),
		States:         merge(i.States, p.States, replace[IntegrationState]),
		Events:         merge(i.Events, p.Events, EventDefinitionPatch.apply),
		Actions:        merge(i.Actions, p.Actions, ActionDefinitionPatch.apply),
		User:           p.User.apply(i.User),
		Entities:       merge(i.Entities, p.Entities, replace[EntityDefinition]),
		Interfaces:     implementations,
	}
	return next, i.checkGrowth(next)
}

func (i Integration) checkGrowth(next Integration) error {
	err := firstError(
		growth("An integration", []part{
			{"configurations", len(i.Configurations), len(next.Configurations), maxConfigurations},
			{"channels", len(i.Channels), len(next.Channels), maxChannels},
			{"state definitions", len(i.States), len(next.States), maxStates},
			{"event definitions", len(i.Events), len(next.Events), maxEvents},
			{"action definitions", len(i.Actions), len(next.Actions), maxActions},
			{"tag definitions of users", len(i.User.Tags), len(next.User.Tags), maxTagDefinitions},
			{"entity definitions", len(i.Entities), len(next.Entities), maxEntities},
		}),
		growthOfAttributes(i.Events, next.Events, i.Actions, next.Actions),
	)
	for _, name := range slices.Sorted(maps.Keys(next.Channels)) {
		if err == nil {
			err = i.Channels[name].checkGrowth(name, next.Channels[name])
		}
	}
	return err
}

// Check checks the form and the size of each entry that the patch sets, as BotPatch.Check does.
func (p IntegrationPatch) Check() error {
	return firstError(
		p.Configuration.check("configuration"),
		checkEntries("configurations", p.Configurations, func(path string, c IntegrationConfigurationPatch) error {
			return c.check(path)
		}),
		checkEntries("extraOperations", p.ExtraOperations, nil),
		checkEntries("channels", p.Channels, func(path string, c ChannelPatch) error { return c.check(path) }),
		checkActions(p.Actions),
		checkEvents(p.Events),
		checkEntries("states", p.States, func(path string, s IntegrationState) error {
			return checkSchema(path+".schema", s.Schema)
		}),
		p.User.check("user"),
		checkEntities(p.Entities),
		checkEntries("interfaces", p.Interfaces, func(path string, s ImplementationSettings) error { return s.check(path) }),
		checkEntries("attributes", p.Attributes, nil),
	)
}

func (p IntegrationConfigurationPatch) check(path string) error {
	if p.Schema == nil {
		return nil
	}
	return checkSchema(path+".schema", p.Schema)
}

// ExtraOperation is an operation that an integration is called with only if it opted in.
type ExtraOperation struct {
	Enabled bool `json:"enabled" doc:"Whether the integration is called with this operation."`
}

// ApplyExtraOperations is the operations after the patch; the map has the enabled ones only. old
// is not changed. LimitExceeded when there would be too many.
func (p IntegrationPatch) ApplyExtraOperations(old map[string]ExtraOperation) (map[string]ExtraOperation, error) {
	next := merge(old, p.ExtraOperations, replace[ExtraOperation])
	if len(p.ExtraOperations) > 0 {
		maps.DeleteFunc(next, func(_ string, o ExtraOperation) bool { return !o.Enabled })
	}
	return next, growth("An integration", []part{{"extra operations", len(old), len(next), maxExtraOperations}})
}

// ApplyAttributes is the attributes of a package after a patch; old is not changed. LimitExceeded
// when there would be too many; the message calls the package owner, such as "An
// integration".
func ApplyAttributes(owner string, old map[string]Attribute, patch map[string]wire.Patch[Attribute]) (map[string]Attribute, error) {
	next := merge(old, patch, replace[Attribute])
	return next, growth(owner, []part{{"attributes", len(old), len(next), maxAttributes}})
}
