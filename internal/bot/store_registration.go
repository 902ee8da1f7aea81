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
	// calls is how many calls were made for the generation, which are made again.
	calls int
	// blocked is whether the bot is, unpaid whether its workspace is.
	blocked, unpaid bool
}

// selectCalled reads the instance of a webhook.
func selectCalled(ctx context.Context, q db.Querier, w id.Webhook) (r calledRow, found bool, err error) {
	var configurationType, identifier, reason sql.NullString
	i := &r.instance
	err = q.QueryRow(ctx, `
		SELECT bot_id, workspace_id, alias, integration_id, enabled, configuration_type, configuration, identifier, status, status_reason,
			generation, calls, bot_blocked, workspace_blocked
		FROM called_instances WHERE webhook_id = $1`, string(w)).
		Scan(&r.bot, &r.workspace, &i.Alias, &i.Integration, &i.Enabled, &configurationType, &i.Sealed, &identifier, &i.Status, &reason,
			&r.generation, &r.calls, &r.blocked, &r.unpaid)
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	if configurationType.Valid {
		i.ConfigurationType = &configurationType.String
	}
	i.Webhook, i.Identifier, i.StatusReason = w, identifier.String, reason.String
	return r, err == nil, err
}

// updateRegistration writes what came of a call, unless the instance was written or
// departed since the call began; changed says whether it was not.
//
// A generation alone does not tell: that of an instance which is removed and restored
// begins again. Its departure is told before anything else, so it is still to be told.
func updateRegistration(ctx context.Context, q db.Querier, r calledRow, to standing) (changed bool, err error) {
	n, err := q.Exec(ctx, `
		UPDATE bot_integrations SET status = $3, status_reason = $4, calls = calls + 1
		WHERE webhook_id = $1 AND generation = $2 AND status = $5
			AND NOT EXISTS (SELECT 1 FROM departed_instances d WHERE d.webhook_id = $1)`,
		string(r.instance.Webhook), r.generation, string(to.status), db.Text(to.reason), string(Pending))
	return n > 0, err
}

// updateDeparture writes what came of telling an integration that an instance, which
// was switched off, is no more.
func updateDeparture(ctx context.Context, q db.Querier, w id.Webhook, to standing) error {
	_, err := q.Exec(ctx, `UPDATE bot_integrations SET status = $2, status_reason = $3 WHERE webhook_id = $1 AND status = $4`,
		string(w), string(to.status), db.Text(to.reason), string(UnregisterPending))
	return err
}

// departedRow is who is to be told that an instance is no more; the callee is sealed.
type departedRow struct {
	webhook id.Webhook
	callee  string
	// departed tells one departure of a webhook from the next.
	departed int64
	// calls is how many calls were made for the departure, which are made again.
	calls int
}

// upsertDeparted notes a departure. If one of the webhook is still to be told, its callee
// stays: only that one was ever called, since it is told before what came after it.
func upsertDeparted(ctx context.Context, q db.Querier, w id.Webhook, sealed string, now time.Time) error {
	_, err := q.Exec(ctx, `
		INSERT INTO departed_instances (webhook_id, callee, departed_at, calls) VALUES ($1, $2, $3, 0)
		ON CONFLICT (webhook_id) DO UPDATE SET departed_at = departed_instances.departed_at + 1, calls = 0`,
		string(w), sealed, now.UnixMilli())
	return err
}

func selectDeparted(ctx context.Context, q db.Querier, w id.Webhook) (r departedRow, found bool, err error) {
	r.webhook = w
	err = q.QueryRow(ctx, `SELECT callee, departed_at, calls FROM departed_instances WHERE webhook_id = $1`, string(w)).
		Scan(&r.callee, &r.departed, &r.calls)
	if errors.Is(err, sql.ErrNoRows) {
		return departedRow{}, false, nil
	}
	return r, err == nil, err
}

// countDepartedCall counts a call that is made again; counted is false if there was another
// departure since it began.
func countDepartedCall(ctx context.Context, q db.Querier, r departedRow) (counted bool, err error) {
	n, err := q.Exec(ctx, `UPDATE departed_instances SET calls = calls + 1 WHERE webhook_id = $1 AND departed_at = $2`,
		string(r.webhook), r.departed)
	return n > 0, err
}

