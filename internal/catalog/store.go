package catalog

import (
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/db"
)

// text is a column that is NULL when there is nothing to say.
func text(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

func moment(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func placeholder(query *strings.Builder, n int) {
	query.WriteByte('$')
	query.WriteString(strconv.Itoa(n))
}

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

// listQuery is the text of a list of interfaces or plugins and its arguments: the
// rows whose column narrow is of, the newest first. It is put together from the
// fragments here and nothing that a caller sent, so there are few texts and every
// one uses an index in its order; see the test that explains them.
func listQuery(table, columns, narrow string, of any, f Filter, page db.Page) (string, []any) {
	var query strings.Builder
	args := []any{of, page.Size + 1}
	query.WriteString("SELECT " + columns + " FROM " + table + " WHERE " + narrow + " = $1")
	add := func(fragment string, values ...any) {
		query.WriteString(fragment)
		for i, value := range values {
			args = append(args, value)
			if i > 0 {
				query.WriteString(", ")
			}
			placeholder(&query, len(args))
		}
	}
	if f.Name != "" {
		add(" AND name = ", f.Name)
	}
	if f.Version != "" {
		add(" AND version = ", f.Version)
	}
	if page.After != nil {
		add(" AND (created_at, id) < (", page.After.At, page.After.ID)
		query.WriteString(")")
	}
	query.WriteString(" ORDER BY created_at DESC, id DESC LIMIT $2")
	return query.String(), args
}
