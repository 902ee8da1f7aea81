package meter

import (
	"context"
	"database/sql"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// selectWorkspaces reads the next workspaces in the order of their ids.
func selectWorkspaces(ctx context.Context, q db.Querier, after id.Workspace, n int) (workspaces []id.Workspace, err error) {
	var s db.Statement
	s.Add(`SELECT workspace_id FROM metered_workspaces WHERE workspace_id > ? ORDER BY workspace_id LIMIT ?`, string(after), n)
	return workspaces, each(ctx, q, s, func(rows *sql.Rows) error {
		var w id.Workspace
		err := rows.Scan(&w)
		workspaces = append(workspaces, w)
		return err
	})
}

// selectGauges reads what the gauges of workspaces say.
func selectGauges(ctx context.Context, q db.Querier, workspaces []id.Workspace) (map[gauge]int64, error) {
	return scanGauges(ctx, q, `SELECT workspace_id, type, value FROM gauges WHERE workspace_id IN `, workspaces)
}

// selectTruths counts what the gauges count.
func selectTruths(ctx context.Context, q db.Querier, workspaces []id.Workspace) (map[gauge]int64, error) {
	return scanGauges(ctx, q, `SELECT workspace_id, type, value FROM gauge_truths WHERE workspace_id IN `, workspaces)
}

func scanGauges(ctx context.Context, q db.Querier, query string, workspaces []id.Workspace) (map[gauge]int64, error) {
	var s db.Statement
	s.Add(query)
	s.AddList(storable(workspaces)...)
	values := map[gauge]int64{}
	return values, each(ctx, q, s, func(rows *sql.Rows) error {
		var g gauge
		var value int64
		err := rows.Scan(&g.workspace, &g.of, &value)
		values[g] = value
		return err
	})
}

func setGauge(ctx context.Context, q db.Querier, w id.Workspace, t plan.Type, value int64) error {
	_, err := q.Exec(ctx, `
		INSERT INTO gauges (workspace_id, type, value) VALUES ($1, $2, $3)
		ON CONFLICT (workspace_id, type) DO UPDATE SET value = excluded.value`, string(w), string(t), value)
	return err
}
