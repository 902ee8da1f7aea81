package wire

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/fault"
)

type sampleBody struct {
	Name  string                    `json:"name"`
	Count int                       `json:"count,omitempty"`
	Data  JSON                      `json:"data,omitempty"`
	Tags  map[string]Patch[string]  `json:"tags,omitempty"`
	Items []namedThing              `json:"items,omitempty"`
	Deep  map[string]map[string]any `json:"deep,omitempty"`
}

// refusal is what a caller is told of a body that decode refuses; nil is nil.
func refusal(err error) *fault.Error {
	if err == nil {
		return nil
	}
	return fault.From((&Mux{}).translate(http.StatusBadRequest, "", []error{err}))
}

func TestDecode(t *testing.T) {
	tests := []struct {
		name, text string
		says       string // part of the fault; empty: none
	}{
		{"unknown members", `{"name":"a","new":{"x":[1]},"items":[{"name":"b","y":1}]}`, ""},
		{"a lone surrogate", `{"name":"\ud800","data":"\udfff"}`, ""},
		{"U+0000 in free-form JSON", `{"name":"a","data":{"x\u0000":"\u0000"}}`, ""},
		{"not JSON", `{"name":`, "not JSON"},
		{"two values", `{} {}`, "not JSON"},
		{"nothing", ``, "not JSON"},
		{"another type", `{"name":1}`, "/name"},
		{"another type, deep", `{"name":"a","items":[{"name":"a"},{"name":[]}]}`, "/items/1/name"},
		{"a fraction for an integer", `{"name":"a","count":1.5}`, "/count"},
		{"a number too large", `{"name":"a","count":1e30}`, "/count"},
		{"no UTF-8", "{\"name\":\"a\xff\"}", "first at byte 10"},
		{"no UTF-8 in free-form JSON", "{\"name\":\"a\",\"data\":\"\xc3\x28\"}", "first at byte 20"},
		{"U+0000 in a name", `{"name":"a\u0000"}`, "body.name"},
		{"U+0000 in a tag", `{"name":"a","tags":{"k":"\u0000"}}`, "body.tags.k"},
		{"U+0000 in a tag's key", `{"name":"a","tags":{"\u0000":"v"}}`, "body.tags"},
		{"U+0000 in an item", `{"name":"a","items":[{"name":"\u0000"}]}`, "body.items[].name"},
		{"nested without end", `{"name":"a","data":` + strings.Repeat("[", 100_000), "not JSON"},
		{"nested deeper than any document", `{"name":"a","data":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, "not JSON"},
		{"a long wrong value", `{"name":` + strings.Repeat("1", 10_000) + `}`, "/name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b sampleBody
			told := refusal(decode([]byte(tt.text), &b))
			if tt.says == "" {
				if told != nil {
					t.Error(told)
				}
				return
			}
			if told == nil || told.Type != fault.InvalidPayload || !strings.Contains(told.Message, tt.says) {
				t.Fatalf("told %v, want InvalidPayload that says %q", told, tt.says)
			}
			if n := len(told.Message); n > 400 {
				t.Errorf("the message has %d bytes", n)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		`{"name":"a","tags":{"k":null},"data":[1.0],"items":[{"name":"b"}],"deep":{"a":{"b":1}}}`,
		`{"name":"\u0000"}`, "{\"name\":\"\xff\"}", `{"name":"\ud800"}`, `[]`, `null`, ``,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var b sampleBody
		if told := refusal(decode(text, &b)); told != nil {
			if told.Type != fault.InvalidPayload || !utf8.ValidString(told.Message) || len(told.Message) > 400 {
				t.Errorf("%q: %v", text, told)
			}
			return
		}
		for _, kept := range []string{b.Name, string(b.Data)} {
			if !utf8.ValidString(kept) {
				t.Errorf("%q kept %q, which is no UTF-8", text, kept)
			}
		}
		if strings.ContainsRune(b.Name, 0) {
			t.Errorf("%q kept a name with U+0000", text)
		}
		again, err := AppendJSON(nil, b)
		if err != nil {
			t.Fatalf("%q was read and cannot be written: %v", text, err)
		}
		if err := decode(again, new(sampleBody)); err != nil {
			t.Errorf("%q was read, written as %q and cannot be read again: %v", text, again, err)
		}
	})
}

func TestContentType(t *testing.T) {
	for declared, ok := range map[string]bool{
		"": true, "application/json": true, "application/json; charset=utf-8": true, "Application/JSON;charset=UTF-8": true,
		"text/plain": false, "application/json; charset=latin1": false, "application/problem+json": false, "application/json;;": false,
		"multipart/form-data; boundary=x": false, strings.Repeat("x", 1000): false,
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Content-Type", declared)
		err := checkContentType(r)
		if (err == nil) != ok || !ok && !fault.Is(err, fault.UnsupportedMediaType) {
			t.Errorf("%q: error %v", declared, err)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("%.20q: the message has %d bytes", declared, len(err.Error()))
		}
	}
}

func FuzzBounded(f *testing.F) {
	f.Add("é👋", 3)
	f.Fuzz(func(t *testing.T, s string, most int) {
		if most < 0 || !utf8.ValidString(s) {
			t.Skip()
		}
		got := fault.BoundedTo(s, most)
		if !utf8.ValidString(got) || len(got) > most+len("…") || len(s) <= most && got != s {
			t.Errorf("fault.BoundedTo(%q, %d) is %q", s, most, got)
		}
	})
}

// slowly is a log that takes a time for each line.
type slowly struct {
	slog.Handler
	time time.Duration
}

func (s slowly) Handle(context.Context, slog.Record) error {
	time.Sleep(s.time)
	return nil
}

// TestConnectionAfterRefusal: when the refusal of a body that was read takes longer than
// one that was not may take to come, the next request of the connection is served as if
// nothing had been.
func TestConnectionAfterRefusal(t *testing.T) {
	s := newSample(t, roomy)
	s.Mux.log = slog.New(slowly{slog.NewTextHandler(io.Discard, nil), drainTime + 300*time.Millisecond})
	server := httptest.NewServer(s)
	defer server.Close()
	reused := false
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }})
	for _, step := range []struct {
		body string
		want int
	}{{`{"name":"too long"}`, http.StatusBadRequest}, {`{"name":"b"}`, http.StatusOK}} {
		r, err := http.NewRequestWithContext(ctx, http.MethodPut, server.URL+"/v1/things/a", strings.NewReader(step.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+s.token)
		r.Header.Set("x-workspace-id", "w")
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != step.want {
			t.Errorf("%d %s, %v, want %d", answer.StatusCode, text, err, step.want)
		}
	}
	if !reused {
		t.Error("the second request had a connection of its own")
	}
}

// A body that does not come is given up in time, also where an Idempotency-Key has it
// read before everything else; and the caller is told why.
func TestLateBody(t *testing.T) {
	limits := roomy
	limits.BodyTime = 100 * time.Millisecond
	s := newSample(t, limits)
	Register(s.Mux, Operation{ID: "note", Method: http.MethodPost, Path: "/v1/notes", Scope: Outside, Permission: access.Self},
		func(context.Context, *noteInput) (*noteOutput, error) { return &noteOutput{}, nil })
	server := httptest.NewServer(s)
	defer server.Close()
	for _, headers := range []string{"", "Idempotency-Key: k\r\n", "Content-Encoding: gzip\r\n", "Idempotency-Key: k\r\nContent-Encoding: gzip\r\n"} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /v1/notes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n%s\r\n\x1f\x8b", s.token, headers)
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%q: %v", headers, err)
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusGatewayTimeout || !strings.Contains(string(text), "did not arrive in time") {
			t.Errorf("%q: %d %s, %v", headers, answer.StatusCode, text, err)
		}
	}
}

// An operation with an Idempotency-Key may take longer than its body may: the deadline
// of the body, which is there, does not end the request.
func TestIdempotentBodyHasNoDeadline(t *testing.T) {
	limits := roomy
	limits.BodyTime = 500 * time.Millisecond
	s := newSample(t, limits)
	Register(s.Mux, Operation{ID: "note", Method: http.MethodPost, Path: "/v1/notes", Scope: Outside, Permission: access.Self, Outward: true},
		func(ctx context.Context, _ *noteInput) (*noteOutput, error) {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(4 * limits.BodyTime):
				return &noteOutput{}, nil
			}
		})
	server := httptest.NewServer(s)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/notes", strings.NewReader(`{"text":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(keyHeader, "k")
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("%d %s, %v", answer.StatusCode, text, err)
	}
}

// A caller that does not read its answer is given up, and what it holds is free again.
func TestAnswerNobodyReads(t *testing.T) {
	s := newSample(t, roomy)
	s.sendTime = 100 * time.Millisecond
	logged := make(chan struct{}, 1)
	s.Mux.log = slog.New(signalling{slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug}), logged})
	const large = 64 << 20 // more than the buffers of a connection hold
	s.Handle("/large", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, large)) }))
	// Its size gives it many minutes: only the part that does not grow is waited for here.
	s.sendTime -= large * time.Second / sendRate
	server := httptest.NewServer(s)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case <-logged:
	case <-time.After(time.Minute):
		t.Error("the answer still waits for its reader")
	}
}

// signalling is a log that tells of each line.
type signalling struct {
	slog.Handler
	lines chan<- struct{}
}

func (s signalling) Handle(context.Context, slog.Record) error {
	s.lines <- struct{}{}
	return nil
}
