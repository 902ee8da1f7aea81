package catalog

import (
	"database/sql"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/db"
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

// listQuery is a list of interfaces or plugins: the rows whose column narrow is of,
// the newest first. It is put together from the fragments here and nothing that a
// caller sent, so there are few texts and every one uses an index in its order; see
// the test that explains them.
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
