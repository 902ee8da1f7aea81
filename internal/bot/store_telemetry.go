package bot

import (
	"context"
	"database/sql"
	"errors"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

func selectWorkspaceOf(ctx context.Context, q db.Querier, bot id.Bot) (w id.Workspace, found bool, err error) {
	err = q.QueryRow(ctx, `SELECT workspace_id FROM bots WHERE id = $1`, string(bot)).Scan(&w)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return w, err == nil, err
}

func selectHasIntegration(ctx context.Context, q db.Querier, bot id.Bot, i id.Integration) (has bool, err error) {
	err = q.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM bot_integrations WHERE bot_id = $1 AND integration_id = $2)`, string(bot), string(i)).Scan(&has)
	return has, err
}
