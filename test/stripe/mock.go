package stripe

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"testing"
	"time"
)

// mock is the stripe-mock binary of this process.
var mock struct {
	sync.Mutex
	path string
}

// Mock starts stripe-mock on a free port and answers its address. It is pinned in a
// module of its own, so that it is no dependency of botyard.
func Mock(t testing.TB) (address string) {
	t.Helper()
	command := exec.Command(binary(t), "-http-addr", "127.0.0.1:0")
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	listening, found := regexp.MustCompile(`HTTP at address: (\S+)`), make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if match := listening.FindStringSubmatch(lines.Text()); match != nil {
				found <- "http://" + match[1]
			}
		}
	}()
	select {
	case address = <-found:
	case <-time.After(30 * time.Second):
		t.Fatal("stripe-mock does not say where it listens")
	}
	return address
}

func binary(t testing.TB) string {
	t.Helper()
	mock.Lock()
	defer mock.Unlock()
	if mock.path == "" {
		_, file, _, _ := runtime.Caller(0)
		dir, err := os.MkdirTemp("", "botyard-stripe-mock-")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "stripe-mock")
		build := exec.Command("go", "build", "-o", path, "github.com/stripe/stripe-mock")
		build.Dir = filepath.Join(filepath.Dir(file), "mock")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			t.Fatal(fmt.Errorf("stripe-mock does not build: %w\n%s", err, output))
		}
		mock.path = path
	}
	return mock.path
}

// Close removes what Mock built; TestMain calls it.
func Close() error {
	mock.Lock()
	defer mock.Unlock()
	if mock.path == "" {
		return nil
	}
	return os.RemoveAll(filepath.Dir(mock.path))
}
