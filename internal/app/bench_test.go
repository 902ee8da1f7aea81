package app

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/config"
)

// BenchmarkGetBot is a whole request within this process: router, gate, service, two
// statements on SQLite, answer.
func BenchmarkGetBot(b *testing.B) {
	a, err := Open(b.Context(), config.Installation{Data: b.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	welcome, err := a.Bootstrap(b.Context(), config.Config{})
	if err != nil {
		b.Fatal(err)
	}
	m := NewMux(a, config.Config{MaxBody: 1 << 20, MaxCodeBody: 1 << 20, MaxParallelUploads: 1, RequestTimeout: time.Minute}, nil)
	ask := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(b.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+welcome.Token)
		r.Header.Set("X-Workspace-Id", string(welcome.Workspace))
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		return w
	}
	var created struct {
		Bot struct {
			ID string `json:"id"`
		} `json:"bot"`
	}
	if err := json.Unmarshal(ask(http.MethodPost, "/v1/admin/bots", `{}`).Body.Bytes(), &created); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		ask(http.MethodGet, "/v1/admin/bots/"+created.Bot.ID, "")
	}
}
