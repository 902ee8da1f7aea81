package bot

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

func updateWorkspace(ctx context.Context, q db.Querier, bot id.Bot, from, to id.Workspace) error {
	_, err := q.Exec(ctx, `UPDATE bots SET workspace_id = $3 WHERE id = $1 AND workspace_id = $2`, string(bot), string(from), string(to))
	return err
}

func deleteAllSelected(ctx context.Context, q db.Querier, bot id.Bot) error {
	_, err := q.Exec(ctx, `DELETE FROM bot_allowlist WHERE bot_id = $1`, string(bot))
	return err
}

// selectSecretsForSigning reads the sealed signing secret of a bot, the one before
// it, empty when there was none, and until when that is good.
func selectSecretsForSigning(ctx context.Context, q db.Querier, bot id.Bot) (current, old string, until time.Time, found bool, err error) {
	var before sql.NullString
	var end sql.NullInt64
	err = q.QueryRow(ctx, `SELECT signing_secret, old_signing_secret, old_secret_until FROM bots WHERE id = $1`, string(bot)).
		Scan(&current, &before, &end)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", time.Time{}, false, nil
	}
	return current, before.String, db.Moment(end.Int64), err == nil, err
}

// updateSigningSecrets replaces the signing secret; the old one is good until then.
func updateSigningSecrets(ctx context.Context, q db.Querier, bot id.Bot, sealed, old string, until time.Time) error {
	_, err := q.Exec(ctx, `UPDATE bots SET signing_secret = $2, old_signing_secret = $3, old_secret_until = $4 WHERE id = $1`,
		string(bot), sealed, old, until.UnixMilli())
	return err
}

// selectAlias finds the oldest instance of an integration in a bot, or the one with
// the alias unless that is empty.
func selectAlias(ctx context.Context, q db.Querier, bot id.Bot, i id.Integration, alias string) (found string, ok bool, err error) {
	var query db.Statement
	query.Add(`SELECT alias FROM bot_integrations WHERE bot_id = ? AND integration_id = ?`, string(bot), string(i))
	if alias != "" {
		query.Add(` AND alias = ?`, alias)
	}
	query.Add(` ORDER BY created_at, alias LIMIT 1`)
	err = q.QueryRow(ctx, query.Text(), query.Args()...).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return found, err == nil, err
}

func upsertShareable(ctx context.Context, q db.Querier, bot id.Bot, alias string, s Shareable) error {
	_, err := q.Exec(ctx, `
		INSERT INTO bot_shareable_ids (bot_id, alias, shareable_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (bot_id, alias) DO UPDATE SET shareable_id = excluded.shareable_id,
			created_at = excluded.created_at, expires_at = excluded.expires_at`,
		string(bot), alias, string(s.ID), s.CreatedAt.UnixMilli(), s.ExpiresAt.UnixMilli())
	return err
}

func selectShareable(ctx context.Context, q db.Querier, bot id.Bot, alias string) (s Shareable, found bool, err error) {
	var created, expires int64
	err = q.QueryRow(ctx, `SELECT shareable_id, created_at, expires_at FROM bot_shareable_ids WHERE bot_id = $1 AND alias = $2`, string(bot), alias).
		Scan(&s.ID, &created, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return s, false, nil
	}
	s.CreatedAt, s.ExpiresAt = db.Moment(created), db.Moment(expires)
	return s, err == nil, err
}

func deleteShareable(ctx context.Context, q db.Querier, bot id.Bot, alias string) (deleted bool, err error) {
	n, err := q.Exec(ctx, `DELETE FROM bot_shareable_ids WHERE bot_id = $1 AND alias = $2`, string(bot), alias)
	return n > 0, err
}

// selectWebchat finds the webhook of the oldest instance, switched on, of an
// integration by its name in any version.
func selectWebchat(ctx context.Context, q db.Querier, bot id.Bot, name string) (webhook id.Webhook, found bool, err error) {
	err = q.QueryRow(ctx, `
		SELECT webhook_id FROM bot_packages
		WHERE bot_id = $1 AND kind = 'integration' AND name = $2 AND enabled = TRUE
		ORDER BY installed_at, alias LIMIT 1`, string(bot), name).Scan(&webhook)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return webhook, err == nil, err
}
