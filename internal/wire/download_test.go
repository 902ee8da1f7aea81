package wire

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/secret"
)

const yard = "https://yard.example"

// served is a Mux that serves downloads of a store in a directory.
func served(t *testing.T, keys Keys, c clock.Clock) (*Mux, *blob.Store) {
	t.Helper()
	blobs, err := blob.Open(t.Context(), (&url.URL{Scheme: "file", Path: t.TempDir()}).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { blobs.Close() })
	m := New(Options{
		Keys: keys, Clock: c, Blobs: blobs, Log: slog.New(slog.DiscardHandler), PublicURL: func() string { return yard },
		Limits: Limits{PerToken: 1000, CodeTime: time.Minute},
	})
	return m, blobs
}

func read(t *testing.T, m *Mux, method, address string) *httptest.ResponseRecorder {
	t.Helper()
	path, ours := strings.CutPrefix(address, yard)
	if !ours {
		t.Fatalf("the address %q is not of this installation", address)
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestDownload(t *testing.T) {
	m, blobs := served(t, secret.New(), clock.System())
	const content = "<script>alert(document.domain)</script>"
	hash, err := blobs.Put(t.Context(), []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	address, err := m.DownloadURL(Download{
		Source: FromBlobs, Key: string(hash), Name: `bill "7"/é.html`, Type: "text/html", Until: clock.System().Now().Add(time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	w := read(t, m, http.MethodGet, address)
	if w.Code != http.StatusOK || w.Body.String() != content {
		t.Fatalf("answered %d %s", w.Code, w.Body)
	}
	for name, want := range map[string]string{
		"Content-Type":                 "text/html",
		"Content-Disposition":          `attachment; filename*=UTF-8''bill%20%227%22%2F%C3%A9.html`,
		"Content-Security-Policy":      "default-src 'none'; style-src 'unsafe-inline'; sandbox",
		"X-Content-Type-Options":       "nosniff",
		"Cross-Origin-Resource-Policy": "cross-origin",
		"Cache-Control":                "private, no-store",
		"Referrer-Policy":              "no-referrer",
		"Ratelimit-Limit":              "1000",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if w.Header().Get("X-Request-Id") == "" {
		t.Error("the answer has no request id")
	}
	if w := read(t, m, http.MethodPost, address); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST answered %d", w.Code)
	}
	for _, do := range []func(context.Context, blob.Hash) error{blobs.Retire, blobs.Delete} {
		if err := do(t.Context(), hash); err != nil {
			t.Fatal(err)
		}
	}
	isNoDownload(t, read(t, m, http.MethodGet, address))
}

// isNoDownload wants the answer that tells nothing of why.
func isNoDownload(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	f := told(t, w)
	if f.Type != fault.ResourceNotFound || f.Message != fault.From(noDownload()).Message {
		t.Errorf("answered %s %s", f.Type, f.Message)
	}
	for _, name := range []string{"Content-Disposition", "Content-Security-Policy"} {
		if got := w.Header().Get(name); got != "" {
			t.Errorf("an error has %s %q", name, got)
		}
	}
}

func TestDownloadExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := served(t, secret.New(), clock.System())
		m.Downloads("text", func(context.Context, string) ([]byte, error) { return []byte("it"), nil })
		address, err := m.DownloadURL(Download{Source: "text", Key: "k", Name: "t.txt", Type: "text/plain", Until: clock.System().Now().Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute - time.Millisecond)
		if w := read(t, m, http.MethodGet, address); w.Code != http.StatusOK {
			t.Errorf("in time: answered %d %s", w.Code, w.Body)
		}
		time.Sleep(time.Millisecond)
		isNoDownload(t, read(t, m, http.MethodGet, address))
	})
}

func TestDownloadForged(t *testing.T) {
	old := secret.New()
	m, blobs := served(t, old.Rotate(), clock.System())
	hash, err := blobs.Put(t.Context(), []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	d := Download{Source: FromBlobs, Key: string(hash), Name: "a", Type: "text/plain", Until: clock.System().Now().Add(time.Hour)}
	before, _ := served(t, old, clock.System())
	foreign, _ := served(t, secret.New(), clock.System())
	for name, signer := range map[string]struct {
		*Mux
		good bool
	}{"own": {m, true}, "a key before the last rotation": {before, true}, "a foreign key": {foreign, false}} {
		t.Run(name, func(t *testing.T) {
			address, err := signer.DownloadURL(d)
			if err != nil {
				t.Fatal(err)
			}
			w := read(t, m, http.MethodGet, address)
			if !signer.good {
				isNoDownload(t, w)
			} else if w.Code != http.StatusOK {
				t.Errorf("answered %d %s", w.Code, w.Body)
			}
		})
	}
	address, err := m.DownloadURL(d)
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimPrefix(address, yard+downloadsPath)
	content, mac, _ := strings.Cut(strings.TrimSuffix(token, "/a"), ".")
	plain, err := base64.RawURLEncoding.DecodeString(content)
	if err != nil {
		t.Fatal(err)
	}
	later := strings.Replace(string(plain), `"e":`, `"e":9`, 1)
	if later == string(plain) {
		t.Fatalf("the address holds no expiry: %s", plain)
	}
	forged := map[string]string{
		"nothing":                        "",
		"no signature":                   content,
		"an empty signature":             content + ".",
		"a later end":                    base64.RawURLEncoding.EncodeToString([]byte(later)) + "." + mac,
		"a signature for something else": content + "." + base64.RawURLEncoding.EncodeToString(old.Rotate().Sign("cursor", plain)),
		"no base64":                      "§." + mac,
		"very long":                      strings.Repeat("a", maxAddress) + "." + mac,
	}
	for i := range mac {
		changed := []byte(mac)
		changed[i] ^= 1
		forged["signature changed at "+string(rune('a'+i))] = content + "." + string(changed)
	}
	for name, token := range forged {
		t.Run(name, func(t *testing.T) {
			isNoDownload(t, read(t, m, http.MethodGet, yard+downloadsPath+url.PathEscape(token)+"/a"))
		})
	}
}

// The log tells that there was a download, not of what: its address lets whoever
// reads it read the content.
func TestDownloadIsNotLogged(t *testing.T) {
	s := newSample(t, Limits{PerToken: 100})
	w := s.ask(http.MethodGet, downloadsPath+"capability.signature/name", "")
	if w.Code != http.StatusNotFound {
		t.Fatalf("answered %d", w.Code)
	}
	if text := s.log.String(); !strings.Contains(text, "operation=download") || strings.Contains(text, "capability") {
		t.Errorf("the log says %s", text)
	}
}

// What is large waits for its place, and is told of it when it waited too long.
func TestDownloadsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := served(t, secret.New(), clock.System())
		leave := make(chan struct{})
		m.Downloads("slow", func(context.Context, string) ([]byte, error) { <-leave; return []byte("it"), nil })
		address, err := m.DownloadURL(Download{Source: "slow", Name: "t", Until: clock.System().Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		codes := make(chan int, 2)
		for range 2 {
			go func() { codes <- read(t, m, http.MethodGet, address).Code }()
		}
		if code := <-codes; code != http.StatusTooManyRequests {
			t.Errorf("the one without a place was answered %d", code)
		}
		close(leave)
		if code := <-codes; code != http.StatusOK {
			t.Errorf("the one with a place was answered %d", code)
		}
	})
}

// Answers as large as code are put together a few at a time.
func TestLargeAnswers(t *testing.T) {
	limits := roomy
	limits.ParallelCode = 1
	s := newSample(t, limits)
	begun, leave := make(chan struct{}), make(chan struct{})
	Register(s.Mux, Operation{ID: "large", Method: http.MethodGet, Path: "/v1/large", Permission: access.Self, LargeAnswer: true},
		func(context.Context, *struct{}) (*struct{ Body Empty }, error) {
			begun <- struct{}{}
			<-leave
			return &struct{ Body Empty }{}, nil
		})
	ask := func(ctx context.Context) int {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/large", nil)
		r.Header.Set("Authorization", "Bearer "+s.token)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	first := make(chan int)
	go func() { first <- ask(t.Context()) }()
	<-begun
	// It is given up when it waits for a place.
	gone, cancel := context.WithCancel(t.Context())
	second := make(chan int)
	go func() { second <- ask(gone) }()
	for s.answerSlots.waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if code := <-second; code != http.StatusTooManyRequests {
		t.Errorf("without a place it is answered %d", code)
	}
	close(leave)
	if code := <-first; code != http.StatusOK {
		t.Errorf("with a place it is answered %d", code)
	}
	go func() { <-begun }()
	if code := ask(t.Context()); code != http.StatusOK {
		t.Errorf("when the place is free it is answered %d", code)
	}
}
