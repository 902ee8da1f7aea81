package app

import (
	"context"
	"database/sql"
	"errors"

	"github.com/botyard/botyard/internal/db"
)

// settingKeyCheck is where the table settings holds what tells whether the keys
// are the ones that the database was sealed with.
const settingKeyCheck = "key_check"

// setDefault keeps value under key unless there is one, and answers the one there
// is.
func setDefault(ctx context.Context, q db.Querier, key, value string) (kept string, err error) {
	if _, err := q.Exec(ctx, `INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING`, key, value); err != nil {
		return "", err
	}
	err = q.QueryRow(ctx, `SELECT value FROM settings WHERE key = $1`, key).Scan(&kept)
	return kept, err
}

func setSetting(ctx context.Context, q db.Querier, key, value string) error {
	_, err := q.Exec(ctx, `
		INSERT INTO settings (key, value) VALUES ($1, $2)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
	return err
}

func selectSetting(ctx context.Context, q db.Querier, key string) (value string, found bool, err error) {
	err = q.QueryRow(ctx, `SELECT value FROM settings WHERE key = $1`, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return value, err == nil, err
}

func deleteSetting(ctx context.Context, q db.Querier, key string) error {
	_, err := q.Exec(ctx, `DELETE FROM settings WHERE key = $1`, key)
	return err
}
