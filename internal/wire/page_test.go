package wire

import (
	"bytes"
	"context"
	"encoding/base64"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/secret"
)

// listRequest is what a cursor is bound to.
type listRequest struct {
	operation, path, workspace, account, query string
}

func (l listRequest) context() context.Context {
	return context.WithValue(context.Background(), exchangeKey{}, &exchange{
		operation: &Operation{ID: l.operation}, path: l.path, query: l.query,
		actor: access.Actor{Kind: access.KindAccount, Account: id.Account(l.account), Workspace: id.Workspace(l.workspace)},
	})
}

func signing() *Mux { return New(Options{Keys: secret.New(), Clock: clock.System()}) }

var aKey = rapid.Custom(func(t *rapid.T) db.Key {
	return db.Key{At: rapid.Int64().Draw(t, "at"), ID: rapid.StringN(0, 36, 200).Draw(t, "id")}
})

var aList = rapid.Custom(func(t *rapid.T) listRequest {
	text := rapid.StringMatching(`[a-z\x00\x01"]{0,4}`)
	return listRequest{text.Draw(t, "operation"), text.Draw(t, "path"), text.Draw(t, "workspace"), text.Draw(t, "account"),
		rapid.StringMatching(`([ab](=([cd]|%00|%01){0,2})?(&[ab](=[cd]?)?){0,2})?`).Draw(t, "query")}
})

func TestCursorRoundTrip(t *testing.T) {
	m := signing()
	rapid.Check(t, func(t *rapid.T) {
		key, list := aKey.Draw(t, "key"), aList.Draw(t, "list")
		got, ok := m.openCursor(list.context(), m.sealCursor(list.context(), key))
		if !ok || got != key {
			t.Fatalf("sealed %v, opened %v, %t", key, got, ok)
		}
	})
}

// TestCursorIsBound: a cursor opens for the list it was made for and no other.
func TestCursorIsBound(t *testing.T) {
	m := signing()
	rapid.Check(t, func(t *rapid.T) {
		made, asked := aList.Draw(t, "made"), aList.Draw(t, "asked")
		same := made.operation == asked.operation && made.path == asked.path && made.workspace == asked.workspace &&
			made.account == asked.account && sameFilters(made.query, asked.query)
		if _, ok := m.openCursor(asked.context(), m.sealCursor(made.context(), db.Key{At: 1, ID: "x"})); ok != same {
			t.Fatalf("made for %+v, opened for %+v: %t", made, asked, ok)
		}
	})
}

func sameFilters(a, b string) bool {
	count := map[[2]string]int{}
	eachQuery(a, func(key, value string) { count[[2]string{key, value}]++ })
	eachQuery(b, func(key, value string) { count[[2]string{key, value}]-- })
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestCursorIgnoresThePage(t *testing.T) {
	m := signing()
	made := listRequest{operation: "listBots", query: "dev=true&tags.a=b&pageSize=2"}
	asked := listRequest{operation: "listBots", query: "nextToken=x&tags.a=b&pageSize=50&dev=true"}
	if _, ok := m.openCursor(asked.context(), m.sealCursor(made.context(), db.Key{ID: "x"})); !ok {
		t.Error("another page size and another order of the same filters make it another list")
	}
}

// TestCursorForged: whatever is changed of a cursor, it does not open.
func TestCursorForged(t *testing.T) {
	m := signing()
	ctx := listRequest{operation: "listBots", workspace: "w"}.context()
	rapid.Check(t, func(t *rapid.T) {
		raw, err := base64.RawURLEncoding.DecodeString(m.sealCursor(ctx, aKey.Draw(t, "key")))
		if err != nil {
			t.Fatal(err)
		}
		raw[rapid.IntRange(0, len(raw)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if key, ok := m.openCursor(ctx, base64.RawURLEncoding.EncodeToString(raw)); ok {
			t.Fatalf("a forged cursor opened as %v", key)
		}
	})
	token := m.sealCursor(ctx, db.Key{At: 1, ID: "x"})
	if _, ok := signing().openCursor(ctx, token); ok {
		t.Error("a cursor of another installation opened")
	}
}

func FuzzOpenCursor(f *testing.F) {
	m := signing()
	ctx := listRequest{operation: "listBots"}.context()
	f.Add(m.sealCursor(ctx, db.Key{At: math.MinInt64, ID: "bot_1"}))
	f.Add("")
	f.Add("AQ")
	f.Add(strings.Repeat("A", maxToken+1))
	f.Add("nöt base64")
	f.Fuzz(func(t *testing.T, token string) {
		key, ok := m.openCursor(ctx, token)
		if !ok {
			return
		}
		// Base64 has several spellings of the same bytes.
		got, _ := base64.RawURLEncoding.DecodeString(token)
		want, _ := base64.RawURLEncoding.DecodeString(m.sealCursor(ctx, key))
		if !bytes.Equal(got, want) {
			t.Errorf("%q opened as %v, whose cursor is another", token, key)
		}
	})
}

func TestPage(t *testing.T) {
	m := signing()
	ctx := listRequest{operation: "listBots"}.context()
	key := db.Key{At: 7, ID: "bot_7"}
	given := func(n int) Optional[int] { return Optional[int]{Value: n, Given: true} }
	tests := []struct {
		name    string
		query   PageQuery
		size    int
		refused string
	}{
		{"nothing given", PageQuery{}, 20, ""},
		{"one", PageQuery{PageSize: given(1)}, 1, ""},
		{"most", PageQuery{PageSize: given(100)}, 100, ""},
		{"more than most", PageQuery{PageSize: given(math.MaxInt)}, 100, ""},
		{"none", PageQuery{PageSize: given(0)}, 0, "pageSize is 0"},
		{"negative", PageQuery{PageSize: given(-1)}, 0, "pageSize is -1"},
		{"garbage", PageQuery{NextToken: "garbage"}, 0, "nextToken is not one"},
		{"a real cursor", PageQuery{NextToken: m.Meta(ctx, &key).NextToken}, 20, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page, err := m.Page(ctx, tt.query)
			if tt.refused != "" {
				if !fault.Is(err, fault.InvalidQuery) || !strings.Contains(err.Error(), tt.refused) {
					t.Fatalf("error %v, want InvalidQuery that says %q", err, tt.refused)
				}
				return
			}
			if err != nil || page.Size != tt.size {
				t.Fatalf("page %+v, error %v; want size %d", page, err, tt.size)
			}
			if (tt.query.NextToken != "") != (page.After != nil) || page.After != nil && *page.After != key {
				t.Errorf("goes on after %v", page.After)
			}
		})
	}
	if got := m.Meta(ctx, nil); got != (Meta{}) {
		t.Errorf("the last page's meta is %+v", got)
	}
}
