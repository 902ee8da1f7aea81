package bot

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// Type is the tool that a bot was made with.
type Type string

// The types of the public API.
const (
	Studio Type = "studio"
	ADK    Type = "adk"
	Desk   Type = "desk"
)

// Status is what a bot is doing.
type Status string

// Active is the only status so far: deployments and deletions are complete when they are
// answered.
const Active Status = "active"

// Bot is a bot as it is stored. Fields of type JSON hold the text that is returned.
type Bot struct {
	ID        id.Bot
	Workspace id.Workspace
	Dev       bool
	Name      string
	CreatedAt time.Time
	UpdatedAt time.Time
	// DeployedAt is when code was last deployed; zero: never.
	DeployedAt time.Time
	Type       Type
	Status     Status
	// Description is nil when none was given.
	Description *string
	// URL is where the bot's code runs; empty: here.
	URL string
	// Authentication is how calls to the URL prove who makes them: iam,
	// hmac-sha256, or empty when nothing was chosen.
	Authentication string
	Blocked        bool
	AlwaysAlive    bool
	// MaxExecutionTime is how many seconds a call may take; zero: not chosen.
	MaxExecutionTime int64
	// CreatedBy is empty when the operator made the bot.
	CreatedBy id.Account
	// SigningSecret is sealed.
	SigningSecret string
	// CodeHash is empty while the bot has no code.
	CodeHash blob.Hash

	Tags        JSON // an object of strings
	SecretNames JSON // a sorted array of strings
	Layers      JSON // an array of strings
	Definition  JSON // a definition.Bot
	// Own is Definition without what plugins contribute; empty when there is no plugin,
	// and so no difference.
	Own JSON

	// Packages is how many integrations and plugins are installed.
	Packages int
	// Integrations are the installed ones by age, Plugins those by alias. Lists do
	// not read them.
	Integrations []Instance
	Plugins      []PluginInstance
}

// own is the definition without what plugins contribute.
func (b Bot) own() JSON {
	if b.Own != "" {
		return b.Own
	}
	return b.Definition
}

// JSON is JSON text as it is stored and returned.
type JSON string

// toJSON encodes maps and lists of text.
func toJSON(v any) (JSON, error) {
	text, err := wire.AppendJSON(nil, v)
	return JSON(text), err
}

// Limits of a bot. Those of tags and code are published; the others are
// our own, because what a caller sends is always bounded.
const (
	maxTags = 50
	maxCode = 52_428_800 // bytes
	maxName = 1000       // characters
	maxURL  = 2000       // characters
)

// Draft is a bot to be created. Nil is what the caller left out.
type Draft struct {
	Definition       definition.NewBot
	Dev              bool
	Name             *string
	Description      *string
	Type             Type
	URL              *string
	Code             *string
	MaxExecutionTime *int64
	Tags             map[string]string // an empty value sets none
	Secrets          map[string]string
}

// update is the update that turns an empty bot into the draft.
func (d Draft) update(bot id.Bot) Update {
	name, kind := d.Name, d.Type
	if name == nil {
		made := madeName(bot)
		name = &made
	}
	if kind == "" {
		kind = Studio
	}
	u := Update{
		Definition: d.Definition.Patch(), Name: name, Description: d.Description, Type: &kind,
		MaxExecutionTime: d.MaxExecutionTime, Code: d.Code, Tags: d.Tags, Secrets: make(map[string]*string, len(d.Secrets)),
	}
	if d.URL != nil {
		u.URL = wire.Set(*d.URL)
	}
	for name, value := range d.Secrets {
		u.Secrets[name] = &value
	}
	return u
}

// Update changes a bot. Nil keeps what is there.
type Update struct {
	Definition       definition.BotPatch
	Name             *string
	Description      *string
	Type             *Type
	URL              wire.Patch[string]
	Authentication   *string
	Blocked          *bool
	AlwaysAlive      *bool
	MaxExecutionTime *int64
	Code             *string
	Layers           []string
	Tags             map[string]string  // an empty value removes the tag
	Secrets          map[string]*string // nil removes the secret
	// Integrations and Plugins are to be installed or set up, by their keys; null
	// removes.
	Integrations map[string]wire.Patch[IntegrationSetup]
	Plugins      map[string]wire.Patch[PluginSetup]
	// Whole is set for an update that replaces the whole bot, and nil for one that keeps
	// what it leaves out.
	Whole *Whole
}

