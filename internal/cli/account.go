package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
)

type accountCommand struct {
	Create accountCreateCommand `cmd:"" help:"Create an account with a workspace of its own and an access token."`
}

type accountCreateCommand struct {
	Email string `required:"" help:"The person's e-mail address. Invitations to it become memberships."`
	Name  string `help:"The name that others see."`
	JSON  bool   `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run creates the account.
func (a *accountCreateCommand) Run(ctx context.Context, c console) error {
	return withApp(ctx, a.Installation, c, func(it *app.App) error {
		w, err := it.CreateAccount(ctx, a.Email, a.Name)
		if err != nil {
			return err
		}
		if a.JSON {
			return c.printJSON(welcomeOf(w))
		}
		_, err = fmt.Fprintf(c.out, "account    %s (%s)\nworkspace  %s\ntoken      %s (shown this once)\n", w.Account.ID, w.Account.Email, w.Workspace, w.Token)
		return err
	})
}

type tokenCommand struct {
	Create tokenCreateCommand `cmd:"" help:"Create an access token for an account."`
}

type tokenCreateCommand struct {
	Email   string        `required:"" help:"The account's e-mail address."`
	Note    string        `required:"" help:"What the token is for."`
	Expires time.Duration `help:"How long the token is valid, such as 720h. By default, until it is deleted."`
	JSON    bool          `name:"json" help:"Print the result as JSON."`

	config.Installation
}

// Run creates the token.
func (t *tokenCreateCommand) Run(ctx context.Context, c console) error {
	if t.Expires < 0 {
		return usageError{fmt.Errorf("--expires is %s; it must be positive", t.Expires)}
	}
	return withInstallation(ctx, t.Installation, c, func(it *app.App) error {
		var token access.Token
		var value string
		err := it.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
			account, found, err := it.Accounts.ByEmail(ctx, tx, t.Email)
			if err != nil {
				return err
			}
			if !found {
				return fault.New(fault.ResourceNotFound, "There is no account for %s. Create one with \"botyard account create\".", t.Email)
			}
			var expires time.Time
			if t.Expires > 0 {
				expires = it.Clock.Now().Add(t.Expires)
			}
			token, value, err = it.Tokens.CreatePAT(ctx, tx, account, t.Note, expires)
			return err
		})
		if err != nil {
			return err
		}
		if t.JSON {
			return c.printJSON(struct {
				ID    string `json:"id"`
				Note  string `json:"note"`
				Token string `json:"token"`
			}{string(token.ID), token.Note, value})
		}
		_, err = fmt.Fprintf(c.out, "token  %s (%s, shown this once)\n", value, token.ID)
		return err
	})
}

// withApp runs f on an installation, which a server may be using at the same time.
func withApp(ctx context.Context, i config.Installation, c console, f func(*app.App) error) (err error) {
	a, err := app.Open(ctx, i, quiet(c))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return f(a)
}

// withInstallation is withApp for commands that need an existing installation.
func withInstallation(ctx context.Context, i config.Installation, c console, f func(*app.App) error) error {
	if err := app.Exists(i); err != nil {
		return err
	}
	return withApp(ctx, i, c, f)
}
