package bot

import (
	"context"
	"database/sql"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// sealedAt is a sealed value and its place; name is that of a secret or the alias of
// what is installed, and empty for a signing secret.
type sealedAt struct {
	bot    id.Bot
	name   string
	sealed string
}

func selectSigningSecrets(ctx context.Context, q db.Querier, after sealedAt) ([]sealedAt, error) {
	return scanSealed(q.Query(ctx, `
		SELECT id, '', signing_secret FROM bots WHERE id > $1 ORDER BY id LIMIT $2`, string(after.bot), resealBatch))
}

func updateSigningSecret(ctx context.Context, q db.Querier, v sealedAt) error {
	_, err := q.Exec(ctx, `UPDATE bots SET signing_secret = $2 WHERE id = $1`, string(v.bot), v.sealed)
	return err
}

func selectSecrets(ctx context.Context, q db.Querier, after sealedAt) ([]sealedAt, error) {
	return scanSealed(q.Query(ctx, `
		SELECT bot_id, name, value FROM bot_secrets WHERE (bot_id, name) > ($1, $2) ORDER BY bot_id, name LIMIT $3`,
		string(after.bot), after.name, resealBatch))
}

func updateSecret(ctx context.Context, q db.Querier, v sealedAt) error {
	_, err := q.Exec(ctx, `UPDATE bot_secrets SET value = $3 WHERE bot_id = $1 AND name = $2`, string(v.bot), v.name, v.sealed)
	return err
}

func selectIntegrationConfigurations(ctx context.Context, q db.Querier, after sealedAt) ([]sealedAt, error) {
	return scanSealed(q.Query(ctx, `
		SELECT bot_id, alias, configuration FROM bot_integrations WHERE (bot_id, alias) > ($1, $2) ORDER BY bot_id, alias LIMIT $3`,
		string(after.bot), after.name, resealBatch))
}

func updateIntegrationConfiguration(ctx context.Context, q db.Querier, v sealedAt) error {
	_, err := q.Exec(ctx, `UPDATE bot_integrations SET configuration = $3 WHERE bot_id = $1 AND alias = $2`, string(v.bot), v.name, v.sealed)
	return err
}

func selectPluginConfigurations(ctx context.Context, q db.Querier, after sealedAt) ([]sealedAt, error) {
	return scanSealed(q.Query(ctx, `
		SELECT bot_id, alias, configuration FROM bot_plugins WHERE (bot_id, alias) > ($1, $2) ORDER BY bot_id, alias LIMIT $3`,
		string(after.bot), after.name, resealBatch))
}

func updatePluginConfiguration(ctx context.Context, q db.Querier, v sealedAt) error {
	_, err := q.Exec(ctx, `UPDATE bot_plugins SET configuration = $3 WHERE bot_id = $1 AND alias = $2`, string(v.bot), v.name, v.sealed)
	return err
}

func scanSealed(rows *sql.Rows, err error) ([]sealedAt, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var values []sealedAt
	for rows.Next() {
		var v sealedAt
		if err := rows.Scan(&v.bot, &v.name, &v.sealed); err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, rows.Err()
}
