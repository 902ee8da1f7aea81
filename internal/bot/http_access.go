package bot

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// TransferBotBody is the body of transferBot.
type TransferBotBody struct {
	Workspace string `json:"targetWorkspaceId" minLength:"28" doc:"The workspace to move the bot to."`
}

// RotateBotSecretAnswer is the answer of rotateBotSigningSecrets.
type RotateBotSecretAnswer struct {
	NewSigningSecret string `json:"newSigningSecret" doc:"The new secret that signs calls to the bot."`
}

// ShareableAnswer is the answer of createIntegrationShareableId.
type ShareableAnswer struct {
	ID string `json:"shareableId" doc:"The id that shares the installed integration."`
}

// SharedAnswer is the answer of getIntegrationShareableId.
type SharedAnswer struct {
	ShareableAnswer
	Expired bool `json:"isExpired" doc:"Whether the id has expired."`
}

// WebchatAnswer is the answer of getBotWebchat.
type WebchatAnswer struct {
	Code string `json:"code" doc:"The snippet to put into a web page, or the URL of a page."`
}

type (
	transferInput struct {
		ID   string `path:"id" doc:"The bot."`
		Body TransferBotBody
	}
	rotateSecretInput struct {
		ID   string `path:"id" doc:"The bot."`
		Body wire.Empty
	}
	rotateSecretOutput   struct{ Body RotateBotSecretAnswer }
	instanceInput        struct{ InstancePath }
	createShareableInput struct {
		InstancePath
		Body wire.Empty
	}
	createShareableOutput struct{ Body ShareableAnswer }
	shareableOutput       struct{ Body SharedAnswer }
	webchatInput          struct {
		ID   string      `path:"id" doc:"The bot."`
		Type WebchatType `query:"type" required:"true" enum:"preconfigured,configurable,fullscreen,sharableUrl" doc:"The kind of answer: a snippet with the settings of its file, one with its own, one that fills the page, or a URL."`
	}
	webchatOutput struct{ Body WebchatAnswer }
)

const instancePath = botsPath + "/{botId}/integrations/{integrationId}"

// InstancePath names an integration that is installed in a bot.
type InstancePath struct {
	BotID       string `path:"botId" doc:"The bot."`
	Integration string `path:"integrationId" doc:"The integration, which must be installed in the bot."`
	Alias       string `query:"integrationInstanceAlias" doc:"The alias of the instance; the oldest one when absent."`
}

func (in *InstancePath) of() (id.Bot, id.Integration, string) {
	return id.Bot(in.BotID), id.Integration(in.Integration), in.Alias
}

// mountAccess registers the operations that hand a bot to others: to a workspace, to
// the far end of its calls, to those who try it, to visitors.
func mountAccess(m *wire.Mux, s *Service, hosts WebchatHosts) {
	wire.Register(m, wire.Operation{ID: "transferBot", Method: http.MethodPost, Path: botPath + "/transfer", Area: "bots",
		Summary: "Transfer a bot to another workspace",
		Detail:  "Moves the bot with everything it owns; its keys stay valid. The caller must be allowed to create bots in the target workspace, and everything the bot has installed must be visible there.",
		Scope:   wire.InHeader, Permission: access.BotTransfer},
		func(ctx context.Context, in *transferInput) (*wire.Nothing, error) {
			return &wire.Nothing{}, s.Transfer(ctx, access.From(ctx), id.Bot(in.ID), id.Workspace(in.Body.Workspace))
		})
	wire.Register(m, wire.Operation{ID: "rotateBotSigningSecrets", Method: http.MethodPost, Path: botPath + "/signing-secrets/rotate", Area: "bots",
		Summary: "Rotate a bot's signing secret", Detail: "The new secret is shown only in this response. The old one stays valid for 24 hours.",
		Scope: wire.InHeader, Permission: access.BotWrite},
		func(ctx context.Context, in *rotateSecretInput) (*rotateSecretOutput, error) {
			signingSecret, err := s.RotateSigningSecret(ctx, access.From(ctx).Workspace, id.Bot(in.ID))
			return &rotateSecretOutput{Body: RotateBotSecretAnswer{NewSigningSecret: signingSecret}}, err
		})
	wire.Register(m, wire.Operation{ID: "getBotWebchat", Method: http.MethodGet, Path: botPath + "/webchat", Area: "bots",
		Summary: "Get a bot's webchat", Detail: "The webchat integration must be installed and enabled in the bot.",
		Scope: wire.InHeader, Permission: access.BotRead},
		func(ctx context.Context, in *webchatInput) (*webchatOutput, error) {
			bot := id.Bot(in.ID)
			client, err := s.Webchat(ctx, access.From(ctx).Workspace, bot, hosts.Integration)
			if err != nil {
				return nil, err
			}
			code, err := hosts.code(in.Type, bot, client)
			return &webchatOutput{Body: WebchatAnswer{Code: code}}, err
		})
	mountShareable(m, s)
}

func mountShareable(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{ID: "createIntegrationShareableId", Method: http.MethodPost, Path: instancePath + "/shareable-id", Area: "bots",
		Summary: "Create a shareable id for an installed integration", Detail: "The id is valid for 30 days and replaces the previous one.",
		Scope: wire.InHeader, Permission: access.BotWrite},
		func(ctx context.Context, in *createShareableInput) (*createShareableOutput, error) {
			bot, integration, alias := in.of()
			made, err := s.CreateShareable(ctx, access.From(ctx).Workspace, bot, integration, alias)
			return &createShareableOutput{Body: ShareableAnswer{string(made.ID)}}, err
		})
	wire.Register(m, wire.Operation{ID: "getIntegrationShareableId", Method: http.MethodGet, Path: instancePath + "/shareable-id", Area: "bots",
		Summary: "Get the shareable id of an installed integration", Scope: wire.InHeader, Permission: access.BotRead},
		func(ctx context.Context, in *instanceInput) (*shareableOutput, error) {
			bot, integration, alias := in.of()
			shared, expired, err := s.Shareable(ctx, access.From(ctx).Workspace, bot, integration, alias)
			return &shareableOutput{Body: SharedAnswer{ShareableAnswer{string(shared.ID)}, expired}}, err
		})
	wire.Register(m, wire.Operation{ID: "deleteIntegrationShareableId", Method: http.MethodDelete, Path: instancePath + "/shareable-id", Area: "bots",
		Summary: "Delete the shareable id of an installed integration", Scope: wire.InHeader, Permission: access.BotWrite, WhileBlocked: true},
		func(ctx context.Context, in *instanceInput) (*wire.Nothing, error) {
			bot, integration, alias := in.of()
			return &wire.Nothing{}, s.DeleteShareable(ctx, access.From(ctx).Workspace, bot, integration, alias)
		})
	wire.Register(m, wire.Operation{ID: "unlinkSandboxedConversations", Method: http.MethodDelete, Path: instancePath + "/sandboxed-conversations", Area: "bots",
		Summary: "Unlink the sandboxed conversations of an installed integration", Detail: "This server keeps no conversations, so there is never one to unlink.",
		Scope: wire.InHeader, Permission: access.BotWrite, WhileBlocked: true},
		func(ctx context.Context, in *instanceInput) (*wire.Nothing, error) {
			bot, integration, alias := in.of()
			return &wire.Nothing{}, s.UnlinkSandboxed(ctx, access.From(ctx).Workspace, bot, integration, alias)
		})
}
