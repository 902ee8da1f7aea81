package bot

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// calledRow is an instance as calls need it; its configuration is sealed.
type calledRow struct {
	instance   Instance
	bot        id.Bot
	workspace  id.Workspace
	generation int64
	// blocked is whether the bot is, unpaid whether its workspace is.
	blocked, unpaid bool
}

// selectCalled reads the instance of a webhook.
func selectCalled(ctx context.Context, q db.Querier, w id.Webhook) (r calledRow, found bool, err error) {
	var configurationType, identifier sql.NullString
	i := &r.instance
	err = q.QueryRow(ctx, `
		SELECT bot_id, workspace_id, alias, integration_id, enabled, configuration_type, configuration, identifier, status,
			generation, bot_blocked, workspace_blocked
		FROM called_instances WHERE webhook_id = $1`, string(w)).
		Scan(&r.bot, &r.workspace, &i.Alias, &i.Integration, &i.Enabled, &configurationType, &i.Sealed, &identifier, &i.Status,
			&r.generation, &r.blocked, &r.unpaid)
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	if configurationType.Valid {
		i.ConfigurationType = &configurationType.String
	}
	i.Webhook, i.Identifier = w, identifier.String
	return r, err == nil, err
}

// updateRegistration writes what came of a call, unless the instance was written
// since the call began; changed says whether it was not.
func updateRegistration(ctx context.Context, q db.Querier, w id.Webhook, generation int64, r Registration, reason string) (changed bool, err error) {
	n, err := q.Exec(ctx, `
		UPDATE bot_integrations SET status = $3, status_reason = $4 WHERE webhook_id = $1 AND generation = $2 AND status = $5`,
		string(w), generation, string(r), db.Text(reason), string(Pending))
	return n > 0, err
}

// updateDeparture writes what came of telling an integration that an instance, which
// was switched off, is no more.
func updateDeparture(ctx context.Context, q db.Querier, w id.Webhook, r Registration, reason string) error {
	_, err := q.Exec(ctx, `UPDATE bot_integrations SET status = $2, status_reason = $3 WHERE webhook_id = $1 AND status = $4`,
		string(w), string(r), db.Text(reason), string(UnregisterPending))
	return err
}

func upsertDeparted(ctx context.Context, q db.Querier, w id.Webhook, sealed string, now time.Time) error {
	_, err := q.Exec(ctx, `
		INSERT INTO departed_instances (webhook_id, callee, departed_at) VALUES ($1, $2, $3)
		ON CONFLICT (webhook_id) DO UPDATE SET callee = excluded.callee, departed_at = departed_instances.departed_at + 1`,
		string(w), sealed, now.UnixMilli())
	return err
}

// selectDeparted reads who is to be told that an instance is no more; departed tells
// one departure of a webhook from the next.
func selectDeparted(ctx context.Context, q db.Querier, w id.Webhook) (sealed string, departed int64, found bool, err error) {
	err = q.QueryRow(ctx, `SELECT callee, departed_at FROM departed_instances WHERE webhook_id = $1`, string(w)).Scan(&sealed, &departed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", 0, false, nil
	}
	return sealed, departed, err == nil, err
}

func deleteDeparted(ctx context.Context, q db.Querier, w id.Webhook, departed int64) (deleted bool, err error) {
	n, err := q.Exec(ctx, `DELETE FROM departed_instances WHERE webhook_id = $1 AND departed_at = $2`, string(w), departed)
	return n > 0, err
}

// standing is how far an integration knows of an instance.
type standing struct {
	status Registration
	reason string
}

// selectStandings reads the registrations of a bot's instances by alias.
func selectStandings(ctx context.Context, q db.Querier, bot id.Bot) (map[string]standing, error) {
	rows, err := q.Query(ctx, `SELECT alias, status, status_reason FROM bot_integrations WHERE bot_id = $1`, string(bot))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]standing{}
	for rows.Next() {
		var alias string
		var reason sql.NullString
		var s standing
		if err := rows.Scan(&alias, &s.status, &reason); err != nil {
			return nil, err
		}
		s.reason = reason.String
		all[alias] = s
	}
	return all, rows.Err()
}

// selectInstalling reads the bots of a workspace that have integrations which may know
// of them.
func selectInstalling(ctx context.Context, q db.Querier, w id.Workspace) ([]id.Bot, error) {
	rows, err := q.Query(ctx, `
		SELECT DISTINCT b.id FROM bots b JOIN bot_integrations i ON i.bot_id = b.id
		WHERE b.workspace_id = $1 AND i.status <> $2 ORDER BY b.id`, string(w), string(Unregistered))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var bots []id.Bot
	for rows.Next() {
		var bot id.Bot
		if err := rows.Scan(&bot); err != nil {
			return nil, err
		}
		bots = append(bots, bot)
	}
	return bots, rows.Err()
}

