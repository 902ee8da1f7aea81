package harness

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
)

// built is the binary of this test process.
var built struct {
	sync.Once
	path string
	err  error
}

// Binary builds cmd/botyard, once in a test process, and answers its path.
func Binary(t testing.TB) string {
	t.Helper()
	built.Do(func() {
		_, file, _, _ := runtime.Caller(0)
		var dir string
		if dir, built.err = os.MkdirTemp("", "botyard-binary-"); built.err != nil {
			return
		}
		shared.Lock()
		shared.dirs = append(shared.dirs, dir)
		shared.Unlock()
		built.path = filepath.Join(dir, "botyard")
		build := exec.Command("go", "build", "-o", built.path, "./cmd/botyard")
		build.Dir = filepath.Join(filepath.Dir(file), "..", "..")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("cmd/botyard does not build: %w\n%s", err, output)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// Process is a running "botyard serve".
type Process struct {
	*Client
	command *exec.Cmd
	ended   chan struct{}

	mu  sync.Mutex
	log []byte // the end of what it logged
}

// maxLog bounds what a test that fails shows of a server's log, in bytes.
const maxLog = 8 << 10

// StartBinary starts the binary on a data directory and a database, empty for
// SQLite, and waits until it serves. It is killed when the test ends; a test that
// failed shows the end of its log.
func StartBinary(t testing.TB, dir, databaseURL string, flags ...string) *Process {
	t.Helper()
	return StartBinaryUnder(t, nil, dir, databaseURL, flags...)
}

// StartBinaryUnder is StartBinary by way of another program, which is given the
// binary and its arguments and in the end executes it.
func StartBinaryUnder(t testing.TB, wrapper []string, dir, databaseURL string, flags ...string) *Process {
	t.Helper()
	words := append(append(slices.Clone(wrapper), Binary(t)), append([]string{
		"serve", "--listen", "127.0.0.1:0", "--data", dir, "--database-url", databaseURL, "--log-format", "json",
		"--bootstrap-email", OwnerEmail, "--bootstrap-token", OwnerToken,
	}, flags...)...)
	command := exec.Command(words[0], words[1:]...)
	command.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "BOTYARD_") })
	command.Stdout = io.Discard
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p := &Process{command: command, ended: make(chan struct{})}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("the end of the log of %s:\n%s", words, p.Log())
		}
	})
	serving := make(chan string, 1)
	go func() {
		p.follow(stderr, serving)
		_ = command.Wait() // its state says how it ended
		close(p.ended)
	}()
	select {
	case url, ok := <-serving:
		if !ok {
			t.Fatal("botyard serve ended before it served")
		}
		engine := db.SQLite
		if databaseURL != "" {
			engine = db.PostgreSQL
		}
		if p.Client, err = newClient(url, engine); err != nil {
			t.Fatal(err)
		}
	case <-time.After(Patience):
		t.Fatalf("botyard serve did not say within %s that it serves", Patience)
	}
	return p
}

// follow reads the log to its end, however long its lines are: a server whose log
// nobody reads would block. It sends the URL once the server serves, and closes
// serving at the end.
func (p *Process) follow(log io.Reader, serving chan<- string) {
	defer close(serving)
	known := false
	for lines := bufio.NewReader(log); ; {
		text, err := lines.ReadBytes('\n')
		p.mu.Lock()
		p.log = append(p.log, text...)
		p.log = p.log[max(0, len(p.log)-maxLog):]
		p.mu.Unlock()
		if err != nil {
			return
		}
		var line struct{ Msg, URL string }
		if !known && json.Unmarshal(text, &line) == nil && line.Msg == "serving" {
			known = true
			serving <- line.URL
		}
	}
}

// Log is the end of what the process logged so far.
func (p *Process) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.log)
}

// Root is the folder through which the process's own view of the file system is
// seen, mounts that it alone has among it.
func (p *Process) Root() string { return fmt.Sprintf("/proc/%d/root", p.command.Process.Pid) }

// Kill ends the process as a power failure would, and waits for its end.
func (p *Process) Kill() {
	if err := p.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		panic(err)
	}
	<-p.ended
}

// Stop asks the process to end, waits, and fails the test when it does not end
// well.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(Patience):
		p.Kill()
		t.Errorf("botyard serve did not end within %s of SIGTERM", Patience)
	}
	if code := p.command.ProcessState.ExitCode(); code != 0 {
		t.Errorf("botyard serve ended with %d", code)
	}
}

// Owner is the account of the first start, in its workspace.
func (p *Process) Owner(t testing.TB) *Actor {
	t.Helper()
	a := &Actor{Client: p.Client, Token: OwnerToken, Email: OwnerEmail}
	var list struct {
		Workspaces []struct{ ID, OwnerID string }
	}
	a.Do(t, "GET", "/v1/admin/workspaces", nil, &list)
	if len(list.Workspaces) != 1 {
		t.Fatalf("the owner has %d workspaces after the first start", len(list.Workspaces))
	}
	a.Workspace, a.Account = list.Workspaces[0].ID, list.Workspaces[0].OwnerID
	return a
}

// Advance moves the clock of a data directory of --dev forward, as an operator does, and
// waits until a server that runs on the directory has seen it.
func Advance(t testing.TB, dir string, by time.Duration) {
	t.Helper()
	Command(t, "clock", "advance", by.String(), "--data", dir)
	time.Sleep(clock.ReloadEvery)
}

// Command runs the binary to its end and answers what it prints.
func Command(t testing.TB, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), Binary(t), args...)
	var failure bytes.Buffer
	command.Stderr = &failure
	printed, err := command.Output()
	if err != nil {
		t.Fatalf("botyard %v: %v\n%s", args, err, &failure)
	}
	return string(printed)
}
