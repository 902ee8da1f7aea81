package telemetry

import (
	"context"
	"testing"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/test/engines"
	"github.com/botyard/botyard/test/postgres"
)

func TestMain(m *testing.M) { postgres.Main(m) }

// addBot writes the least of a bot, and its workspace when that is not there.
func addBot(t testing.TB, d *db.DB, w id.Workspace, bot id.Bot) {
	t.Helper()
	engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `
			INSERT INTO workspaces (id, name, owner_id, plan, billing_version, blocked, spending_limit, about, profile_picture,
				contact_email, website, social_accounts, is_public, created_at, updated_at)
			VALUES ($1, 'n', 'o', 'managed', 'v4', FALSE, 0, '', '', '', '', '[]', FALSE, 1, 1) ON CONFLICT (id) DO NOTHING`, string(w)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO bots (id, workspace_id, dev, name, created_at, updated_at, type, tags, status, blocked, always_alive,
				signing_secret, layers, secret_names, definition)
			VALUES ($1, $2, FALSE, 'n', 1, 1, 'studio', '{}', 'active', FALSE, FALSE, '', '[]', '[]', '{}')`, string(bot), string(w))
		return err
	})
}