// installs says whether the update concerns what is installed.
func (u Update) installs() bool {
	return len(u.Integrations) > 0 || len(u.Plugins) > 0 || u.Whole != nil
}

// defines says whether the update concerns the definition.
func (u Update) defines() bool { return len(u.Definition.Members()) > 0 || u.Whole != nil }

// members names the fields of the update, for the audit trail.
func (u Update) members() []string {
	names := u.Definition.Members()
	for _, member := range []struct {
		name  string
		given bool
	}{
		{"name", u.Name != nil},
		{"description", u.Description != nil},
		{"type", u.Type != nil},
		{"url", !u.URL.IsZero()},
		{"authentication", u.Authentication != nil},
		{"blocked", u.Blocked != nil},
		{"alwaysAlive", u.AlwaysAlive != nil},
		{"maxExecutionTime", u.MaxExecutionTime != nil},
		{"code", u.Code != nil},
		{"layers", u.Layers != nil},
		{"tags", u.Tags != nil},
		{"secrets", u.Secrets != nil},
		{"integrations", len(u.Integrations) > 0},
		{"plugins", len(u.Plugins) > 0},
	} {
		if member.given {
			names = append(names, member.name)
		}
	}
	return names
}

// says describes the update in the audit trail.
func (u Update) says() string {
	if u.Whole != nil {
		return u.Whole.what()
	}
	return strings.Join(u.members(), ", ")
}

// action is the update's action in the audit trail.
func (u Update) action() string {
	switch names := u.members(); {
	case u.Code != nil, u.Whole != nil:
		return "DEPLOY_BOT"
	case len(names) == 1 && names[0] == "configuration":
		return "UPDATE_BOT_CONFIG"
	case len(names) == 1 && names[0] == "integrations":
		return "UPDATE_BOT_CHANNEL"
	}
	return "UPDATE_BOT"
}

// check validates the update, as far as that is possible without the bot.
func (u Update) check() error {
	if u.Name != nil {
		if err := checkName(*u.Name); err != nil {
			return err
		}
	}
	if address, given := u.URL.Get(); given {
		if err := checkURL(address); err != nil {
			return err
		}
	}
	if err := checkSettings(u.MaxExecutionTime, u.Code); err != nil {
		return err
	}
	if err := definition.CheckLayers("A bot", u.Layers); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(u.Tags)) {
		if err := definition.CheckKey("tags", key); err != nil && u.Tags[key] != "" {
			return err
		}
	}
	if err := definition.CheckSecrets(u.Secrets); err != nil {
		return err
	}
	if err := u.checkAliases(); err != nil {
		return err
	}
	if u.Whole != nil {
		if err := u.Whole.Archive.Definition.Patch().Check(); err != nil {
			return err
		}
	}
	return u.Definition.Check()
}

// apply is b after the update, except for code, secrets and what is installed. It does
// not change b.
func (b Bot) apply(u Update, now time.Time) (Bot, error) {
	if now.After(b.UpdatedAt) {
		b.UpdatedAt = now // concurrent updates must not move it back
	}
	if u.Name != nil {
		b.Name = *u.Name
	}
	if u.Description != nil {
		b.Description = u.Description
	}
	if u.Type != nil {
		b.Type = *u.Type
	}
	if !u.URL.IsZero() {
		b.URL, _ = u.URL.Get()
	}
	if u.Authentication != nil {
		b.Authentication = *u.Authentication
	}
	if u.Blocked != nil {
		b.Blocked = *u.Blocked
	}
	if u.AlwaysAlive != nil {
		b.AlwaysAlive = *u.AlwaysAlive
	}
	if u.MaxExecutionTime != nil {
		b.MaxExecutionTime = *u.MaxExecutionTime
	}
	var err error
	if u.Whole != nil {
		if b, err = b.becomeWhole(u.Whole, b.own()); err != nil {
			return b, err
		}
	}
	if u.Layers != nil {
		if b.Layers, err = toJSON(u.Layers); err != nil {
			return b, err
		}
	}
	if len(u.Tags) > 0 {
		if b.Tags, err = mergeTags(b.Tags, u.Tags); err != nil {
			return b, err
		}
	}
	if len(u.Secrets) > 0 {
		if b.SecretNames, err = mergeSecretNames(b.SecretNames, u.Secrets); err != nil {
			return b, err
		}
	}
	if len(u.Definition.Members()) > 0 {
		own, err := applyDefinition(b.own(), u.Definition)
		if err != nil {
			return b, err
		}
		if b.Own != "" {
			b.Own = own // Definition follows when the plugins are merged into it
		} else {
			b.Definition = own
		}
	}
	return b, nil
}

