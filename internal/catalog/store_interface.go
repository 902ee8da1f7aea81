package catalog

import (
	"context"
	"database/sql"
	"errors"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

func insertInterface(ctx context.Context, q db.Querier, i Interface) error {
	_, err := q.Exec(ctx, `
		INSERT INTO interfaces (id, workspace_id, name, version, public, title, description, created_at, updated_at, created_by,
			icon_hash, readme_hash, sdk_version, attributes, definition)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		string(i.ID), string(i.Workspace), i.Name, i.Version, i.Public, i.Title, i.Description, i.CreatedAt.UnixMilli(), i.UpdatedAt.UnixMilli(),
		db.Text(string(i.CreatedBy)), db.Text(string(i.Icon)), db.Text(string(i.Readme)), db.Text(i.SDKVersion), string(i.Attributes), string(i.Definition))
	return err
}

// updateInterface writes what an update can change, except for the icon.
func updateInterface(ctx context.Context, q db.Querier, i Interface) error {
	_, err := q.Exec(ctx, `
		UPDATE interfaces SET public = $3, title = $4, description = $5, updated_at = $6, readme_hash = $7, sdk_version = $8,
			attributes = $9, definition = $10
		WHERE id = $1 AND workspace_id = $2`,
		string(i.ID), string(i.Workspace), i.Public, i.Title, i.Description, i.UpdatedAt.UnixMilli(), db.Text(string(i.Readme)),
		db.Text(i.SDKVersion), string(i.Attributes), string(i.Definition))
	return err
}

func deleteInterface(ctx context.Context, q db.Querier, w id.Workspace, i id.Interface) error {
	_, err := q.Exec(ctx, `DELETE FROM interfaces WHERE id = $1 AND workspace_id = $2`, string(i), string(w))
	return err
}

func deleteInterfacesOf(ctx context.Context, q db.Querier, w id.Workspace) error {
	_, err := q.Exec(ctx, `DELETE FROM interfaces WHERE workspace_id = $1`, string(w))
	return err
}

// interfaceColumns are the columns that lists read; the definition is stored after them.
const interfaceColumns = `id, workspace_id, name, version, public, title, description, created_at, updated_at, created_by, icon_hash, readme_hash`

// scanInterface reads interfaceColumns and what the caller selected after them.
func scanInterface(scan func(...any) error, behind ...any) (i Interface, err error) {
	var createdBy, icon, readme sql.NullString
	var created, updated int64
	err = scan(append([]any{&i.ID, &i.Workspace, &i.Name, &i.Version, &i.Public, &i.Title, &i.Description, &created, &updated, &createdBy, &icon, &readme}, behind...)...)
	i.CreatedAt, i.UpdatedAt = db.Moment(created), db.Moment(updated)
	i.CreatedBy, i.Icon, i.Readme = id.Account(createdBy.String), blob.Hash(icon.String), blob.Hash(readme.String)
	return i, err
}

// selectInterface reads an interface of the workspace or, with the empty workspace, a
// public one.
func selectInterface(ctx context.Context, q db.Querier, w id.Workspace, i id.Interface) (Interface, bool, error) {
	const all = `SELECT ` + interfaceColumns + `, sdk_version, attributes, definition FROM interfaces WHERE id = $1`
	if w == "" {
		return oneInterface(q.QueryRow(ctx, all+` AND public`, string(i)))
	}
	return oneInterface(q.QueryRow(ctx, all+` AND workspace_id = $2`, string(i), string(w)))
}

// selectInterfaceNamed is selectInterface by name and version.
func selectInterfaceNamed(ctx context.Context, q db.Querier, w id.Workspace, name, version string) (Interface, bool, error) {
	const all = `SELECT ` + interfaceColumns + `, sdk_version, attributes, definition FROM interfaces WHERE name = $1 AND version = $2`
	if w == "" {
		return oneInterface(q.QueryRow(ctx, all+` AND public`, name, version))
	}
	return oneInterface(q.QueryRow(ctx, all+` AND workspace_id = $3`, name, version, string(w)))
}

func oneInterface(row *sql.Row) (Interface, bool, error) {
	var sdkVersion sql.NullString
	var attributes, definition string
	i, err := scanInterface(row.Scan, &sdkVersion, &attributes, &definition)
	if errors.Is(err, sql.ErrNoRows) {
		return Interface{}, false, nil
	}
	i.SDKVersion, i.Attributes, i.Definition = sdkVersion.String, JSON(attributes), JSON(definition)
	return i, err == nil, err
}

// selectInterfaces reads a page and one more, which tells the caller whether another page
// follows.
func selectInterfaces(ctx context.Context, q db.Querier, f Filter, page db.Page) (list []Interface, err error) {
	narrow, of := "workspace_id", any(string(f.Workspace))
	if f.Hub {
		narrow, of = "public", true
	}
	statement := listQuery("interfaces", interfaceColumns, narrow, of, f, page)
	rows, err := q.Query(ctx, statement.Text(), statement.Args()...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		i, err := scanInterface(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, i)
	}
	return list, rows.Err()
}

func selectInterfaceUses(ctx context.Context, q db.Querier, h blob.Hash) (used bool, err error) {
	err = q.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM interfaces WHERE icon_hash = $1) OR EXISTS (SELECT 1 FROM interfaces WHERE readme_hash = $1)`, string(h)).Scan(&used)
	return used, err
}

// selectDependents reads which packages are built on a package: the integrations that
// implement it and the plugins that depend on it. Of those of workspace w it reads one
// more than a message names.
func selectDependents(ctx context.Context, q db.Querier, w id.Workspace, packageID string) (d dependents, err error) {
	if d.own, err = scanTexts(q.Query(ctx, `
		SELECT 'integration ' || i.name || '@' || i.version FROM integration_interfaces d JOIN integrations i ON i.id = d.integration_id
		WHERE d.interface_id = $1 AND i.workspace_id = $2
		UNION
		SELECT 'plugin ' || p.name || '@' || p.version FROM plugin_dependencies d JOIN plugins p ON p.id = d.plugin_id
		WHERE d.package_id = $1 AND p.workspace_id = $2
		ORDER BY 1 LIMIT $3`, packageID, string(w), maxNamed+1)); err != nil {
		return d, err
	}
	err = q.QueryRow(ctx, `
		SELECT (SELECT COUNT(DISTINCT i.id) FROM integration_interfaces d JOIN integrations i ON i.id = d.integration_id
				WHERE d.interface_id = $1 AND i.workspace_id <> $2)
			+ (SELECT COUNT(DISTINCT p.id) FROM plugin_dependencies d JOIN plugins p ON p.id = d.plugin_id
				WHERE d.package_id = $1 AND p.workspace_id <> $2)`, packageID, string(w)).Scan(&d.others)
	return d, err
}

// selectBuiltOn counts the packages of other workspaces that are built on interfaces of w.
func selectBuiltOn(ctx context.Context, q db.Querier, w id.Workspace) (n int, err error) {
	err = q.QueryRow(ctx, `
		SELECT (SELECT COUNT(DISTINCT b.id) FROM interfaces i JOIN integration_interfaces d ON d.interface_id = i.id
				JOIN integrations b ON b.id = d.integration_id WHERE i.workspace_id = $1 AND b.workspace_id <> $1)
			+ (SELECT COUNT(DISTINCT b.id) FROM interfaces i JOIN plugin_dependencies d ON d.package_id = i.id
				JOIN plugins b ON b.id = d.plugin_id WHERE i.workspace_id = $1 AND b.workspace_id <> $1)`, string(w)).Scan(&n)
	return n, err
}
