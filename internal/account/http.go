package account

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// AccountDetails is an account as it goes on the wire.
type AccountDetails struct {
	ID             string    `json:"id" doc:"The account's id."`
	Email          string    `json:"email" doc:"The account's e-mail address."`
	DisplayName    string    `json:"displayName,omitempty" maxLength:"100" doc:"The name shown to others."`
	EmailVerified  bool      `json:"emailVerified" doc:"Whether the e-mail address is verified."`
	ProfilePicture string    `json:"profilePicture,omitempty" doc:"The URL of a picture."`
	CreatedAt      wire.Time `json:"createdAt" doc:"When the account was created."`
}

// AccountAnswer is the answer of the operations that show an account.
type AccountAnswer struct {
	Account AccountDetails `json:"account" doc:"The caller's account."`
}

// UpdateAccountBody is the body of updateAccount.
type UpdateAccountBody struct {
	DisplayName    *string `json:"displayName,omitempty" maxLength:"100" doc:"The new name; unchanged when absent."`
	ProfilePicture *string `json:"profilePicture,omitempty" doc:"The URL of the new picture; unchanged when absent."`
	Refresh        bool    `json:"refresh,omitempty" doc:"Asks to read the profile from the identity provider again. There is none here, so this changes nothing."`
}

// PersonalAccessToken is a token without its value.
type PersonalAccessToken struct {
	ID        string    `json:"id" doc:"The token's id."`
	CreatedAt wire.Time `json:"createdAt" doc:"When it was created."`
	Note      string    `json:"note" doc:"What it is for."`
}

// PersonalAccessTokenList is the answer of listPersonalAccessTokens.
type PersonalAccessTokenList struct {
	Pats []PersonalAccessToken `json:"pats" doc:"Newest first."`
}

// CreatePersonalAccessTokenBody is the body of createPersonalAccessToken.
type CreatePersonalAccessTokenBody struct {
	Note string `json:"note" doc:"What the token is for."`
}

// NewPersonalAccessToken is a token with its value, which is shown this once.
type NewPersonalAccessToken struct {
	ID        string    `json:"id" doc:"The token's id."`
	CreatedAt wire.Time `json:"createdAt" doc:"When it was created."`
	Note      string    `json:"note" doc:"What it is for."`
	Value     string    `json:"value" doc:"The token itself, shown only in this response."`
}

// CreatePersonalAccessTokenAnswer is the answer of createPersonalAccessToken.
type CreatePersonalAccessTokenAnswer struct {
	Pat NewPersonalAccessToken `json:"pat" doc:"The new token."`
}

// SetAccountPreferenceBody is the body of setAccountPreference.
type SetAccountPreferenceBody struct {
	Value wire.JSON `json:"value,omitempty" doc:"Any JSON; null when absent."`
}

// AccountPreference is the answer of getAccountPreference.
type AccountPreference struct {
	Value wire.Nullable[wire.JSON] `json:"value" required:"false" doc:"The value; null when it was never set."`
}

type (
	noInput       struct{}
	accountOutput struct{ Body AccountAnswer }
	updateInput   struct{ Body UpdateAccountBody }
	emptyBody     struct{ Body wire.Empty }
	patListOutput struct{ Body PersonalAccessTokenList }
	patInput      struct{ Body CreatePersonalAccessTokenBody }
	patOutput     struct {
		Body CreatePersonalAccessTokenAnswer
	}
	patIDInput struct {
		ID string `path:"id" doc:"The token's id."`
	}
	keyInput struct {
		Key string `path:"key" doc:"The preference's key."`
	}
	preferenceInput struct {
		Key  string `path:"key" doc:"The preference's key."`
		Body SetAccountPreferenceBody
	}
	preferenceOutput struct{ Body AccountPreference }
)

const me, pats = "/v1/admin/account/me", "/v1/admin/account/pats"

