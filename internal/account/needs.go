package account

import (
	"context"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// memberships is what accounts need of workspaces.
type memberships interface {
	// LinkMember turns the invitations of an address into memberships.
	LinkMember(ctx context.Context, tx *db.Tx, account id.Account, email string) error
	// Owned names the workspaces that the account owns.
	Owned(ctx context.Context, q db.Querier, account id.Account) ([]string, error)
	// DeleteAccount ends the account's memberships.
	DeleteAccount(ctx context.Context, tx *db.Tx, account id.Account) error
}
