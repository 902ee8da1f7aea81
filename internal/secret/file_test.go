package secret

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOpenMakesTheFileOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	if _, err := Open(path, false); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a missing file: %v", err)
	}
	made, err := Open(path, true)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the key file has mode %04o", info.Mode().Perm())
	}
	again, err := Open(path, true)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made.IDs(), again.IDs()); diff != "" {
		t.Error(diff)
	}
	if err := again.VerifyCheck(made.Check()); err != nil {
		t.Error(err)
	}
	onlyTheKeyFile(t, path)
}

// onlyTheKeyFile checks that no temporary file with keys stays behind.
func onlyTheKeyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("files in the directory: %v", entries)
	}
}

func TestConcurrentFirstStartsAgree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	rings := make([]*Keyring, 16)
	var starts sync.WaitGroup
	for i := range rings {
		starts.Go(func() {
			ring, err := Open(path, true)
			if err != nil {
				t.Error(err)
			}
			rings[i] = ring
		})
	}
	starts.Wait()
	for _, ring := range rings {
		if ring == nil {
			t.Fatal("a start failed")
		}
		if err := ring.VerifyCheck(rings[0].Check()); err != nil {
			t.Error(err)
		}
	}
	onlyTheKeyFile(t, path)
}

func TestOpenRefusesAFileThatOthersCanUse(t *testing.T) {
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o660, 0o644, 0o777, 0o610} {
		path := filepath.Join(t.TempDir(), "secret.key")
		if err := New().Save(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, true); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	for _, mode := range []fs.FileMode{0o600, 0o400} {
		path := filepath.Join(t.TempDir(), "secret.key")
		if err := New().Save(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, false); err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

func TestOpenNeverReplacesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	for _, content := range []string{"", "garbage\n", strings.Repeat("x", maxKeyFile+1)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, true); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%.10q: %v", content, err)
		}
		if kept, err := os.ReadFile(path); err != nil || string(kept) != content {
			t.Errorf("%.10q was replaced by %.10q, %v", content, kept, err)
		}
	}
	if _, err := Open(t.TempDir(), true); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "no", "secret.key"), true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing directory: %v", err)
	}
}

func TestSaveReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	first, err := Open(path, true)
	if err != nil {
		t.Fatal(err)
	}
	rotated := first.Rotate()
	if err := rotated.Save(path); err != nil {
		t.Fatal(err)
	}
	read, err := Open(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rotated.IDs(), read.IDs()); diff != "" {
		t.Error(diff)
	}
	if err := read.VerifyCheck(first.Check()); err != nil {
		t.Error(err)
	}
	onlyTheKeyFile(t, path)
}
