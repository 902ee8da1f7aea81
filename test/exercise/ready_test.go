package exercise_test

import (
	"strings"
	"testing"

	"github.com/botyard/botyard/test/harness"
)

// The health check of a container asks the server beside it.
func TestReadyCommand(t *testing.T) {
	p := harness.StartBinary(t, t.TempDir(), "")
	if said := harness.Command(t, "ready", "--url", p.Base+"/"); !strings.Contains(said, `"ready":true`) {
		t.Errorf("it says %s", said)
	}
}
