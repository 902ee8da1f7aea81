package clients

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// scenarioWithin bounds one file of scenarios; the slowest takes seconds on a quiet
// machine.
const scenarioWithin = 10 * time.Minute

func TestClients(t *testing.T) {
	if err := installClients(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, engine := range harness.Engines {
		t.Run(string(engine), func(t *testing.T) { testClients(t, startServer(t, engine)) })
	}
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
	t.Run("no operation", func(t *testing.T) { testNoOperation(t, s) })
}

// testExample runs the example of the README as it stands there.
func testExample(t *testing.T, s *server, w *witness) {
	var made struct{ Bot struct{ ID string } }
	s.Do(t, http.MethodPost, "/v1/admin/bots", `{"name":"Example"}`, &made)
	printed := runNode(t, s, w, "examples/list-bots.mjs")
	if want := made.Bot.ID + " Example\n"; !strings.Contains(printed, want) {
		t.Errorf("the example printed %q, expected the line %q in it", printed, want)
	}
}

// testNoOperation checks the answers to requests that no operation is for; the
// clients know them as errors all the same. Ask fails where they would not.
func testNoOperation(t *testing.T, s *server) {
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
		if answer := s.Ask(t, tt.method, tt.path, nil); answer.Status != tt.status {
			t.Errorf("%s %s answered %d, want %d", tt.method, tt.path, answer.Status, tt.status)
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
		"BOTYARD_TOKEN="+s.Token,
		"BOTYARD_WORKSPACE_ID="+s.Workspace,
		"BOTYARD_BINARY="+harness.Binary(t),
		"BOTYARD_OPERATOR="+string(operator),
		"BOTYARD_AHEAD="+strconv.FormatInt(s.ahead.Milliseconds(), 10),
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
