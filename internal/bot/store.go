package bot

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

func number(n int64) sql.NullInt64 { return sql.NullInt64{Int64: n, Valid: n != 0} }

func optional(s *string) sql.NullString {
	if s == nil {
		return sql.NullString{}
	}
	return sql.NullString{String: *s, Valid: true}
}

func insertBot(ctx context.Context, q db.Querier, b Bot) error {
	_, err := q.Exec(ctx, `
		INSERT INTO bots (id, workspace_id, dev, name, created_at, updated_at, deployed_at, type, tags, status,
			description, url, authentication, blocked, always_alive, max_execution_time, created_by,
			signing_secret, code_hash, layers, secret_names, definition)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`,
		string(b.ID), string(b.Workspace), b.Dev, b.Name, b.CreatedAt.UnixMilli(), b.UpdatedAt.UnixMilli(), db.Millis(b.DeployedAt),
		string(b.Type), string(b.Tags), string(b.Status), optional(b.Description), db.Text(b.URL), db.Text(b.Authentication),
		b.Blocked, b.AlwaysAlive, number(b.MaxExecutionTime), db.Text(string(b.CreatedBy)), b.SigningSecret,
		db.Text(string(b.CodeHash)), string(b.Layers), string(b.SecretNames), string(b.Definition))
	return err
}

// updateBot writes what an update can change.
func updateBot(ctx context.Context, q db.Querier, b Bot) error {
	_, err := q.Exec(ctx, `
		UPDATE bots SET name = $3, updated_at = $4, deployed_at = $5, type = $6, tags = $7, description = $8, url = $9,
			authentication = $10, blocked = $11, always_alive = $12, max_execution_time = $13, code_hash = $14,
			layers = $15, secret_names = $16, definition = $17, own_definition = $18, packages = $19
		WHERE id = $1 AND workspace_id = $2`,
		string(b.ID), string(b.Workspace), b.Name, b.UpdatedAt.UnixMilli(), db.Millis(b.DeployedAt), string(b.Type), string(b.Tags),
		optional(b.Description), db.Text(b.URL), db.Text(b.Authentication), b.Blocked, b.AlwaysAlive, number(b.MaxExecutionTime),
		db.Text(string(b.CodeHash)), string(b.Layers), string(b.SecretNames), string(b.Definition), db.Text(string(b.Own)), b.Packages)
	return err
}

// selectBot reads a bot but for its own definition and what it has installed.
func selectBot(ctx context.Context, q db.Querier, w id.Workspace, bot id.Bot) (b Bot, found bool, err error) {
	var name, kind, tags, status, signingSecret, layers, secretNames, definition string
	var description, url, authentication, createdBy, codeHash sql.NullString
	var created, updated int64
	var deployed, maxExecutionTime sql.NullInt64
	err = q.QueryRow(ctx, `
		SELECT dev, name, created_at, updated_at, deployed_at, type, tags, status, description, url, authentication,
			blocked, always_alive, max_execution_time, created_by, signing_secret, code_hash, layers, secret_names, packages, definition
		FROM bots WHERE id = $1 AND workspace_id = $2`, string(bot), string(w)).
		Scan(&b.Dev, &name, &created, &updated, &deployed, &kind, &tags, &status, &description, &url, &authentication,
			&b.Blocked, &b.AlwaysAlive, &maxExecutionTime, &createdBy, &signingSecret, &codeHash, &layers, &secretNames, &b.Packages, &definition)
	if errors.Is(err, sql.ErrNoRows) {
		return Bot{}, false, nil
	}
	if err != nil {
		return Bot{}, false, err
	}
	b.ID, b.Workspace, b.Name, b.Type, b.Status = bot, w, name, Type(kind), Status(status)
	b.CreatedAt, b.UpdatedAt = db.Moment(created), db.Moment(updated)
	if deployed.Valid {
		b.DeployedAt = db.Moment(deployed.Int64)
	}
	if description.Valid {
		b.Description = &description.String
	}
	b.URL, b.Authentication, b.MaxExecutionTime = url.String, authentication.String, maxExecutionTime.Int64
	b.CreatedBy, b.SigningSecret, b.CodeHash = id.Account(createdBy.String), signingSecret, blob.Hash(codeHash.String)
	b.Tags, b.Layers, b.SecretNames, b.Definition = JSON(tags), JSON(layers), JSON(secretNames), JSON(definition)
	return b, true, nil
}

// selectOwnDefinition reads the definition of a bot without what plugins bring.
func selectOwnDefinition(ctx context.Context, q db.Querier, bot id.Bot) (JSON, error) {
	var own sql.NullString
	err := q.QueryRow(ctx, `SELECT own_definition FROM bots WHERE id = $1`, string(bot)).Scan(&own)
	return JSON(own.String), err
}

// selectOwner reads what decides on a bot's deletion or transfer: whose it is, its
// name, and what it counts as.
func selectOwner(ctx context.Context, q db.Querier, w id.Workspace, bot id.Bot) (b Bot, found bool, err error) {
	var createdBy sql.NullString
	err = q.QueryRow(ctx, `SELECT dev, name, always_alive, created_by FROM bots WHERE id = $1 AND workspace_id = $2`, string(bot), string(w)).
		Scan(&b.Dev, &b.Name, &b.AlwaysAlive, &createdBy)
	if errors.Is(err, sql.ErrNoRows) {
		return Bot{}, false, nil
	}
	b.ID, b.Workspace, b.CreatedBy = bot, w, id.Account(createdBy.String)
	return b, err == nil, err
}

