package bot

import (
	"context"
	"database/sql"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

func upsertInstance(ctx context.Context, q db.Querier, bot id.Bot, i Instance) error {
	_, err := q.Exec(ctx, `
		INSERT INTO bot_integrations (bot_id, alias, integration_id, enabled, configuration_type, configuration, disabled_channels,
			webhook_id, identifier, status, status_reason, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (bot_id, alias) DO UPDATE SET integration_id = excluded.integration_id, enabled = excluded.enabled,
			configuration_type = excluded.configuration_type, configuration = excluded.configuration,
			disabled_channels = excluded.disabled_channels, webhook_id = excluded.webhook_id, identifier = excluded.identifier,
			status = excluded.status, status_reason = excluded.status_reason, created_at = excluded.created_at, updated_at = excluded.updated_at,
			generation = bot_integrations.generation + 1, calls = 0`,
		string(bot), i.Alias, string(i.Integration), i.Enabled, optional(i.ConfigurationType), i.Sealed, string(i.DisabledChannels),
		string(i.Webhook), db.Text(i.Identifier), string(i.Status), db.Text(i.StatusReason), i.CreatedAt.UnixMilli(), i.UpdatedAt.UnixMilli())
	return err
}

func deleteInstance(ctx context.Context, q db.Querier, bot id.Bot, alias string) error {
	if _, err := deleteShareable(ctx, q, bot, alias); err != nil {
		return err
	}
	_, err := q.Exec(ctx, `DELETE FROM bot_integrations WHERE bot_id = $1 AND alias = $2`, string(bot), alias)
	return err
}

func upsertPlugin(ctx context.Context, q db.Querier, bot id.Bot, p PluginInstance) error {
	interfaces, err := toJSON(p.Interfaces)
	if err != nil {
		return err
	}
	integrations, err := toJSON(p.Integrations)
	if err != nil {
		return err
	}
	_, err = q.Exec(ctx, `
		INSERT INTO bot_plugins (bot_id, alias, plugin_id, enabled, configuration, interfaces, integrations, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (bot_id, alias) DO UPDATE SET plugin_id = excluded.plugin_id, enabled = excluded.enabled,
			configuration = excluded.configuration, interfaces = excluded.interfaces, integrations = excluded.integrations,
			created_at = excluded.created_at, updated_at = excluded.updated_at`,
		string(bot), p.Alias, string(p.Plugin), p.Enabled, p.Sealed, string(interfaces), string(integrations),
		p.CreatedAt.UnixMilli(), p.UpdatedAt.UnixMilli())
	return err
}

func deletePlugin(ctx context.Context, q db.Querier, bot id.Bot, alias string) error {
	_, err := q.Exec(ctx, `DELETE FROM bot_plugins WHERE bot_id = $1 AND alias = $2`, string(bot), alias)
	return err
}

// packageQuery reads all that a bot has installed.
const packageQuery = `
	SELECT kind, alias, package_id, enabled, configuration, configuration_type, disabled_channels, webhook_id, identifier,
		status, status_reason, interfaces, integrations, installed_at, set_up_at, name, version, title, description,
		visibility, verification_status, lifecycle_status, icon_hash, readme_hash, created_at, updated_at
	FROM bot_packages WHERE bot_id = $1 ORDER BY alias`

// selectPackages reads what a bot has installed; the configurations are sealed.
func selectPackages(ctx context.Context, q db.Querier, bot id.Bot) (integrations []Instance, plugins []PluginInstance, err error) {
	rows, err := q.Query(ctx, packageQuery, string(bot))
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r packageRow
		if err := r.scan(rows); err != nil {
			return nil, nil, err
		}
		if r.kind == "integration" {
			integrations = append(integrations, r.instance())
			continue
		}
		p, err := r.plugin()
		if err != nil {
			return nil, nil, err
		}
		plugins = append(plugins, p)
	}
	return integrations, plugins, rows.Err()
}

type packageRow struct {
	kind, alias, id, sealed, channels, webhook, status, interfaces, integrations string
	enabled                                                                      bool
	configurationType, identifier, reason, icon, readme                          sql.NullString
	installed, setUp, created, updated                                           int64
	of                                                                           Package
}

func (r *packageRow) scan(rows *sql.Rows) error {
	err := rows.Scan(&r.kind, &r.alias, &r.id, &r.enabled, &r.sealed, &r.configurationType, &r.channels, &r.webhook, &r.identifier,
		&r.status, &r.reason, &r.interfaces, &r.integrations, &r.installed, &r.setUp, &r.of.Name, &r.of.Version, &r.of.Title, &r.of.Description,
		&r.of.Visibility, &r.of.Verification, &r.of.Lifecycle, &r.icon, &r.readme, &r.created, &r.updated)
	r.of.Icon, r.of.Readme = blob.Hash(r.icon.String), blob.Hash(r.readme.String)
	r.of.CreatedAt, r.of.UpdatedAt = db.Moment(r.created), db.Moment(r.updated)
	return err
}

