package harness

import (
	"net"
	"os/exec"
	"path/filepath"
	"testing"
)

// Redis is a Redis server of a test.
type Redis struct {
	// URL is what --redis-url is given.
	URL     string
	command *exec.Cmd
	ended   bool
}

// StartRedis starts one that keeps nothing, on a socket in a directory of the test,
// and stops it when the test ends.
func StartRedis(t testing.TB) *Redis {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "redis.sock")
	r := &Redis{URL: "unix://" + socket, command: exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", filepath.Dir(socket))}
	if err := r.command.Start(); err != nil {
		t.Fatalf("redis-server does not start; test/setup.sh installs it: %v", err)
	}
	t.Cleanup(r.Kill)
	Eventually(t, "redis-server to listen", func() bool {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return r
}

// Kill ends it at once.
func (r *Redis) Kill() {
	if r.ended {
		return
	}
	r.ended = true
	_ = r.command.Process.Kill()
	_ = r.command.Wait() // it was killed
}
