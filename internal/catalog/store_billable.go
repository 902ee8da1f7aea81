package catalog

import (
	"context"
	"database/sql"
	"errors"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// installation is a version of an integration that a bot has installed.
type installation struct {
	bot         id.Bot
	integration id.Integration
}

// maxBots is how many bots one statement reads.
const maxBots = 256

// selectInstalledVersions reads the versions of an integration that bots have installed.
func selectInstalledVersions(ctx context.Context, q db.Querier, name string, bots []id.Bot) (all []installation, err error) {
	for chunk := range db.Chunks(bots, maxBots) {
		values := make([]any, len(chunk))
		for i, bot := range chunk {
			values[i] = string(bot)
		}
		var s db.Statement
		s.Add(`SELECT bot_id, integration_id FROM bot_integration_names WHERE name = ? AND bot_id IN `, name)
		s.AddList(values...)
		if all, err = appendInstallations(ctx, q, all, &s); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func appendInstallations(ctx context.Context, q db.Querier, all []installation, s *db.Statement) ([]installation, error) {
	rows, err := q.Query(ctx, s.Text(), s.Args()...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var i installation
		if err := rows.Scan(&i.bot, &i.integration); err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, rows.Err()
}

// selectIntegrationDefinition reads the definition of a version; found is false when it was
// deleted.
func selectIntegrationDefinition(ctx context.Context, q db.Querier, i id.Integration) (text string, found bool, err error) {
	err = q.QueryRow(ctx, `SELECT definition FROM integration_definitions WHERE integration_id = $1`, string(i)).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return text, err == nil, err
}
