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

// The sorts of the public API. How popular an integration is, is how many bots have
// it; what equally many have begins with the newest.
const (
	ByCreation   Sort = "createdAt"
	ByUpdate     Sort = "updatedAt"
	ByName       Sort = "name"
	ByPopularity Sort = "popularity"
	ByInstalls   Sort = "installCount"
)

// sorted is how a sort is done: the columns, the last of which is the id, and the
// values of an item as the key of a page. Values other than one number and the id
// stand in the key's text, before the id and a line end, which neither has.
type sorted struct {
	columns []string
	key     func(Integration) db.Key
	values  func(db.Key) []any
}

func (s Sort) how() sorted {
	switch s {
	case ByUpdate:
		return sorted{[]string{"i.updated_at", "i.id"},
			func(i Integration) db.Key { return db.Key{At: i.UpdatedAt.UnixMilli(), ID: string(i.ID)} },
			func(k db.Key) []any { return []any{k.At, k.ID} }}
	case ByName:
		return sorted{[]string{"i.name_key", "i.id"},
			func(i Integration) db.Key { return db.Key{ID: i.Name + "\n" + string(i.ID)} },
			func(k db.Key) []any {
				name, integration, _ := strings.Cut(k.ID, "\n")
				return []any{[]byte(name), integration}
			}}
	case ByPopularity, ByInstalls:
		return sorted{[]string{"i.installs", "i.id"},
			func(i Integration) db.Key { return db.Key{At: i.Installs, ID: string(i.ID)} },
			func(k db.Key) []any { return []any{k.At, k.ID} }}
	}
	return sorted{[]string{"i.id"}, byAge.key, func(k db.Key) []any { return []any{k.ID} }}
}

// byAge is the order of creation for lists that are not narrowed. It is the order of
// ids too, which ascend with time; but sorted by id alone, PostgreSQL walks all ids
// there are rather than the index of those that the list is of.
var byAge = sorted{[]string{"i.created_at", "i.id"},
	func(i Integration) db.Key { return db.Key{At: i.CreatedAt.UnixMilli(), ID: string(i.ID)} },
	func(k db.Key) []any { return []any{k.At, k.ID} }}

// how is how the list is sorted. Narrowed by name, version or review it walks an
// index that ends in the id.
func (f IntegrationFilter) how(started bool) sorted {
	if !started && f.Name == "" && f.Version == "" && f.Verification == "" && (f.Sort == "" || f.Sort == ByCreation) {
		return byAge
	}
	return f.Sort.how()
}

// IntegrationFilter says which integrations a list holds, and in which order. Empty
// is any.
type IntegrationFilter struct {
	// Workspace is whose integrations are listed; empty: the public ones of all.
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
	// rare is the word that few integrations have, when the list starts from it.
	rare string
}

// A search of the hub starts from its rarest word when few integrations have it.
// Beyond that the list is walked in its order, where one in a few rows matches.
// How many are few depends on whether each is looked up, or the index of words alone
// says which of them are on the page.
const (
	fewLookedUp = 1500
	fewWords    = 5000
)

// ofWords says that the list is of the words that are searched and nothing else, so
// that its page is found without the rows of all that match.
func (f IntegrationFilter) ofWords() bool {
	return len(f.words) > 0 && f.Name == "" && f.Version == "" && f.Verification == "" && f.Bot == "" && f.InterfaceID == "" && f.InterfaceName == ""
}

// startsFromPage says that the list starts from its page; see startPage.
func (f IntegrationFilter) startsFromPage() bool { return f.rare != "" && f.ofWords() }

// few is up to how many integrations the list starts from.
func (f IntegrationFilter) few() int {
	if f.ofWords() && f.Sort != ByUpdate && f.Sort != ByName {
		return fewWords
	}
	return fewLookedUp
}

// listing puts together the query of a list. It is made of the fragments here and
// nothing that a caller sent, so there are few texts; see the test that explains
// them.
type listing struct{ db.Statement }

// within writes that a column of words begins with a word.
func (l *listing) within(column, word string) {
	l.Add(column+" >= ?", []byte(word))
	if end := beyond([]byte(word)); end != nil {
		l.Add(" AND "+column+" < ?", end)
	}
}

