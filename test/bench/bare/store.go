package main

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// The statements, each under the store that it is copied from. Change them there
// first; the test of this package says when a copy is out of date.
const (
	// internal/access/store.go, actorInWorkspace
	actorSQL = `
		SELECT token_id, account_id, email, role, confined, expires_at, last_used_at, blocked, plan, rate_set, rate_added
		FROM token_roles WHERE hash = $1 AND workspace_id = $2`

	// internal/bot/store.go, selectBot
	botSQL = `
		SELECT dev, name, created_at, updated_at, deployed_at, type, tags, status, description, url, authentication,
			blocked, always_alive, max_execution_time, created_by, signing_secret, code_hash, layers, secret_names, packages, definition
		FROM bots WHERE id = $1 AND workspace_id = $2`

	// internal/bot/store_list.go, listQuery: its beginning and, for the newest
	// first, its end.
	listSQL = `
		SELECT id, name, created_at, updated_at, deployed_at, type, tags FROM bots
		WHERE workspace_id = $1 AND dev = $2`
	newestSQL = " ORDER BY created_at DESC, id DESC LIMIT $3"

	// internal/meter/store.go, addToGauge
	gaugeSQL = `
		INSERT INTO gauges (workspace_id, type, value) VALUES ($1, $2, $3)
		ON CONFLICT (workspace_id, type) DO UPDATE SET value = gauges.value + excluded.value
		RETURNING value, (SELECT plan FROM workspaces WHERE id = $1)`

	// internal/bot/store.go, insertBot
	insertSQL = `
		INSERT INTO bots (id, workspace_id, dev, name, created_at, updated_at, deployed_at, type, tags, status,
			description, url, authentication, blocked, always_alive, max_execution_time, created_by,
			signing_secret, code_hash, layers, secret_names, definition)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`

	// internal/bot/store.go, writeTags: before and after the placeholders.
	tagsSQL         = `INSERT INTO bot_tags (bot_id, key, value) VALUES `
	tagsConflictSQL = ` ON CONFLICT (bot_id, key) DO UPDATE SET value = excluded.value`

	// internal/audit/store.go, insertRecord
	auditSQL = `
		INSERT INTO audit_records (id, workspace_id, recorded_at, account_id, email, action, resource_id, resource_name, value)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
)

// actor is who a token is in the workspace it was used for.
type actor struct{ account, email string }

func selectActor(ctx context.Context, q db.Querier, hash, workspace string) (a actor, err error) {
	var token, role string
	var confined, blocked bool
	var plan sql.NullString
	var expires, used, rate, added sql.NullInt64
	err = q.QueryRow(ctx, actorSQL, hash, workspace).Scan(&token, &a.account, &a.email, &role, &confined, &expires, &used, &blocked, &plan, &rate, &added)
	return a, err
}

func selectBot(ctx context.Context, q db.Querier, workspace, bot string) (b botHead, definition string, err error) {
	var created, updated, packages int64
	var deployed, maxExecutionTime sql.NullInt64
	var description, url, authentication, createdBy, codeHash sql.NullString
	var blocked bool
	var tags, names, sealed, layers string
	err = q.QueryRow(ctx, botSQL, bot, workspace).Scan(&b.Dev, &b.Name, &created, &updated, &deployed, &b.Type, &tags, &b.Status,
		&description, &url, &authentication, &blocked, &b.AlwaysAlive, &maxExecutionTime, &createdBy, &sealed, &codeHash, &layers, &names, &packages, &definition)
	b.ID, b.CreatedAt, b.UpdatedAt, b.DeployedAt = bot, moment(created), moment(updated), moment(deployed.Int64)
	b.Description, b.MaxExecutionTime, b.CreatedBy = description.String, maxExecutionTime.Int64, createdBy.String
	b.Tags, b.Secrets = []byte(tags), []byte(names)
	return b, definition, err
}

// selectNewest reads one bot more than the page holds, as botyard does to see
// whether another page follows.
func selectNewest(ctx context.Context, q db.Querier, workspace string, page int) ([]listedBot, error) {
	rows, err := q.Query(ctx, listSQL+newestSQL, workspace, false, page+1)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	bots := make([]listedBot, 0, page+1)
	for rows.Next() {
		var b listedBot
		var created, updated int64
		var deployed sql.NullInt64
		var tags string
		if err := rows.Scan(&b.ID, &b.Name, &created, &updated, &deployed, &b.Type, &tags); err != nil {
			return nil, err
		}
		b.CreatedAt, b.UpdatedAt, b.DeployedAt, b.Tags = moment(created), moment(updated), moment(deployed.Int64), []byte(tags)
		bots = append(bots, b)
	}
	return bots, rows.Err()
}

// insertBot counts the bot, writes it with its tags and records who made it.
func insertBot(ctx context.Context, tx *db.Tx, workspace string, by actor, b botHead, tags []string, definition string) error {
	var value int64
	var plan sql.NullString
	if err := tx.QueryRow(ctx, gaugeSQL, workspace, "bot_count", 1).Scan(&value, &plan); err != nil {
		return err
	}
	created := time.Time(b.CreatedAt).UnixMilli()
	if _, err := tx.Exec(ctx, insertSQL, b.ID, workspace, b.Dev, b.Name, created, created, nil, b.Type, string(b.Tags), b.Status,
		nil, nil, nil, false, b.AlwaysAlive, nil, b.CreatedBy, b.SigningSecret, nil, "[]", string(b.Secrets), definition); err != nil {
		return err
	}
	if len(tags) > 0 {
		statement, args := tagsStatement(b.ID, tags)
		if _, err := tx.Exec(ctx, statement, args...); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, auditSQL, string(id.NewAudit(time.Now())), workspace, created, by.account, by.email, "CREATE_BOT", b.ID, b.Name, nil)
	return err
}

// tagsStatement writes every tag at once; tags are keys and values by turns.
func tagsStatement(bot string, tags []string) (statement string, args []any) {
	var text strings.Builder
	text.WriteString(tagsSQL)
	args = append(args, bot)
	for i := 0; i < len(tags); i += 2 {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString("($1, $" + strconv.Itoa(i+2) + ", $" + strconv.Itoa(i+3) + ")")
		args = append(args, tags[i], tags[i+1])
	}
	text.WriteString(tagsConflictSQL)
	return text.String(), args
}
