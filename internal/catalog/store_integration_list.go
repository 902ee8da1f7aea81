package catalog

import (
	"context"
	"database/sql"
	"strings"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// Sort is what a list of integrations is sorted by.
type Sort string

// The sorts of the public API. The popularity of an integration is the number of bots
// that have it installed; among equally popular ones the newest comes first.
const (
	ByCreation   Sort = "createdAt"
	ByUpdate     Sort = "updatedAt"
	ByName       Sort = "name"
	ByPopularity Sort = "popularity"
	ByInstalls   Sort = "installCount"
)

// sortOrder carries out a sort: the columns to sort by, of which the last is the id, and
// how their values are kept in the cursor of a page. A cursor holds one number and one
// text. A value that is neither a number nor the id is put into the text before the id,
// separated by a line feed, which neither of them contains.
type sortOrder struct {
	columns []string
	key     func(Integration) db.Key
	values  func(db.Key) []any
}

func (s Sort) order() sortOrder {
	switch s {
	case ByUpdate:
		return sortOrder{[]string{"i.updated_at", "i.id"},
			func(i Integration) db.Key { return db.Key{At: i.UpdatedAt.UnixMilli(), ID: string(i.ID)} },
			func(k db.Key) []any { return []any{k.At, k.ID} }}
	case ByName:
		return sortOrder{[]string{"i.name_key", "i.id"},
			func(i Integration) db.Key { return db.Key{ID: i.Name + "\n" + string(i.ID)} },
			func(k db.Key) []any {
				name, integration, _ := strings.Cut(k.ID, "\n")
				return []any{[]byte(name), integration}
			}}
	case ByPopularity, ByInstalls:
		return sortOrder{[]string{"i.installs", "i.id"},
			func(i Integration) db.Key { return db.Key{At: i.Installs, ID: string(i.ID)} },
			func(k db.Key) []any { return []any{k.At, k.ID} }}
	}
	return sortOrder{[]string{"i.id"}, byAge.key, func(k db.Key) []any { return []any{k.ID} }}
}

// byAge is the order of creation for lists without a filter. Ids ascend with time, so
// sorting by id alone would give the same order; but then PostgreSQL scans the primary
// key of all integrations instead of the index of those that the list is about.
var byAge = sortOrder{[]string{"i.created_at", "i.id"},
	func(i Integration) db.Key { return db.Key{At: i.CreatedAt.UnixMilli(), ID: string(i.ID)} },
	func(k db.Key) []any { return []any{k.At, k.ID} }}

// order is the sort order of the list. The indexes for the filters by name, version and
// verification status end in the id, so lists with such a filter are sorted by id alone.
// started says that the list starts from a subquery; see integrationList.
func (f IntegrationFilter) order(started bool) sortOrder {
	if !started && f.Name == "" && f.Version == "" && f.Verification == "" && (f.Sort == "" || f.Sort == ByCreation) {
		return byAge
	}
	return f.Sort.order()
}

// IntegrationFilter selects the integrations of a list and their order. The zero value
// of a field does not restrict the list.
type IntegrationFilter struct {
	// Workspace is the workspace whose integrations are listed; when empty, the list is
	// the hub: the public integrations of all workspaces.
	Workspace     id.Workspace
	Dev           bool
	Name          string
	Version       string
	InterfaceID   string
	InterfaceName string
	Bot           id.Bot
	Verification  Verification
	Visibility    Visibility
	Search        string
	Sort          Sort
	Ascending     bool

	words []string // of Search
	// rareWord is the searched word that the fewest integrations have, when they are so
	// few that the list starts from them.
	rareWord string
}

// A search of the hub starts from the matches of its rarest word, as long as those are
// no more than this. When there are more, scanning the list in its own order is faster,
// because every few rows one matches. The bound is lower where each match has to be
// looked up than where the index of words alone says which matches are on the page.
const (
	maxMatchesLookedUp = 1500
	maxMatchesIndexed  = 5000
)

// onlySearches says that the list is filtered by searched words and nothing else, so that
// a page can be found without reading the rows of all matches.
func (f IntegrationFilter) onlySearches() bool {
	return len(f.words) > 0 && f.Name == "" && f.Version == "" && f.Verification == "" && f.Bot == "" && f.InterfaceID == "" && f.InterfaceName == ""
}

// startsFromPage says that a subquery finds the integrations of the page; see startPage.
func (f IntegrationFilter) startsFromPage() bool { return f.rareWord != "" && f.onlySearches() }

// maxMatches is the largest number of matches that the list starts from.
func (f IntegrationFilter) maxMatches() int {
	if f.onlySearches() && f.Sort != ByUpdate && f.Sort != ByName {
		return maxMatchesIndexed
	}
	return maxMatchesLookedUp
}

// listing builds the query of a list. The text consists of the fragments in this file
// and of nothing that a caller sent, so the number of different statements is small; a
// test holds their query plans.
type listing struct{ db.Statement }

// hasPrefix adds the condition that a column of words begins with word.
func (l *listing) hasPrefix(column, word string) {
	l.Add(column+" >= ?", []byte(word))
	if end := prefixEnd([]byte(word)); end != nil {
		l.Add(" AND "+column+" < ?", end)
	}
}

// integrationList is the query of a list. When an indexed filter is met by few
// integrations, the query starts from those, in a subquery called w. Otherwise it scans
// an index that has the order of the list.
func integrationList(f IntegrationFilter, page db.Page) *listing {
	l := &listing{}
	direction, behind := " DESC", " < "
	if f.Ascending {
		direction, behind = " ASC", " > "
	}
	columns := integrationColumns
	if f.Workspace == "" {
		columns += ", p.handle, p.name"
	}
	l.Add("SELECT " + columns + " FROM ")
	started := f.start(l, page, direction, behind)
	sorting := f.order(started)
	if started {
		l.Add(" CROSS JOIN ") // in SQLite this fixes the order of the join
	}
	l.Add("integrations i")
	if f.Workspace == "" {
		l.Add(" JOIN publishers p ON p.id = i.workspace_id WHERE i.visibility = 'public'")
	} else {
		l.Add(" WHERE i.workspace_id = ? AND i.dev = ?", string(f.Workspace), f.Dev)
	}
	if started {
		l.Add(" AND i.id = w.integration_id")
	}
	f.narrow(l)
	if page.After != nil && !f.startsFromPage() {
		marks := strings.Repeat(", ?", len(sorting.columns))[2:]
		l.Add(" AND ("+strings.Join(sorting.columns, ", ")+")"+behind+"("+marks+")", sorting.values(*page.After)...)
	}
	order := strings.Join(sorting.columns, direction+", ") + direction
	if started {
		order = strings.ReplaceAll(order, "i.id", "w.integration_id")
	}
	l.Add(" ORDER BY "+order+" LIMIT ?", page.Size+1)
	return l
}

// start adds the subquery that the list starts from and reports whether there is one.
func (f IntegrationFilter) start(l *listing, page db.Page, direction, behind string) bool {
	const from = "(SELECT DISTINCT integration_id FROM "
	switch {
	case f.Bot != "":
		l.Add(from+"bot_integration_names WHERE bot_id = ?", string(f.Bot))
	case f.InterfaceID != "":
		l.Add(from+"integration_interfaces WHERE interface_id = ?", f.InterfaceID)
	case f.InterfaceName != "":
		l.Add(from+"integration_interfaces x WHERE x.interface_id IN (SELECT id FROM interfaces WHERE name = ?)", f.InterfaceName)
	case f.startsFromPage():
		f.startPage(l, page, direction, behind)
		return true
	case f.rareWord != "":
		l.Add(from)
		f.startMatches(l, "integration_id")
		// The limit tells the planner of PostgreSQL once more how few matches there are;
		// without it, it scans all integrations instead of looking these up.
		l.Add(" ORDER BY integration_id"+direction+" LIMIT ?) w", f.maxMatches())
		return true
	default:
		return false
	}
	l.Add(" ORDER BY integration_id" + direction + ") w")
	return true
}

// startPage adds the subquery that finds the ids of the page, so that full rows are read
// for the page alone. Creation (by the id) and popularity are stored with the words.
// Other sort columns are looked up in a covering index: by a scalar subquery, because
// PostgreSQL would plan a join as a scan of all integrations, and with BETWEEN, because
// for an equality SQLite would read the row instead of the index. Further words are
// checked in the order of the list until the page is full.
func (f IntegrationFilter) startPage(l *listing, page db.Page, direction, behind string) {
	columns, sortColumn := "integration_id", ""
	switch f.Sort {
	case ByPopularity, ByInstalls:
		columns = "installs, integration_id"
	case ByUpdate:
		columns, sortColumn = "place, integration_id", "updated_at"
	case ByName:
		columns, sortColumn = "place, integration_id", "name_key"
	}
	order := " ORDER BY " + strings.ReplaceAll(columns, ",", direction+",") + direction + " LIMIT ?) "
	others := len(f.words) > 1
	l.Add("(")
	if others {
		l.Add("SELECT " + columns + " FROM (")
	}
	if sortColumn == "" {
		l.Add("SELECT DISTINCT " + columns + " FROM ")
		f.startMatches(l, columns)
	} else {
		l.Add("SELECT " + columns + " FROM (SELECT m.integration_id, (SELECT i." + sortColumn + " FROM integrations i WHERE i.id BETWEEN m.integration_id AND m.integration_id LIMIT 1) AS place" +
			" FROM (SELECT DISTINCT integration_id FROM ")
		f.startMatches(l, "integration_id")
		l.Add(") m LIMIT ?) x", f.maxMatches())
	}
	if page.After != nil {
		values := f.Sort.order().values(*page.After)
		l.Add(" WHERE ("+columns+")"+behind+"("+strings.Repeat(", ?", len(values))[2:]+")", values...)
	}
	if others {
		l.Add(order+"m WHERE TRUE", f.maxMatches())
		f.narrowWords(l, "m.integration_id")
	}
	l.Add(order+"w", page.Size+1)
}

// startMatches adds the subquery that finds the words that begin with the rare one. Its
// limit removes nothing, because there are no more of them. Without it, PostgreSQL's plan
// for any word expects so many that it starts parallel workers, which takes 25 ms.
func (f IntegrationFilter) startMatches(l *listing, columns string) {
	l.Add("(SELECT " + columns + " FROM integration_words WHERE listed = TRUE AND ")
	l.hasPrefix("word", f.rareWord)
	l.Add(" LIMIT ?) few", f.maxMatches())
}

// narrowWords adds the conditions that an integration has the searched words, except the
// one that the list starts from.
func (f IntegrationFilter) narrowWords(l *listing, integration string) {
	for _, word := range f.words {
		if word == f.rareWord {
			continue
		}
		l.Add(" AND EXISTS (SELECT 1 FROM integration_words x WHERE x.integration_id = " + integration + " AND ")
		l.hasPrefix("x.word", word)
		l.Add(")")
	}
}

// narrow adds the conditions of the filters that the list does not start from.
func (f IntegrationFilter) narrow(l *listing) {
	if f.Name != "" {
		l.Add(" AND i.name_key = ?", []byte(f.Name))
	}
	if f.Version != "" {
		l.Add(" AND i.version = ?", f.Version)
	}
	if f.Verification != "" {
		l.Add(" AND i.verification_status = ?", string(f.Verification))
	}
	if f.Visibility != "" {
		l.Add(" AND i.visibility = ?", string(f.Visibility))
	}
	if f.Bot != "" && f.InterfaceID != "" {
		l.Add(" AND EXISTS (SELECT 1 FROM integration_interfaces x WHERE x.integration_id = i.id AND x.interface_id = ?)", f.InterfaceID)
	}
	if (f.Bot != "" || f.InterfaceID != "") && f.InterfaceName != "" {
		l.Add(` AND EXISTS (SELECT 1 FROM integration_interfaces x JOIN interfaces f ON f.id = x.interface_id
			WHERE x.integration_id = i.id AND f.name = ?)`, f.InterfaceName)
	}
	if f.startsFromPage() {
		return
	}
	if f.Bot != "" || f.InterfaceID != "" || f.InterfaceName != "" {
		f.rareWord = "" // the list starts from another filter, so the word is checked too
	}
	f.narrowWords(l, "i.id")
}

// selectRareWord is the searched word that the fewest public integrations have; empty
// when even those are more than a list should start from.
func selectRareWord(ctx context.Context, q db.Querier, f IntegrationFilter) (rare string, err error) {
	least := f.maxMatches() + 1
	for _, word := range f.words {
		var l listing
		l.Add("SELECT COUNT(*) FROM (SELECT 1 FROM integration_words WHERE listed = TRUE AND ")
		l.hasPrefix("word", word)
		l.Add(" LIMIT ?) few", least)
		var n int
		if err := q.QueryRow(ctx, l.Text(), l.Args()...).Scan(&n); err != nil {
			return "", err
		}
		if n < least {
			rare, least = word, n
		}
	}
	return rare, nil
}

// Listed is an integration in a list. Publisher is filled in for the hub only.
type Listed struct {
	Integration
	Publisher Publisher
	Matches   *Matches // nil when there was no search
}

// selectIntegrations reads a page and one more integration, which tells the caller
// whether another page follows.
func selectIntegrations(ctx context.Context, q db.Querier, f IntegrationFilter, page db.Page) ([]Listed, error) {
	query := integrationList(f, page)
	rows, err := q.Query(ctx, query.Text(), query.Args()...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := make([]Listed, 0, page.Size+1)
	for rows.Next() {
		var item Listed
		var handle sql.NullString
		var behind []any
		if f.Workspace == "" {
			behind = []any{&handle, &item.Publisher.Name}
		}
		if item.Integration, err = scanIntegration(rows.Scan, behind...); err != nil {
			return nil, err
		}
		item.Publisher.Workspace, item.Publisher.Handle = item.Workspace, handle.String
		list = append(list, item)
	}
	return list, rows.Err()
}

// selectReadableBot says whether the bot belongs to w, or to any workspace when w is
// empty, and the account has one of the roles there.
func selectReadableBot(ctx context.Context, q db.Querier, account id.Account, w id.Workspace, bot id.Bot, roles []string) (found bool, err error) {
	var l listing
	l.Add("SELECT EXISTS (SELECT 1 FROM bot_members WHERE bot_id = ? AND account_id = ?", string(bot), string(account))
	if w != "" {
		l.Add(" AND workspace_id = ?", string(w))
	}
	l.Add(" AND role IN (")
	for n, role := range roles {
		if n > 0 {
			l.Add(", ")
		}
		l.Add("?", role)
	}
	l.Add("))")
	err = q.QueryRow(ctx, l.Text(), l.Args()...).Scan(&found)
	return found, err
}
