package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/audit"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/test/engines"
)

// logLine is a log record of bot b, so long before the clock's now.
func logLine(c *movable, ago time.Duration, message string) Record {
	return Record{Kind: KindLog, At: c.Now().Add(-ago).UnixMilli(), Workspace: "w", Bot: "b", Level: Info, Message: message}
}

// read answers the messages of a bot, newest first.
func read(t testing.TB, s *blockStore, bot id.Bot) (found []string) {
	t.Helper()
	if err := s.Scan(t.Context(), Filter{Kinds: []Kind{KindLog}, Bot: bot}, func(r *Record) bool {
		found = append(found, r.Message)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

func mustAppend(t testing.TB, s *blockStore, records ...Record) {
	t.Helper()
	if _, err := s.Append(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

func mainDatabase(t testing.TB) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{Dir: t.TempDir(), Synchronous: "NORMAL"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// A damaged day is set aside and named, the other days are served, and what comes is
// kept in a new file.
func TestDamagedDay(t *testing.T) {
	for name, damage := range map[string]func(file []byte) []byte{
		"no database": func([]byte) []byte { return []byte(strings.Repeat("this is no database. ", 1000)) },
		"header":      func(b []byte) []byte { copy(b[:100], strings.Repeat("\xff", 100)); return b },
		"first page":  func(b []byte) []byte { copy(b[100:8000], strings.Repeat("\xa5", 8000)); return b },
		"all pages": func(b []byte) []byte {
			for i := 8192; i < len(b); i++ {
				b[i] ^= 0x5a
			}
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, dir, c := mainDatabase(t), t.TempDir(), &movable{at: noon}
			s := openStore(t, d, dir, c)
			mustAppend(t, s, logLine(c, 0, "of the first day"))
			c.forward(24 * time.Hour)
			mustAppend(t, s, logLine(c, 0, "of the second day"))
			closeStore(t, s)

			path := filepath.Join(dir, "logs-2026-11-21.db")
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(file), 0o600); err != nil {
				t.Fatal(err)
			}
			s = openStore(t, d, dir, c)
			defer func() { closeStore(t, s) }()
			_ = s.Check(t.Context()) // what it cannot read it sets aside
			// A page that only a scan meets fails that scan; the next is served.
			_ = s.Scan(t.Context(), Filter{Kinds: []Kind{KindLog}, Bot: "b"}, func(*Record) bool { return true })
			if got := read(t, s, "b"); !slices.Equal(got, []string{"of the second day"}) {
				t.Errorf("read %q", got)
			}
			if got := s.Damaged(); len(got) != 1 || !strings.Contains(got[0], "logs-2026-11-21") {
				t.Errorf("damaged are %q", got)
			}
			mustAppend(t, s, logLine(c, 0, "new"))
			if got := read(t, s, "b"); !slices.Equal(got, []string{"new", "of the second day"}) {
				t.Errorf("read %q after an append", got)
			}
		})
	}
}

// A file of today that is damaged while it is written to is replaced, and the batch
// that met it is kept.
func TestDamagedToday(t *testing.T) {
	d, dir, c := mainDatabase(t), t.TempDir(), &movable{at: noon}
	s := openStore(t, d, dir, c)
	mustAppend(t, s, logLine(c, 0, "before"))
	closeStore(t, s)
	path := filepath.Join(dir, "logs-2026-11-21.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("garbage ", 4000)), 0o600); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, d, dir, c)
	defer func() { closeStore(t, s) }()
	mustAppend(t, s, logLine(c, 0, "after"))
	if got := read(t, s, "b"); !slices.Equal(got, []string{"after"}) {
		t.Errorf("read %q", got)
	}
	if len(s.Damaged()) != 1 {
		t.Errorf("damaged are %q", s.Damaged())
	}
}

// One damaged block costs its own records and no others.
func TestDamagedBlock(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		c := &movable{at: noon}
		s := openStore(t, d, t.TempDir(), c)
		defer func() { closeStore(t, s) }()
		for i := range 3 {
			mustAppend(t, s, logLine(c, time.Duration(i)*time.Minute, fmt.Sprint("m", i)))
		}
		v, err := s.archive.open(t.Context(), Logs, dayOf(noon))
		if err != nil {
			t.Fatal(err)
		}
		if err := v.db.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, v.text(`UPDATE {blocks} SET text = $1 WHERE sequence = (SELECT MIN(sequence) + 1 FROM {blocks})`), []byte("nonsense"))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if got := read(t, s, "b"); !slices.Equal(got, []string{"m0", "m2"}) {
			t.Errorf("read %q", got)
		}
		if got := s.Damaged(); len(got) != 1 || !strings.Contains(got[0], "block") {
			t.Errorf("damaged are %q", got)
		}
	})
}

// Each class is dropped after its own days, and each workspace's records after its
// own.
func TestRetention(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		ctx, c := t.Context(), &movable{at: noon}
		s := New(Options{DB: d, Clock: c, Log: slog.New(slog.DiscardHandler), Dir: t.TempDir(), Synchronous: "NORMAL", Retention: Retention{Logs: 3, Events: 5}, Trail: audit.New(d, c)})
		if err := s.Open(ctx); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		for _, wrong := range []Retention{{}, {Logs: -1}, {Events: maxRetention + 1}, {Logs: 1, Events: -1}} {
			if err := s.SetRetention(ctx, "short", wrong); !fault.Is(err, fault.InvalidPayload) {
				t.Errorf("a retention of %+v: %v", wrong, err)
			}
		}
		if err := s.SetRetention(ctx, "nobody", Retention{Logs: 1}); !fault.Is(err, fault.ResourceNotFound) {
			t.Errorf("the retention of a workspace that is not there: %v", err)
		}
		for w, days := range map[id.Workspace]int64{"short": 1, "long": 6} {
			addBot(t, d, w, id.Bot("of "+w))
			if err := s.SetRetention(ctx, w, Retention{Logs: days}); err != nil {
				t.Fatal(err)
			}
		}
		for _, w := range []id.Workspace{"short", "usual", "long"} {
			line := logLine(c, 0, "m")
			line.Workspace, line.Bot = w, id.Bot(w)
			mustAppend(t, s.blocks, line, Record{Kind: KindEvent, At: c.Now().UnixMilli(), Workspace: w, Bot: id.Bot(w), Body: &Event{Type: "e"}})
		}
		for day := range 8 {
			if err := s.Expire(ctx); err != nil {
				t.Fatal(err)
			}
			for w, days := range map[id.Bot]int{"short": 1, "usual": 3, "long": 6} {
				if there := len(read(t, s.blocks, w)) == 1; there != (day <= days) {
					t.Errorf("after %d days the logs of %s are there: %v", day, w, there)
				}
			}
			events := 0
			if err := s.blocks.Scan(ctx, Filter{Kinds: []Kind{KindEvent}, Bot: "usual"}, func(*Record) bool { events++; return true }); err != nil {
				t.Fatal(err)
			}
			if (events == 1) != (day <= 5) {
				t.Errorf("after %d days there are %d events", day, events)
			}
			c.forward(24 * time.Hour)
		}
		for _, class := range classes {
			if days, err := s.blocks.archive.days(ctx, class); err != nil || len(days) > 0 {
				t.Errorf("of %s there are the days %v (%v)", class, days, err)
			}
		}
	})
}

