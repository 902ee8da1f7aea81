package meter

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// selectMonth reads the sum of one month; 0 when nothing was used.
func selectMonth(ctx context.Context, q db.Querier, w id.Workspace, b id.Bot, t plan.Type, month time.Time) (int64, error) {
	return orNothing(q.QueryRow(ctx, `
		SELECT value FROM usage_months WHERE workspace_id = $1 AND bot_id = $2 AND type = $3 AND month = $4`,
		string(w), string(b), string(t), month.UnixMilli()))
}

// selectStanding reads what decides a workspace's quota of one type, and its sum of a
// month.
func selectStanding(ctx context.Context, q db.Querier, w id.Workspace, t plan.Type, month time.Time) (a allowance, used int64, found bool, err error) {
	var set, chosen, added, sum sql.NullInt64
	err = q.QueryRow(ctx, `
		SELECT m.plan, l.operator_value, l.member_value, l.added, u.value
		FROM metered_workspaces m
		LEFT JOIN quotas l ON l.workspace_id = m.workspace_id AND l.type = $2
		LEFT JOIN usage_months u ON u.workspace_id = m.workspace_id AND u.bot_id = '' AND u.type = $2 AND u.month = $3
		WHERE m.workspace_id = $1`, string(w), string(t), month.UnixMilli()).
		Scan(&a.plan, &set, &chosen, &added, &sum)
	if errors.Is(err, sql.ErrNoRows) {
		return a, 0, false, nil
	}
	if added.Valid {
		a.adjusted = map[plan.Type]plan.Adjustment{t: adjustmentOf(set, chosen, added)}
	}
	return a, sum.Int64, err == nil, err
}

// selectMonthUntil reads the value of a gauge at the end of a month: that of the last
// month, up to it, in which it moved.
func selectMonthUntil(ctx context.Context, q db.Querier, w id.Workspace, b id.Bot, t plan.Type, month time.Time) (int64, error) {
	return orNothing(q.QueryRow(ctx, `
		SELECT value FROM usage_months WHERE workspace_id = $1 AND bot_id = $2 AND type = $3 AND month <= $4
		ORDER BY month DESC LIMIT 1`, string(w), string(b), string(t), month.UnixMilli()))
}

func selectGauge(ctx context.Context, q db.Querier, w id.Workspace, t plan.Type) (int64, error) {
	return orNothing(q.QueryRow(ctx, `SELECT value FROM gauges WHERE workspace_id = $1 AND type = $2`, string(w), string(t)))
}

func selectBotGauge(ctx context.Context, q db.Querier, w id.Workspace, b id.Bot, t plan.Type) (int64, error) {
	return orNothing(q.QueryRow(ctx, `SELECT value FROM bot_gauges WHERE workspace_id = $1 AND bot_id = $2 AND type = $3`,
		string(w), string(b), string(t)))
}

// orNothing reads a number, 0 when there is no row.
func orNothing(row *sql.Row) (value int64, err error) {
	if err = row.Scan(&value); errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return value, err
}

// scanMeasures adds rows of a workspace, a bot, a type and a value to values.
func scanMeasures(ctx context.Context, q db.Querier, s db.Statement, values map[measure]int64) error {
	return each(ctx, q, s, func(rows *sql.Rows) error {
		var m measure
		var value int64
		err := rows.Scan(&m.workspace, &m.bot, &m.of, &value)
		values[m] = value
		return err
	})
}

// addSubjects writes which rows are wanted: those of types and of subjects, which are
// all workspaces or all bots. With bots of several workspaces it may name rows that
// a bot left in another of them; they are of another measure. bots says that the
// table has a column of them.
func addSubjects(s *db.Statement, subjects []subject, bots bool, types []plan.Type) {
	var workspaces, names []any
	for _, who := range subjects {
		workspaces, names = append(workspaces, string(who.workspace)), append(names, string(who.bot))
	}
	s.Add(` WHERE workspace_id IN `)
	s.AddList(workspaces...)
	if bots {
		s.Add(` AND bot_id IN `)
		s.AddList(names...)
	}
	of := make([]any, len(types))
	for i, t := range types {
		of[i] = string(t)
	}
	s.Add(` AND type IN `)
	s.AddList(of...)
}

