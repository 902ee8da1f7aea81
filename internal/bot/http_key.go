package bot

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// BotKey is a key that acts as a bot, without its value.
type BotKey struct {
	ID        string    `json:"id" doc:"The id of the key, which is not its value."`
	CreatedAt wire.Time `json:"createdAt" doc:"When it was created."`
	Note      string    `json:"note" doc:"What it is for."`
}

// ListBotKeysAnswer is the answer of listBotApiKeys.
type ListBotKeysAnswer struct {
	Keys []BotKey `json:"baks" doc:"The keys, newest first."`
}

// CreateBotKeyBody is the body of createBotApiKey.
type CreateBotKeyBody struct {
	BotID string `json:"botId" doc:"The bot that the key authenticates."`
	Note  string `json:"note,omitempty" doc:"What it is for."`
}

// CreateBotKeyAnswer is the answer of createBotApiKey.
type CreateBotKeyAnswer struct {
	BotKey
	Value string `json:"value" doc:"The key itself, shown only in this response."`
}

type (
	listBotKeysInput struct {
		BotID string `query:"botId" required:"true" doc:"The bot."`
	}
	listBotKeysOutput  struct{ Body ListBotKeysAnswer }
	createBotKeyInput  struct{ Body CreateBotKeyBody }
	createBotKeyOutput struct{ Body CreateBotKeyAnswer }
	botKeyInput        struct {
		ID string `path:"id" doc:"The key."`
	}
)

const botKeysPath = botsPath + "/baks"

// mountKeys registers the operations of bots' keys.
func mountKeys(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{ID: "listBotApiKeys", Method: http.MethodGet, Path: botKeysPath, Area: "bots",
		Summary: "List a bot's access keys", Scope: wire.InHeader, Permission: access.BotWrite},
		func(ctx context.Context, in *listBotKeysInput) (*listBotKeysOutput, error) {
			keys, err := s.ListKeys(ctx, access.From(ctx).Workspace, id.Bot(in.BotID))
			if err != nil {
				return nil, err
			}
			shown := make([]BotKey, len(keys))
			for n, key := range keys {
				shown[n] = shownKey(key)
			}
			return &listBotKeysOutput{Body: ListBotKeysAnswer{Keys: shown}}, nil
		})
	wire.Register(m, wire.Operation{ID: "createBotApiKey", Method: http.MethodPost, Path: botKeysPath, Area: "bots",
		Summary: "Create a bot access key", Detail: "The value is shown only in this response. The key is valid for the runtime API and ingest, not for admin operations.",
		Scope: wire.InHeader, Permission: access.BotWrite},
		func(ctx context.Context, in *createBotKeyInput) (*createBotKeyOutput, error) {
			key, value, err := s.CreateKey(ctx, access.From(ctx).Workspace, id.Bot(in.Body.BotID), in.Body.Note)
			return &createBotKeyOutput{Body: CreateBotKeyAnswer{BotKey: shownKey(key), Value: value}}, err
		})
	wire.Register(m, wire.Operation{ID: "deleteBotApiKey", Method: http.MethodDelete, Path: botKeysPath + "/{id}", Area: "bots",
		Summary: "Delete a bot access key", Detail: "It stops working immediately.", Scope: wire.InHeader, Permission: access.BotWrite, WhileBlocked: true},
		func(ctx context.Context, in *botKeyInput) (*wire.Nothing, error) {
			return &wire.Nothing{}, s.DeleteKey(ctx, access.From(ctx), id.Token(in.ID))
		})
}

func shownKey(key access.Token) BotKey {
	return BotKey{ID: string(key.ID), CreatedAt: wire.TimeOf(key.CreatedAt), Note: key.Note}
}
