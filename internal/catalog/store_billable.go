package catalog

import (
	"context"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// selectInstalledDefinitions reads the definitions of the versions of an integration
// that a bot has installed.
func selectInstalledDefinitions(ctx context.Context, q db.Querier, bot id.Bot, name string) (definitions []string, err error) {
	rows, err := q.Query(ctx, `
		SELECT d.definition FROM bot_integration_names n JOIN integration_definitions d ON d.integration_id = n.integration_id
		WHERE n.bot_id = $1 AND n.name = $2`, string(bot), name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		definitions = append(definitions, text)
	}
	return definitions, rows.Err()
}
