package definition

import (
	"maps"
	"slices"

	"github.com/botyard/botyard/internal/wire"
)

// Interface is the definition of an interface: what plugins can expect from every integration
// that implements it. It is stored as the JSON that is answered.
type Interface struct {
	Entities     map[string]EntityDefinition `json:"entities" doc:"The entities, by name."`
	Events       map[string]EventDefinition  `json:"events" doc:"The events, by name."`
	Actions      map[string]ActionDefinition `json:"actions" doc:"The actions, by name."`
	Channels     map[string]InterfaceChannel `json:"channels" doc:"The channels, by name."`
	NameTemplate *NameTemplate               `json:"nameTemplate,omitempty" doc:"The template by which implementations name their counterpart."`
}

// NameTemplate is a script that names the parts of an implementation.
type NameTemplate struct {
	Script   string `json:"script" maxLength:"2000" doc:"The script."`
	Language string `json:"language" maxLength:"200" doc:"The language of the script."`
}

// InterfaceChannel is a channel that implementations have.
type InterfaceChannel struct {
	Title       string                  `json:"title,omitempty" maxLength:"64" doc:"The display name."`
	Description string                  `json:"description,omitempty" maxLength:"256" doc:"The description of the channel."`
	Messages    map[string]SchemaHolder `json:"messages" doc:"The message types, by name."`
}

func (c InterfaceChannel) patch() InterfaceChannelPatch {
	return InterfaceChannelPatch{&c.Title, &c.Description, sets(c.Messages, same[SchemaHolder])}
}

// InterfaceChannelPatch changes an InterfaceChannel member by member.
type InterfaceChannelPatch struct {
	Title       *string                             `json:"title,omitempty" maxLength:"64" doc:"The display name."`
	Description *string                             `json:"description,omitempty" maxLength:"256" doc:"The description of the channel."`
	Messages    map[string]wire.Patch[SchemaHolder] `json:"messages,omitempty" doc:"Message types to set, by name; null removes one."`
}

func (p InterfaceChannelPatch) apply(old InterfaceChannel) InterfaceChannel {
	return InterfaceChannel{
		Title: chosen(p.Title, old.Title), Description: chosen(p.Description, old.Description),
		Messages: merge(old.Messages, p.Messages, replace[SchemaHolder]),
	}
}

// ParseInterface parses the output of Interface.JSON.
func ParseInterface(text []byte) (i Interface, err error) {
	err = wire.ParseJSON(text, &i)
	return i, err
}

// JSON is the definition as it is stored and answered. LimitExceeded when it is too large as
// a whole.
func (i Interface) JSON() ([]byte, error) { return encode("interface", i) }

// NewInterface is the definition in a request that creates an interface.
type NewInterface struct {
	Entities     map[string]EntityDefinition `json:"entities,omitempty" doc:"The entities, by name."`
	Events       map[string]EventDefinition  `json:"events,omitempty" doc:"The events, by name."`
	Actions      map[string]ActionDefinition `json:"actions,omitempty" doc:"The actions, by name."`
	Channels     map[string]InterfaceChannel `json:"channels,omitempty" doc:"The channels, by name."`
	NameTemplate *NameTemplate               `json:"nameTemplate,omitempty" doc:"The template by which implementations name their counterpart."`
	Attributes   map[string]Attribute        `json:"attributes,omitempty" doc:"Free-form attributes for tools, by name."`
}

// Patch is the patch that turns an empty definition into this one.
func (n NewInterface) Patch() InterfacePatch {
	p := InterfacePatch{
		Entities:   sets(n.Entities, same[EntityDefinition]),
		Events:     sets(n.Events, EventDefinition.patch),
		Actions:    sets(n.Actions, ActionDefinition.patch),
		Channels:   sets(n.Channels, InterfaceChannel.patch),
		Attributes: sets(n.Attributes, same[Attribute]),
	}
	if n.NameTemplate != nil {
		p.NameTemplate = wire.Set(*n.NameTemplate)
	}
	return p
}

// InterfacePatch changes the definition of an interface.
type InterfacePatch struct {
	Entities     map[string]wire.Patch[EntityDefinition]      `json:"entities,omitempty" doc:"Entities to set, by name; null removes one."`
	Events       map[string]wire.Patch[EventDefinitionPatch]  `json:"events,omitempty" doc:"Events to set, by name; null removes one."`
	Actions      map[string]wire.Patch[ActionDefinitionPatch] `json:"actions,omitempty" doc:"Actions to set, by name; null removes one."`
	Channels     map[string]wire.Patch[InterfaceChannelPatch] `json:"channels,omitempty" doc:"Channels to change, by name and member by member; null removes one."`
	NameTemplate wire.Patch[NameTemplate]                     `json:"nameTemplate,omitzero" doc:"The template by which implementations name their counterpart; null removes it."`
	Attributes   map[string]wire.Patch[Attribute]             `json:"attributes,omitempty" doc:"Attributes to set, by name; null removes one."`
}

// Members are the names of the members that the patch has, in a fixed order; without any it
// changes nothing.
func (p InterfacePatch) Members() []string {
	return present{
		{"entities", p.Entities != nil},
		{"events", p.Events != nil},
		{"actions", p.Actions != nil},
		{"channels", p.Channels != nil},
		{"nameTemplate", !p.NameTemplate.IsZero()},
		{"attributes", p.Attributes != nil},
	}.names()
}

// Apply is the definition after the patch; i is not changed. The patch must have passed Check.
// LimitExceeded when a part would grow beyond its limit. Attributes are not part of the
// definition: see ApplyAttributes.
func (i Interface) Apply(p InterfacePatch) (Interface, error) {
	next := Interface{
		Entities:     merge(i.Entities, p.Entities, replace[EntityDefinition]),
		Events:       merge(i.Events, p.Events, EventDefinitionPatch.apply),
		Actions:      merge(i.Actions, p.Actions, ActionDefinitionPatch.apply),
		Channels:     merge(i.Channels, p.Channels, InterfaceChannelPatch.apply),
		NameTemplate: i.NameTemplate,
	}
	if template, set := p.NameTemplate.Get(); set {
		next.NameTemplate = &template
	} else if p.NameTemplate.IsNull() {
		next.NameTemplate = nil
	}
	return next, i.checkGrowth(next)
}

func (i Interface) checkGrowth(next Interface) error {
	err := firstError(
		growth("An interface", []part{
			{"entity definitions", len(i.Entities), len(next.Entities), maxEntities},
			{"event definitions", len(i.Events), len(next.Events), maxEvents},
			{"action definitions", len(i.Actions), len(next.Actions), maxActions},
			{"channels", len(i.Channels), len(next.Channels), maxChannels},
		}),
		growthOfAttributes(i.Events, next.Events, i.Actions, next.Actions),
	)
	for _, name := range slices.Sorted(maps.Keys(next.Channels)) {
		if err == nil {
			before := Channel{Messages: i.Channels[name].Messages}
			err = before.checkGrowth(name, Channel{Messages: next.Channels[name].Messages})
		}
	}
	return err
}

// Check checks the form and the size of each entry that the patch sets, as BotPatch.Check does.
func (p InterfacePatch) Check() error {
	return firstError(
		checkEntities(p.Entities),
		checkEvents(p.Events),
		checkActions(p.Actions),
		checkEntries("channels", p.Channels, func(path string, c InterfaceChannelPatch) error {
			return checkMessages(path, c.Messages)
		}),
		checkEntries("attributes", p.Attributes, nil),
	)
}
