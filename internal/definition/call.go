package definition

import (
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// Endpoint is where an integration or a bot runs.
type Endpoint struct {
	// URL is empty when it does not run anywhere.
	URL string `json:"url"`
	// SigningSecrets are the secrets that calls are signed with, in the clear, the newest
	// first. There are two for some time after a rotation.
	SigningSecrets []string `json:"signingSecrets"`
	// MaxExecutionTime is how many seconds a call may take; zero is the default.
	MaxExecutionTime int64 `json:"maxExecutionTime,omitzero"`
	// Scope is the scope in which the identifiers of an integration's instances are unique:
	// its name or, for a development integration, its id. It is empty for a bot.
	Scope string `json:"scope,omitempty"`
}

// Callee is the target of a call: an instance of an integration or, when Integration is empty,
// a bot. It has everything that a call needs, so that the call can be made after the target
// was deleted. It contains secrets, so it is stored sealed and never logged.
type Callee struct {
	Endpoint    Endpoint       `json:"endpoint"`
	Workspace   id.Workspace   `json:"workspace"`
	Bot         id.Bot         `json:"bot"`
	Integration id.Integration `json:"integration,omitempty"`
	Alias       string         `json:"alias,omitempty"`
	Webhook     id.Webhook     `json:"webhook,omitempty"`
	// ConfigurationType is nil for the default configuration of the integration.
	ConfigurationType *string     `json:"configurationType,omitempty"`
	Configuration     wire.Object `json:"configuration"`
}

// Instance is an installed integration as the target of a call from outside.
type Instance struct {
	Callee
	// It can be called when it is Enabled and neither Blocked nor Unpaid. Blocked says that
	// the bot is blocked, Unpaid that its workspace is blocked until it pays.
	Enabled, Blocked, Unpaid bool
	Identifier               string
}

// Shared is an integration as the target of calls that do not name one of its instances.
// Scope is that of its Endpoint.
type Shared struct {
	Scope                 string
	ExtractScript         string
	FallbackHandlerScript string
	// Secrets are the integration's own, in the clear, for its scripts.
	Secrets map[string]string
}
