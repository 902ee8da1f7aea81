package catalog

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// endpointRow is what calls to an integration need from its row. current and old are the
// sealed signing secrets; old is valid until the given time.
type endpointRow struct {
	name, url        string
	dev              bool
	maxExecutionTime int64
	current, old     string
	until            time.Time
}

func selectEndpoint(ctx context.Context, q db.Querier, i id.Integration) (r endpointRow, found bool, err error) {
	var url, old sql.NullString
	var most, until sql.NullInt64
	err = q.QueryRow(ctx, `
		SELECT name, dev, url, max_execution_time, signing_secret, old_signing_secret, old_secret_until
		FROM integrations WHERE id = $1`, string(i)).
		Scan(&r.name, &r.dev, &url, &most, &r.current, &old, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	r.url, r.old, r.maxExecutionTime, r.until = url.String, old.String, most.Int64, db.MomentOf(until)
	return r, err == nil, err
}

// namedVersion is a version of an integration of any workspace.
type namedVersion struct {
	id         id.Integration
	workspace  id.Workspace
	version    string
	visibility Visibility
}

// selectNamed reads the production versions of a name in all workspaces.
func selectNamed(ctx context.Context, q db.Querier, name string) ([]namedVersion, error) {
	rows, err := q.Query(ctx, `SELECT id, workspace_id, version, visibility FROM integrations WHERE name = $1 AND NOT dev`, name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var named []namedVersion
	for rows.Next() {
		var v namedVersion
		if err := rows.Scan(&v.id, &v.workspace, &v.version, &v.visibility); err != nil {
			return nil, err
		}
		named = append(named, v)
	}
	return named, rows.Err()
}

// selectScripts reads the definition of an integration, which holds its scripts, and the
// sealed secrets that the scripts run with. The definition is read last: as long as it is
// there, the secrets were complete.
func selectScripts(ctx context.Context, q db.Querier, i id.Integration) (definition string, sealed map[string]string, found bool, err error) {
	if sealed, err = selectSecrets(ctx, q, i); err != nil {
		return "", nil, false, err
	}
	definition, found, err = selectIntegrationDefinition(ctx, q, i)
	return definition, sealed, found, err
}
