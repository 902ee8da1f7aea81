package telemetry

import (
	"context"
	"database/sql"
	"errors"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// selectCursor reads the cursor of a reader: the last sequence it has processed, or 0.
func selectCursor(ctx context.Context, q db.Querier, name string) (sequence int64, err error) {
	err = q.QueryRow(ctx, `SELECT sequence FROM telemetry_cursors WHERE name = $1`, name).Scan(&sequence)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return sequence, err
}

func putCursor(ctx context.Context, q db.Querier, name string, sequence int64) error {
	_, err := q.Exec(ctx, `
		INSERT INTO telemetry_cursors (name, sequence) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET sequence = excluded.sequence`, name, sequence)
	return err
}

func deleteCursor(ctx context.Context, q db.Querier, name string) error {
	_, err := q.Exec(ctx, `DELETE FROM telemetry_cursors WHERE name = $1`, name)
	return err
}

// selectRetention reads the retention, in days, of the workspaces that have their own for a
// class.
func selectRetention(ctx context.Context, q db.Querier, class Class) (map[id.Workspace]int64, error) {
	rows, err := q.Query(ctx, `SELECT workspace_id, days FROM telemetry_retention WHERE class = $1`, string(class))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	own := map[id.Workspace]int64{}
	for rows.Next() {
		var w id.Workspace
		var days int64
		if err := rows.Scan(&w, &days); err != nil {
			return nil, err
		}
		own[w] = days
	}
	return own, rows.Err()
}

// selectKeeps says whether the workspace exists.
func selectKeeps(ctx context.Context, q db.Querier, w id.Workspace) (there bool, err error) {
	err = q.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM keeping_workspaces WHERE workspace_id = $1)`, string(w)).Scan(&there)
	return there, err
}

func putRetention(ctx context.Context, q db.Querier, w id.Workspace, class Class, days int64) error {
	_, err := q.Exec(ctx, `
		INSERT INTO telemetry_retention (workspace_id, class, days) VALUES ($1, $2, $3)
		ON CONFLICT (workspace_id, class) DO UPDATE SET days = excluded.days`, string(w), string(class), days)
	return err
}

func deleteRetention(ctx context.Context, q db.Querier, w id.Workspace) error {
	_, err := q.Exec(ctx, `DELETE FROM telemetry_retention WHERE workspace_id = $1`, string(w))
	return err
}
