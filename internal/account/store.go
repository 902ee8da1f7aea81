package account

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

func insertAccount(ctx context.Context, q db.Querier, a Account) (created bool, err error) {
	n, err := q.Exec(ctx, `
		INSERT INTO accounts (id, email, email_key, display_name, profile_picture, email_verified, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (email_key) DO NOTHING`,
		string(a.ID), a.Email, Key(a.Email), db.Text(a.DisplayName), db.Text(a.ProfilePicture), a.EmailVerified, a.CreatedAt.UnixMilli())
	return n > 0, err
}

func selectAccount(ctx context.Context, q db.Querier, account id.Account) (a Account, found bool, err error) {
	var name, picture sql.NullString
	var created int64
	err = q.QueryRow(ctx, `
		SELECT id, email, email_verified, display_name, profile_picture, created_at FROM accounts WHERE id = $1`, string(account)).
		Scan(&a.ID, &a.Email, &a.EmailVerified, &name, &picture, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return Account{}, false, nil
	}
	a.DisplayName, a.ProfilePicture, a.CreatedAt = name.String, picture.String, time.UnixMilli(created).UTC()
	return a, err == nil, err
}

func selectByEmail(ctx context.Context, q db.Querier, key string) (account id.Account, found bool, err error) {
	err = q.QueryRow(ctx, `SELECT id FROM accounts WHERE email_key = $1`, key).Scan(&account)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return account, err == nil, err
}

func updateAccount(ctx context.Context, q db.Querier, a Account) error {
	_, err := q.Exec(ctx, `UPDATE accounts SET display_name = $1, profile_picture = $2 WHERE id = $3`,
		db.Text(a.DisplayName), db.Text(a.ProfilePicture), string(a.ID))
	return err
}

func deleteAccount(ctx context.Context, q db.Querier, account id.Account) error {
	if _, err := q.Exec(ctx, `DELETE FROM account_preferences WHERE account_id = $1`, string(account)); err != nil {
		return err
	}
	_, err := q.Exec(ctx, `DELETE FROM accounts WHERE id = $1`, string(account))
	return err
}

// countPreferences counts the account's preferences beside the one under key.
func countPreferences(ctx context.Context, q db.Querier, account id.Account, key string) (n int, err error) {
	err = q.QueryRow(ctx, `SELECT COUNT(*) FROM account_preferences WHERE account_id = $1 AND key <> $2`, string(account), key).Scan(&n)
	return n, err
}

func upsertPreference(ctx context.Context, q db.Querier, account id.Account, key, value string) error {
	_, err := q.Exec(ctx, `
		INSERT INTO account_preferences (account_id, key, value) VALUES ($1, $2, $3)
		ON CONFLICT (account_id, key) DO UPDATE SET value = excluded.value`, string(account), key, value)
	return err
}

func selectPreference(ctx context.Context, q db.Querier, account id.Account, key string) (value string, err error) {
	err = q.QueryRow(ctx, `SELECT value FROM account_preferences WHERE account_id = $1 AND key = $2`, string(account), key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, err
}
