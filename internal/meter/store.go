package meter

import (
	"context"
	"database/sql"
	"errors"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// addToGauge changes a gauge and answers its new value with the workspace's plan,
// in one statement. The transaction that finds the value too high rolls it back.
func addToGauge(ctx context.Context, q db.Querier, w id.Workspace, t Type, n int64) (value int64, plan string, err error) {
	var known sql.NullString
	err = q.QueryRow(ctx, `
		INSERT INTO gauges (workspace_id, type, value) VALUES ($1, $2, $3)
		ON CONFLICT (workspace_id, type) DO UPDATE SET value = gauges.value + excluded.value
		RETURNING value, (SELECT plan FROM workspaces WHERE id = $1)`, string(w), string(t), n).Scan(&value, &known)
	return value, known.String, err
}

func deleteGauges(ctx context.Context, q db.Querier, w id.Workspace) error {
	_, err := q.Exec(ctx, `DELETE FROM gauges WHERE workspace_id = $1`, string(w))
	return err
}

// selectPlan reads the plan of a workspace; "" when there is none.
func selectPlan(ctx context.Context, q db.Querier, w id.Workspace) (plan string, err error) {
	err = q.QueryRow(ctx, `SELECT plan FROM workspaces WHERE id = $1`, string(w)).Scan(&plan)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return plan, err
}
