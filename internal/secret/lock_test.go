package secret

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestLocks holds that users of a key file share it and exclude a rotation, and that a
// rotation excludes everybody else to its end, also once it has put another file in the
// place of the one that it began with.
func TestLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	write := func(name string) {
		t.Helper()
		if err := os.WriteFile(name, []byte("keys"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path)
	take := func(lock func(string) (func() error, error)) (done func() error) {
		t.Helper()
		done, err := lock(path)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	refused := func(lock func(string) (func() error, error), when string) {
		t.Helper()
		done, err := lock(path)
		if !errors.Is(err, ErrInUse) {
			t.Errorf("%s: %v, want %v", when, err, ErrInUse)
		}
		if err == nil {
			_ = done() // it was granted wrongly, which is reported
		}
	}
	end := func(done func() error) {
		t.Helper()
		if err := done(); err != nil {
			t.Fatal(err)
		}
	}
	one, other := take(Use), take(Use)
	refused(Replace, "a rotation while two servers run")
	end(one)
	refused(Replace, "a rotation while one server runs")
	end(other)

	rotation := take(Replace)
	refused(Replace, "a second rotation")
	refused(Use, "a server during a rotation")
	write(path + ".new")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	refused(Replace, "a second rotation, of the new file")
	refused(Use, "a server during a rotation, with the new file")
	end(rotation)
	end(take(Use))
}
