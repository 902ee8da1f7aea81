package definition

import (
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// Endpoint is where an integration or a bot runs.
type Endpoint struct {
	// URL is empty when nothing runs it.
	URL string `json:"url"`
	// SigningSecrets are what calls are signed with, in the clear, the newest first.
	// There are two for some time after a rotation.
	SigningSecrets []string `json:"signingSecrets"`
	// MaxExecutionTime is how many seconds a call may take; zero: not chosen.
	MaxExecutionTime int64 `json:"maxExecutionTime,omitzero"`
	// Scope is where the identifiers of an integration's instances have one owner
	// each: its name, or the id of a development one. A bot has none.
	Scope string `json:"scope,omitempty"`
}

// Callee is who a call is for: an instance of an integration or, when Integration is
// empty, a bot. It is whole: a call needs nothing else, also after what it describes
// is gone. It holds secrets, so it is kept sealed and never logged.
type Callee struct {
	Endpoint    Endpoint       `json:"endpoint"`
	Workspace   id.Workspace   `json:"workspace"`
	Bot         id.Bot         `json:"bot"`
	Integration id.Integration `json:"integration,omitempty"`
	Alias       string         `json:"alias,omitempty"`
	Webhook     id.Webhook     `json:"webhook,omitempty"`
	// ConfigurationType is nil for the integration's unnamed configuration.
	ConfigurationType *string     `json:"configurationType,omitempty"`
	Configuration     wire.Object `json:"configuration"`
}

// Instance is an installed integration as a call from outside meets it.
type Instance struct {
	Callee
	// Enabled, and neither Blocked nor Unpaid, is who can be called. Blocked is whether
	// the bot is, Unpaid whether its workspace is blocked until it pays.
	Enabled, Blocked, Unpaid bool
	Identifier               string
}

// Shared is an integration as calls meet it that do not say which of its instances
// they are for. Scope is that of its Endpoint.
type Shared struct {
	Scope                 string
	ExtractScript         string
	FallbackHandlerScript string
	// Secrets are the integration's own, in the clear, for its scripts.
	Secrets map[string]string
}