// Mount registers the operations of accounts.
func Mount(m *wire.Mux, s *Service) {
	operation := func(id, method, path, summary, detail string) wire.Operation {
		return wire.Operation{ID: id, Method: method, Path: path, Area: "account", Summary: summary, Detail: detail, Scope: wire.Outside, Permission: access.Self}
	}
	wire.Register(m, operation("getAccount", http.MethodGet, me, "Get the caller's account", ""),
		func(ctx context.Context, _ *noInput) (*accountOutput, error) {
			return answer(s.Get(ctx, access.From(ctx).Account))
		})
	wire.Register(m, operation("updateAccount", http.MethodPut, me, "Update the caller's account", "Members that are absent stay unchanged."),
		func(ctx context.Context, in *updateInput) (*accountOutput, error) {
			return answer(s.Update(ctx, access.From(ctx).Account, Update{DisplayName: in.Body.DisplayName, ProfilePicture: in.Body.ProfilePicture}))
		})
	wire.Register(m, operation("deleteAccount", http.MethodPost, me, "Delete the caller's account",
		"Deletes its tokens, preferences and memberships too. Refused while the account owns a workspace."),
		func(ctx context.Context, _ *emptyBody) (*emptyBody, error) {
			return &emptyBody{}, s.Delete(ctx, access.From(ctx).Account)
		})
	wire.Register(m, operation("listPersonalAccessTokens", http.MethodGet, pats, "List the caller's access tokens", "The tokens' values are not included."),
		func(ctx context.Context, _ *noInput) (*patListOutput, error) {
			tokens, err := s.Tokens.PATs(ctx, access.From(ctx).Account)
			out := &patListOutput{Body: PersonalAccessTokenList{Pats: make([]PersonalAccessToken, len(tokens))}}
			for i, t := range tokens {
				out.Body.Pats[i] = PersonalAccessToken{ID: string(t.ID), CreatedAt: wire.TimeOf(t.CreatedAt), Note: t.Note}
			}
			return out, err
		})
	wire.Register(m, operation("createPersonalAccessToken", http.MethodPost, pats, "Create an access token",
		"The token has all rights of the account. Its value is shown only in this response."),
		func(ctx context.Context, in *patInput) (*patOutput, error) {
			t, value, err := s.CreatePAT(ctx, access.From(ctx).Account, in.Body.Note)
			return &patOutput{Body: CreatePersonalAccessTokenAnswer{Pat: NewPersonalAccessToken{
				ID: string(t.ID), CreatedAt: wire.TimeOf(t.CreatedAt), Note: t.Note, Value: value,
			}}}, err
		})
	wire.Register(m, operation("deletePersonalAccessToken", http.MethodDelete, pats+"/{id}", "Delete an access token", "It stops working immediately."),
		func(ctx context.Context, in *patIDInput) (*emptyBody, error) {
			return &emptyBody{}, s.Tokens.DeletePAT(ctx, access.From(ctx).Account, id.Token(in.ID))
		})
	wire.Register(m, operation("setAccountPreference", http.MethodPost, "/v1/admin/account/preferences/{key}", "Set a preference", "Stores any JSON under a key, visible only to the caller."),
		func(ctx context.Context, in *preferenceInput) (*emptyBody, error) {
			value := string(in.Body.Value)
			if value == "" {
				value = "null"
			}
			return &emptyBody{}, s.SetPreference(ctx, access.From(ctx).Account, in.Key, value)
		})
	wire.Register(m, operation("getAccountPreference", http.MethodGet, "/v1/admin/account/preferences/{key}", "Get a preference", ""),
		func(ctx context.Context, in *keyInput) (*preferenceOutput, error) {
			value, err := s.Preference(ctx, access.From(ctx).Account, in.Key)
			return &preferenceOutput{Body: AccountPreference{Value: wire.Nullable[wire.JSON]{Value: wire.JSON(value), Valid: value != ""}}}, err
		})
}

func answer(a Account, err error) (*accountOutput, error) {
	return &accountOutput{Body: AccountAnswer{Account: AccountDetails{
		ID: string(a.ID), Email: a.Email, EmailVerified: a.EmailVerified,
		DisplayName: a.DisplayName, ProfilePicture: a.ProfilePicture, CreatedAt: wire.TimeOf(a.CreatedAt),
	}}}, err
}
