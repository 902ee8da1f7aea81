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
	// letIn leaves out the bots that keep this account out; none is left out when
	// it is empty.
	letIn id.Account
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
	maxTagFilters  = 10
	maxNameFilters = 50
)

// listQuery is a list's query: a page and one bot more, so that the caller sees
// whether another page follows. It is put together from the fragments here and
// nothing that a caller sent, so there are few texts and every one uses an index in
// its order; see the test that explains them.
func listQuery(w id.Workspace, f Filter, page db.Page) *db.Statement {
	column, direction, beyond := "created_at", "DESC", "<"
	if f.Sort == ByUpdate {
		column = "updated_at"
	}
	if f.Ascending {
		direction, beyond = "ASC", ">"
	}
	var s db.Statement
	s.Add(`
		SELECT id, name, created_at, updated_at, deployed_at, type, tags FROM bots
		WHERE workspace_id = ? AND dev = ?`, string(w), f.Dev)
	if page.After != nil {
		s.Add(" AND ("+column+", id) "+beyond+" (?, ?)", page.After.At, page.After.ID)
	}
	if f.letIn != "" {
		s.Add(" AND (restricted = FALSE OR EXISTS (SELECT 1 FROM bot_selected s WHERE s.bot_id = bots.id AND s.account_id = ?))", string(f.letIn))
	}
	for _, key := range slices.Sorted(maps.Keys(f.Tags)) {
		s.Add(" AND EXISTS (SELECT 1 FROM bot_tags WHERE bot_id = bots.id AND key = ? AND value = ?)", key, f.Tags[key])
	}
	having := func(view string, names []string) {
		if len(names) > 0 {
			s.Add(" AND EXISTS (SELECT 1 FROM " + view + " WHERE bot_id = bots.id AND name IN ")
			s.AddList(storable(names)...)
			s.Add(")")
		}
	}
	having("bot_integration_names", f.IntegrationNames)
	having("bot_plugin_names", f.PluginNames)
	s.Add(" ORDER BY "+column+" "+direction+", id "+direction+" LIMIT ?", page.Size+1)
	return &s
}

// storable are the names, with those that no bot can have in place by one that none
// has either.
func storable(names []string) []any {
	values := make([]any, len(names))
	for i, name := range names {
		if !isText(name) {
			name = ""
		}
		values[i] = name
	}
	return values
}

// selectBots reads a page and one bot more.
func selectBots(ctx context.Context, q db.Querier, w id.Workspace, f Filter, page db.Page) ([]Bot, error) {
	list := listQuery(w, f, page)
	rows, err := q.Query(ctx, list.Text(), list.Args()...)
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
			ID: id.Bot(bot), Workspace: w, Dev: f.Dev, Name: name, CreatedAt: db.Moment(created), UpdatedAt: db.Moment(updated),
			Type: Type(kind), Tags: JSON(tags),
		}
		if deployed.Valid {
			b.DeployedAt = db.Moment(deployed.Int64)
		}
		bots = append(bots, b)
	}
	return bots, rows.Err()
}
