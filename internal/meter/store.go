package meter

import (
	"context"
	"database/sql"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// adjustmentOf puts what a row of quotas says together.
func adjustmentOf(set, chosen, added sql.NullInt64) plan.Adjustment {
	a := plan.Adjustment{Added: added.Int64}
	if set.Valid {
		a.Set = &set.Int64
	}
	if chosen.Valid {
		a.Chosen = &chosen.Int64
	}
	return a
}

// addToGauge changes a gauge and answers its new value with what decides its quota,
// in one statement. The transaction that finds the value too high rolls it back.
// The plan is empty when the workspace is gone.
func addToGauge(ctx context.Context, q db.Querier, w id.Workspace, t plan.Type, n int64) (value int64, a allowance, err error) {
	var on sql.NullString
	var set, chosen, added sql.NullInt64
	err = q.QueryRow(ctx, `
		INSERT INTO gauges (workspace_id, type, value) VALUES ($1, $2, $3)
		ON CONFLICT (workspace_id, type) DO UPDATE SET value = gauges.value + excluded.value
		RETURNING value,
			(SELECT plan FROM workspaces WHERE id = $1),
			(SELECT operator_value FROM quotas WHERE workspace_id = $1 AND type = $2),
			(SELECT member_value FROM quotas WHERE workspace_id = $1 AND type = $2),
			(SELECT added FROM quotas WHERE workspace_id = $1 AND type = $2)`,
		string(w), string(t), n).Scan(&value, &on, &set, &chosen, &added)
	a = allowance{plan.ID(on.String), map[plan.Type]plan.Adjustment{t: adjustmentOf(set, chosen, added)}}
	return value, a, err
}

// setMonth keeps the value of a gauge as that of the month.
func setMonth(ctx context.Context, q db.Querier, w id.Workspace, t plan.Type, month time.Time, value int64) error {
	_, err := q.Exec(ctx, `
		INSERT INTO usage_months (workspace_id, bot_id, type, month, value) VALUES ($1, '', $2, $3, $4)
		ON CONFLICT (workspace_id, bot_id, type, month) DO UPDATE SET value = excluded.value`,
		string(w), string(t), month.UnixMilli(), value)
	return err
}

// selectAllowances reads what decides the quotas of workspaces; those that are gone
// are not among them.
func selectAllowances(ctx context.Context, q db.Querier, workspaces []id.Workspace) (map[id.Workspace]allowance, error) {
	found := make(map[id.Workspace]allowance, len(workspaces))
	if len(workspaces) == 0 {
		return found, nil
	}
	names := make([]any, len(workspaces))
	for i, w := range workspaces {
		names[i] = string(w)
	}
	var s db.Statement
	s.Add(`SELECT workspace_id, plan FROM metered_workspaces WHERE workspace_id IN `)
	s.AddList(names...)
	if err := each(ctx, q, s, func(rows *sql.Rows) error {
		var w id.Workspace
		a := allowance{adjusted: map[plan.Type]plan.Adjustment{}}
		err := rows.Scan(&w, &a.plan)
		found[w] = a
		return err
	}); err != nil {
		return nil, err
	}
	s = db.Statement{}
	s.Add(`SELECT workspace_id, type, operator_value, member_value, added FROM quotas WHERE workspace_id IN `)
	s.AddList(names...)
	return found, each(ctx, q, s, func(rows *sql.Rows) error {
		var w id.Workspace
		var t plan.Type
		var set, chosen, added sql.NullInt64
		if err := rows.Scan(&w, &t, &set, &chosen, &added); err != nil {
			return err
		}
		if a, there := found[w]; there {
			a.adjusted[t] = adjustmentOf(set, chosen, added)
		}
		return nil
	})
}

// each runs a query and has visit look at each row.
func each(ctx context.Context, q db.Querier, s db.Statement, visit func(*sql.Rows) error) error {
	rows, err := q.Query(ctx, s.Text(), s.Args()...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := visit(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// setOperatorValue keeps what the operator allows, NULL for nothing.
func setOperatorValue(ctx context.Context, q db.Querier, w id.Workspace, t plan.Type, value sql.NullInt64) error {
	_, err := q.Exec(ctx, `
		INSERT INTO quotas (workspace_id, type, operator_value, added) VALUES ($1, $2, $3, 0)
		ON CONFLICT (workspace_id, type) DO UPDATE SET operator_value = excluded.operator_value`, string(w), string(t), value)
	return err
}

// setMemberValue keeps what the members chose.
func setMemberValue(ctx context.Context, q db.Querier, w id.Workspace, t plan.Type, value int64) error {
	_, err := q.Exec(ctx, `
		INSERT INTO quotas (workspace_id, type, member_value, added) VALUES ($1, $2, $3, 0)
		ON CONFLICT (workspace_id, type) DO UPDATE SET member_value = excluded.member_value`, string(w), string(t), value)
	return err
}

// replaceAdded keeps what was bought beside the plan, in the place of what was.
func replaceAdded(ctx context.Context, q db.Querier, w id.Workspace, added [][]any) error {
	if _, err := q.Exec(ctx, `UPDATE quotas SET added = 0 WHERE workspace_id = $1 AND added <> 0`, string(w)); err != nil {
		return err
	}
	return db.InsertRows(ctx, q, `INSERT INTO quotas (workspace_id, type, added) VALUES `,
		` ON CONFLICT (workspace_id, type) DO UPDATE SET added = excluded.added`, added)
}

func deleteWorkspace(ctx context.Context, q db.Querier, w id.Workspace) error {
	for _, statement := range []string{
		`DELETE FROM gauges WHERE workspace_id = $1`,
		`DELETE FROM bot_gauges WHERE workspace_id = $1`,
		`DELETE FROM quotas WHERE workspace_id = $1`,
		`DELETE FROM quota_warnings WHERE workspace_id = $1`,
		`DELETE FROM usage_months WHERE workspace_id = $1`,
		`DELETE FROM usage_days WHERE workspace_id = $1`,
		`DELETE FROM usage_records WHERE workspace_id = $1`,
	} {
		if _, err := q.Exec(ctx, statement, string(w)); err != nil {
			return err
		}
	}
	return nil
}

// takeBotGauges deletes the part of the gauges that a bot has, and answers it.
func takeBotGauges(ctx context.Context, q db.Querier, w id.Workspace, b id.Bot) (map[plan.Type]int64, error) {
	var s db.Statement
	s.Add(`DELETE FROM bot_gauges WHERE workspace_id = ? AND bot_id = ? RETURNING type, value`, string(w), string(b))
	taken := map[plan.Type]int64{}
	return taken, each(ctx, q, s, func(rows *sql.Rows) error {
		var t plan.Type
		var value int64
		err := rows.Scan(&t, &value)
		taken[t] = value
		return err
	})
}

// warned is a threshold that a workspace has come to.
type warned struct {
	workspace id.Workspace
	of        plan.Type
	threshold int64
}

// insertWarnings notes thresholds that are told of in a month, and answers those that
// had not been.
func insertWarnings(ctx context.Context, q db.Querier, all []standing, month, now time.Time) (untold map[warned]bool, err error) {
	var reached []warned
	for _, one := range all {
		for _, threshold := range one.passed {
			reached = append(reached, warned{one.workspace, one.of, threshold})
		}
	}
	untold = make(map[warned]bool, len(reached))
	for chunk := range db.Chunks(reached, recordsAtOnce) {
		var s db.Statement
		s.Add(`INSERT INTO quota_warnings (workspace_id, type, month, threshold, warned_at) VALUES `)
		for i, one := range chunk {
			if i > 0 {
				s.Add(", ")
			}
			s.AddList(string(one.workspace), string(one.of), month.UnixMilli(), one.threshold, now.UnixMilli())
		}
		s.Add(` ON CONFLICT (workspace_id, type, month, threshold) DO NOTHING RETURNING workspace_id, type, threshold`)
		if err := each(ctx, q, s, func(rows *sql.Rows) error {
			var one warned
			err := rows.Scan(&one.workspace, &one.of, &one.threshold)
			untold[one] = true
			return err
		}); err != nil {
			return nil, err
		}
	}
	return untold, nil
}
