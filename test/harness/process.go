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
	"sync"
	"syscall"
	"testing"
	"time"

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
		shared.dirs = append(shared.dirs, dir)
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
}

// StartBinary starts the binary on a data directory and a database, empty for
// SQLite, and waits until it serves. It is killed when the test ends.
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
	command.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return len(v) > 8 && v[:8] == "BOTYARD_" })
	command.Stdout = io.Discard
	log, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p := &Process{command: command, ended: make(chan struct{})}
	t.Cleanup(p.Kill)

	serving, said := make(chan string, 1), &bytes.Buffer{}
	go func() {
		defer close(p.ended)
		defer command.Wait()
		defer close(serving)
		known := false
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if known {
				continue // read on, or the server would block on its log
			}
			said.Write(append(lines.Bytes(), '\n'))
			var line struct{ Msg, URL string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
				known = true
				serving <- line.URL
			}
		}
	}()
	select {
	case url, ok := <-serving:
		if !ok {
			t.Fatalf("botyard serve ended:\n%s", said)
		}
		engine := db.SQLite
		if databaseURL != "" {
			engine = db.PostgreSQL
		}
		if p.Client, err = newClient(url, engine); err != nil {
			t.Fatal(err)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("botyard serve does not say that it serves")
	}
	return p
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
	<-p.ended
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