// What a workspace does not keep any more is shown by nothing, also before it is deleted.
func TestExpiredIsNotShown(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		ctx, c := t.Context(), &movable{at: noon}
		s := New(Options{DB: d, Clock: c, Log: slog.New(slog.DiscardHandler), Dir: t.TempDir(), Synchronous: "NORMAL", Trail: audit.New(d, c)})
		if err := s.Open(ctx); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		const w, bot = id.Workspace("short"), id.Bot("b")
		addBot(t, d, w, bot)
		if err := s.SetRetention(ctx, w, Retention{Logs: 1, Events: 1}); err != nil {
			t.Fatal(err)
		}
		records := func(name string) []Record {
			all := []Record{
				{Kind: KindLog, Level: Info, Message: name},
				{Kind: KindActivity, ID: name, Body: &Activity{TaskID: "t", Category: "action", Data: []byte(`{}`)}},
				{Kind: KindActionRun, ID: name, Body: &ActionRun{IntegrationName: "i", ActionType: "a", Status: "SUCCESS"}},
			}
			for i := range all {
				all[i].At, all[i].Workspace, all[i].Bot = c.Now().UnixMilli(), w, bot
			}
			return all
		}
		mustAppend(t, s.blocks, records("old")...)
		c.forward(25 * time.Hour)
		mustAppend(t, s.blocks, records("new")...)
		activities, _, err1 := s.Activities(ctx, w, bot, "t", db.Page{Size: 10})
		runs, _, err2 := s.ActionRuns(ctx, w, bot, RunFilter{Integration: "i"}, db.Page{Size: 10})
		var lines []Record
		errEnough := errors.New("enough")
		err3 := s.Tail(ctx, w, bot, 0, Debug, func(some []Record) error {
			lines = append(lines, some...)
			return errEnough
		})
		if err := errors.Join(err1, err2); err != nil || !errors.Is(err3, errEnough) {
			t.Fatal(err, err3)
		}
		for name, got := range map[string][]Record{"activities": activities, "action runs": runs, "the tail": lines} {
			if len(got) != 1 || got[0].ID+got[0].Message != "new" {
				t.Errorf("%s show %v", name, described(got))
			}
		}
	})
}

