package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/config"
)

// A copy of a statement that its store no longer has would make the benchmark
// compare botyard with something else.
func TestStatementsAreTheStores(t *testing.T) {
	for _, test := range []struct {
		store, function string
		texts           []string
	}{
		{"access/store.go", "actorInWorkspace", []string{actorSQL}},
		{"bot/store.go", "selectBot", []string{botSQL}},
		{"bot/store.go", "insertBot", []string{insertSQL}},
		{"bot/store.go", "writeTags", []string{tagsSQL, tagsConflictSQL}},
		{"meter/store.go", "addToGauge", []string{gaugeSQL}},
		{"audit/store.go", "insertRecord", []string{auditSQL}},
		// The end of a list is put together there; these are its parts.
		{"bot/store_list.go", "listQuery", []string{listSQL, `"created_at", "DESC"`,
			`" ORDER BY "+column+" "+direction+", id "+direction+" LIMIT ?"`}},
	} {
		source, err := os.ReadFile("../../../internal/" + test.store)
		if err != nil {
			t.Fatal(err)
		}
		_, body, found := strings.Cut(string(source), "\nfunc "+test.function+"(")
		if !found {
			t.Errorf("internal/%s has no function %s any more: see what does its work now, and copy that", test.store, test.function)
		}
		body, _, _ = strings.Cut(body, "\n}\n")
		for _, text := range test.texts {
			if !strings.Contains(squeezed(body), squeezed(text)) && !strings.Contains(squeezed(body), squeezed(placeholder.ReplaceAllString(text, "?"))) {
				t.Errorf("%s in internal/%s no longer has this text; copy its new one:\n%s", test.function, test.store, text)
			}
		}
	}
}

// placeholder is one of a statement; where a store puts it together, it is a ?.
var placeholder = regexp.MustCompile(`\$\d+`)

// squeezed is text without its line breaks and indentation.
func squeezed(text string) string { return strings.Join(strings.Fields(text), " ") }

const created = `{"name":"One","tags":{"team":"support","stage":"production"},
	"actions":{"open":{"title":"Open","input":{"schema":{"type":"object"}},"output":{"schema":{"type":"object"}}}},
	"events":{"closed":{"schema":{"type":"object"}}},"states":{"progress":{"type":"bot","schema":{"type":"object"}}}}`

// Both handlers stand on one database here: what one writes the other shows, and
// their answers say the same.
func TestAnswersAreBotyards(t *testing.T) {
	a, err := app.Open(t.Context(), config.Installation{Data: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	welcome, err := a.Bootstrap(t.Context(), config.Config{})
	if err != nil {
		t.Fatal(err)
	}
	botyard := app.NewMux(a, config.Config{MaxBody: 1 << 20, MaxCodeBody: 1 << 20, MaxParallelUploads: 1, RequestTimeout: time.Minute}, nil)
	bare := newHandler(a.DB)
	ask := func(h http.Handler, method, path, body string) (answer map[string]any) {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+welcome.Token)
		r.Header.Set("X-Workspace-Id", string(welcome.Workspace))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	rows := func() map[string]int {
		t.Helper()
		counts := map[string]int{}
		for _, query := range []string{
			`SELECT COUNT(*) FROM bots`, `SELECT COUNT(*) FROM bot_tags`, `SELECT COUNT(*) FROM bot_secrets`,
			`SELECT COUNT(*) FROM audit_records WHERE action = 'CREATE_BOT'`, `SELECT COALESCE(SUM(value), 0) FROM gauges WHERE type = 'bot_count'`,
		} {
			var n int
			if err := a.DB.Reader(t.Context()).QueryRow(t.Context(), query).Scan(&n); err != nil {
				t.Fatal(err)
			}
			counts[query] = n
		}
		return counts
	}

	const bots = "/v1/admin/bots"
	first := ask(botyard, http.MethodPost, bots, created)["bot"].(map[string]any)
	one := rows()
	second := ask(bare, http.MethodPost, bots, created)["bot"].(map[string]any)
	for query, n := range rows() {
		if n != 2*one[query] {
			t.Errorf("%s is %d after both created, and was %d after botyard did", query, n, one[query])
		}
	}
	ids := []string{first["id"].(string), second["id"].(string)}
	for _, b := range []map[string]any{first, second} {
		for _, own := range []string{"id", "createdAt", "updatedAt", "signingSecret"} {
			if b[own] == "" || b[own] == nil {
				t.Errorf("an answer has no %s: %v", own, b)
			}
			delete(b, own)
		}
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("create (-botyard +bare):\n%s", diff)
	}
	for _, bot := range ids {
		path := bots + "/" + bot
		if diff := cmp.Diff(ask(botyard, http.MethodGet, path, ""), ask(bare, http.MethodGet, path, "")); diff != "" {
			t.Errorf("get (-botyard +bare):\n%s", diff)
		}
	}
	const last, notLast = bots + "?pageSize=2", bots + "?pageSize=1"
	if diff := cmp.Diff(ask(botyard, http.MethodGet, last, ""), ask(bare, http.MethodGet, last, "")); diff != "" {
		t.Errorf("list (-botyard +bare):\n%s", diff)
	}
	theirs, ours := ask(botyard, http.MethodGet, notLast, ""), ask(bare, http.MethodGet, notLast, "")
	if diff := cmp.Diff(theirs["bots"], ours["bots"]); diff != "" {
		t.Errorf("list (-botyard +bare):\n%s", diff)
	}
	if ours["meta"].(map[string]any)["nextToken"] == nil {
		t.Error("a list that goes on names no next page")
	}
}
