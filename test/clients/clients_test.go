package clients

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/test/postgres"
)

func TestMain(m *testing.M) { postgres.Main(m) }

// scenarioWithin bounds one file of scenarios; the slowest takes seconds.
const scenarioWithin = 5 * time.Minute

func TestClients(t *testing.T) {
	if err := installClients(t.Context()); err != nil {
		t.Fatal(err)
	}
	binary := build(t)
	t.Run("sqlite", func(t *testing.T) { testClients(t, startServer(t, binary, "")) })
	t.Run("postgres", func(t *testing.T) { testClients(t, startServer(t, binary, postgres.Database(t))) })
}

// testClients runs every scenario and the example against a fresh server.
func testClients(t *testing.T, s *server) {
	w := watch(t, s)

	files, err := filepath.Glob("scenarios/*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	t.Run("scenarios", func(t *testing.T) {
		for _, file := range files {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".test.mjs"), func(t *testing.T) {
				t.Parallel()
				runNode(t, s, w, "--test", "--test-reporter=spec", file)
			})
		}
	})
	t.Run("example", func(t *testing.T) { testExample(t, s, w) })
	t.Run("answers", func(t *testing.T) {
		for _, violation := range w.violations() {
			t.Error(violation)
		}
	})
	t.Run("coverage", func(t *testing.T) {
		operations := append(w.validator.Operations("/v1/admin/"), w.validator.Operations("/v2/")...)
		if len(operations) == 0 {
			t.Fatal("the document declares no operation below /v1/admin/")
		}
		for _, operation := range operations {
			if w.succeeded(operation) == 0 {
				t.Errorf("no scenario had a successful answer of %s", operation)
			}
		}
	})
	t.Run("no operation", func(t *testing.T) { testNoOperation(t, s, w) })
}

// testExample runs the example of the README as it stands there.
func testExample(t *testing.T, s *server, w *witness) {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/v1/admin/bots", strings.NewReader(`{"name":"Example"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	var made struct {
		Bot struct {
			ID string `json:"id"`
		} `json:"bot"`
	}
	s.do(t, request, http.StatusOK, &made)

	printed := runNode(t, s, w, "examples/list-bots.mjs")
	if want := made.Bot.ID + " Example\n"; !strings.Contains(printed, want) {
		t.Errorf("the example printed %q, expected the line %q in it", printed, want)
	}
}

// testNoOperation checks the answers to requests that no operation is for; the
// clients know them as errors all the same.
func testNoOperation(t *testing.T, s *server, w *witness) {
	tests := []struct {
		method, path string
		status       int
	}{
		{http.MethodGet, "/", http.StatusNotFound},
		{http.MethodGet, "/v1/admin", http.StatusNotFound},
		{http.MethodGet, "/v1/admin/nothing", http.StatusNotFound},
		{http.MethodPost, "/v1/admin/bots/x/y/z", http.StatusNotFound},
		{http.MethodPatch, "/v1/admin/bots", http.StatusMethodNotAllowed},
		{http.MethodPut, "/v1/admin/bots", http.StatusMethodNotAllowed},
		{http.MethodDelete, "/v1/admin/account/me", http.StatusMethodNotAllowed},
	}
	for _, tt := range tests {
		request, err := http.NewRequestWithContext(t.Context(), tt.method, s.url+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		header, body := s.do(t, request, tt.status, nil)
		if err := w.validator.ErrorBody(tt.status, header, body); err != nil {
			t.Errorf("%s %s: %v", tt.method, tt.path, err)
		}
	}
}

// runNode runs node with the server's settings and gives what it printed. A
// program that fails fails the test, with all that it printed.
func runNode(t *testing.T, s *server, w *witness, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), scenarioWithin)
	defer cancel()
	node := exec.CommandContext(ctx, "node", args...)
	operator, err := json.Marshal(s.settings, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	node.Env = append(bareEnvironment(),
		"BOTYARD_URL="+w.url,
		"BOTYARD_TOKEN="+bootstrapToken,
		"BOTYARD_WORKSPACE_ID="+s.workspace,
		"BOTYARD_BINARY="+s.binary,
		"BOTYARD_OPERATOR="+string(operator),
	)
	node.WaitDelay = 10 * time.Second
	var stdout, stderr bytes.Buffer
	node.Stdout, node.Stderr = &stdout, &stderr
	if err := node.Run(); err != nil {
		t.Fatalf("node %s: %v\n%s%s", strings.Join(args, " "), err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.String()
}

// bareEnvironment is this process's environment without the settings of the
// server and of the clients, so that none of a developer's leaks in.
func bareEnvironment() []string {
	var kept []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "BOTYARD_") && !strings.HasPrefix(entry, "BP_") {
			kept = append(kept, entry)
		}
	}
	return kept
}

// tail is the end of a long text, where its cause is.
func tail(text []byte) string {
	const most = 16 << 10
	if cut := len(text) - most; cut > 0 {
		return fmt.Sprintf("(%d bytes before)\n%s", cut, text[cut:])
	}
	return string(text)
}
