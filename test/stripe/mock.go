package stripe

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"
	"time"
)

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
	case <-time.After(3 * time.Minute):
		t.Fatal("stripe-mock does not say where it listens")
	}
	return address
}

// binary builds stripe-mock, for as long as the test lasts.
func binary(t testing.TB) string {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	path := filepath.Join(t.TempDir(), "stripe-mock")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "github.com/stripe/stripe-mock")
	build.Dir = filepath.Join(filepath.Dir(file), "mock")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("stripe-mock does not build: %v\n%s", err, output)
	}
	return path
}
