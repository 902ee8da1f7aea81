package catalog

import (
	"context"
	"database/sql"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

func scanTexts(rows *sql.Rows, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var texts []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		texts = append(texts, s)
	}
	return texts, rows.Err()
}

func scanHash(row *sql.Row) (blob.Hash, error) {
	var hash sql.NullString
	err := row.Scan(&hash)
	return blob.Hash(hash.String), err
}

// listQuery is the query of a list of interfaces or plugins: the rows in which the column
// narrow equals of, the newest first. The text consists of the fragments here and of
// nothing that a caller sent, so there are few different statements, and a test holds that
// each of them uses an index in the order of the list.
func listQuery(table, columns, narrow string, of any, f Filter, page db.Page) *db.Statement {
	var s db.Statement
	s.Add("SELECT "+columns+" FROM "+table+" WHERE "+narrow+" = ?", of)
	if f.Name != "" {
		s.Add(" AND name = ?", f.Name)
	}
	if f.Version != "" {
		s.Add(" AND version = ?", f.Version)
	}
	if page.After != nil {
		s.Add(" AND (created_at, id) < (?, ?)", page.After.At, page.After.ID)
	}
	s.Add(" ORDER BY created_at DESC, id DESC LIMIT ?", page.Size+1)
	return &s
}

// storedIn is the table of each kind, and the condition for its open versions.
var storedIn = map[Kind]struct{ table, open string }{
	IntegrationKind: {"integrations", "visibility <> 'private'"},
	InterfaceKind:   {"interfaces", "public"},
	PluginKind:      {"plugins", "visibility <> 'private'"},
}

// selectVersions reads the versions that the name of an interface or plugin has in the
// workspace or, with the empty workspace, the open ones. For integrations see sibling.
func selectVersions(ctx context.Context, q db.Querier, k Kind, w id.Workspace, name string) ([]string, error) {
	in := storedIn[k]
	if w == "" {
		return scanTexts(q.Query(ctx, `SELECT version FROM `+in.table+` WHERE name = $1 AND `+in.open, name))
	}
	return scanTexts(q.Query(ctx, `SELECT version FROM `+in.table+` WHERE name = $1 AND workspace_id = $2`, name, string(w)))
}

// selectOpenElsewhere says whether another workspace has open versions of the name.
func selectOpenElsewhere(ctx context.Context, q db.Querier, k Kind, w id.Workspace, name string) (found bool, err error) {
	in := storedIn[k]
	err = q.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM `+in.table+` WHERE name = $1 AND `+in.open+` AND workspace_id <> $2)`, name, string(w)).Scan(&found)
	return found, err
}

// selectSharedIcon reads the icon that all versions of a name share; empty when they
// have none.
func selectSharedIcon(ctx context.Context, q db.Querier, k Kind, w id.Workspace, name string) (blob.Hash, error) {
	return scanHash(q.QueryRow(ctx, `SELECT MAX(icon_hash) FROM `+storedIn[k].table+` WHERE name = $1 AND workspace_id = $2`, name, string(w)))
}

func updateSharedIcon(ctx context.Context, q db.Querier, k Kind, w id.Workspace, name string, icon blob.Hash) error {
	_, err := q.Exec(ctx, `UPDATE `+storedIn[k].table+` SET icon_hash = $3 WHERE name = $1 AND workspace_id = $2`, name, string(w), db.Text(string(icon)))
	return err
}
