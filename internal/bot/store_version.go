package bot

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

func insertVersion(ctx context.Context, q db.Querier, v Version, settings string) error {
	_, err := q.Exec(ctx, `
		INSERT INTO bot_versions (bot_id, id, name, description, automatic, created_at, created_by, content_hash, code_hash, settings)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		string(v.Bot), string(v.ID), v.Name, db.Text(v.Description), v.Automatic, v.CreatedAt.UnixMilli(), db.Text(string(v.CreatedBy)),
		string(v.Content), db.Text(string(v.Code)), settings)
	return err
}

// The statements of versions. A bot's are few and stand in the order of their key.
const (
	versionsQuery = `
		SELECT v.id, v.name, v.description FROM bots b JOIN bot_versions v ON v.bot_id = b.id
		WHERE b.id = $1 AND b.workspace_id = $2 ORDER BY v.id DESC`
	versionQuery = `
		SELECT v.id, v.name, v.description, v.automatic, v.created_at, v.created_by, v.content_hash, v.code_hash, v.settings
		FROM bots b JOIN bot_versions v ON v.bot_id = b.id WHERE b.id = $1 AND b.workspace_id = $2 AND v.id = $3`
	newestVersionQuery = `
		SELECT v.id, v.name, v.description, v.automatic, v.created_at, v.created_by, v.content_hash, v.code_hash, v.settings
		FROM bots b JOIN bot_versions v ON v.bot_id = b.id WHERE b.id = $1 AND b.workspace_id = $2 ORDER BY v.id DESC LIMIT 1`
)

// selectVersions reads the versions of a bot for a list, the newest first.
func selectVersions(ctx context.Context, q db.Querier, w id.Workspace, bot id.Bot) ([]Version, error) {
	rows, err := q.Query(ctx, versionsQuery, string(bot), string(w))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	versions := []Version{}
	for rows.Next() {
		v := Version{Bot: bot}
		var description sql.NullString
		if err := rows.Scan(&v.ID, &v.Name, &description); err != nil {
			return nil, err
		}
		v.Description = description.String
		versions = append(versions, v)
	}
	return versions, rows.Err()
}

// selectVersion reads a version and its sealed settings.
func selectVersion(ctx context.Context, q db.Querier, w id.Workspace, bot id.Bot, version id.BotVersion) (v Version, settings string, found bool, err error) {
	return scanVersion(bot, q.QueryRow(ctx, versionQuery, string(bot), string(w), string(version)))
}

// selectNewestVersion reads the version that was saved last.
func selectNewestVersion(ctx context.Context, q db.Querier, w id.Workspace, bot id.Bot) (v Version, settings string, found bool, err error) {
	return scanVersion(bot, q.QueryRow(ctx, newestVersionQuery, string(bot), string(w)))
}

// selectNewestMoment reads when the newest version of a bot was saved, or the zero moment.
func selectNewestMoment(ctx context.Context, q db.Querier, bot id.Bot) (time.Time, error) {
	var newest int64
	err := q.QueryRow(ctx, `SELECT created_at FROM bot_versions WHERE bot_id = $1 ORDER BY id DESC LIMIT 1`, string(bot)).Scan(&newest)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return db.Moment(newest), err
}

func scanVersion(bot id.Bot, row *sql.Row) (v Version, settings string, found bool, err error) {
	var description, createdBy, code sql.NullString
	var content string
	var created int64
	err = row.Scan(&v.ID, &v.Name, &description, &v.Automatic, &created, &createdBy, &content, &code, &settings)
	if errors.Is(err, sql.ErrNoRows) {
		return Version{}, "", false, nil
	}
	v.Description = description.String
	v.Bot, v.CreatedAt, v.CreatedBy = bot, db.Moment(created), id.Account(createdBy.String)
	v.Content, v.Code = blob.Hash(content), blob.Hash(code.String)
	return v, settings, err == nil, err
}

// selectVersionsOf reads the sealed settings of the bot's versions that hold the
// content and the code.
func selectVersionsOf(ctx context.Context, q db.Querier, bot id.Bot, content, code blob.Hash) (map[id.BotVersion]string, error) {
	rows, err := q.Query(ctx, `
		SELECT id, settings FROM bot_versions WHERE bot_id = $1 AND content_hash = $2 AND COALESCE(code_hash, '') = $3`,
		string(bot), string(content), string(code))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	settings := map[id.BotVersion]string{}
	for rows.Next() {
		var version, sealed string
		if err := rows.Scan(&version, &sealed); err != nil {
			return nil, err
		}
		settings[id.BotVersion(version)] = sealed
	}
	return settings, rows.Err()
}

// countSaved counts the versions of a bot that people saved.
func countSaved(ctx context.Context, q db.Querier, bot id.Bot) (n int64, err error) {
	err = q.QueryRow(ctx, `SELECT COUNT(*) FROM bot_versions WHERE bot_id = $1 AND NOT automatic`, string(bot)).Scan(&n)
	return n, err
}

// deleteOldestAutomatic deletes the automatic versions of a bot but for the newest.
func deleteOldestAutomatic(ctx context.Context, q db.Querier, bot id.Bot, kept int) error {
	_, err := q.Exec(ctx, `
		DELETE FROM bot_versions WHERE bot_id = $1 AND automatic AND id <= (
			SELECT id FROM bot_versions WHERE bot_id = $1 AND automatic ORDER BY id DESC LIMIT 1 OFFSET $2)`, string(bot), kept)
	return err
}