// selectSums reads the sums of one month.
func selectSums(ctx context.Context, q db.Querier, values map[measure]int64, subjects []subject, types []plan.Type, month time.Time) error {
	if len(types) == 0 {
		return nil
	}
	var s db.Statement
	s.Add(`SELECT workspace_id, bot_id, type, value FROM usage_months`)
	addSubjects(&s, subjects, true, types)
	s.Add(` AND month = ?`, month.UnixMilli())
	return scanMeasures(ctx, q, s, values)
}

// selectSumsUntil reads the values of gauges at the end of a month, as
// selectMonthUntil does.
func selectSumsUntil(ctx context.Context, q db.Querier, values map[measure]int64, subjects []subject, types []plan.Type, month time.Time) error {
	if len(types) == 0 {
		return nil
	}
	var s db.Statement
	s.Add(`SELECT workspace_id, bot_id, type, value FROM usage_months u`)
	addSubjects(&s, subjects, true, types)
	s.Add(` AND month = (SELECT MAX(p.month) FROM usage_months p
		WHERE p.workspace_id = u.workspace_id AND p.bot_id = u.bot_id AND p.type = u.type AND p.month <= ?)`, month.UnixMilli())
	return scanMeasures(ctx, q, s, values)
}

// selectGaugesOf reads what gauges say now.
func selectGaugesOf(ctx context.Context, q db.Querier, values map[measure]int64, subjects []subject, types []plan.Type) error {
	if len(types) == 0 {
		return nil
	}
	var s db.Statement
	if subjects[0].bot == "" {
		s.Add(`SELECT workspace_id, '', type, value FROM gauges`)
	} else {
		s.Add(`SELECT workspace_id, bot_id, type, value FROM bot_gauges`)
	}
	addSubjects(&s, subjects, subjects[0].bot != "", types)
	return scanMeasures(ctx, q, s, values)
}

// selectMonths reads the sums of the months before one, the newest first; of a gauge
// also the one that older months rest on.
func selectMonths(ctx context.Context, q db.Querier, who subject, t plan.Type, before time.Time) (sums []monthSum, err error) {
	var s db.Statement
	s.Add(`SELECT month, value FROM usage_months WHERE workspace_id = ? AND bot_id = ? AND type = ? AND month < ?
		ORDER BY month DESC LIMIT ?`, string(who.workspace), string(who.bot), string(t), before.UnixMilli(), historyMonths)
	return sums, each(ctx, q, s, func(rows *sql.Rows) error {
		var month int64
		var sum monthSum
		err := rows.Scan(&month, &sum.value)
		sum.month = db.Moment(month)
		sums = append(sums, sum)
		return err
	})
}

func scanByBot(ctx context.Context, q db.Querier, s db.Statement) (usages []BotUsage, err error) {
	usages = []BotUsage{}
	return usages, each(ctx, q, s, func(rows *sql.Rows) error {
		var u BotUsage
		err := rows.Scan(&u.Bot, &u.Value)
		usages = append(usages, u)
		return err
	})
}

func selectByBot(ctx context.Context, q db.Querier, w id.Workspace, t plan.Type, month time.Time) ([]BotUsage, error) {
	var s db.Statement
	s.Add(`SELECT bot_id, value FROM usage_months
		WHERE workspace_id = ? AND type = ? AND month = ? AND bot_id <> '' AND value > 0 ORDER BY bot_id`,
		string(w), string(t), month.UnixMilli())
	return scanByBot(ctx, q, s)
}

