package bot

import (
	"strconv"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/wire"
)

// BotDetails is a bot on the wire. It is never filled in: appendAnswer assembles the answer
// from stored text. It documents that text, and a test compares the two.
type BotDetails struct {
	ID               string                          `json:"id" minLength:"28" maxLength:"36" doc:"The bot."`
	CreatedAt        wire.Time                       `json:"createdAt" doc:"When it was created."`
	UpdatedAt        wire.Time                       `json:"updatedAt" doc:"When it was last updated."`
	SigningSecret    string                          `json:"signingSecret" maxLength:"2000" doc:"The secret that signs calls to the bot; shown only when the bot is created, empty afterwards."`
	Integrations     map[string]InstalledIntegration `json:"integrations" doc:"The installed integrations, by alias."`
	Plugins          map[string]InstalledPlugin      `json:"plugins" doc:"The installed plugins, by alias."`
	MaxExecutionTime float64                         `json:"maxExecutionTime,omitzero" doc:"The time limit of a call, in seconds."`
	definition.Bot
	Tags        map[string]string `json:"tags" doc:"The tags, by name."`
	Name        string            `json:"name" doc:"The name."`
	Description string            `json:"description,omitempty" doc:"The description of the bot."`
	DeployedAt  wire.Time         `json:"deployedAt,omitzero" doc:"When code was last deployed."`
	Dev         bool              `json:"dev" doc:"Whether this is a development bot."`
	Secrets     []string          `json:"secrets" doc:"The names of the secrets."`
	CreatedBy   string            `json:"createdBy,omitempty" doc:"The account that created it."`
	AlwaysAlive bool              `json:"alwaysAlive" doc:"Whether the bot is kept running."`
	Status      Status            `json:"status" enum:"active,deploying,deleting" doc:"The bot's status."`
	Type        Type              `json:"type" enum:"studio,adk,desk" doc:"The tool that the bot was built with."`
}

// BotAnswer is the answer of the operations that show a bot.
type BotAnswer struct {
	Bot BotDetails `json:"bot" doc:"The bot."`
}

// answer is the answer that shows a bot, its integrations keyed by alias or by their
// ids.
func (s *Service) answer(b Bot, signingSecret string, byAlias bool) *botOutput {
	const members, installed = 640, 1024 // more than what stands beside the stored texts
	size := len(b.Definition) + len(b.Tags) + len(b.SecretNames) + len(b.Name) + members + b.Packages*installed
	return &botOutput{Body: wire.Document[BotAnswer]{Bytes: s.appendAnswer(make([]byte, 0, size), b, signingSecret, byAlias)}}
}

// appendAnswer writes a BotAnswer. What is stored as JSON is copied.
func (s *Service) appendAnswer(out []byte, b Bot, signingSecret string, byAlias bool) []byte {
	out = wire.AppendText(append(out, `{"bot":{"id":`...), string(b.ID))
	out = wire.TimeOf(b.CreatedAt).AppendJSON(append(out, `,"createdAt":`...))
	out = wire.TimeOf(b.UpdatedAt).AppendJSON(append(out, `,"updatedAt":`...))
	out = wire.AppendText(append(out, `,"signingSecret":`...), signingSecret)
	out = s.appendIntegrations(append(out, `,"integrations":`...), b.Integrations, byAlias)
	out = s.appendPlugins(append(out, `,"plugins":`...), b.Plugins)
	if b.MaxExecutionTime != 0 {
		out = strconv.AppendInt(append(out, `,"maxExecutionTime":`...), b.MaxExecutionTime, 10)
	}
	out = append(append(out, `,"tags":`...), b.Tags...)
	out = wire.AppendText(append(out, `,"name":`...), b.Name)
	if b.Description != nil {
		out = wire.AppendText(append(out, `,"description":`...), *b.Description)
	}
	if !b.DeployedAt.IsZero() {
		out = wire.TimeOf(b.DeployedAt).AppendJSON(append(out, `,"deployedAt":`...))
	}
	out = strconv.AppendBool(append(out, `,"dev":`...), b.Dev)
	out = append(append(out, `,"secrets":`...), b.SecretNames...)
	if b.CreatedBy != "" {
		out = wire.AppendText(append(out, `,"createdBy":`...), string(b.CreatedBy))
	}
	out = strconv.AppendBool(append(out, `,"alwaysAlive":`...), b.AlwaysAlive)
	out = wire.AppendText(append(out, `,"status":`...), string(b.Status))
	out = wire.AppendText(append(out, `,"type":`...), string(b.Type))
	// The definition is an object and never empty: without its opening brace it continues
	// this one.
	out = append(append(out, ','), b.Definition[1:]...)
	return append(out, '}')
}
