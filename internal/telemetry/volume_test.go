package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/engines"
	"github.com/botyard/botyard/test/explain"
)

// A past day is dropped by another server, and this one still has it in its list of days:
// whatever it does next is done with the days that are left.
func TestDayDroppedByAnotherServer(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		dir, c := t.TempDir(), &movable{at: noon}
		s := openStore(t, d, dir, c)
		defer func() { closeStore(t, s) }()
		other := s // SQLite has one server
		if d.Engine() == db.PostgreSQL {
			other = openStore(t, d, dir, c)
			defer func() { closeStore(t, other) }()
		}
		const lines = 300 // enough that some meet the filter of the keys by chance
		batch := func(name string) (records []Record) {
			for i := range lines {
				line := logLine(c, 0, name)
				line.ID = fmt.Sprint(name, i)
				records = append(records, line)
			}
			return append(records, Record{Kind: KindEvent, ID: name, At: c.Now().UnixMilli(), Workspace: "w", Bot: "b", Body: &Event{Type: name}})
		}
		rolled := 0
		count := func(_ context.Context, _ *db.Tx, records []Record) error { rolled += len(records); return nil }
		for name, step := range map[string]func(ctx context.Context) error{
			"scan": func(ctx context.Context) error {
				if got := read(t, s, "b"); len(got) != lines {
					return fmt.Errorf("%d lines are read", len(got))
				}
				return nil
			},
			"after": func(ctx context.Context) error {
				if got, err := s.After(ctx, Filter{Kinds: []Kind{KindLog}, Bot: "b"}, 0, 10*lines); err != nil || len(got) != lines {
					return fmt.Errorf("%d lines come after the beginning (%w)", len(got), err)
				}
				return nil
			},
			"latest": func(ctx context.Context) error {
				_, err := s.Latest(ctx, Logs)
				return err
			},
			"roll up": func(ctx context.Context) error {
				if err := s.roll(ctx, count, false); err != nil {
					return err
				}
				if stalls, err := selectStalls(ctx, d.Reader(ctx)); err != nil || len(stalls) > 0 {
					return fmt.Errorf("the roll-up stalls: %+v (%w)", stalls, err)
				}
				return nil
			},
			"merge": func(ctx context.Context) error {
				_, err := s.mergeOpen(ctx, Events)
				return err
			},
			"seal":  func(ctx context.Context) error { return s.seal(ctx) },
			"erase": func(ctx context.Context) error { return s.Erase(ctx, Owner{Bot: "nobody"}) },
			"append": func(ctx context.Context) error {
				if duplicates, err := s.Append(ctx, batch("newer")); err != nil || duplicates != 0 {
					return fmt.Errorf("%d duplicates (%w)", duplicates, err)
				}
				return nil
			},
			"append again": func(ctx context.Context) error {
				if duplicates, err := s.Append(ctx, batch("append again, old")); err != nil || duplicates != 0 {
					return fmt.Errorf("%d of what was dropped is known (%w)", duplicates, err)
				}
				return nil
			},
			"back up": func(ctx context.Context) error {
				return s.eachVolume(ctx, func(context.Context, string, db.Querier, map[string]db.Table) error { return nil })
			},
		} {
			day := s.today()
			mustAppend(t, s, batch(name+", old")...)
			c.forward(24 * time.Hour)
			mustAppend(t, s, batch(name+", new")...)
			// The list of days is read, and believed for some seconds.
			if err := s.roll(t.Context(), count, false); err != nil {
				t.Fatal(err)
			}
			for _, class := range classes {
				if err := other.archive.drop(t.Context(), class, day); err != nil {
					t.Fatal(err)
				}
			}
			if err := step(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			c.forward(listEvery)
			for _, class := range classes {
				if days, err := s.archive.days(t.Context(), class); err != nil || slices.Contains(days, day) {
					t.Errorf("%s: of %s there are the days %v (%v)", name, class, days, err)
				}
			}
		}
	})
}