// selectByBotUntil reads what each bot had of a gauge at the end of a month.
func selectByBotUntil(ctx context.Context, q db.Querier, w id.Workspace, t plan.Type, month time.Time) ([]BotUsage, error) {
	var s db.Statement
	s.Add(`SELECT u.bot_id, u.value FROM usage_months u
		JOIN (SELECT bot_id, MAX(month) AS month FROM usage_months
			WHERE workspace_id = ? AND type = ? AND month <= ? AND bot_id <> '' GROUP BY bot_id) last
		ON last.bot_id = u.bot_id AND last.month = u.month
		WHERE u.workspace_id = ? AND u.type = ? AND u.value > 0 ORDER BY u.bot_id`,
		string(w), string(t), month.UnixMilli(), string(w), string(t))
	return scanByBot(ctx, q, s)
}

func selectBotGauges(ctx context.Context, q db.Querier, w id.Workspace, t plan.Type) ([]BotUsage, error) {
	var s db.Statement
	s.Add(`SELECT bot_id, value FROM bot_gauges WHERE workspace_id = ? AND type = ? AND value > 0 ORDER BY bot_id`, string(w), string(t))
	return scanByBot(ctx, q, s)
}

// selectBotWorkspaces reads which of ids are bots, and whose.
func selectBotWorkspaces(ctx context.Context, q db.Querier, ids []string) (map[string]id.Workspace, error) {
	found := map[string]id.Workspace{}
	names := storable(ids)
	if len(names) == 0 {
		return found, nil
	}
	var s db.Statement
	s.Add(`SELECT bot_id, workspace_id FROM metered_bots WHERE bot_id IN `)
	s.AddList(names...)
	return found, each(ctx, q, s, func(rows *sql.Rows) error {
		var b string
		var w id.Workspace
		err := rows.Scan(&b, &w)
		found[b] = w
		return err
	})
}

// selectRoles reads the roles that an account has in those of workspaces that it is a
// member of.
func selectRoles(ctx context.Context, q db.Querier, account id.Account, workspaces []id.Workspace) (map[id.Workspace]access.Role, error) {
	found := map[id.Workspace]access.Role{}
	names := storable(workspaces)
	if len(names) == 0 {
		return found, nil
	}
	var s db.Statement
	s.Add(`SELECT workspace_id, role FROM metered_memberships WHERE account_id = ? AND workspace_id IN `, string(account))
	s.AddList(names...)
	return found, each(ctx, q, s, func(rows *sql.Rows) error {
		var w id.Workspace
		var role access.Role
		err := rows.Scan(&w, &role)
		found[w] = role
		return err
	})
}

// storable are those of texts that an id can be: PostgreSQL does not even compare
// others.
func storable[T ~string](texts []T) (values []any) {
	for _, text := range texts {
		if s := string(text); s != "" && len(s) <= maxWord && word(s) == s {
			values = append(values, s)
		}
	}
	return values
}

// selectAllowancesOf reads what decides the quotas of an account's workspaces.
func selectAllowancesOf(ctx context.Context, q db.Querier, account id.Account) (map[id.Workspace]allowance, error) {
	found := map[id.Workspace]allowance{}
	var s db.Statement
	s.Add(`SELECT m.workspace_id, m.role, m.plan, l.type, l.operator_value, l.member_value, l.added
		FROM metered_memberships m LEFT JOIN quotas l ON l.workspace_id = m.workspace_id
		WHERE m.account_id = ?`, string(account))
	return found, each(ctx, q, s, func(rows *sql.Rows) error {
		var w id.Workspace
		var role access.Role
		var on plan.ID
		var t sql.NullString
		var set, chosen, added sql.NullInt64
		if err := rows.Scan(&w, &role, &on, &t, &set, &chosen, &added); err != nil {
			return err
		}
		if !role.Allows(access.WorkspaceRead) {
			return nil
		}
		if _, there := found[w]; !there {
			found[w] = allowance{on, map[plan.Type]plan.Adjustment{}}
		}
		if t.Valid {
			found[w].adjusted[plan.Type(t.String)] = adjustmentOf(set, chosen, added)
		}
		return nil
	})
}