// selectIdentified reads which instance owns an identifier, and whose it is.
func selectIdentified(ctx context.Context, q db.Querier, scope, identifier string) (w id.Webhook, workspace id.Workspace, found bool, err error) {
	err = q.QueryRow(ctx, `SELECT webhook_id, workspace_id FROM called_instances WHERE identifier_scope = $1 AND identifier = $2`, scope, identifier).
		Scan(&w, &workspace)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", false, nil
	}
	return w, workspace, err == nil, err
}

// updateIdentifier gives an instance an identifier, or takes it when it is empty, and
// lets it stand where the caller says.
func updateIdentifier(ctx context.Context, q db.Querier, w id.Webhook, scope, identifier string, to standing) error {
	_, err := q.Exec(ctx, `
		UPDATE bot_integrations SET identifier_scope = $2, identifier = $3, status = $4, status_reason = $5, generation = generation + 1
		WHERE webhook_id = $1`,
		string(w), db.Text(scope), db.Text(identifier), string(to.status), db.Text(to.reason))
	return err
}

// clearIdentifier takes the identifier from an instance; it stays registered.
func clearIdentifier(ctx context.Context, q db.Querier, w id.Webhook) error {
	_, err := q.Exec(ctx, `
		UPDATE bot_integrations SET identifier_scope = NULL, identifier = NULL, generation = generation + 1 WHERE webhook_id = $1`, string(w))
	return err
}

// selectCallableBot reads what a call to a bot needs of its row.
func selectCallableBot(ctx context.Context, q db.Querier, bot id.Bot) (b Bot, found bool, err error) {
	var url sql.NullString
	var most sql.NullInt64
	err = q.QueryRow(ctx, `SELECT workspace_id, url, max_execution_time, definition FROM bots WHERE id = $1`, string(bot)).
		Scan(&b.Workspace, &url, &most, &b.Definition)
	if errors.Is(err, sql.ErrNoRows) {
		return Bot{}, false, nil
	}
	b.ID, b.URL, b.MaxExecutionTime = bot, url.String, most.Int64
	return b, err == nil, err
}

const installsQuery = `
	SELECT i.webhook_id, i.bot_id, i.alias, b.workspace_id, i.enabled, i.configuration_type, i.identifier, i.status, i.status_reason
	FROM bot_integrations i JOIN bots b ON b.id = i.bot_id
	WHERE i.integration_id = $1 AND (i.bot_id, i.alias) > ($2, $3)
	ORDER BY i.bot_id, i.alias LIMIT $4`

// selectInstalls reads the instances of an integration in the order of bots, as far as
// their registration is concerned.
func selectInstalls(ctx context.Context, q db.Querier, integration id.Integration, after installedKey, most int) (page []calledRow, err error) {
	rows, err := q.Query(ctx, installsQuery, string(integration), string(after.Bot), after.Alias, most)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r calledRow
		var configurationType, identifier, reason sql.NullString
		i := &r.instance
		if err := rows.Scan(&i.Webhook, &r.bot, &i.Alias, &r.workspace, &i.Enabled, &configurationType, &identifier, &i.Status, &reason); err != nil {
			return nil, err
		}
		if configurationType.Valid {
			i.ConfigurationType = &configurationType.String
		}
		i.Integration, i.Identifier, i.StatusReason = integration, identifier.String, reason.String
		page = append(page, r)
	}
	return page, rows.Err()
}

const uncalledQuery = `
	SELECT COUNT(*) FROM bot_integrations
	WHERE integration_id = $1 AND (bot_id, alias) > ($2, $3) AND (bot_id, alias) <= ($4, $5) AND enabled = TRUE AND status = $6 AND status_reason = $7`

// countUncalled counts the instances of the page before p that wait for their call.
func countUncalled(ctx context.Context, q db.Querier, p installs) (n int, err error) {
	err = q.QueryRow(ctx, uncalledQuery, string(p.Integration), string(p.Before.Bot), p.Before.Alias, string(p.After.Bot), p.After.Alias,
		string(Pending), notCalled).Scan(&n)
	return n, err
}

// updateStanding lets an instance stand where the caller says; what comes of a call
// that began before does not count any more.
func updateStanding(ctx context.Context, q db.Querier, w id.Webhook, to standing) error {
	_, err := q.Exec(ctx, `UPDATE bot_integrations SET status = $2, status_reason = $3, generation = generation + 1 WHERE webhook_id = $1`,
		string(w), string(to.status), db.Text(to.reason))
	return err
}