// A past day whose keys cannot be read is set aside, and not the one that is written to.
func TestDamagedKeysOfAPastDay(t *testing.T) {
	d, dir, c := mainDatabase(t), t.TempDir(), &movable{at: noon}
	s := openStore(t, d, dir, c)
	line := func(message string) Record {
		r := logLine(c, 0, message)
		r.ID = message
		return r
	}
	var damaged []string
	for _, day := range []string{"first", "second"} {
		mustAppend(t, s, line(day))
		damaged = append(damaged, filepath.Join(dir, "logs-"+dayName(dayOf(c.Now()))+".db"))
		c.forward(24 * time.Hour)
	}
	mustAppend(t, s, logLine(c, 0, "today"))
	closeStore(t, s)
	for _, path := range damaged {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 8192; i < len(file); i++ { // all but the first page
			file[i] ^= 0x5a
		}
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = openStore(t, d, dir, c)
	defer func() { closeStore(t, s) }()
	mustAppend(t, s, line("also today"))
	if got := read(t, s, "b"); !slices.Equal(got, []string{"also today", "today"}) {
		t.Errorf("read %q", got)
	}
	if got := s.Damaged(); len(got) != 2 {
		t.Errorf("damaged are %q", got)
	}
}

// When the main database is damaged, no day of telemetry is set aside for it.
func TestDamagedMainDatabase(t *testing.T) {
	d, dir, c := mainDatabase(t), t.TempDir(), &movable{at: noon}
	s := openStore(t, d, dir, c)
	defer func() { closeStore(t, s) }()
	mustAppend(t, s, logLine(c, 0, "m"))
	garbage := filepath.Join(t.TempDir(), "garbage.db")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("garbage "), 4000), 0o600); err != nil {
		t.Fatal(err)
	}
	_, damage := db.Open(t.Context(), db.Options{File: garbage})
	if !db.Damaged(damage) {
		t.Fatal(damage)
	}
	for _, tt := range []struct {
		err     error
		damaged int
	}{{&mainError{damage}, 0}, {damage, 1}} {
		if err := s.withVolume(t.Context(), Logs, dayOf(noon), func(*volume) error { return tt.err }); !errors.Is(err, tt.err) {
			t.Errorf("the error is %v, want %v", err, tt.err)
		}
		if got := s.Damaged(); len(got) != tt.damaged {
			t.Errorf("damaged are %q, want %d", got, tt.damaged)
		}
	}
}

// The clock is set back by days, and records are appended to a day that was closed: they
// are rolled up, merged and known like all others.
func TestClosedDayIsAppendedTo(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		dir, c := t.TempDir(), &movable{at: noon}
		s := openStore(t, d, dir, c)
		defer func() { closeStore(t, s) }()
		var rolled []string
		note := func(_ context.Context, _ *db.Tx, records []Record) error {
			for _, r := range records {
				rolled = append(rolled, r.ID)
			}
			return nil
		}
		event := func(name string) Record {
			return Record{Kind: KindEvent, ID: name, At: c.Now().UnixMilli(), Workspace: "w", Bot: "b", Body: &Event{Type: "e"}}
		}
		mustAppend(t, s, event("one"))
		c.forward(72 * time.Hour)
		mustAppend(t, s, event("two"))
		if err := errors.Join(s.roll(t.Context(), note, false), s.seal(t.Context())); err != nil {
			t.Fatal(err)
		}
		c.forward(-72 * time.Hour)
		mustAppend(t, s, event("three"))
		if err := s.roll(t.Context(), note, false); err != nil {
			t.Fatal(err)
		}
		if want := []string{"one", "two", "three"}; !slices.Equal(rolled, want) {
			t.Errorf("%q are rolled up, want %q", rolled, want)
		}
		c.forward(72 * time.Hour)
		if err := s.seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		fresh := openStore(t, d, dir, c)
		defer func() { closeStore(t, fresh) }()
		for _, of := range []*blockStore{s, fresh} {
			if duplicates, err := of.Append(t.Context(), []Record{event("one"), event("two"), event("three")}); err != nil || duplicates != 3 {
				t.Errorf("%d of 3 are known (%v)", duplicates, err)
			}
		}
	})
}

// What is read of a volume again and again is found by an index.
func TestVolumeUsesIndexes(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		c := &movable{at: noon}
		s := openStore(t, d, t.TempDir(), c)
		defer func() { closeStore(t, s) }()
		mustAppend(t, s, logLine(c, 0, "m"))
		v, err := s.archive.open(t.Context(), Logs, dayOf(noon))
		if err != nil {
			t.Fatal(err)
		}
		explain.NoScans(t, v.db, func(ctx context.Context, q db.Querier) error {
			var errs []error
			for _, f := range []Filter{{Bot: "b"}, {Integration: "i"}} {
				_, err1 := selectCandidates(ctx, q, v, &f, bound{1 << 60, 1 << 60}, 10)
				_, err2 := selectAfter(ctx, q, v, &f, 1, 1, 10)
				errs = append(errs, err1, err2)
			}
			_, err1 := selectFresh(ctx, q, v, 1, 10)
			_, err2 := selectToMerge(ctx, q, v, owner{"w", "b", "i"}, 1, 10)
			_, _, err4 := selectBucket(ctx, q, v, 1, 1)
			err3 := selectHeads(ctx, q, v, []*block{{}, {}, {}})
			return errors.Join(append(errs, err1, err2, err3, err4)...)
		})
	})
}
