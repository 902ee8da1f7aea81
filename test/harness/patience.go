package harness

import (
	"testing"
	"time"
)

// Patience is how long a test waits for what must happen. A machine that is busy with
// other suites may take many times as long as a quiet one; a test that passes never
// waits for the whole of it.
const Patience = 3 * time.Minute

// Eventually polls done until it is true, and fails the test when Patience runs out.
func Eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain for: %s", Patience, what)
		}
	}
}
