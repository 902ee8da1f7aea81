package clients

import (
	"testing"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/harness"
)

// server is a running botyard as its owner sees it.
type server struct {
	*harness.Actor
	// settings are the environment variables by which an operator's command works
	// on the data of this server.
	settings map[string]string
	// ahead is how far its clock is ahead of the machine's.
	ahead time.Duration
}

// startServer starts a server on an empty data directory. It is stopped when the test
// ends, and has to stop cleanly.
func startServer(t *testing.T, engine db.Engine) *server {
	t.Helper()
	dir, databaseURL := t.TempDir(), harness.DatabaseURL(t, engine)
	ahead := harness.MidMonth(t, dir)
	process := harness.StartBinary(t, dir, databaseURL, "--dev")
	t.Cleanup(func() { process.Stop(t) })
	s := &server{process.Owner(t), map[string]string{"BOTYARD_DATA": dir, "BOTYARD_DEV": "true"}, ahead}
	if databaseURL != "" {
		s.settings["BOTYARD_DATABASE_URL"] = databaseURL
	}
	return s
}
