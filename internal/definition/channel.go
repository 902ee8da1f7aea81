package definition

import (
	"fmt"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// Channel is a place where an integration has conversations.
type Channel struct {
	Title        string                  `json:"title,omitempty" maxLength:"64" doc:"The display name."`
	Description  string                  `json:"description,omitempty" maxLength:"256" doc:"The description of the channel."`
	Messages     map[string]SchemaHolder `json:"messages" doc:"The message types, by name."`
	Conversation Creatable               `json:"conversation" doc:"The tags of conversations, and whether bots can create conversations."`
	Message      TagSet                  `json:"message" doc:"The tags of messages."`
}

// NewChannel is a Channel in a request that creates.
type NewChannel struct {
	Title        string                  `json:"title,omitempty" maxLength:"64" doc:"The display name."`
	Description  string                  `json:"description,omitempty" maxLength:"256" doc:"The description of the channel."`
	Messages     map[string]SchemaHolder `json:"messages" doc:"The message types, by name."`
	Conversation NewCreatable            `json:"conversation,omitzero" doc:"The tags of conversations, and whether bots can create conversations."`
	Message      NewTagSet               `json:"message,omitzero" doc:"The tags of messages."`
}

func (n NewChannel) patch() ChannelPatch {
	return ChannelPatch{
		Title: &n.Title, Description: &n.Description,
		Messages:     sets(n.Messages, same[SchemaHolder]),
		Conversation: n.Conversation.patch(),
		Message:      TagSetPatch{sets(n.Message.Tags, same[TagDefinition])},
	}
}

// ChannelPatch changes a channel member by member.
type ChannelPatch struct {
	Title        *string                             `json:"title,omitempty" maxLength:"64" doc:"The display name."`
	Description  *string                             `json:"description,omitempty" maxLength:"256" doc:"The description of the channel."`
	Messages     map[string]wire.Patch[SchemaHolder] `json:"messages,omitempty" doc:"Message types to set, by name; null removes one."`
	Conversation CreatablePatch                      `json:"conversation,omitzero" doc:"The tags of conversations, and whether bots can create conversations."`
	Message      TagSetPatch                         `json:"message,omitzero" doc:"The tags of messages."`
}

func (p ChannelPatch) apply(old Channel) Channel {
	return Channel{
		Title: chosen(p.Title, old.Title), Description: chosen(p.Description, old.Description),
		Messages:     merge(old.Messages, p.Messages, replace[SchemaHolder]),
		Conversation: p.Conversation.apply(old.Conversation),
		Message:      TagSet{merge(old.Message.Tags, p.Message.Tags, replace[TagDefinition])},
	}
}

func (p ChannelPatch) check(path string) error {
	return firstError(
		checkMessages(path, p.Messages),
		p.Conversation.check(path+".conversation"),
		checkEntries(path+".message.tags", p.Message.Tags, nil),
	)
}

func checkMessages(path string, patch map[string]wire.Patch[SchemaHolder]) error {
	return checkEntries(path+".messages", patch, func(path string, m SchemaHolder) error {
		return checkSchema(path+".schema", m.Schema)
	})
}

func (c Channel) checkGrowth(name string, next Channel) error {
	return growth(fmt.Sprintf("The channel %q", fault.Bounded(name)), []part{
		{"message types", len(c.Messages), len(next.Messages), maxMessageTypes},
		{"tag definitions of conversations", len(c.Conversation.Tags), len(next.Conversation.Tags), maxTagDefinitions},
		{"tag definitions of messages", len(c.Message.Tags), len(next.Message.Tags), maxTagDefinitions},
	})
}

// Creatable is what an integration says of its users, or of a channel's
// conversations.
type Creatable struct {
	Tags     map[string]TagDefinition `json:"tags" doc:"The tags, by name."`
	Creation Creation                 `json:"creation" doc:"Whether bots can create them."`
}

// Creation says whether bots can create something through the integration.
type Creation struct {
	Enabled      bool     `json:"enabled" doc:"Whether creation is enabled."`
	RequiredTags []string `json:"requiredTags" doc:"The tags that must be given on creation."`
}

// NewCreatable is a Creatable in a request that creates.
type NewCreatable struct {
	Creation *Creation                `json:"creation,omitempty" doc:"Whether bots can create them."`
	Tags     map[string]TagDefinition `json:"tags,omitempty" doc:"The tags, by name."`
}

func (n NewCreatable) patch() CreatablePatch {
	return CreatablePatch{n.Creation, sets(n.Tags, same[TagDefinition])}
}

// CreatablePatch changes a Creatable: creation as a whole, tags one by one.
type CreatablePatch struct {
	Creation *Creation                            `json:"creation,omitempty" doc:"Whether bots can create them."`
	Tags     map[string]wire.Patch[TagDefinition] `json:"tags,omitempty" doc:"Tags to set, by name; null removes one."`
}

func (p CreatablePatch) apply(old Creatable) Creatable {
	return Creatable{
		Tags:     merge(old.Tags, p.Tags, replace[TagDefinition]),
		Creation: chosen(p.Creation, old.Creation),
	}
}

func (p CreatablePatch) check(path string) error {
	if p.Creation != nil {
		tags := p.Creation.RequiredTags
		if len(tags) > maxTagDefinitions {
			return fault.New(fault.LimitExceeded, "%s.creation.requiredTags has %d tags; it can have %d.", path, len(tags), maxTagDefinitions).
				With("limit", maxTagDefinitions).With("count", len(tags))
		}
		for _, tag := range tags {
			if err := CheckKey(path+".creation.requiredTags", tag); err != nil {
				return err
			}
		}
	}
	return checkEntries(path+".tags", p.Tags, nil)
}
