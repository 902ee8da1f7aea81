package clients

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	bootstrapEmail = "owner@example.com"
	bootstrapToken = "bp_pat_clients0123456789abcdefghijklmnopqrs"

	readyWithin = 30 * time.Second
	stopWithin  = 30 * time.Second
)

// server is a running botyard and its bootstrap workspace.
type server struct {
	url       string
	binary    string
	workspace string
	// settings are the environment variables by which an operator's command works
	// on the data of this server.
	settings map[string]string
}

// build makes the binary, as a user would.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "botyard")
	command := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/botyard/botyard/cmd/botyard")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build botyard: %v\n%s", err, output)
	}
	return binary
}

// startServer starts a server on an empty data directory and waits until it is
// ready. It is stopped when the test ends, and has to stop cleanly. An empty
// database URL means SQLite.
func startServer(t *testing.T, binary, databaseURL string) *server {
	t.Helper()
	address := freeAddress(t)
	s := &server{
		url:      "http://" + address,
		binary:   binary,
		settings: map[string]string{"BOTYARD_DATA": filepath.Join(t.TempDir(), "data"), "BOTYARD_DEV": "true"},
	}
	if databaseURL != "" {
		s.settings["BOTYARD_DATABASE_URL"] = databaseURL
	}
	command := exec.Command(binary, "serve", "--dev", "--listen", address, "--data", s.settings["BOTYARD_DATA"])
	command.Env = append(bareEnvironment(),
		"BOTYARD_BOOTSTRAP_EMAIL="+bootstrapEmail,
		"BOTYARD_BOOTSTRAP_TOKEN="+bootstrapToken,
		"BOTYARD_LOG_LEVEL=warn",
	)
	for _, name := range slices.Sorted(maps.Keys(s.settings)) {
		command.Env = append(command.Env, name+"="+s.settings[name])
	}
	var output output
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var failure error
	go func() {
		failure = command.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		stop(t, command.Process, ended)
		if failure != nil {
			t.Errorf("the server did not stop cleanly: %v", failure)
		}
		if t.Failed() {
			t.Logf("the server printed:\n%s", tail(output.bytes()))
		}
	})
	s.waitReady(t, ended)
	s.workspace = s.firstWorkspace(t)
	return s
}

// stop asks a server to end and waits for it; one that does not is killed.
func stop(t *testing.T, process *os.Process, ended <-chan struct{}) {
	if err := process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	select {
	case <-ended:
	case <-time.After(stopWithin):
		t.Errorf("the server did not stop in %s", stopWithin)
		_ = process.Kill()
		<-ended
	}
}

// waitReady waits until the server says that it can serve.
func (s *server) waitReady(t *testing.T, ended <-chan struct{}) {
	t.Helper()
	deadline := time.After(readyWithin)
	for {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ended:
			t.Fatal("the server ended before it was ready")
		case <-deadline:
			t.Fatalf("the server was not ready in %s", readyWithin)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *server) firstWorkspace(t *testing.T) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/admin/workspaces", nil)
	if err != nil {
		t.Fatal(err)
	}
	var page struct {
		Workspaces []struct {
			ID string `json:"id"`
		} `json:"workspaces"`
	}
	s.do(t, request, http.StatusOK, &page)
	if len(page.Workspaces) != 1 {
		t.Fatalf("the bootstrap account has %d workspaces, expected the platform's", len(page.Workspaces))
	}
	return page.Workspaces[0].ID
}

// do sends a request as the bootstrap account in its workspace and decodes the
// answer into result, unless that is nil.
func (s *server) do(t *testing.T, request *http.Request, status int, result any) (http.Header, []byte) {
	t.Helper()
	request.Header.Set("Authorization", "Bearer "+bootstrapToken)
	if s.workspace != "" {
		request.Header.Set("X-Workspace-Id", s.workspace)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != status {
		t.Fatalf("%s %s answered %d, expected %d: %s", request.Method, request.URL, response.StatusCode, status, body)
	}
	if result != nil {
		if err := json.Unmarshal(body, result); err != nil {
			t.Fatalf("%s %s: %v in %s", request.Method, request.URL, err, body)
		}
	}
	return response.Header, body
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// output gathers what a process prints while the test reads it.
type output struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (o *output) Write(text []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.buffer.Write(text)
}

func (o *output) bytes() []byte {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return bytes.Clone(o.buffer.Bytes())
}
