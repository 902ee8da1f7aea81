package bot

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// Sort is the time that a list is sorted by.
type Sort string

// The sorts of the public API.
const (
	ByCreation Sort = "createdAt"
	ByUpdate   Sort = "updatedAt"
)

func (s Sort) of(b Bot) time.Time {
	if s == ByUpdate {
		return b.UpdatedAt
	}
	return b.CreatedAt
}

// Filter says which bots a list holds, and in which order.
type Filter struct {
	Dev bool
	// Tags must all be there, with these values.
	Tags map[string]string
	// IntegrationNames and PluginNames ask for bots that have one of the names
	// installed, in any version; none asks for nothing.
	IntegrationNames []string
	PluginNames      []string
	Sort             Sort
	Ascending        bool
}

// storable says that a bot could be what the filter asks for. PostgreSQL would
// refuse to compare what is no text; no bot has it.
func (f Filter) storable() bool {
	for key, value := range f.Tags {
		if !isText(key) || !isText(value) {
			return false
		}
	}
	for _, names := range [][]string{f.IntegrationNames, f.PluginNames} {
		if len(names) > 0 && !slices.ContainsFunc(names, isText) {
			return false
		}
	}
	return true
}

func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// What bounds the query of one list.
const (
	mostTagFilters  = 10
	mostNameFilters = 50
)

// listQuery is the text of a list's query. It is put together from the fragments
// here and nothing that a caller sent, so there are few texts and every one uses
// an index in its order; see the test that explains them.
func listQuery(f Filter, after bool) string {
	column, direction, beyond := "created_at", "DESC", "<"
	if f.Sort == ByUpdate {
		column = "updated_at"
	}
	if f.Ascending {
		direction, beyond = "ASC", ">"
	}
	var query strings.Builder
	query.WriteString(`
		SELECT id, name, created_at, updated_at, deployed_at, type, tags FROM bots
		WHERE workspace_id = $1 AND dev = $2`)
	n := 3
	next := func() {
		n++
		placeholder(&query, n)
	}
	if after {
		query.WriteString(" AND (" + column + ", id) " + beyond + " (")
		next()
		query.WriteString(", ")
		next()
		query.WriteString(")")
	}
	for range f.Tags {
		query.WriteString(" AND EXISTS (SELECT 1 FROM bot_tags WHERE bot_id = bots.id AND key = ")
		next()
		query.WriteString(" AND value = ")
		next()
		query.WriteString(")")
	}
	oneOf := func(names []string) {
		for i := range names {
			if i > 0 {
				query.WriteString(", ")
			}
			next()
		}
		query.WriteString("))")
	}
	if len(f.IntegrationNames) > 0 {
		query.WriteString(" AND EXISTS (SELECT 1 FROM bot_integration_names WHERE bot_id = bots.id AND name IN (")
		oneOf(f.IntegrationNames)
	}
	if len(f.PluginNames) > 0 {
		query.WriteString(" AND EXISTS (SELECT 1 FROM bot_plugin_names WHERE bot_id = bots.id AND name IN (")
		oneOf(f.PluginNames)
	}
	query.WriteString(" ORDER BY " + column + " " + direction + ", id " + direction + " LIMIT $3")
	return query.String()
}

// selectBots reads a page and one bot more, so that the caller sees whether
// another page follows.
func selectBots(ctx context.Context, q db.Querier, w id.Workspace, f Filter, page db.Page) ([]Bot, error) {
	args := []any{string(w), f.Dev, page.Size + 1}
	if page.After != nil {
		args = append(args, page.After.At, page.After.ID)
	}
	for _, key := range slices.Sorted(maps.Keys(f.Tags)) {
		args = append(args, key, f.Tags[key])
	}
	for _, names := range [][]string{f.IntegrationNames, f.PluginNames} {
		for _, name := range names {
			if !isText(name) {
				name = "" // nothing has it either
			}
			args = append(args, name)
		}
	}
	rows, err := q.Query(ctx, listQuery(f, page.After != nil), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	bots := make([]Bot, 0, page.Size+1)
	for rows.Next() {
		var bot, name, kind, tags string
		var created, updated int64
		var deployed sql.NullInt64
		if err := rows.Scan(&bot, &name, &created, &updated, &deployed, &kind, &tags); err != nil {
			return nil, err
		}
		b := Bot{
			ID: id.Bot(bot), Workspace: w, Dev: f.Dev, Name: name, CreatedAt: moment(created), UpdatedAt: moment(updated),
			Type: Type(kind), Tags: JSON(tags),
		}
		if deployed.Valid {
			b.DeployedAt = moment(deployed.Int64)
		}
		bots = append(bots, b)
	}
	return bots, rows.Err()
}
