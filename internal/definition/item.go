package definition

import (
	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/wire"
)

// TagDefinition declares a tag that users, conversations or messages may carry.
type TagDefinition struct {
	Title       string `json:"title,omitempty" maxLength:"64" doc:"The display name."`
	Description string `json:"description,omitempty" maxLength:"256" doc:"The description of the tag."`
}

// TagSet is the tags declared for one kind of thing.
type TagSet struct {
	Tags map[string]TagDefinition `json:"tags" doc:"The tags, by name."`
}

// NewTagSet is a TagSet in a request that creates.
type NewTagSet struct {
	Tags map[string]TagDefinition `json:"tags,omitempty" doc:"The tags, by name."`
}

// TagSetPatch changes a TagSet.
type TagSetPatch struct {
	Tags map[string]wire.Patch[TagDefinition] `json:"tags,omitempty" doc:"Tags to set, by name; null removes one."`
}

// StateDefinition declares a kind of state that a bot keeps.
type StateDefinition struct {
	Type   string      `json:"type" enum:"conversation,user,bot" doc:"The scope of the state."`
	Schema wire.Object `json:"schema" doc:"The JSON schema of the state's payload."`
	Expiry *float64    `json:"expiry,omitempty" minimum:"1" doc:"The time without a change, in milliseconds, after which it expires."`
}

// Attribute is the value of one attribute of an event or action.
type Attribute string

// Schema is that of a string of 200 characters at most.
func (Attribute) Schema(huma.Registry) *huma.Schema {
	most := 200
	return &huma.Schema{Type: huma.TypeString, MaxLength: &most}
}

// EventDefinition declares an event that a bot handles.
type EventDefinition struct {
	Title       string               `json:"title,omitempty" maxLength:"64" doc:"The display name."`
	Description string               `json:"description,omitempty" maxLength:"256" doc:"The description of the event."`
	Schema      wire.Object          `json:"schema" doc:"The JSON schema of the state's payload."`
	Attributes  map[string]Attribute `json:"attributes,omitempty" doc:"Free-form attributes for tools, by name."`
}

// EventDefinitionPatch sets an event. Its attributes merge into the old ones.
type EventDefinitionPatch struct {
	Title       string                           `json:"title,omitempty" maxLength:"64" doc:"The display name."`
	Description string                           `json:"description,omitempty" maxLength:"256" doc:"The description of the event."`
	Schema      wire.Object                      `json:"schema" doc:"The JSON schema of the state's payload."`
	Attributes  map[string]wire.Patch[Attribute] `json:"attributes,omitempty" doc:"Attributes to set, by name; null removes one."`
}

func (e EventDefinition) patch() EventDefinitionPatch {
	return EventDefinitionPatch{e.Title, e.Description, e.Schema, sets(e.Attributes, same[Attribute])}
}

func (p EventDefinitionPatch) apply(old EventDefinition) EventDefinition {
	return EventDefinition{
		Title: p.Title, Description: p.Description, Schema: p.Schema,
		Attributes: merge(old.Attributes, p.Attributes, replace[Attribute]),
	}
}

// SchemaHolder is one side of an action.
type SchemaHolder struct {
	Schema wire.Object `json:"schema" doc:"A JSON schema."`
}

// ActionDefinition declares an action that can be called.
type ActionDefinition struct {
	Title       string               `json:"title,omitempty" maxLength:"64" doc:"The display name."`
	Description string               `json:"description,omitempty" maxLength:"256" doc:"The description of the action."`
	Billable    *bool                `json:"billable,omitempty" doc:"Whether calls are billable."`
	Cacheable   *bool                `json:"cacheable,omitempty" doc:"Whether the same input always gives the same output."`
	Input       SchemaHolder         `json:"input" doc:"The action's input."`
	Output      SchemaHolder         `json:"output" doc:"The action's output."`
	Attributes  map[string]Attribute `json:"attributes,omitempty" doc:"Free-form attributes for tools, by name."`
}

// ActionDefinitionPatch sets an action. Its attributes merge into the old ones.
type ActionDefinitionPatch struct {
	Title       string                           `json:"title,omitempty" maxLength:"64" doc:"The display name."`
	Description string                           `json:"description,omitempty" maxLength:"256" doc:"The description of the action."`
	Billable    *bool                            `json:"billable,omitempty" doc:"Whether calls are billable."`
	Cacheable   *bool                            `json:"cacheable,omitempty" doc:"Whether the same input always gives the same output."`
	Input       SchemaHolder                     `json:"input" doc:"The action's input."`
	Output      SchemaHolder                     `json:"output" doc:"The action's output."`
	Attributes  map[string]wire.Patch[Attribute] `json:"attributes,omitempty" doc:"Attributes to set, by name; null removes one."`
}

