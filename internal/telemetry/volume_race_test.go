package telemetry

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/engines"
)

// While a day is closed, a server that is late appends to it: what it appends is rolled up.
func TestSealWhileAppended(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		dir, ahead, behind := t.TempDir(), &movable{at: noon.Add(24 * time.Hour)}, &movable{at: noon}
		s, late := openStore(t, d, dir, ahead), openStore(t, d, dir, behind)
		defer func() { closeStore(t, s); closeStore(t, late) }()
		rounds := 25
		if d.Engine() == db.PostgreSQL {
			rounds = 5 // whose days are slow to make
		}
		for round := range rounds {
			var want, got []string
			count := func(_ context.Context, _ *db.Tx, records []Record) error {
				for _, r := range records {
					got = append(got, r.ID)
				}
				return nil
			}
			event := func(n int) Record {
				name := fmt.Sprintf("%d-%d", round, n)
				want = append(want, name)
				return Record{Kind: KindEvent, ID: name, At: behind.Now().UnixMilli(), Workspace: "w", Bot: "b", Body: &Event{Type: "e"}}
			}
			mustAppend(t, late, event(0))
			if err := s.roll(t.Context(), count, true); err != nil {
				t.Fatal(err)
			}
			var sealing sync.WaitGroup
			sealing.Go(func() {
				if err := s.seal(context.Background()); err != nil {
					t.Error(err)
				}
			})
			for n := range 3 {
				mustAppend(t, late, event(n+1))
			}
			sealing.Wait()
			if err := s.roll(t.Context(), count, true); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("round %d (-appended +rolled up):\n%s", round, diff)
			}
			ahead.forward(24 * time.Hour)
			behind.forward(24 * time.Hour)
		}
	})
}

// At midnight the servers begin the next day one after the other. Whichever receives a
// batch again knows it, and what becomes durable later has a greater sequence.
func TestMidnightOnTwoServers(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		midnight := noon.Truncate(24 * time.Hour).Add(24 * time.Hour)
		dir, ahead, behind := t.TempDir(), &movable{at: midnight.Add(2 * time.Second)}, &movable{at: midnight.Add(-2 * time.Second)}
		early, late := openStore(t, d, dir, ahead), openStore(t, d, dir, behind)
		defer func() { closeStore(t, early); closeStore(t, late) }()
		line := func(name string) Record {
			r := logLine(behind, 0, name)
			r.ID = name
			return r
		}
		for round := range 2 {
			name := func(what string) string { return fmt.Sprintf("%s %d", what, round) }
			// The server that is behind reads the list of days, and believes it for some seconds.
			mustAppend(t, late, line(name("before")))
			var batch []Record
			for n := range 5 {
				batch = append(batch, line(fmt.Sprintf("sent twice %d %d", round, n)))
			}
			mustAppend(t, early, batch...)
			last, err := early.Latest(t.Context(), Logs)
			if err != nil {
				t.Fatal(err)
			}
			if duplicates, err := late.Append(t.Context(), batch); err != nil || duplicates != len(batch) {
				t.Errorf("round %d: %d of %d records are known on the other server (%v)", round, duplicates, len(batch), err)
			}
			mustAppend(t, late, line(name("after")))
			tailed, err := early.After(t.Context(), Filter{Kinds: []Kind{KindLog}, Bot: "b"}, last, 10)
			if err != nil || len(tailed) != 1 || tailed[0].Message != name("after") {
				t.Errorf("round %d: after the last record of the other server there are %d (%v)", round, len(tailed), err)
			}
			ahead.forward(24 * time.Hour)
			behind.forward(24 * time.Hour)
		}
	})
}

// Both servers append while the day changes, and a tail misses nothing.
func TestTailOverMidnight(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		midnight := noon.Truncate(24 * time.Hour).Add(24 * time.Hour)
		dir := t.TempDir()
		clocks := []*movable{{at: midnight.Add(-time.Second)}, {at: midnight.Add(-time.Second)}}
		stores := []*blockStore{openStore(t, d, dir, clocks[0]), openStore(t, d, dir, clocks[1])}
		defer func() { closeStore(t, stores[0]); closeStore(t, stores[1]) }()
		f := Filter{Kinds: []Kind{KindLog}, Bot: "b"}
		const rounds, each = 4, 6
		seen, after := map[string]bool{}, int64(0)
		tail := func() {
			records, err := stores[0].After(context.Background(), f, after, 1000)
			if err != nil {
				t.Error(err)
			}
			for _, r := range records {
				seen[r.Message], after = true, r.Sequence
			}
		}
		for round := range rounds {
			var all sync.WaitGroup
			for i, s := range stores {
				all.Go(func() {
					for n := range each {
						if n == each/2 {
							clocks[i].forward(2 * time.Second)
						}
						r := logLine(clocks[i], 0, fmt.Sprintf("%d %d %d", round, i, n))
						if _, err := s.Append(context.Background(), []Record{r}); err != nil {
							t.Error(err)
						}
					}
				})
			}
			done := make(chan struct{})
			go func() { all.Wait(); close(done) }()
			for running := true; running; {
				select {
				case <-done:
					running = false
				default:
				}
				tail()
			}
			if want := (round + 1) * len(stores) * each; len(seen) != want {
				t.Fatalf("round %d: %d records are tailed, want %d", round, len(seen), want)
			}
			for _, c := range clocks {
				c.forward(24*time.Hour - 2*time.Second)
			}
		}
	})
}

