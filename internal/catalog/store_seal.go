package catalog

import (
	"context"
	"database/sql"

	"github.com/botyard/botyard/internal/db"
)

func selectSigningSecrets(ctx context.Context, q db.Querier, after sealedAt) ([]sealedAt, error) {
	return scanSealed(q.Query(ctx, `
		SELECT id, '', signing_secret FROM integrations WHERE id > $1 ORDER BY id LIMIT $2`, string(after.integration), resealBatch))
}

func updateSigningSecret(ctx context.Context, q db.Querier, v sealedAt) error {
	_, err := q.Exec(ctx, `UPDATE integrations SET signing_secret = $2 WHERE id = $1`, string(v.integration), v.sealed)
	return err
}

func selectOldSigningSecrets(ctx context.Context, q db.Querier, after sealedAt) ([]sealedAt, error) {
	return scanSealed(q.Query(ctx, `
		SELECT id, '', old_signing_secret FROM integrations WHERE id > $1 AND old_signing_secret IS NOT NULL ORDER BY id LIMIT $2`,
		string(after.integration), resealBatch))
}

func updateOldSigningSecret(ctx context.Context, q db.Querier, v sealedAt) error {
	_, err := q.Exec(ctx, `UPDATE integrations SET old_signing_secret = $2 WHERE id = $1`, string(v.integration), v.sealed)
	return err
}

func selectSealedSecrets(ctx context.Context, q db.Querier, after sealedAt) ([]sealedAt, error) {
	return scanSealed(q.Query(ctx, `
		SELECT integration_id, name, value FROM integration_secrets WHERE (integration_id, name) > ($1, $2)
		ORDER BY integration_id, name LIMIT $3`, string(after.integration), after.name, resealBatch))
}

func updateSealedSecret(ctx context.Context, q db.Querier, v sealedAt) error {
	_, err := q.Exec(ctx, `UPDATE integration_secrets SET value = $3 WHERE integration_id = $1 AND name = $2`, string(v.integration), v.name, v.sealed)
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
		if err := rows.Scan(&v.integration, &v.name, &v.sealed); err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, rows.Err()
}
