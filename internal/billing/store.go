package billing

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

const subscriptionColumns = `workspace_id, plan, term, status, period_start, period_end, cycle_end, balance,
	plan_readonly, addons_readonly, held_invoice, address, created_at, updated_at, terms`

func scanSubscription(row interface{ Scan(...any) error }) (s Subscription, err error) {
	var start, end, cycle, created, updated int64
	var held, address sql.NullString
	var terms []byte
	err = row.Scan(&s.Workspace, &s.Plan, &s.Term, &s.Status, &start, &end, &cycle, &s.Balance,
		&s.PlanReadonly, &s.AddonsReadonly, &held, &address, &created, &updated, &terms)
	if err != nil {
		return Subscription{}, err
	}
	s.Period, s.CycleEnd = Period{db.Moment(start), db.Moment(end)}, db.Moment(cycle)
	s.Held, s.CreatedAt, s.UpdatedAt, s.kept = id.Invoice(held.String), db.Moment(created), db.Moment(updated), true
	if address.Valid {
		s.Address = &Address{}
		if err := json.Unmarshal([]byte(address.String), s.Address); err != nil {
			return Subscription{}, err
		}
	}
	return s, json.Unmarshal(terms, &s.Terms)
}

// selectSubscription reads a workspace's subscription; found is false when it has none.
func selectSubscription(ctx context.Context, q db.Querier, w id.Workspace) (s Subscription, found bool, err error) {
	s, err = scanSubscription(q.QueryRow(ctx, `SELECT `+subscriptionColumns+` FROM subscriptions WHERE workspace_id = $1`, string(w)))
	if errors.Is(err, sql.ErrNoRows) {
		return Subscription{}, false, nil
	}
	return s, err == nil, err
}

// upsertSubscription writes a subscription whole.
func upsertSubscription(ctx context.Context, q db.Querier, s Subscription) error {
	terms, err := json.Marshal(s.Terms, json.Deterministic(true))
	if err != nil {
		return err
	}
	var address sql.NullString
	if s.Address != nil {
		text, err := json.Marshal(s.Address)
		if err != nil {
			return err
		}
		address = sql.NullString{String: string(text), Valid: true}
	}
	recharges := false
	for _, r := range s.Recharges {
		recharges = recharges || r.Enabled
	}
	_, err = q.Exec(ctx, `
		INSERT INTO subscriptions (workspace_id, plan, term, status, period_start, period_end, cycle_end, balance,
			plan_readonly, addons_readonly, recharges, held_invoice, address, created_at, updated_at, terms)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
		ON CONFLICT (workspace_id) DO UPDATE SET
			plan = excluded.plan, term = excluded.term, status = excluded.status, period_start = excluded.period_start,
			period_end = excluded.period_end, cycle_end = excluded.cycle_end, balance = excluded.balance,
			plan_readonly = excluded.plan_readonly, addons_readonly = excluded.addons_readonly, recharges = excluded.recharges,
			held_invoice = excluded.held_invoice, address = excluded.address, updated_at = excluded.updated_at, terms = excluded.terms`,
		string(s.Workspace), string(s.Plan), string(s.Term), string(s.Status), s.Period.Start.UnixMilli(), s.Period.End.UnixMilli(),
		s.CycleEnd.UnixMilli(), int64(s.Balance), s.PlanReadonly, s.AddonsReadonly, recharges, db.Text(string(s.Held)), address,
		s.CreatedAt.UnixMilli(), s.UpdatedAt.UnixMilli(), string(terms))
	return err
}

// selectDue reads workspaces whose cycle has ended, in the order of their ids, after a
// given one. Which cycle ended first does not matter: each is closed month by month.
func selectDue(ctx context.Context, q db.Querier, at time.Time, after id.Workspace, most int) ([]id.Workspace, error) {
	return selectIDs[id.Workspace](ctx, q, `
		SELECT workspace_id FROM subscriptions WHERE cycle_end <= $1 AND workspace_id > $2 ORDER BY workspace_id LIMIT $3`,
		at.UnixMilli(), string(after), most)
}

// selectRecharging reads workspaces that have auto-recharge enabled for an add-on.
func selectRecharging(ctx context.Context, q db.Querier, after id.Workspace, most int) ([]id.Workspace, error) {
	return selectIDs[id.Workspace](ctx, q, `
		SELECT workspace_id FROM subscriptions WHERE recharges = TRUE AND workspace_id > $1 ORDER BY workspace_id LIMIT $2`,
		string(after), most)
}

func selectIDs[T ~string](ctx context.Context, q db.Querier, query string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// party is what billing knows of a workspace. It is read from a view, because billing does
// not own workspaces.
type party struct {
	plan    plan.ID
	trial   id.Trial
	name    string
	email   string
	blocked bool
	// spending is how much auto-recharge may spend in a month.
	spending plan.Cents
}

func selectParty(ctx context.Context, q db.Querier, w id.Workspace) (p party, found bool, err error) {
	var trial sql.NullString
	err = q.QueryRow(ctx, `SELECT plan, active_trial_id, name, email, blocked, spending_limit FROM billed_workspaces WHERE id = $1`, string(w)).
		Scan(&p.plan, &trial, &p.name, &p.email, &p.blocked, &p.spending)
	if errors.Is(err, sql.ErrNoRows) {
		return party{}, false, nil
	}
	p.trial = id.Trial(trial.String)
	return p, err == nil, err
}

func deleteSubscription(ctx context.Context, q db.Querier, w id.Workspace) error {
	for _, statement := range []string{
		`DELETE FROM subscriptions WHERE workspace_id = $1`,
		`DELETE FROM trials WHERE workspace_id = $1`,
		`DELETE FROM credit_grants WHERE workspace_id = $1`,
	} {
		if _, err := q.Exec(ctx, statement, string(w)); err != nil {
			return err
		}
	}
	return nil
}
