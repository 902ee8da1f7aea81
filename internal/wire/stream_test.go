package wire

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/fault"
)

// reader reads a stream over a real connection.
type reader struct {
	*http.Response
	lines *bufio.Scanner
}

func (r reader) next(t *testing.T) string {
	t.Helper()
	for r.lines.Scan() {
		if line := r.lines.Text(); line != "" {
			return line
		}
	}
	return "EOF"
}

func (r reader) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, line := range want {
		if got := r.next(t); !strings.HasPrefix(got, line) {
			t.Fatalf("the stream says %q, want %q", got, line)
		}
	}
}

func TestStream(t *testing.T) {
	s := newSample(t, roomy)
	s.streams.heartbeat, s.streams.recheck = 20*time.Millisecond, 10*time.Millisecond
	more := make(chan string)
	var refused atomic.Bool
	s.Stream("tail", "/v1/tail", func(ctx context.Context, r *http.Request) (Feed, error) {
		if refused.Load() {
			return nil, fault.New(fault.ResourceNotFound, "No such thing.")
		}
		if access.From(ctx).Account == "" || r.URL.Query().Get("of") == "" {
			return nil, fault.New(fault.InvalidQuery, "of is missing.")
		}
		return func(ctx context.Context, out *Stream) error {
			for n := 1; ; n++ {
				select {
				case text := <-more:
					if text == "fail" {
						return fault.New(fault.ResourceGone, "It is gone.")
					}
					if err := out.Send(Event{ID: strconv.Itoa(n), Name: "line", Data: []byte(text)}); err != nil {
						return err
					}
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}, nil
	})
	server := httptest.NewServer(s)
	defer server.Close()
	open := func(token string) reader {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/tail?of=x", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { response.Body.Close() })
		return reader{response, bufio.NewScanner(response.Body)}
	}

	// What is wrong is told as by an operation.
	if f := told(t, s.ask(http.MethodGet, "/v1/tail", "")); f.Type != fault.InvalidQuery {
		t.Errorf("answered %+v", f)
	}
	if f := told(t, s.ask(http.MethodGet, "/v1/tail?of=x", "", "Authorization", "Bearer wrong")); f.Type != fault.Unauthorized {
		t.Errorf("answered %+v", f)
	}
	if f := told(t, s.ask(http.MethodPost, "/v1/tail?of=x", "")); f.Type != fault.MethodNotFound {
		t.Errorf("answered %+v", f)
	}

	one := open(s.token)
	if one.StatusCode != 200 || one.Header.Get("Content-Type") != "text/event-stream" || one.Header.Get("RateLimit-Limit") == "" || one.Header.Get("X-Request-Id") == "" {
		t.Errorf("%d %v", one.StatusCode, one.Header)
	}
	one.expect(t, ": open", ": heartbeat")
	more <- `{"a":1}`
	for line := one.next(t); line != "id: 1"; line = one.next(t) {
		if line != ": heartbeat" {
			t.Fatalf("the stream says %q", line)
		}
	}
	one.expect(t, "event: line", `data: {"a":1}`)
	more <- "fail"
	for line := one.next(t); line != "event: end"; line = one.next(t) {
		if line != ": heartbeat" {
			t.Fatalf("the stream says %q", line)
		}
	}
	one.expect(t, `data: {"reason":"It is gone."}`, "EOF")

	// An account reads a bounded number of them, and gets their places back.
	var many []reader
	for range maxStreamsOfActor {
		many = append(many, open(s.token))
	}
	if last := open(s.token); last.StatusCode != http.StatusTooManyRequests || last.Header.Get("Retry-After") == "" {
		t.Errorf("one more stream is answered %d", last.StatusCode)
	}
	many[0].Body.Close()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if again := open(s.token); again.StatusCode == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a place is not given back")
		}
	}

	// What may be read no more ends.
	refused.Store(true)
	for line := many[1].next(t); line != "event: end"; line = many[1].next(t) {
		if line == "EOF" {
			t.Fatal("the stream ends without a word")
		}
	}
	many[1].expect(t, `data: {"reason":"No such thing."}`, "EOF")
}

// A server that ends does not wait for its readers.
func TestEndStreams(t *testing.T) {
	s := newSample(t, roomy)
	s.Stream("tail", "/v1/tail", func(context.Context, *http.Request) (Feed, error) {
		return func(ctx context.Context, _ *Stream) error {
			<-ctx.Done()
			return ctx.Err()
		}, nil
	})
	server := httptest.NewServer(s)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/tail", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	go s.EndStreams()
	reader{response, bufio.NewScanner(response.Body)}.expect(t, ": open", "event: end", `data: {"reason":"The server is shutting down`, "EOF")
	s.EndStreams()
}
