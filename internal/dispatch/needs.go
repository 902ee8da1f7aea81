package dispatch

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/id"
)

// instances are the integrations that are installed in bots; package bot.
type instances interface {
	// Called reads the instance of a webhook.
	Called(ctx context.Context, w id.Webhook) (i definition.Instance, found bool, err error)
	// Identified answers which instance owns an identifier in a scope.
	Identified(ctx context.Context, scope, identifier string) (w id.Webhook, found bool, err error)
	// Identify gives an instance the identifier that its integration says it has, if it is
	// still in the scope that it was called in.
	Identify(ctx context.Context, w id.Webhook, scope, identifier string) error
}

// shared knows the integrations that answer for calls which name no instance;
// package catalog.
type shared interface {
	Shared(ctx context.Context, name string) (s definition.Shared, found bool, err error)
}

// quota holds workspaces to their incoming messages; package meter.
type quota interface {
	// MayAnswer is QuotaExceeded when a workspace's bots answer nobody for now.
	MayAnswer(ctx context.Context, w id.Workspace) error
}

// scripts runs VRL; package script.
type scripts interface {
	Evaluate(ctx context.Context, program string, data jsontext.Value) (jsontext.Value, error)
}