func (a ActionDefinition) patch() ActionDefinitionPatch {
	return ActionDefinitionPatch{a.Title, a.Description, a.Billable, a.Cacheable, a.Input, a.Output, sets(a.Attributes, same[Attribute])}
}

func (p ActionDefinitionPatch) apply(old ActionDefinition) ActionDefinition {
	return ActionDefinition{
		Title: p.Title, Description: p.Description, Billable: p.Billable, Cacheable: p.Cacheable,
		Input: p.Input, Output: p.Output,
		Attributes: merge(old.Attributes, p.Attributes, replace[Attribute]),
	}
}

// Schedule says when a recurring event happens.
type Schedule struct {
	Cron string `json:"cron" maxLength:"200" doc:"A cron expression, in UTC."`
}

// RecurringEventSettings is what a caller says of a recurring event.
type RecurringEventSettings struct {
	Schedule Schedule    `json:"schedule" doc:"The schedule."`
	Type     string      `json:"type" maxLength:"200" doc:"The type of the event."`
	Payload  wire.Object `json:"payload" doc:"The payload of the event."`
}

// RecurringEvent is an event that happens on a schedule, and how that goes.
type RecurringEvent struct {
	RecurringEventSettings
	FailedAttempts    float64 `json:"failedAttempts" doc:"How many deliveries have failed in a row."`
	LastFailureReason *string `json:"lastFailureReason" maxLength:"2000" doc:"Why the last delivery failed."`
}

// apply resets the record of failures when the event changes.
func (s RecurringEventSettings) apply(old RecurringEvent) RecurringEvent {
	if s.Schedule == old.Schedule && s.Type == old.Type && string(s.Payload) == string(old.Payload) {
		return old
	}
	return RecurringEvent{RecurringEventSettings: s}
}

// EventSubscription is the settings of one subscription: there are none yet.
type EventSubscription struct{}

// EventSubscriptions is the events that a bot listens to, by type. Nil is null on the wire: the
// bot made no choice and listens to all.
type EventSubscriptions map[string]EventSubscription

// MarshalJSONTo writes the map, or null.
func (s EventSubscriptions) MarshalJSONTo(enc *jsontext.Encoder) error {
	if s == nil {
		return enc.WriteToken(jsontext.Null)
	}
	return json.MarshalEncode(enc, map[string]EventSubscription(s))
}

// Schema is that of a map or null.
func (EventSubscriptions) Schema(r huma.Registry) *huma.Schema {
	return wire.Patch[map[string]EventSubscription]{}.Schema(r)
}

// Subscriptions says which events a bot listens to.
type Subscriptions struct {
	Events EventSubscriptions `json:"events" doc:"The events by type; null when the bot did not choose any."`
}

// SubscriptionsPatch changes Subscriptions.
type SubscriptionsPatch struct {
	Events wire.Patch[map[string]wire.Patch[EventSubscription]] `json:"events" doc:"Events to subscribe to, by type; null removes one. null in place of the map removes the selection."`
}

func (p SubscriptionsPatch) apply(old Subscriptions) Subscriptions {
	if p.Events.IsNull() {
		return Subscriptions{}
	}
	events, given := p.Events.Get()
	if !given {
		return old
	}
	merged := merge(old.Events, events, replace[EventSubscription])
	if merged == nil {
		merged = EventSubscriptions{} // even an empty map is a choice
	}
	return Subscriptions{Events: merged}
}

// ConfigurationPatch is the configuration in a request. Each member given
// replaces the one that was there.
type ConfigurationPatch struct {
	Data   wire.Object `json:"data,omitzero" doc:"The configuration itself."`
	Schema wire.Object `json:"schema,omitzero" doc:"The JSON schema of the configuration."`
}

// Configuration is a bot's own configuration and its schema.
type Configuration struct {
	Data   wire.Object `json:"data" doc:"The configuration itself."`
	Schema wire.Object `json:"schema" doc:"The JSON schema of the configuration."`
}

func (p ConfigurationPatch) apply(old Configuration) Configuration {
	if p.Data != nil {
		old.Data = p.Data
	}
	if p.Schema != nil {
		old.Schema = p.Schema
	}
	return old
}

// Media is a file that a bot shows.
type Media struct {
	URL  string `json:"url" doc:"The URL of the file."`
	Name string `json:"name" doc:"The name."`
}