// integrationList is the query of a list. Where a filter is met by few
// integrations and has an index, the list starts from those (they are w); otherwise
// it walks an index in the order of the list.
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
	how := f.how(started)
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
		marks := strings.Repeat(", ?", len(how.columns))[2:]
		l.Add(" AND ("+strings.Join(how.columns, ", ")+")"+behind+"("+marks+")", how.values(*page.After)...)
	}
	order := strings.Join(how.columns, direction+", ") + direction
	if started {
		order = strings.ReplaceAll(order, "i.id", "w.integration_id")
	}
	l.Add(" ORDER BY "+order+" LIMIT ?", page.Size+1)
	return l
}

// start writes the subquery that the list starts from, when there is one.
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
	case f.rare != "":
		l.Add(from + "integration_words WHERE listed = TRUE AND ")
		l.within("word", f.rare)
		// There are no more than these. PostgreSQL, which guesses, would else read
		// all integrations rather than look each of these up.
		l.Add(" ORDER BY integration_id"+direction+" LIMIT ?) w", f.few())
		return true
	default:
		return false
	}
	l.Add(" ORDER BY integration_id" + direction + ") w")
	return true
}

// startPage writes the subquery of the page itself: rows are read of the page only.
// Age and popularity stand beside the words. What else a list is sorted by is looked
// up in an index, by a subquery because PostgreSQL would plan a join as a walk over
// all integrations, and with BETWEEN because SQLite would meet an equality with the
// row rather than the index. The other words are looked up from the front of what is
// sorted, until the page is full.
func (f IntegrationFilter) startPage(l *listing, page db.Page, direction, behind string) {
	columns, looked := "integration_id", ""
	switch f.Sort {
	case ByPopularity, ByInstalls:
		columns = "installs, integration_id"
	case ByUpdate:
		columns, looked = "place, integration_id", "updated_at"
	case ByName:
		columns, looked = "place, integration_id", "name_key"
	}
	order := " ORDER BY " + strings.ReplaceAll(columns, ",", direction+",") + direction + " LIMIT ?) "
	others := len(f.words) > 1
	l.Add("(")
	if others {
		l.Add("SELECT " + columns + " FROM (")
	}
	and := " AND "
	if looked == "" {
		l.Add("SELECT DISTINCT " + columns + " FROM integration_words WHERE listed = TRUE AND ")
		l.within("word", f.rare)
	} else {
		l.Add("SELECT " + columns + " FROM (SELECT m.integration_id, (SELECT i." + looked + " FROM integrations i WHERE i.id BETWEEN m.integration_id AND m.integration_id LIMIT 1) AS place" +
			" FROM (SELECT DISTINCT integration_id FROM integration_words WHERE listed = TRUE AND ")
		l.within("word", f.rare)
		l.Add(") m LIMIT ?) x", f.few())
		and = " WHERE "
	}
	if page.After != nil {
		values := f.Sort.how().values(*page.After)
		l.Add(and+"("+columns+")"+behind+"("+strings.Repeat(", ?", len(values))[2:]+")", values...)
	}
	if others {
		l.Add(order+"m WHERE TRUE", f.few())
		f.narrowWords(l, "m.integration_id")
	}
	l.Add(order+"w", page.Size+1)
}

// narrowWords writes that an integration has the searched words beside the rare one.
func (f IntegrationFilter) narrowWords(l *listing, integration string) {
	for _, word := range f.words {
		if word == f.rare {
			continue
		}
		l.Add(" AND EXISTS (SELECT 1 FROM integration_words x WHERE x.integration_id = " + integration + " AND ")
		l.within("x.word", word)
		l.Add(")")
	}
}

// narrow writes the conditions of the filter that the list does not start from.
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
		f.rare = "" // the list does not start from it
	}
	f.narrowWords(l, "i.id")
}

// selectRareWord is the word that the fewest public integrations have, when those
// are few; otherwise empty.
func selectRareWord(ctx context.Context, q db.Querier, f IntegrationFilter) (rare string, err error) {
	least := f.few() + 1
	for _, word := range f.words {
		var l listing
		l.Add("SELECT COUNT(*) FROM (SELECT 1 FROM integration_words WHERE listed = TRUE AND ")
		l.within("word", word)
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

// Listed is an integration in a list. Publisher is known only in the hub.
type Listed struct {
	Integration
	Publisher Publisher
	Matches   *Matches // nil when nothing was searched
}

// selectIntegrations reads a page and one integration more, so that the caller sees
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

// selectReadableBot says whether the bot is in a workspace where the account has one
// of the roles, and which that is; any workspace when w is empty.
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