func applyDefinition(old JSON, patch definition.BotPatch) (JSON, error) {
	before, err := parseDefinition(old)
	if err != nil {
		return "", err
	}
	after, err := before.Apply(patch)
	if err != nil {
		return "", err
	}
	text, err := after.JSON()
	return JSON(text), err
}

// parseDefinition reads a stored definition. That of a new bot need not be parsed.
func parseDefinition(text JSON) (definition.Bot, error) {
	if empty, err := emptyBot(); err == nil && text == empty.Definition {
		return definition.EmptyBot(), nil
	}
	return definition.ParseBot([]byte(text))
}

func mergeTags(old JSON, patch map[string]string) (JSON, error) {
	tags := map[string]string{}
	if err := wire.ParseJSON([]byte(old), &tags); err != nil {
		return "", err
	}
	before := len(tags)
	for key, value := range patch {
		if value == "" {
			delete(tags, key)
		} else {
			tags[key] = value
		}
	}
	if len(tags) > maxTags && len(tags) > before {
		return "", tooMany("tags", maxTags, len(tags))
	}
	return toJSON(tags)
}

func mergeSecretNames(old JSON, patch map[string]*string) (JSON, error) {
	var before []string
	if err := wire.ParseJSON([]byte(old), &before); err != nil {
		return "", err
	}
	names := make([]string, 0, len(before)+len(patch))
	for _, name := range before {
		if value, changed := patch[name]; !changed || value != nil {
			names = append(names, name)
		}
	}
	for name, value := range patch {
		if value != nil && !slices.Contains(before, name) {
			names = append(names, name)
		}
	}
	if len(names) > definition.MaxSecrets && len(names) > len(before) {
		return "", tooMany("secrets", definition.MaxSecrets, len(names))
	}
	slices.Sort(names)
	return toJSON(names)
}

// withoutAbsent is a patch of the bot's tags and one of its secrets, without the removal
// of those that it does not have: a body has room for millions of them.
func (b Bot) withoutAbsent(tags map[string]string, secrets map[string]*string) (map[string]string, map[string]*string, error) {
	if len(tags)+len(secrets) == 0 {
		return nil, nil, nil
	}
	var tagged map[string]string
	if err := wire.ParseJSON([]byte(b.Tags), &tagged); err != nil {
		return nil, nil, err
	}
	var names []string
	if err := wire.ParseJSON([]byte(b.SecretNames), &names); err != nil {
		return nil, nil, err
	}
	tags, secrets = maps.Clone(tags), maps.Clone(secrets)
	maps.DeleteFunc(tags, func(key, value string) bool {
		_, has := tagged[key]
		return value == "" && !has
	})
	maps.DeleteFunc(secrets, func(name string, value *string) bool { return value == nil && !slices.Contains(names, name) })
	return tags, secrets, nil
}

func tooMany(what string, most, count int) error {
	return fault.New(fault.LimitExceeded, "A bot can have at most %d %s and would have %d.", most, what, count).
		With("limit", most).With("count", count)
}

func checkName(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > maxName {
		return fault.New(fault.InvalidPayload, "The name has %d characters; a bot's name has 1 to %d.", n, maxName)
	}
	return nil
}

func checkURL(address string) error {
	if n := utf8.RuneCountInString(address); n > maxURL {
		return fault.New(fault.InvalidPayload, "The url has %d characters; at most %d are allowed.", n, maxURL)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fault.New(fault.InvalidPayload, "The url %q is not an address that the bot can be called at; it must look like https://example.com/path.", fault.Bounded(address))
	}
	return nil
}

func checkSettings(seconds *int64, code *string) error {
	if err := definition.CheckExecutionTime(seconds); err != nil {
		return err
	}
	if code != nil && len(*code) > maxCode {
		return fault.New(fault.LimitExceeded, "The code has %d bytes; a bot's code may have at most %d.", len(*code), maxCode).
			With("limit", maxCode).With("count", len(*code))
	}
	return nil
}

// madeName names a bot without a name after the end of its id.
func madeName(bot id.Bot) string { return "Bot " + string(bot[len(bot)-6:]) }