func (r *packageRow) instance() Instance {
	i := Instance{
		Alias: r.alias, Integration: id.Integration(r.id), Enabled: r.enabled, DisabledChannels: JSON(r.channels),
		Webhook: id.Webhook(r.webhook), Identifier: r.identifier.String, Status: Registration(r.status), StatusReason: r.reason.String,
		CreatedAt: db.Moment(r.installed), UpdatedAt: db.Moment(r.setUp), Sealed: r.sealed, Of: r.of,
	}
	if r.configurationType.Valid {
		i.ConfigurationType = &r.configurationType.String
	}
	return i
}

func (r *packageRow) plugin() (p PluginInstance, err error) {
	p = PluginInstance{
		Alias: r.alias, Plugin: id.Plugin(r.id), Enabled: r.enabled,
		CreatedAt: db.Moment(r.installed), UpdatedAt: db.Moment(r.setUp), Sealed: r.sealed, Of: r.of,
	}
	if err := wire.ParseJSON([]byte(r.interfaces), &p.Interfaces); err != nil {
		return p, err
	}
	return p, wire.ParseJSON([]byte(r.integrations), &p.Integrations)
}

// selectInstalled reads which integrations a bot has; each counts once.
func selectInstalled(ctx context.Context, q db.Querier, bot id.Bot) (map[id.Integration]int64, error) {
	return scanInstalled(q.Query(ctx, `SELECT DISTINCT integration_id, 1 FROM bot_integrations WHERE bot_id = $1`, string(bot)))
}

// selectInstalledOf reads which integrations the bots of a workspace have, and how
// many bots each.
func selectInstalledOf(ctx context.Context, q db.Querier, w id.Workspace) (map[id.Integration]int64, error) {
	return scanInstalled(q.Query(ctx, `
		SELECT i.integration_id, COUNT(DISTINCT i.bot_id) FROM bots b JOIN bot_integrations i ON i.bot_id = b.id
		WHERE b.workspace_id = $1 GROUP BY i.integration_id`, string(w)))
}

func scanInstalled(rows *sql.Rows, err error) (map[id.Integration]int64, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	installed := map[id.Integration]int64{}
	for rows.Next() {
		var integration string
		var bots int64
		if err := rows.Scan(&integration, &bots); err != nil {
			return nil, err
		}
		installed[id.Integration(integration)] = bots
	}
	return installed, rows.Err()
}

// Who has a package installed: the workspace's bots by name, and how many others.
const (
	ownIntegrationUsers = `
		SELECT DISTINCT b.name, b.id FROM bot_integrations p JOIN bots b ON b.id = p.bot_id
		WHERE p.integration_id = $1 AND b.workspace_id = $2 ORDER BY b.name, b.id`
	otherIntegrationUsers = `
		SELECT COUNT(DISTINCT b.id) FROM bot_integrations p JOIN bots b ON b.id = p.bot_id
		WHERE p.integration_id = $1 AND b.workspace_id <> $2`
	ownPluginUsers = `
		SELECT DISTINCT b.name, b.id FROM bot_plugins p JOIN bots b ON b.id = p.bot_id
		WHERE p.plugin_id = $1 AND b.workspace_id = $2 ORDER BY b.name, b.id`
	otherPluginUsers = `
		SELECT COUNT(DISTINCT b.id) FROM bot_plugins p JOIN bots b ON b.id = p.bot_id
		WHERE p.plugin_id = $1 AND b.workspace_id <> $2`
)

func selectIntegrationUsers(ctx context.Context, q db.Querier, w id.Workspace, i id.Integration, keptOut id.Account) (own []string, others int, err error) {
	return selectUsers(ctx, q, ownIntegrationUsers, otherIntegrationUsers, string(i), w, keptOut)
}

func selectPluginUsers(ctx context.Context, q db.Querier, w id.Workspace, p id.Plugin, keptOut id.Account) (own []string, others int, err error) {
	return selectUsers(ctx, q, ownPluginUsers, otherPluginUsers, string(p), w, keptOut)
}

func selectUsers(ctx context.Context, q db.Querier, ownQuery, otherQuery, of string, w id.Workspace, keptOut id.Account) (own []string, others int, err error) {
	if err := q.QueryRow(ctx, otherQuery, of, string(w)).Scan(&others); err != nil {
		return nil, 0, err
	}
	closed, err := selectAllClosed(ctx, q, w, keptOut)
	if err != nil {
		return nil, 0, err
	}
	rows, err := q.Query(ctx, ownQuery, of, string(w))
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, bot string
		if err := rows.Scan(&name, &bot); err != nil {
			return nil, 0, err
		}
		if closed[bot] {
			name = "a bot that you are not let into"
		}
		own = append(own, name)
	}
	return own, others, rows.Err()
}
