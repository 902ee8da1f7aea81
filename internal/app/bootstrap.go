package app

import (
	"context"
	"errors"
	"time"

	"github.com/botyard/botyard/internal/account"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// Welcome is what a new account needs to get started. It is shown once.
type Welcome struct {
	Account   account.Account
	Workspace id.Workspace
	Token     string
}

// defaultOwner is the owner's address if none is configured: a laptop needs no real one.
const defaultOwner = "owner@localhost.localdomain"

var errStarted = errors.New("the installation has had its first start")

// Bootstrap is the first start: it creates the owner's account, the platform's own
// workspace and an access token, in one transaction. It returns nil if the installation
// has had its first start; of several servers that start at once on one database, exactly
// one creates them.
func (a *App) Bootstrap(ctx context.Context, c config.Config) (*Welcome, error) {
	if _, started, err := a.Workspaces.Platform(ctx, a.DB.Reader(ctx)); started || err != nil {
		return nil, err
	}
	email, name := c.BootstrapEmail, c.BootstrapName
	if email == "" {
		email = defaultOwner
	}
	if name == "" {
		name = "Owner"
	}
	var w Welcome
	err := a.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, started, err := a.Workspaces.Platform(ctx, tx)
		if err != nil {
			return err
		}
		if started {
			return errStarted
		}
		owner, err := a.accountOf(ctx, tx, email, name)
		if err != nil {
			return err
		}
		if w, err = a.welcome(ctx, tx, owner, "Platform", "first start", c.BootstrapToken.Reveal()); err != nil {
			return err
		}
		return a.Workspaces.SetPlatform(ctx, tx, w.Workspace)
	})
	if errors.Is(err, errStarted) {
		return nil, nil
	}
	return &w, err
}

// CreateAccount creates an account with a workspace of its own and an access token.
func (a *App) CreateAccount(ctx context.Context, email, name string) (w Welcome, err error) {
	err = a.DB.Tx(ctx, func(ctx context.Context, tx *db.Tx) error {
		created, err := a.Accounts.Create(ctx, tx, email, name)
		if err != nil {
			return err
		}
		w, err = a.welcome(ctx, tx, created, account.WorkspaceName(created), "made with the account", "")
		return err
	})
	return w, err
}

// accountOf is the account of an address, which may have been created before the first
// start; it is created if there is none.
func (a *App) accountOf(ctx context.Context, tx *db.Tx, email, name string) (account.Account, error) {
	existing, found, err := a.Accounts.ByEmail(ctx, tx, email)
	switch {
	case err != nil:
		return account.Account{}, err
	case found:
		return a.Accounts.Get(ctx, existing)
	}
	return a.Accounts.Create(ctx, tx, email, name)
}

// welcome creates a workspace and a token for an account, in the caller's transaction. An
// empty token means a new one.
func (a *App) welcome(ctx context.Context, tx *db.Tx, owner account.Account, workspaceName, note, token string) (w Welcome, err error) {
	w.Account = owner
	created, err := a.Workspaces.Create(ctx, tx, w.Account.ID, w.Account.Email, workspaceName)
	if err != nil {
		return w, err
	}
	w.Workspace = created.ID
	if token == "" {
		_, w.Token, err = a.Tokens.CreatePAT(ctx, tx, w.Account.ID, note, time.Time{})
		return w, err
	}
	w.Token = token
	_, err = a.Tokens.AddPAT(ctx, tx, w.Account.ID, note, time.Time{}, token)
	return w, err
}