// deleteDeparted deletes a departure that was told; deleted is false if there was another
// one since the call began.
func deleteDeparted(ctx context.Context, q db.Querier, r departedRow) (deleted bool, err error) {
	n, err := q.Exec(ctx, `DELETE FROM departed_instances WHERE webhook_id = $1 AND departed_at = $2`, string(r.webhook), r.departed)
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
		UPDATE bot_integrations SET identifier_scope = $2, identifier = $3, status = $4, status_reason = $5,
			generation = generation + 1, calls = 0
		WHERE webhook_id = $1`,
		string(w), db.Text(scope), db.Text(identifier), string(to.status), db.Text(to.reason))
	return err
}

// clearIdentifier takes the identifier from an instance; it stays registered, and a call
// that is under way counts.
func clearIdentifier(ctx context.Context, q db.Querier, w id.Webhook) error {
	_, err := q.Exec(ctx, `UPDATE bot_integrations SET identifier_scope = NULL, identifier = NULL WHERE webhook_id = $1`, string(w))
	return err
}

// deployedRow is a bot that is to be told of its deployment.
type deployedRow struct {
	Bot
	// deployed tells one deployment of a bot from the next.
	deployed int64
	// calls is how many calls were made for the deployment, which are made again.
	calls int
}

// upsertDeployed notes that a bot is to be told of a deployment, which takes the place of
// an earlier one.
func upsertDeployed(ctx context.Context, q db.Querier, bot id.Bot, now time.Time) error {
	_, err := q.Exec(ctx, `
		INSERT INTO deployed_bots (bot_id, deployed_at, calls) VALUES ($1, $2, 0)
		ON CONFLICT (bot_id) DO UPDATE SET deployed_at = deployed_bots.deployed_at + 1, calls = 0`, string(bot), now.UnixMilli())
	return err
}

// selectDeployed reads what a call needs of a bot that is to be told of its deployment.
func selectDeployed(ctx context.Context, q db.Querier, bot id.Bot) (r deployedRow, found bool, err error) {
	var url sql.NullString
	var most sql.NullInt64
	err = q.QueryRow(ctx, `
		SELECT b.workspace_id, b.url, b.max_execution_time, b.definition, d.deployed_at, d.calls
		FROM deployed_bots d JOIN bots b ON b.id = d.bot_id WHERE d.bot_id = $1`, string(bot)).
		Scan(&r.Workspace, &url, &most, &r.Definition, &r.deployed, &r.calls)
	if errors.Is(err, sql.ErrNoRows) {
		return deployedRow{}, false, nil
	}
	r.ID, r.URL, r.MaxExecutionTime = bot, url.String, most.Int64
	return r, err == nil, err
}

// countDeployedCall counts a call that is made again; counted is false if there was another
// deployment since it began.
func countDeployedCall(ctx context.Context, q db.Querier, r deployedRow) (counted bool, err error) {
	n, err := q.Exec(ctx, `UPDATE deployed_bots SET calls = calls + 1 WHERE bot_id = $1 AND deployed_at = $2`, string(r.ID), r.deployed)
	return n > 0, err
}

// deleteDeployed deletes a deployment that was told; deleted is false if there was another
// one since the call began.
func deleteDeployed(ctx context.Context, q db.Querier, r deployedRow) (deleted bool, err error) {
	n, err := q.Exec(ctx, `DELETE FROM deployed_bots WHERE bot_id = $1 AND deployed_at = $2`, string(r.ID), r.deployed)
	return n > 0, err
}

// forgetDeployed deletes the deployment that a bot is still to be told of, if there is one.
func forgetDeployed(ctx context.Context, q db.Querier, bot id.Bot) error {
	_, err := q.Exec(ctx, `DELETE FROM deployed_bots WHERE bot_id = $1`, string(bot))
	return err
}

// selectWorkspace reads in which workspace a bot is.
func selectWorkspace(ctx context.Context, q db.Querier, bot id.Bot) (w id.Workspace, err error) {
	err = q.QueryRow(ctx, `SELECT workspace_id FROM bots WHERE id = $1`, string(bot)).Scan(&w)
	return w, err
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
	_, err := q.Exec(ctx, `UPDATE bot_integrations SET status = $2, status_reason = $3, generation = generation + 1, calls = 0 WHERE webhook_id = $1`,
		string(w), string(to.status), db.Text(to.reason))
	return err
}
