package blob

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func openDir(t testing.TB, dir string) *Store {
	t.Helper()
	return open(t, (&url.URL{Scheme: "file", Path: dir}).String())
}

func open(t testing.TB, address string) *Store {
	t.Helper()
	s, err := Open(context.Background(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// eachStore runs a test on a directory and on a bucket.
func eachStore(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Run("directory", func(t *testing.T) { test(t, openDir(t, filepath.Join(t.TempDir(), "blobs"))) })
	t.Run("bucket", func(t *testing.T) { test(t, openBucket(t, newBucketServer("bucket"))) })
}

func openBucket(t *testing.T, b *bucketServer) *Store {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return open(t, "s3://bucket?region=us-east-1&use_path_style=true&endpoint="+url.QueryEscape(server.URL))
}

func random(t testing.TB, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func mustPut(t testing.TB, s *Store, content []byte) Hash {
	t.Helper()
	h, err := s.Put(t.Context(), content)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestRoundTrip(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		check := func(t rapid.TB, content []byte) {
			h, err := s.Put(context.Background(), content)
			if err != nil {
				t.Fatal(err)
			}
			if h != Of(content) {
				t.Fatalf("Put answers %s for content with the hash %s", h, Of(content))
			}
			got, err := s.Get(context.Background(), h)
			if err != nil || !bytes.Equal(got, content) {
				t.Fatalf("Get answers %d bytes of %d, %v", len(got), len(content), err)
			}
			r, err := s.Reader(context.Background(), h)
			if err != nil {
				t.Fatal(err)
			}
			got, err = io.ReadAll(iotest.HalfReader(r))
			if err != nil || !bytes.Equal(got, content) {
				t.Fatalf("Reader gives %d bytes of %d, %v", len(got), len(content), err)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		rapid.Check(t, func(t *rapid.T) { check(t, rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "content")) })
		check(t, nil)
		check(t, bytes.Repeat([]byte("compressible "), 1<<19))
		check(t, random(t, 12<<20)) // several parts of an upload
	})
}

func TestMissing(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		for _, h := range []Hash{Of([]byte("never put")), "", "../../etc/passwd", Hash(strings.Repeat("Z", 64))} {
			if _, err := s.Get(t.Context(), h); !errors.Is(err, ErrMissing) {
				t.Errorf("Get(%q): %v", h, err)
			}
			if _, err := s.Reader(t.Context(), h); !errors.Is(err, ErrMissing) {
				t.Errorf("Reader(%q): %v", h, err)
			}
			if found, err := s.Has(t.Context(), h); found || err != nil {
				t.Errorf("Has(%q) = %v, %v", h, found, err)
			}
			for _, do := range []func(context.Context, Hash) error{s.Retire, s.Reinstate, s.Delete} {
				if err := do(t.Context(), h); err != nil {
					t.Errorf("%q: %v", h, err)
				}
			}
		}
	})
}

func list(t *testing.T, lister func(context.Context, func(Hash, time.Time) error) error) (got []Hash) {
	t.Helper()
	err := lister(t.Context(), func(h Hash, at time.Time) error {
		if age := time.Since(at); age < -time.Minute || age > time.Minute {
			t.Errorf("%s was put or retired %s ago", h, age)
		}
		got = append(got, h)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestList(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		var want []Hash
		for i := range 20 {
			want = append(want, mustPut(t, s, fmt.Appendf(nil, "blob %d", i)))
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, list(t, s.List)); diff != "" {
			t.Error(diff)
		}
		stop := errors.New("stop")
		if err := s.List(t.Context(), func(Hash, time.Time) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("List: %v", err)
		}
	})
}

// TestListWhileBlobsArePut holds that the temporary files of Puts, which come and go, do not
// disturb a list, nor what is deleted meanwhile.
func TestListWhileBlobsArePut(t *testing.T) {
	s := openDir(t, t.TempDir())
	done := make(chan struct{})
	var puts sync.WaitGroup
	for i := range 4 {
		puts.Go(func() {
			for n := range 100 {
				h, err := s.Put(t.Context(), fmt.Appendf(nil, "%d %d", i, n))
				if err == nil {
					err = errors.Join(s.Retire(t.Context(), h), s.Delete(t.Context(), h))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { puts.Wait(); close(done) }()
	for {
		if err := s.List(t.Context(), func(Hash, time.Time) error { return nil }); err != nil {
			t.Error(err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

func TestCheck(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		var checks sync.WaitGroup
		for range 8 {
			checks.Go(func() {
				if err := s.Check(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		checks.Wait()
		if err := s.List(t.Context(), func(h Hash, _ time.Time) error { return fmt.Errorf("left %s", h) }); err != nil {
			t.Error(err)
		}
	})
}

func TestCheckSaysWhenNothingCanBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "blobs")
	s := openDir(t, dir)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("Check: %v", err)
	}
	if _, err := s.Put(t.Context(), []byte("x")); err == nil {
		t.Error("Put succeeded")
	}
}

func TestConcurrentPuts(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		contents := [][]byte{[]byte("a"), []byte("b"), random(t, 100_000)}
		var puts sync.WaitGroup
		for i := range 48 {
			puts.Go(func() {
				content := contents[i%len(contents)]
				h, err := s.Put(t.Context(), content)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := s.Get(t.Context(), h); err != nil || !bytes.Equal(got, content) {
					t.Errorf("Get after Put: %d bytes, %v", len(got), err)
				}
			})
		}
		puts.Wait()
	})
}

func (s *Store) file(h Hash) string { return filepath.Join(s.dir, filepath.FromSlash(h.key())) }

func TestDamage(t *testing.T) {
	s := openDir(t, t.TempDir())
	content := bytes.Repeat([]byte("0123456789"), 10_000)
	h, other := mustPut(t, s, content), mustPut(t, s, []byte("other"))
	stored, err := os.ReadFile(s.file(h))
	if err != nil {
		t.Fatal(err)
	}
	if len(stored) > len(content)/10 {
		t.Errorf("%d bytes are stored in %d", len(content), len(stored))
	}
	foreign, err := os.ReadFile(s.file(other))
	if err != nil {
		t.Fatal(err)
	}
	changed := slices.Clone(stored)
	changed[len(changed)/2] ^= 1
	for name, bad := range map[string][]byte{
		"changed":     changed,
		"cut":         stored[:len(stored)-5],
		"cut to head": stored[:3],
		"another":     foreign,
		"longer":      append(slices.Clone(stored), foreign...),
		"not zstd":    content,
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(s.file(h), bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Get(t.Context(), h); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), string(h)) {
				t.Errorf("Get: %v", err)
			}
			r, err := s.Reader(t.Context(), h)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
				r.Close()
			}
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("Reader: %v", err)
			}
		})
	}
	// An empty file is written again at once, other damage when the blob is no
	// longer young.
	if err := os.WriteFile(s.file(h), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), mustPut(t, s, content)); err != nil || !bytes.Equal(got, content) {
		t.Errorf("after a repair: %d bytes, %v", len(got), err)
	}
}

func TestBrokenConnectionIsNoDamage(t *testing.T) {
	b := newBucketServer("bucket")
	s := openBucket(t, b)
	h := mustPut(t, s, random(t, 1<<20))
	b.breakConnections(true)
	_, err := s.Get(t.Context(), h)
	if err == nil || errors.Is(err, ErrDamaged) || errors.Is(err, ErrMissing) {
		t.Errorf("Get: %v", err)
	}
	r, err := s.Reader(t.Context(), h)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
		r.Close()
	}
	if err == nil || errors.Is(err, ErrDamaged) || errors.Is(err, ErrMissing) {
		t.Errorf("Reader: %v", err)
	}
	b.breakConnections(false)
	if _, err := s.Get(t.Context(), h); err != nil {
		t.Error(err)
	}
}

func TestPutOfWhatIsThere(t *testing.T) {
	s := openDir(t, t.TempDir())
	content := []byte("content")
	h := mustPut(t, s, content)
	stat := func() os.FileInfo {
		info, err := os.Stat(s.file(h))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	first := stat()
	mustPut(t, s, content)
	if !os.SameFile(first, stat()) {
		t.Error("a young blob was written again")
	}
	damaged := []byte("damaged")
	if err := os.WriteFile(s.file(h), damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-young - time.Minute)
	if err := os.Chtimes(s.file(h), old, old); err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, content)
	if age := time.Since(stat().ModTime()); age > time.Minute {
		t.Errorf("after a Put the blob is %s old: a collector would take it", age)
	}
	if got, err := s.Get(t.Context(), h); err != nil || !bytes.Equal(got, content) {
		t.Errorf("Get: %q, %v", got, err)
	}
}

func TestCanceledPutLeavesNothing(t *testing.T) {
	s := openDir(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Put(ctx, []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v", err)
	}
	err := filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("%s was left", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSweep(t *testing.T) {
	s := openDir(t, t.TempDir())
	h := mustPut(t, s, []byte("kept"))
	write := func(name string, age time.Duration) {
		path := filepath.Join(filepath.Dir(s.file(h)), name)
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write("abandoned.17f.tmp", 2*time.Hour)
	write("being-written.18a.tmp", time.Second)
	before := time.Now().Add(-time.Hour)
	if n, err := s.Sweep(t.Context(), before); n != 1 || err != nil {
		t.Errorf("Sweep = %d, %v; want 1", n, err)
	}
	if n, err := s.Sweep(t.Context(), before); n != 0 || err != nil {
		t.Errorf("the second Sweep = %d, %v; want 0", n, err)
	}
	if _, err := s.Get(t.Context(), h); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for address, want := range map[string]string{
		"":                   "use file:///directory",
		"blobs":              "use file:///directory",
		"./blobs":            "use file:///directory",
		"file://":            "is not a directory",
		"file://blobs/x":     "three slashes",
		"file:///x?a=b":      "is not a directory",
		"s3://":              "has no bucket",
		"gs://bucket":        `scheme "gs"`,
		"mem://":             `scheme "mem"`,
		"s3://b?no_such=opt": "no_such",
		":":                  "cannot be read",
	} {
		s, err := Open(t.Context(), address)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q): %v; want %q", address, err, want)
		}
	}
}

func TestParseHash(t *testing.T) {
	h := Of([]byte("x"))
	if got, err := ParseHash(string(h)); got != h || err != nil {
		t.Errorf("ParseHash(%q) = %q, %v", h, got, err)
	}
	if got, ok := hashOf(h.key()); got != h || !ok {
		t.Errorf("hashOf(%q) = %q, %v", h.key(), got, ok)
	}
	for _, bad := range []string{"", string(h[1:]), strings.ToUpper(string(h)), string(h) + "0", "../" + string(h[3:])} {
		if _, err := ParseHash(bad); err == nil {
			t.Errorf("ParseHash(%q) takes it", bad)
		}
		if _, ok := hashOf(bad); ok {
			t.Errorf("hashOf(%q) takes it", bad)
		}
	}
}

// putterDir is the environment variable that turns the test binary into a
// process that puts blobs until it is killed.
const putterDir = "BLOB_TEST_PUTTER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(putterDir); dir != "" {
		putForever(dir)
	}
	os.Exit(m.Run())
}

func putForever(dir string) {
	s, err := Open(context.Background(), "file://"+dir)
	for i := 0; err == nil; i++ {
		var h Hash
		h, err = s.Put(context.Background(), bytes.Repeat(fmt.Appendf(nil, "%d ", i), 1+i*1000%200_000))
		fmt.Println(h)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func TestAcknowledgedBlobsSurviveKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := 0
	for range 5 {
		putter := exec.Command(os.Args[0])
		putter.Env = append(os.Environ(), putterDir+"="+dir)
		out, err := putter.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := putter.Start(); err != nil {
			t.Fatal(err)
		}
		var hashes []Hash
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			hashes = append(hashes, Hash(lines.Text()))
			if len(hashes) == 20 {
				if err := putter.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = putter.Wait() // killed
		s := openDir(t, dir)
		for _, h := range hashes {
			if len(h) < 64 {
				continue // the line that the kill cut
			}
			acknowledged++
			if _, err := s.Get(t.Context(), h); err != nil {
				t.Error(err)
			}
		}
		err = s.List(t.Context(), func(h Hash, _ time.Time) error {
			_, err := s.Get(t.Context(), h)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if acknowledged < 100 {
		t.Errorf("only %d blobs were acknowledged", acknowledged)
	}
}

func BenchmarkPut(b *testing.B) {
	s := openDir(b, b.TempDir())
	content := random(b, 4<<10)
	for i := 0; b.Loop(); i++ {
		copy(content, fmt.Sprint(i))
		mustPut(b, s, content)
	}
}

func BenchmarkGet(b *testing.B) {
	s := openDir(b, b.TempDir())
	h := mustPut(b, s, random(b, 4<<10))
	for b.Loop() {
		if _, err := s.Get(b.Context(), h); err != nil {
			b.Fatal(err)
		}
	}
}
