package load_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/botyard/botyard/test/bench/load"
	"github.com/botyard/botyard/test/harness"
)

// serve starts a server and returns its address as host:port.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// run runs a plan whose window is short: until a busy machine answers something in it.
func run(t *testing.T, plan load.Plan) (result load.Result) {
	t.Helper()
	harness.Eventually(t, "an answer within "+plan.Duration.String(), func() bool {
		var err error
		result, err = load.Run(t.Context(), plan)
		if err != nil && !errors.Is(err, load.ErrNoAnswer) {
			t.Fatal(err)
		}
		return err == nil
	})
	return result
}

func TestRunCountsAnswersAndTheirBytes(t *testing.T) {
	for name, flush := range map[string]bool{"Content-Length": false, "chunks": true} {
		t.Run(name, func(t *testing.T) {
			address := serve(t, func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, strings.Repeat("a", 600))
				if flush {
					w.(http.Flusher).Flush()
				}
				io.WriteString(w, strings.Repeat("b", 400))
			})
			result := run(t, load.Plan{
				Address: address, Connections: 4, WarmUp: 20 * time.Millisecond, Duration: 100 * time.Millisecond,
				Requests: load.Cycle([][]byte{load.Request{Method: "GET", Path: "/"}.Bytes(address)}),
			})
			if result.Answers == 0 || result.Served < result.Answers || result.Bytes != 1000 {
				t.Errorf("got %d answers of %d served, of %d bytes, wanted some of 1000", result.Answers, result.Served, result.Bytes)
			}
			if result.P50 <= 0 || result.P99 < result.P50 {
				t.Errorf("got p50 %s and p99 %s", result.P50, result.P99)
			}
		})
	}
}

func TestRunFailsOnTheFirstRefusal(t *testing.T) {
	var served int
	var mu sync.Mutex
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		served++
		refuse := served > 50
		mu.Unlock()
		if refuse {
			http.Error(w, "slow down", http.StatusTooManyRequests)
		}
	})
	_, err := load.Run(t.Context(), load.Plan{
		Address: address, Connections: 4, Duration: 20 * time.Second,
		Requests: load.Cycle([][]byte{load.Request{Method: "GET", Path: "/"}.Bytes(address)}),
	})
	var status *load.StatusError
	if !errors.As(err, &status) || status.Status != 429 || !strings.Contains(err.Error(), "slow down") {
		t.Fatalf("got error %v, wanted a status error of 429 that quotes the answer", err)
	}
}

func TestRunEndsWhenTheServerHangsUp(t *testing.T) {
	address := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Connection", "close") })
	_, err := load.Run(t.Context(), load.Plan{
		Address: address, Connections: 2, Duration: 20 * time.Second,
		Requests: load.Cycle([][]byte{load.Request{Method: "GET", Path: "/"}.Bytes(address)}),
	})
	if err == nil || !strings.Contains(err.Error(), "keep-alive") {
		t.Fatalf("got error %v, wanted one that names keep-alive", err)
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	released := make(chan struct{})
	address := serve(t, func(http.ResponseWriter, *http.Request) { <-released })
	t.Cleanup(func() { close(released) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := load.Run(ctx, load.Plan{
		Address: address, Connections: 2, Duration: 20 * time.Second,
		Requests: load.Cycle([][]byte{load.Request{Method: "GET", Path: "/"}.Bytes(address)}),
	})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 10*time.Second {
		t.Fatalf("got error %v after %s, wanted the context's at once", err, time.Since(began))
	}
}

func TestNumberedNeverRepeatsANumber(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		seen[string(body)]++
		mu.Unlock()
	})
	template := load.Request{Method: "POST", Path: "/", Body: []byte(`{"name":"` + load.Number + `","code":"` + load.Number + `"}`)}.Bytes(address)
	for range 2 {
		run(t, load.Plan{Address: address, Connections: 8, Duration: 50 * time.Millisecond, Requests: load.Numbered(template)})
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) == 0 {
		t.Fatal("no body arrived")
	}
	for body, times := range seen {
		if times != 1 || strings.Contains(body, "#") {
			t.Errorf("the body %s arrived %d times, wanted a number, once", body, times)
		}
		if name, code, _ := strings.Cut(body, `","code":"`); strings.TrimPrefix(name, `{"name":"`) != strings.TrimSuffix(code, `"}`) {
			t.Errorf("the body %s has two numbers, wanted the same in both places", body)
		}
	}
}

func TestEachSendsEveryRequestOnce(t *testing.T) {
	address := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "got "+r.URL.Path) })
	const n = 500
	answers := make([]string, n)
	err := load.Each(t.Context(), address, 16, n,
		func(i int) []byte { return load.Request{Method: "GET", Path: fmt.Sprintf("/%d", i)}.Bytes(address) },
		func(i int, body []byte) error { answers[i] = string(body); return nil })
	if err != nil {
		t.Fatal(err)
	}
	for i, answer := range answers {
		if want := fmt.Sprintf("got /%d", i); answer != want {
			t.Fatalf("request %d was answered %q, wanted %q", i, answer, want)
		}
	}
}

func TestOnceSendsHeaderAndBody(t *testing.T) {
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Header.Get("X-Workspace-Id"), r.Header.Get("Content-Type"), body)
	})
	got, err := load.Once(t.Context(), address, load.Request{
		Method: "POST", Path: "/", Header: []string{"x-workspace-id: w"}, Body: []byte(`{}`),
	})
	if want := "POST w application/json {}"; err != nil || string(got) != want {
		t.Fatalf("got %q and error %v, wanted %q", got, err, want)
	}
}
