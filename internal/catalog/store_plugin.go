package catalog

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/id"
)

func insertPlugin(ctx context.Context, q db.Querier, p Plugin) error {
	_, err := q.Exec(ctx, `
		INSERT INTO plugins (id, workspace_id, name, version, visibility, lifecycle_status, title, description, created_at, updated_at,
			created_by, icon_hash, readme_hash, node_code_hash, browser_code_hash, sdk_version, attributes, definition)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		string(p.ID), string(p.Workspace), p.Name, p.Version, string(p.Visibility), string(p.Lifecycle), p.Title, p.Description,
		p.CreatedAt.UnixMilli(), p.UpdatedAt.UnixMilli(), db.Text(string(p.CreatedBy)), db.Text(string(p.Icon)), db.Text(string(p.Readme)),
		string(p.NodeCode), string(p.BrowserCode), db.Text(p.SDKVersion), string(p.Attributes), string(p.Definition))
	return err
}

// updatePlugin writes what an update can change, except for the icon.
func updatePlugin(ctx context.Context, q db.Querier, p Plugin) error {
	_, err := q.Exec(ctx, `
		UPDATE plugins SET visibility = $3, lifecycle_status = $4, title = $5, description = $6, updated_at = $7, readme_hash = $8,
			node_code_hash = $9, browser_code_hash = $10, sdk_version = $11, attributes = $12, definition = $13
		WHERE id = $1 AND workspace_id = $2`,
		string(p.ID), string(p.Workspace), string(p.Visibility), string(p.Lifecycle), p.Title, p.Description, p.UpdatedAt.UnixMilli(),
		db.Text(string(p.Readme)), string(p.NodeCode), string(p.BrowserCode), db.Text(p.SDKVersion), string(p.Attributes), string(p.Definition))
	return err
}

// writeDependencies replaces the dependencies of a plugin by d.
func writeDependencies(ctx context.Context, q db.Querier, p id.Plugin, d definition.Dependencies) error {
	if _, err := q.Exec(ctx, `DELETE FROM plugin_dependencies WHERE plugin_id = $1`, string(p)); err != nil {
		return err
	}
	for _, group := range []struct {
		kind Kind
		of   map[string]definition.Reference
	}{{InterfaceKind, d.Interfaces}, {IntegrationKind, d.Integrations}} {
		for _, alias := range slices.Sorted(maps.Keys(group.of)) {
			if _, err := q.Exec(ctx, `INSERT INTO plugin_dependencies (plugin_id, kind, alias, package_id) VALUES ($1, $2, $3, $4)`,
				string(p), string(group.kind), alias, group.of[alias].ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func deletePlugin(ctx context.Context, q db.Querier, w id.Workspace, p id.Plugin) error {
	if _, err := q.Exec(ctx, `DELETE FROM plugin_dependencies WHERE plugin_id = $1`, string(p)); err != nil {
		return err
	}
	_, err := q.Exec(ctx, `DELETE FROM plugins WHERE id = $1 AND workspace_id = $2`, string(p), string(w))
	return err
}

func deletePluginsOf(ctx context.Context, q db.Querier, w id.Workspace) error {
	for _, statement := range []string{
		`DELETE FROM plugin_dependencies WHERE plugin_id IN (SELECT id FROM plugins WHERE workspace_id = $1)`,
		`DELETE FROM plugins WHERE workspace_id = $1`,
	} {
		if _, err := q.Exec(ctx, statement, string(w)); err != nil {
			return err
		}
	}
	return nil
}

// pluginColumns are the columns that lists read; the definition is stored after them.
const pluginColumns = `id, workspace_id, name, version, visibility, lifecycle_status, title, description, created_at, updated_at, created_by, icon_hash, readme_hash`

// scanPlugin reads pluginColumns and what the caller selected after them.
func scanPlugin(scan func(...any) error, behind ...any) (p Plugin, err error) {
	var createdBy, icon, readme sql.NullString
	var created, updated int64
	err = scan(append([]any{&p.ID, &p.Workspace, &p.Name, &p.Version, &p.Visibility, &p.Lifecycle, &p.Title, &p.Description, &created, &updated, &createdBy, &icon, &readme}, behind...)...)
	p.CreatedAt, p.UpdatedAt = db.Moment(created), db.Moment(updated)
	p.CreatedBy, p.Icon, p.Readme = id.Account(createdBy.String), blob.Hash(icon.String), blob.Hash(readme.String)
	return p, err
}

const wholePlugin = `SELECT ` + pluginColumns + `, node_code_hash, browser_code_hash, sdk_version, attributes, definition FROM plugins`

// selectPlugin reads a plugin of the workspace or, with the empty workspace, an open one.
func selectPlugin(ctx context.Context, q db.Querier, w id.Workspace, p id.Plugin) (Plugin, bool, error) {
	if w == "" {
		return onePlugin(q.QueryRow(ctx, wholePlugin+` WHERE id = $1 AND visibility <> 'private'`, string(p)))
	}
	return onePlugin(q.QueryRow(ctx, wholePlugin+` WHERE id = $1 AND workspace_id = $2`, string(p), string(w)))
}

// selectPluginNamed is selectPlugin by name and version.
func selectPluginNamed(ctx context.Context, q db.Querier, w id.Workspace, name, version string) (Plugin, bool, error) {
	if w == "" {
		return onePlugin(q.QueryRow(ctx, wholePlugin+` WHERE name = $1 AND version = $2 AND visibility <> 'private'`, name, version))
	}
	return onePlugin(q.QueryRow(ctx, wholePlugin+` WHERE name = $1 AND version = $2 AND workspace_id = $3`, name, version, string(w)))
}

func onePlugin(row *sql.Row) (Plugin, bool, error) {
	var sdkVersion sql.NullString
	var node, browser, attributes, definition string
	p, err := scanPlugin(row.Scan, &node, &browser, &sdkVersion, &attributes, &definition)
	if errors.Is(err, sql.ErrNoRows) {
		return Plugin{}, false, nil
	}
	p.NodeCode, p.BrowserCode = blob.Hash(node), blob.Hash(browser)
	p.SDKVersion, p.Attributes, p.Definition = sdkVersion.String, JSON(attributes), JSON(definition)
	return p, err == nil, err
}

// selectPlugins reads a page and one more, which tells the caller whether another page
// follows.
func selectPlugins(ctx context.Context, q db.Querier, f Filter, page db.Page) (list []Plugin, err error) {
	narrow, of := "workspace_id", string(f.Workspace)
	if f.Hub {
		narrow, of = "visibility", string(Public)
	}
	statement := listQuery("plugins", pluginColumns, narrow, of, f, page)
	rows, err := q.Query(ctx, statement.Text(), statement.Args()...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		p, err := scanPlugin(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

func selectPluginUses(ctx context.Context, q db.Querier, h blob.Hash) (used bool, err error) {
	err = q.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM plugins WHERE icon_hash = $1) OR EXISTS (SELECT 1 FROM plugins WHERE readme_hash = $1)
			OR EXISTS (SELECT 1 FROM plugins WHERE node_code_hash = $1) OR EXISTS (SELECT 1 FROM plugins WHERE browser_code_hash = $1)`,
		string(h)).Scan(&used)
	return used, err
}

// selectPluginOwner reads which workspace a plugin belongs to, for the operator.
func selectPluginOwner(ctx context.Context, q db.Querier, p id.Plugin) (w id.Workspace, found bool, err error) {
	err = q.QueryRow(ctx, `SELECT workspace_id FROM plugins WHERE id = $1`, string(p)).Scan(&w)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return w, err == nil, err
}

// selectInstalledPlugins reads id, name and version of the plugins of a workspace that
// some bot has.
func selectInstalledPlugins(ctx context.Context, q db.Querier, w id.Workspace) (list []Plugin, err error) {
	rows, err := q.Query(ctx, `
		SELECT p.id, p.name, p.version FROM plugins p
		WHERE p.workspace_id = $1 AND EXISTS (SELECT 1 FROM bot_plugin_names b WHERE b.plugin_id = p.id) ORDER BY p.id`, string(w))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p Plugin
		if err := rows.Scan(&p.ID, &p.Name, &p.Version); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}
