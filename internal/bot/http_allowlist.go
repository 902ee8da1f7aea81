package bot

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// SelectedUser is a user on the allowlist of a bot.
type SelectedUser struct {
	ID string `json:"id" doc:"The id of the user's account."`
}

// AllowlistAnswer is the answer of getBotAllowlist.
type AllowlistAnswer struct {
	Setting Admission      `json:"setting" enum:"ALL_WORKSPACE_USERS,SELECTED_USERS" doc:"Who has access besides the owner and the administrators."`
	Users   []SelectedUser `json:"users" doc:"The selected users."`
}

// UpdateAllowlistBody is the body of updateBotAllowlist.
type UpdateAllowlistBody struct {
	Setting *Admission      `json:"setting,omitempty" enum:"ALL_WORKSPACE_USERS,SELECTED_USERS" doc:"Who has access besides the owner and the administrators."`
	Users   map[string]bool `json:"users,omitempty" doc:"Users by account id: true selects a user, false deselects one. Users that are not named stay as they are."`
}

type (
	allowlistInput struct {
		BotID string `path:"botId" doc:"The bot."`
	}
	allowlistOutput      struct{ Body AllowlistAnswer }
	updateAllowlistInput struct {
		BotID string `path:"botId" doc:"The bot."`
		Body  UpdateAllowlistBody
	}
)

const allowlistPath = botsPath + "/{botId}/allowlist"

// mountAllowlist registers the operations that say who is let into a bot.
func mountAllowlist(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{ID: "getBotAllowlist", Method: http.MethodGet, Path: allowlistPath, Area: "bots",
		Summary: "Get a bot's allowlist", Detail: "The workspace's owner and administrators always have access.",
		Scope: wire.InHeader, Permission: access.BotAdmit},
		func(ctx context.Context, in *allowlistInput) (*allowlistOutput, error) {
			list, err := s.Allowlist(ctx, access.From(ctx).Workspace, id.Bot(in.BotID))
			if err != nil {
				return nil, err
			}
			users := make([]SelectedUser, len(list.Users))
			for n, user := range list.Users {
				users[n] = SelectedUser{string(user)}
			}
			return &allowlistOutput{Body: AllowlistAnswer{Setting: list.Admission, Users: users}}, nil
		})
	wire.Register(m, wire.Operation{ID: "updateBotAllowlist", Method: http.MethodPut, Path: allowlistPath, Area: "bots",
		Summary: "Update a bot's allowlist",
		Detail:  "For everyone else the bot no longer exists, in any operation or list. Users that are not named stay as they are.",
		Scope:   wire.InHeader, Permission: access.BotAdmit},
		func(ctx context.Context, in *updateAllowlistInput) (*wire.Nothing, error) {
			u := AllowlistUpdate{Admission: in.Body.Setting, Users: make(map[id.Account]bool, len(in.Body.Users))}
			for user, selected := range in.Body.Users {
				u.Users[id.Account(user)] = selected
			}
			return &wire.Nothing{}, s.UpdateAllowlist(ctx, access.From(ctx).Workspace, id.Bot(in.BotID), u)
		})
}
