package catalog

import (
	"context"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

func selectOwnsIntegration(ctx context.Context, q db.Querier, w id.Workspace, i id.Integration) (owns bool, err error) {
	err = q.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM integrations WHERE id = $1 AND workspace_id = $2)`, string(i), string(w)).Scan(&owns)
	return owns, err
}