// A damaged file is set aside while many use it: what is acknowledged meanwhile is in the
// new one.
func TestDamageIsMetByMany(t *testing.T) {
	d, c := mainDatabase(t), &movable{at: noon}
	for round := range 8 {
		dir := t.TempDir()
		s := openStore(t, d, dir, c)
		random, noise := rand.NewChaCha8([32]byte{1}), make([]byte, 2000)
		for range 100 {
			_, _ = random.Read(noise) // never fails
			mustAppend(t, s, logLine(c, 0, hex.EncodeToString(noise)))
		}
		closeStore(t, s)
		damageLeaf(t, filepath.Join(dir, "logs-2026-11-21.db"))
		s = openStore(t, d, dir, c)
		var all sync.WaitGroup
		var mu sync.Mutex
		var want []string
		for i := range 8 {
			all.Go(func() {
				for n := range 10 {
					_ = s.Scan(context.Background(), Filter{Kinds: []Kind{KindLog}, Bot: "b"}, func(*Record) bool { return true })
					name := fmt.Sprint("new ", i, " ", n)
					if _, err := s.Append(context.Background(), []Record{logLine(c, 0, name)}); err == nil {
						mu.Lock()
						want = append(want, name)
						mu.Unlock()
					}
				}
			})
		}
		all.Wait()
		closeStore(t, s)
		s = openStore(t, d, dir, c)
		got := read(t, s, "b")
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("round %d (-acknowledged +read):\n%s", round, diff)
		}
		closeStore(t, s)
	}
}

// damageLeaf damages one page of the rows in the middle of a file, which whoever appends
// does not read.
func damageLeaf(t *testing.T, path string) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := int(binary.BigEndian.Uint16(file[16:]))
	const leaf = 13 // the first byte of such a page
	for at := len(file) / 2 / page * page; at < len(file); at += page {
		if file[at] == leaf {
			file[at] = 0xff
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("there is no page to damage")
}

// A day is dropped while others look into it: nothing of it is left.
func TestDropWhileUsed(t *testing.T) {
	d, dir, c := mainDatabase(t), t.TempDir(), &movable{at: noon}
	s := openStore(t, d, dir, c)
	defer func() { closeStore(t, s) }()
	for round := range 10 {
		day := s.today()
		mustAppend(t, s, logLine(c, 0, "m"))
		c.forward(24 * time.Hour)
		var all sync.WaitGroup
		stop := make(chan struct{})
		for range 4 {
			all.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if err := s.eachInClass(context.Background(), Logs, func(v *volume) error {
						_, err := countFresh(context.Background(), v.reader(context.Background()), v)
						return err
					}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		if err := s.archive.drop(t.Context(), Logs, day); err != nil {
			t.Error(err)
		}
		close(stop)
		all.Wait()
		if files, err := filepath.Glob(filepath.Join(dir, volumeName(Logs, day)+"*")); err != nil || len(files) > 0 {
			t.Errorf("round %d: %q are left (%v)", round, files, err)
		}
		if v := s.archive.(*files).shelf.open[place{Logs, day}]; v != nil {
			t.Errorf("round %d: the day is still open", round)
		}
	}
}

// A day cannot be dropped while it is read, as by a backup. Appends to other days do not
// wait for that.
func TestAppendWhileDropWaits(t *testing.T) {
	d, c := engines.Open(t, db.PostgreSQL), &movable{at: noon}
	s := openStore(t, d, t.TempDir(), c)
	defer func() { closeStore(t, s) }()
	mustAppend(t, s, logLine(c, 0, "old"))
	old := s.today()
	c.forward(24 * time.Hour)
	mustAppend(t, s, logLine(c, 0, "new"))
	dropped := make(chan error, 1)
	if err := s.withVolume(t.Context(), Logs, old, func(v *volume) error {
		return v.db.Snapshot(t.Context(), func(ctx context.Context, q db.Querier) error {
			if _, err := countFresh(ctx, q, v); err != nil {
				return err
			}
			go func() { dropped <- s.archive.drop(context.Background(), Logs, old) }()
			for waits := false; !waits; pause(ctx, 5*time.Millisecond) {
				if err := d.Reader(ctx).QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)`).Scan(&waits); err != nil {
					return err
				}
			}
			mustAppend(t, s, logLine(c, 0, "newer"))
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-dropped; err != nil {
		t.Error(err)
	}
	if got := read(t, s, "b"); !slices.Equal(got, []string{"newer", "new"}) {
		t.Errorf("read %q", got)
	}
}
