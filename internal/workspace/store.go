package workspace

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// columns are what scan reads, but for the number of bots, which stands after them.
const columns = `w.id, w.name, w.owner_id, w.handle, w.plan, w.billing_version, w.blocked, w.spending_limit,
	w.about, w.profile_picture, w.contact_email, w.website, w.social_accounts, w.is_public, w.active_trial_id,
	w.created_at, w.updated_at`

func scan(row interface{ Scan(...any) error }) (w Workspace, err error) {
	var handle, trial sql.NullString
	var social []byte
	var created, updated int64
	err = row.Scan(&w.ID, &w.Name, &w.Owner, &handle, &w.Plan, &w.BillingVersion, &w.Blocked, &w.SpendingLimit,
		&w.About, &w.ProfilePicture, &w.ContactEmail, &w.Website, &social, &w.Public, &trial,
		&created, &updated, &w.BotCount)
	if err != nil {
		return Workspace{}, err
	}
	w.Handle, w.ActiveTrial, w.CreatedAt, w.UpdatedAt = handle.String, trial.String, db.Moment(created), db.Moment(updated)
	return w, json.Unmarshal(social, &w.SocialAccounts)
}

func scanAll(rows *sql.Rows, err error) ([]Workspace, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []Workspace{}
	for rows.Next() {
		w, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	return list, rows.Err()
}

func insertWorkspace(ctx context.Context, q db.Querier, w Workspace) error {
	social, err := json.Marshal(w.SocialAccounts)
	if err != nil {
		return err
	}
	_, err = q.Exec(ctx, `
		INSERT INTO workspaces (id, name, owner_id, handle, plan, billing_version, blocked, spending_limit,
			about, profile_picture, contact_email, website, social_accounts, is_public, active_trial_id,
			created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		string(w.ID), w.Name, string(w.Owner), db.Text(w.Handle), string(w.Plan), w.BillingVersion, w.Blocked, int64(w.SpendingLimit),
		w.About, w.ProfilePicture, w.ContactEmail, w.Website, string(social), w.Public, db.Text(w.ActiveTrial),
		w.CreatedAt.UnixMilli(), w.UpdatedAt.UnixMilli())
	return err
}

// updateWorkspace writes what the use cases of this package change.
func updateWorkspace(ctx context.Context, q db.Querier, w Workspace) error {
	social, err := json.Marshal(w.SocialAccounts)
	if err != nil {
		return err
	}
	_, err = q.Exec(ctx, `
		UPDATE workspaces SET name = $2, handle = $3, plan = $4, billing_version = $5, spending_limit = $6, about = $7,
			profile_picture = $8, contact_email = $9, website = $10, social_accounts = $11, is_public = $12, updated_at = $13, blocked = $14,
			active_trial_id = $15
		WHERE id = $1`,
		string(w.ID), w.Name, db.Text(w.Handle), string(w.Plan), w.BillingVersion, int64(w.SpendingLimit), w.About,
		w.ProfilePicture, w.ContactEmail, w.Website, string(social), w.Public, w.UpdatedAt.UnixMilli(), w.Blocked, db.Text(w.ActiveTrial))
	return err
}

func selectWorkspace(ctx context.Context, q db.Querier, which id.Workspace) (w Workspace, found bool, err error) {
	w, err = scan(q.QueryRow(ctx, `SELECT `+columns+`, w.bot_count FROM workspace_summaries w WHERE w.id = $1`, string(which)))
	if errors.Is(err, sql.ErrNoRows) {
		return Workspace{}, false, nil
	}
	return w, err == nil, err
}

// selectWorkspacesOf reads the workspaces that the account is a member of, one
// more than the page holds. An empty handle is any.
func selectWorkspacesOf(ctx context.Context, q db.Querier, account id.Account, handle string, page db.Page) ([]Workspace, error) {
	after := afterOf(page)
	query := `
		SELECT ` + columns + `, w.bot_count
		FROM workspace_summaries w JOIN members m ON m.workspace_id = w.id
		WHERE m.account_id = $1 AND (w.created_at, w.id) > ($2, $3)`
	args := []any{string(account), after.At, after.ID, page.Size + 1}
	if handle != "" {
		query, args = query+` AND w.handle = $5`, append(args, handle)
	}
	return scanAll(q.Query(ctx, query+` ORDER BY w.created_at, w.id LIMIT $4`, args...))
}

// afterOf is the key that a page begins after; on the first one, a key before all
// others.
func afterOf(page db.Page) db.Key {
	if page.After == nil {
		return db.Key{At: -1 << 62}
	}
	return *page.After
}

// selectPublic reads public workspaces after an id; no ids are all. Their bots are
// not counted.
func selectPublic(ctx context.Context, q db.Querier, ids []id.Workspace, after string, size int) ([]Workspace, error) {
	query := `SELECT ` + columns + `, 0 FROM workspaces w WHERE w.is_public = TRUE AND w.id > $1`
	args := []any{after, size}
	if len(ids) > 0 {
		names := make([]string, len(ids))
		for i, w := range ids {
			names[i] = string(w)
		}
		var list string
		list, args = inList(args, names)
		query += ` AND w.id IN ` + list
	}
	return scanAll(q.Query(ctx, query+` ORDER BY w.id LIMIT $2`, args...))
}

// inList is the list of an IN, with its values behind args. It is filled up with
// the last value to one of a few lengths, because the text of every statement is
// prepared and kept.
func inList(args []any, values []string) (string, []any) {
	length := 1
	for length < len(values) {
		length *= 4
	}
	var b strings.Builder
	for i := range length {
		b.WriteString(", $" + strconv.Itoa(len(args)+1))
		args = append(args, values[min(i, len(values)-1)])
	}
	return "(" + b.String()[len(", "):] + ")", args
}

// selectHolder is the workspace that has the handle.
func selectHolder(ctx context.Context, q db.Querier, handle string) (w id.Workspace, found bool, err error) {
	err = q.QueryRow(ctx, `SELECT id FROM workspaces WHERE handle = $1`, handle).Scan(&w)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return w, err == nil, err
}

// selectTaken says which of the handles, at least one, are taken.
func selectTaken(ctx context.Context, q db.Querier, handles []string) (map[string]bool, error) {
	list, args := inList(nil, handles)
	rows, err := q.Query(ctx, `SELECT handle FROM workspaces WHERE handle IN `+list, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	taken := map[string]bool{}
	for rows.Next() {
		var handle string
		if err := rows.Scan(&handle); err != nil {
			return nil, err
		}
		taken[handle] = true
	}
	return taken, rows.Err()
}

// deleteWorkspace deletes what this package keeps of a workspace.
func deleteWorkspace(ctx context.Context, q db.Querier, w id.Workspace) error {
	for _, statement := range []string{
		`DELETE FROM members WHERE workspace_id = $1`,
		`DELETE FROM workspace_preferences WHERE workspace_id = $1`,
		`DELETE FROM workspaces WHERE id = $1`,
	} {
		if _, err := q.Exec(ctx, statement, string(w)); err != nil {
			return err
		}
	}
	return nil
}

// platformKey is the setting that holds the platform's workspace.
const platformKey = "platform_workspace"

func selectPlatform(ctx context.Context, q db.Querier) (w id.Workspace, found bool, err error) {
	err = q.QueryRow(ctx, `SELECT value FROM settings WHERE key = $1`, platformKey).Scan(&w)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return w, err == nil, err
}

func insertPlatform(ctx context.Context, q db.Querier, w id.Workspace) error {
	_, err := q.Exec(ctx, `INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING`, platformKey, string(w))
	return err
}

func upsertPreference(ctx context.Context, q db.Querier, w id.Workspace, key, value string) error {
	_, err := q.Exec(ctx, `
		INSERT INTO workspace_preferences (workspace_id, key, value) VALUES ($1, $2, $3)
		ON CONFLICT (workspace_id, key) DO UPDATE SET value = excluded.value`, string(w), key, value)
	return err
}

func countOtherPreferences(ctx context.Context, q db.Querier, w id.Workspace, key string) (n int, err error) {
	err = q.QueryRow(ctx, `SELECT COUNT(*) FROM workspace_preferences WHERE workspace_id = $1 AND key <> $2`, string(w), key).Scan(&n)
	return n, err
}

func selectPreference(ctx context.Context, q db.Querier, w id.Workspace, key string) (value string, found bool, err error) {
	err = q.QueryRow(ctx, `SELECT value FROM workspace_preferences WHERE workspace_id = $1 AND key = $2`, string(w), key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return value, err == nil, err
}
