package bot

import (
	"time"
	"unicode/utf8"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// Version is a saved version of a bot: what it was made of at one moment. It never
// changes.
type Version struct {
	ID   id.BotVersion
	Bot  id.Bot
	Name string
	// Description may be empty.
	Description string
	// Automatic versions are saved by the server when the bot is deployed or replaced; the
	// oldest make room for new ones. The others stay as long as the bot.
	Automatic bool
	CreatedAt time.Time
	// CreatedBy is empty when the operator saved it.
	CreatedBy id.Account
	// Content is the bot's archive without code and configurations.
	Content blob.Hash
	// Code is empty when the bot had none.
	Code blob.Hash
}

// savedSettings is the part of a version that is sealed.
type savedSettings struct {
	Integrations map[string]savedInstance `json:"integrations,omitempty"`
	Plugins      map[string]savedPlugin   `json:"plugins,omitempty"`
}

type savedInstance struct {
	Webhook       id.Webhook  `json:"webhook"`
	InstalledAt   time.Time   `json:"installedAt"`
	Configuration wire.Object `json:"configuration"`
}

type savedPlugin struct {
	Configuration wire.Object `json:"configuration"`
}

// settings are those of the bot that its versions keep.
func (b Bot) settings() (s savedSettings) {
	if len(b.Integrations) > 0 {
		s.Integrations = make(map[string]savedInstance, len(b.Integrations))
	}
	for _, i := range b.Integrations {
		s.Integrations[i.Alias] = savedInstance{i.Webhook, i.CreatedAt, i.Configuration}
	}
	if len(b.Plugins) > 0 {
		s.Plugins = make(map[string]savedPlugin, len(b.Plugins))
	}
	for _, p := range b.Plugins {
		s.Plugins[p.Alias] = savedPlugin{p.Configuration}
	}
	return s
}

// Limits of versions. Only the number that a plan allows is published.
const (
	maxVersionName        = 200  // characters
	maxVersionDescription = 2000 // characters
	// maxSaved bounds the versions that people save, whatever the plan: one answer lists
	// them all.
	maxSaved = 1000
	// maxAutomatic is how many automatic versions a bot keeps.
	maxAutomatic = 20
)

func checkVersion(name, description string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > maxVersionName {
		return fault.New(fault.InvalidPayload, "The name has %d characters; a version's name has 1 to %d.", n, maxVersionName)
	}
	if n := utf8.RuneCountInString(description); n > maxVersionDescription {
		return fault.New(fault.InvalidPayload, "The description has %d characters; a version's description may have at most %d.", n, maxVersionDescription)
	}
	return nil
}

func noSuchVersion(version id.BotVersion) error {
	return fault.New(fault.ResourceNotFound, "Version %q does not exist, or belongs to another bot. listBotVersions lists the versions of this one.", fault.Bounded(string(version)))
}