// What is erased is gone, of a bot and of a workspace, whose moved bots keep theirs.
func TestErase(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		c := &movable{at: noon}
		s := openStore(t, d, t.TempDir(), c)
		defer func() { closeStore(t, s) }()
		for i, of := range []owner{
			{"w", "gone", ""}, {"w", "moved away", ""}, {"w", "stays", ""}, {"v", "moved in", ""}, {"v", "another's", ""}, {"w", "", "i"}, {"v", "", "j"},
		} {
			line := logLine(c, time.Duration(i)*time.Second, "of "+string(of.bot))
			line.Workspace, line.Bot, line.Integration = of.workspace, of.bot, of.integration
			mustAppend(t, s, line)
		}
		if err := s.Erase(t.Context(), Owner{Bot: "gone"}); err != nil {
			t.Fatal(err)
		}
		if got := len(read(t, s, "stays")); got != 1 {
			t.Errorf("a bot that was not erased has %d records", got)
		}
		// The workspace is deleted, with the bots that are in it by then.
		if err := s.eraseLeft(t.Context(), "w", func(context.Context, []id.Bot) (map[id.Bot]id.Workspace, error) {
			return map[id.Bot]id.Workspace{"moved away": "v", "another's": "v"}, nil
		}); err != nil {
			t.Fatal(err)
		}
		for bot, want := range map[id.Bot]int{"gone": 0, "moved away": 1, "stays": 0, "moved in": 0, "another's": 1} {
			if got := len(read(t, s, bot)); got != want {
				t.Errorf("%s has %d records, want %d", bot, got, want)
			}
		}
		for integration, want := range map[id.Integration]int{"i": 0, "j": 1} {
			got := 0
			if err := s.Scan(t.Context(), Filter{Kinds: []Kind{KindLog}, Integration: integration}, func(*Record) bool { got++; return true }); err != nil || got != want {
				t.Errorf("outside of bots %s has %d records, want %d (%v)", integration, got, want, err)
			}
		}
		if err := s.Erase(t.Context(), Owner{}); err == nil {
			t.Error("everybody's records were erased")
		}
	})
}

// What is erased gives its space back, however much it was.
func TestErasedSpace(t *testing.T) {
	d, dir, c := mainDatabase(t), t.TempDir(), &movable{at: noon}
	s := openStore(t, d, dir, c)
	defer func() { closeStore(t, s) }()
	random, noise := rand.NewChaCha8([32]byte{1}), make([]byte, 1<<20)
	for range 40 {
		_, _ = random.Read(noise) // never fails
		mustAppend(t, s, logLine(c, 0, string(noise)))
	}
	if err := s.Erase(t.Context(), Owner{Bot: "b"}); err != nil {
		t.Fatal(err)
	}
	v, err := s.archive.open(t.Context(), Logs, dayOf(noon))
	if err != nil {
		t.Fatal(err)
	}
	var pages int64
	if err := v.reader(t.Context()).QueryRow(t.Context(), `PRAGMA page_count`).Scan(&pages); err != nil || pages > 100 {
		t.Errorf("%d pages are left (%v)", pages, err)
	}
}

// The keys of a day become runs, of the runs one, and all are still known: over
// days, and by a server that began before and one that begins after.
func TestKeyRuns(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		dir, c := t.TempDir(), &movable{at: noon}
		s, other := openStore(t, d, dir, c), openStore(t, d, dir, c)
		defer func() { closeStore(t, s); closeStore(t, other) }()
		const perBatch, batches = 300, 12
		batch := func(n int) (records []Record) {
			for i := range perBatch {
				r := logLine(c, 0, "m")
				r.ID = fmt.Sprintf("%d-%d", n, i)
				records = append(records, r)
			}
			return records
		}
		append := func(s *blockStore, n, want int) {
			t.Helper()
			if got, err := s.Append(t.Context(), batch(n)); err != nil || got != want {
				t.Fatalf("batch %d: %d duplicates, want %d (%v)", n, got, want, err)
			}
		}
		append(other, 0, 0)
		for n := 1; n < batches; n++ {
			append(s, n, 0)
			v, err := s.archive.open(t.Context(), Logs, s.today())
			if err != nil {
				t.Fatal(err)
			}
			if err := (&volumeKeys{volume: v}).compact(t.Context(), n == batches-1); err != nil {
				t.Fatal(err)
			}
			if n%5 == 0 {
				c.forward(24 * time.Hour)
			}
		}
		for n := range batches {
			append(s, n, perBatch)
			append(other, n, perBatch)
		}
		append(other, batches, 0)
		fresh := openStore(t, d, dir, c)
		defer func() { closeStore(t, fresh) }()
		append(fresh, batches, perBatch)
		append(fresh, 3, perBatch)
	})
}
