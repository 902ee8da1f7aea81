package billing

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

const trialColumns = `id, plan, from_plan, started_at, ends_at, ended_at`

func scanTrial(row interface{ Scan(...any) error }) (t Trial, err error) {
	var started, ends int64
	var ended sql.NullInt64
	err = row.Scan(&t.ID, &t.Plan, &t.From, &started, &ends, &ended)
	t.Started, t.Ends, t.Ended = db.Moment(started), db.Moment(ends), db.MomentOf(ended)
	return t, err
}

func selectTrials(ctx context.Context, q db.Querier, w id.Workspace) ([]Trial, error) {
	rows, err := q.Query(ctx, `SELECT `+trialColumns+` FROM trials WHERE workspace_id = $1 ORDER BY started_at, id`, string(w))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []Trial{}
	for rows.Next() {
		t, err := scanTrial(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, rows.Err()
}

func selectTrial(ctx context.Context, q db.Querier, w id.Workspace, which id.Trial) (t Trial, found bool, err error) {
	t, err = scanTrial(q.QueryRow(ctx, `SELECT `+trialColumns+` FROM trials WHERE id = $1 AND workspace_id = $2`, string(which), string(w)))
	if errors.Is(err, sql.ErrNoRows) {
		return Trial{}, false, nil
	}
	return t, err == nil, err
}

func insertTrial(ctx context.Context, q db.Querier, w id.Workspace, t Trial) error {
	_, err := q.Exec(ctx, `
		INSERT INTO trials (id, workspace_id, plan, from_plan, started_at, ends_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		string(t.ID), string(w), string(t.Plan), string(t.From), t.Started.UnixMilli(), t.Ends.UnixMilli())
	return err
}

func updateTrialEnded(ctx context.Context, q db.Querier, w id.Workspace, t id.Trial, at time.Time) error {
	_, err := q.Exec(ctx, `UPDATE trials SET ended_at = $3 WHERE id = $1 AND workspace_id = $2 AND ended_at IS NULL`, string(t), string(w), at.UnixMilli())
	return err
}

// selectOverdueTrials are workspaces whose trial should have ended by a moment, in the
// order of their ids, after one.
func selectOverdueTrials(ctx context.Context, q db.Querier, at time.Time, after id.Workspace, most int) ([]id.Workspace, error) {
	return selectIDs[id.Workspace](ctx, q, `
		SELECT workspace_id FROM trials WHERE ended_at IS NULL AND ends_at <= $1 AND workspace_id > $2
		ORDER BY workspace_id LIMIT $3`, at.UnixMilli(), string(after), most)
}