// writeTags sets the tags of a patch and removes those whose value is empty.
func writeTags(ctx context.Context, q db.Querier, bot id.Bot, patch map[string]string) error {
	var gone []any
	var kept [][]any
	for _, key := range slices.Sorted(maps.Keys(patch)) {
		if value := patch[key]; value == "" {
			gone = append(gone, key)
		} else {
			kept = append(kept, []any{string(bot), key, value})
		}
	}
	if err := deleteKeys(ctx, q, `DELETE FROM bot_tags WHERE bot_id = ? AND key IN `, bot, gone); err != nil {
		return err
	}
	return db.InsertRows(ctx, q, `INSERT INTO bot_tags (bot_id, key, value) VALUES `,
		` ON CONFLICT (bot_id, key) DO UPDATE SET value = excluded.value`, kept)
}

// writeSecrets sets the sealed secrets of a patch and removes those that are nil.
func writeSecrets(ctx context.Context, q db.Querier, bot id.Bot, sealed map[string]*string) error {
	var gone []any
	var kept [][]any
	for _, name := range slices.Sorted(maps.Keys(sealed)) {
		if value := sealed[name]; value == nil {
			gone = append(gone, name)
		} else {
			kept = append(kept, []any{string(bot), name, *value})
		}
	}
	if err := deleteKeys(ctx, q, `DELETE FROM bot_secrets WHERE bot_id = ? AND name IN `, bot, gone); err != nil {
		return err
	}
	return db.InsertRows(ctx, q, `INSERT INTO bot_secrets (bot_id, name, value) VALUES `,
		` ON CONFLICT (bot_id, name) DO UPDATE SET value = excluded.value`, kept)
}

// maxKeys bounds one statement: a patch may remove any number of keys.
const maxKeys = 50

func deleteKeys(ctx context.Context, q db.Querier, statement string, bot id.Bot, keys []any) error {
	for chunk := range slices.Chunk(keys, maxKeys) {
		var s db.Statement
		s.Add(statement, string(bot))
		s.AddList(chunk...)
		if _, err := q.Exec(ctx, s.Text(), s.Args()...); err != nil {
			return err
		}
	}
	return nil
}

func deleteBot(ctx context.Context, q db.Querier, w id.Workspace, bot id.Bot) error {
	for _, statement := range []string{
		`DELETE FROM bot_tags WHERE bot_id = $1`,
		`DELETE FROM bot_secrets WHERE bot_id = $1`,
		`DELETE FROM bot_integrations WHERE bot_id = $1`,
		`DELETE FROM bot_plugins WHERE bot_id = $1`,
		`DELETE FROM bot_allowlist WHERE bot_id = $1`,
		`DELETE FROM bot_shareable_ids WHERE bot_id = $1`,
		`DELETE FROM bot_versions WHERE bot_id = $1`,
		`DELETE FROM deployed_bots WHERE bot_id = $1`,
	} {
		if _, err := q.Exec(ctx, statement, string(bot)); err != nil {
			return err
		}
	}
	_, err := q.Exec(ctx, `DELETE FROM bots WHERE id = $1 AND workspace_id = $2`, string(bot), string(w))
	return err
}

func deleteBotsOf(ctx context.Context, q db.Querier, w id.Workspace) error {
	for _, statement := range []string{
		`DELETE FROM bot_tags WHERE bot_id IN (SELECT id FROM bots WHERE workspace_id = $1)`,
		`DELETE FROM bot_secrets WHERE bot_id IN (SELECT id FROM bots WHERE workspace_id = $1)`,
		`DELETE FROM bot_integrations WHERE bot_id IN (SELECT id FROM bots WHERE workspace_id = $1)`,
		`DELETE FROM bot_plugins WHERE bot_id IN (SELECT id FROM bots WHERE workspace_id = $1)`,
		`DELETE FROM bot_allowlist WHERE bot_id IN (SELECT id FROM bots WHERE workspace_id = $1)`,
		`DELETE FROM bot_shareable_ids WHERE bot_id IN (SELECT id FROM bots WHERE workspace_id = $1)`,
		`DELETE FROM bot_versions WHERE bot_id IN (SELECT id FROM bots WHERE workspace_id = $1)`,
		`DELETE FROM deployed_bots WHERE bot_id IN (SELECT id FROM bots WHERE workspace_id = $1)`,
		`DELETE FROM bots WHERE workspace_id = $1`,
	} {
		if _, err := q.Exec(ctx, statement, string(w)); err != nil {
			return err
		}
	}
	return nil
}

// selectMembership reads in which workspace a bot is, and the account's role
// there; found is false when there is no such bot or no such membership.
func selectMembership(ctx context.Context, q db.Querier, account id.Account, bot id.Bot) (w id.Workspace, role access.Role, found bool, err error) {
	err = q.QueryRow(ctx, `SELECT workspace_id, role FROM bot_members WHERE bot_id = $1 AND account_id = $2`, string(bot), string(account)).
		Scan(&w, &role)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", false, nil
	}
	return w, role, err == nil, err
}

// usesQuery asks for a reference to a blob.
const usesQuery = `
	SELECT EXISTS (SELECT 1 FROM bots WHERE code_hash = $1) OR EXISTS (SELECT 1 FROM bot_versions WHERE code_hash = $1)
		OR EXISTS (SELECT 1 FROM bot_versions WHERE content_hash = $1)`

func selectUses(ctx context.Context, q db.Querier, h blob.Hash) (used bool, err error) {
	err = q.QueryRow(ctx, usesQuery, string(h)).Scan(&used)
	return used, err
}