// selectValuesOf reads what each workspace of an account used this month and has now.
func selectValuesOf(ctx context.Context, q db.Querier, account id.Account, month time.Time) (values []monthSum, err error) {
	var s db.Statement
	s.Add(`SELECT m.workspace_id, g.type, g.value
		FROM metered_memberships m JOIN gauges g ON g.workspace_id = m.workspace_id
		WHERE m.account_id = ?
		UNION ALL
		SELECT m.workspace_id, u.type, u.value
		FROM metered_memberships m JOIN usage_months u ON u.workspace_id = m.workspace_id AND u.bot_id = '' AND u.month = ?
		WHERE m.account_id = ? AND u.type IN `, string(account), month.UnixMilli(), string(account))
	var monthly []any
	for _, t := range plan.Types {
		if t.Monthly() {
			monthly = append(monthly, string(t))
		}
	}
	s.AddList(monthly...)
	return values, each(ctx, q, s, func(rows *sql.Rows) error {
		var v monthSum
		err := rows.Scan(&v.workspace, &v.of, &v.value)
		values = append(values, v)
		return err
	})
}

// selectActivity reads one record more than the page holds.
func selectActivity(ctx context.Context, q db.Querier, who subject, t plan.Type, in span, page db.Page) (list []Activity, err error) {
	var s db.Statement
	s.Add(`SELECT record_key, used_at, value, metadata FROM usage_records
		WHERE workspace_id = ? AND type = ? AND used_at >= ? AND used_at <= ?`, string(who.workspace), string(t), in.from, in.until)
	if who.bot != "" {
		s.Add(` AND bot_id = ?`, string(who.bot))
	}
	if page.After != nil {
		s.Add(` AND (used_at, record_key) < (?, ?)`, page.After.At, []byte(page.After.ID))
	}
	s.Add(` ORDER BY used_at DESC, record_key DESC LIMIT ?`, page.Size+1)
	list = []Activity{}
	return list, each(ctx, q, s, func(rows *sql.Rows) error {
		var a Activity
		var at int64
		var key []byte
		err := rows.Scan(&key, &at, &a.Value, &a.Metadata)
		a.key, a.At = string(key), db.Moment(at)
		list = append(list, a)
		return err
	})
}

// selectDays reads one sum more than the page holds.
func selectDays(ctx context.Context, q db.Querier, who subject, t plan.Type, in span, page db.Page) (list []DailyActivity, err error) {
	var s db.Statement
	s.Add(`SELECT day, series, value, bot_id, kind, subtype, source FROM usage_days
		WHERE workspace_id = ? AND type = ? AND day >= ? AND day <= ?`, string(who.workspace), string(t), in.from, in.until)
	if who.bot != "" {
		s.Add(` AND bot_id = ?`, string(who.bot))
	}
	if page.After != nil {
		s.Add(` AND (day, series) < (?, ?)`, page.After.At, page.After.ID)
	}
	s.Add(` ORDER BY day DESC, series DESC LIMIT ?`, page.Size+1)
	list = []DailyActivity{}
	return list, each(ctx, q, s, func(rows *sql.Rows) error {
		var a DailyActivity
		var day int64
		err := rows.Scan(&day, &a.Series, &a.Value, &a.Bot, &a.Kind, &a.Subtype, &a.Source)
		a.Day = db.Moment(day)
		list = append(list, a)
		return err
	})
}

// selectClosed reads which bots of a workspace keep an account out.
func selectClosed(ctx context.Context, q db.Querier, w id.Workspace, account id.Account) (map[id.Bot]bool, error) {
	var s db.Statement
	s.Add(`SELECT r.bot_id FROM restricted_bots r WHERE r.workspace_id = ?
		AND NOT EXISTS (SELECT 1 FROM bot_members m WHERE m.bot_id = r.bot_id AND m.account_id = ?)`, string(w), string(account))
	closed := map[id.Bot]bool{}
	return closed, each(ctx, q, s, func(rows *sql.Rows) error {
		var b id.Bot
		err := rows.Scan(&b)
		closed[b] = true
		return err
	})
}
