package definition

import (
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// Bot is the definition of a bot. It is stored as the JSON that is answered.
type Bot struct {
	User            TagSet                      `json:"user" doc:"The tags of users."`
	Conversation    TagSet                      `json:"conversation" doc:"The tags of conversations."`
	Message         TagSet                      `json:"message" doc:"The tags of messages."`
	States          map[string]StateDefinition  `json:"states" doc:"The states, by name."`
	Configuration   Configuration               `json:"configuration" doc:"The bot's configuration."`
	Events          map[string]EventDefinition  `json:"events" doc:"The events, by name."`
	RecurringEvents map[string]RecurringEvent   `json:"recurringEvents" doc:"The recurring events, by name."`
	Subscriptions   Subscriptions               `json:"subscriptions" doc:"The events that the bot subscribes to."`
	Actions         map[string]ActionDefinition `json:"actions" doc:"The actions, by name."`
	Medias          []Media                     `json:"medias" doc:"The bot's media files."`
}

// emptySchema is the schema of an object without properties. It is not {}, which code
// generators turn into "any".
const emptySchema = `{"type":"object","properties":{}}`

// EmptyBot is the definition that patches of a new bot are applied to.
func EmptyBot() Bot {
	return Bot{Configuration: Configuration{Data: wire.Object(`{}`), Schema: wire.Object(emptySchema)}}
}

// ParseBot parses the output of Bot.JSON.
func ParseBot(text []byte) (b Bot, err error) {
	err = wire.ParseJSON(text, &b)
	return b, err
}

// JSON is the definition as it is stored and answered. LimitExceeded when it is too large as
// a whole.
func (b Bot) JSON() ([]byte, error) { return encode("bot", b) }

// encode is the JSON of the definition of a bot, an integration, an interface or a plugin.
func encode(kind string, definition any) ([]byte, error) {
	text, err := wire.AppendJSON(nil, definition)
	if err == nil && len(text) > maxDefinition {
		err = fault.New(fault.LimitExceeded, "The definition of the %s is %d bytes long; at most %d are allowed. Make its schemas smaller.", kind, len(text), maxDefinition).
			With("limit", maxDefinition).With("count", len(text))
	}
	return text, err
}

// NewBot is the definition in a request that creates a bot.
type NewBot struct {
	States          map[string]StateDefinition        `json:"states,omitempty" doc:"The states, by name."`
	Events          map[string]EventDefinition        `json:"events,omitempty" doc:"The events, by name."`
	RecurringEvents map[string]RecurringEventSettings `json:"recurringEvents,omitempty" doc:"The recurring events, by name."`
	Subscriptions   Subscriptions                     `json:"subscriptions,omitzero" doc:"The events that the bot subscribes to."`
	Actions         map[string]ActionDefinition       `json:"actions,omitempty" doc:"The actions, by name."`
	Configuration   ConfigurationPatch                `json:"configuration,omitzero" doc:"The bot's configuration."`
	User            NewTagSet                         `json:"user,omitzero" doc:"The tags of users."`
	Conversation    NewTagSet                         `json:"conversation,omitzero" doc:"The tags of conversations."`
	Message         NewTagSet                         `json:"message,omitzero" doc:"The tags of messages."`
	Medias          []Media                           `json:"medias,omitempty" doc:"The bot's media files."`
}

// Patch is the patch that turns an empty definition into this one.
func (n NewBot) Patch() BotPatch {
	p := BotPatch{
		Configuration:   n.Configuration,
		User:            TagSetPatch{sets(n.User.Tags, same[TagDefinition])},
		Conversation:    TagSetPatch{sets(n.Conversation.Tags, same[TagDefinition])},
		Message:         TagSetPatch{sets(n.Message.Tags, same[TagDefinition])},
		States:          sets(n.States, same[StateDefinition]),
		RecurringEvents: sets(n.RecurringEvents, same[RecurringEventSettings]),
		Events:          sets(n.Events, EventDefinition.patch),
		Actions:         sets(n.Actions, ActionDefinition.patch),
		Medias:          n.Medias,
	}
	if n.Subscriptions.Events != nil {
		p.Subscriptions.Events = wire.Set(sets(n.Subscriptions.Events, same[EventSubscription]))
	}
	return p
}

// BotPatch changes the definition of a bot.
type BotPatch struct {
	Configuration   ConfigurationPatch                            `json:"configuration,omitzero" doc:"Members to replace in the configuration."`
	User            TagSetPatch                                   `json:"user,omitzero" doc:"The tags of users."`
	Message         TagSetPatch                                   `json:"message,omitzero" doc:"The tags of messages."`
	Conversation    TagSetPatch                                   `json:"conversation,omitzero" doc:"The tags of conversations."`
	Events          map[string]wire.Patch[EventDefinitionPatch]   `json:"events,omitempty" doc:"Events to set, by name; null removes one."`
	Actions         map[string]wire.Patch[ActionDefinitionPatch]  `json:"actions,omitempty" doc:"Actions to set, by name; null removes one."`
	States          map[string]wire.Patch[StateDefinition]        `json:"states,omitempty" doc:"States to set, by name; null removes one."`
	RecurringEvents map[string]wire.Patch[RecurringEventSettings] `json:"recurringEvents,omitempty" doc:"Recurring events to set, by name; null removes one."`
	Subscriptions   SubscriptionsPatch                            `json:"subscriptions,omitzero" doc:"The events that the bot subscribes to."`
	Medias          []Media                                       `json:"medias,omitempty" doc:"The bot's media files, which replace the present ones."`
}

// Members are the names of the members that the patch has, in a fixed order; without any it
// changes nothing.
func (p BotPatch) Members() []string {
	return present{
		{"configuration", p.Configuration.Data != nil || p.Configuration.Schema != nil},
		{"user", p.User.Tags != nil},
		{"message", p.Message.Tags != nil},
		{"conversation", p.Conversation.Tags != nil},
		{"events", p.Events != nil},
		{"actions", p.Actions != nil},
		{"states", p.States != nil},
		{"recurringEvents", p.RecurringEvents != nil},
		{"subscriptions", !p.Subscriptions.Events.IsZero()},
		{"medias", p.Medias != nil},
	}.names()
}

// Apply is the definition after the patch; b is not changed. The patch must have passed Check.
// LimitExceeded when a part would grow beyond its limit.
func (b Bot) Apply(p BotPatch) (Bot, error) {
	next := Bot{
		User:            TagSet{merge(b.User.Tags, p.User.Tags, replace[TagDefinition])},
		Conversation:    TagSet{merge(b.Conversation.Tags, p.Conversation.Tags, replace[TagDefinition])},
		Message:         TagSet{merge(b.Message.Tags, p.Message.Tags, replace[TagDefinition])},
		States:          merge(b.States, p.States, replace[StateDefinition]),
		Configuration:   p.Configuration.apply(b.Configuration),
		Events:          merge(b.Events, p.Events, EventDefinitionPatch.apply),
		RecurringEvents: merge(b.RecurringEvents, p.RecurringEvents, RecurringEventSettings.apply),
		Subscriptions:   p.Subscriptions.apply(b.Subscriptions),
		Actions:         merge(b.Actions, p.Actions, ActionDefinitionPatch.apply),
		Medias:          b.Medias,
	}
	if p.Medias != nil {
		next.Medias = p.Medias
	}
	return next, b.checkGrowth(next)
}

func (b Bot) checkGrowth(next Bot) error {
	return firstError(
		growth("A bot", []part{
			{"tag definitions of users", len(b.User.Tags), len(next.User.Tags), maxTagDefinitions},
			{"tag definitions of conversations", len(b.Conversation.Tags), len(next.Conversation.Tags), maxTagDefinitions},
			{"tag definitions of messages", len(b.Message.Tags), len(next.Message.Tags), maxTagDefinitions},
			{"state definitions", len(b.States), len(next.States), maxStates},
			{"event definitions", len(b.Events), len(next.Events), maxEvents},
			{"recurring events", len(b.RecurringEvents), len(next.RecurringEvents), maxRecurringEvents},
			{"event subscriptions", len(b.Subscriptions.Events), len(next.Subscriptions.Events), maxSubscriptions},
			{"action definitions", len(b.Actions), len(next.Actions), maxActions},
			{"medias", len(b.Medias), len(next.Medias), maxMedias},
		}),
		growthOfAttributes(b.Events, next.Events, b.Actions, next.Actions),
	)
}
