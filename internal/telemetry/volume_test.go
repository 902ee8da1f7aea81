package telemetry

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/engines"
	"github.com/botyard/botyard/test/explain"
)

// A past day is dropped by another server, which this one has not heard of yet: it goes
// on reading, appending, merging and rolling up what there is.
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
		batch := func(first string) (records []Record) {
			line := logLine(c, 0, first)
			line.ID = first
			for i := range 300 { // enough that some meet the filter of the keys by chance
				line.ID = first + string(rune('a'+i))
				records = append(records, line)
			}
			return append(records, Record{Kind: KindEvent, ID: first, At: c.Now().UnixMilli(), Workspace: "w", Bot: "b", Body: &Event{Type: first}})
		}
		rolled := 0
		count := func(_ context.Context, _ *db.Tx, records []Record) error { rolled += len(records); return nil }
		day := dayOf(c.Now())
		mustAppend(t, s, batch("old")...)
		c.forward(24 * time.Hour)
		mustAppend(t, s, batch("new")...)
		// The list of days is read, and believed for some seconds.
		if err := s.roll(t.Context(), count, false); err != nil || rolled != 2 {
			t.Fatal(rolled, err)
		}
		for _, class := range classes {
			if err := other.archive.drop(t.Context(), class, day); err != nil {
				t.Fatal(err)
			}
		}

		if got := read(t, s, "b"); len(got) != 300 || got[0] != "new" {
			t.Errorf("%d lines are read", len(got))
		}
		if err := s.roll(t.Context(), count, false); err != nil {
			t.Errorf("the roll-up: %v", err)
		}
		if stalls, err := selectStalls(t.Context(), d.Reader(t.Context())); err != nil || len(stalls) > 0 {
			t.Errorf("the roll-up stalls: %+v (%v)", stalls, err)
		}
		for _, class := range classes {
			if _, err := s.mergeOpen(t.Context(), class); err != nil {
				t.Errorf("merging %s: %v", class, err)
			}
		}
		if after, err := s.After(t.Context(), Filter{Kinds: []Kind{KindLog}, Bot: "b"}, 0, 1000); err != nil || len(after) != 300 {
			t.Errorf("%d lines come after the beginning (%v)", len(after), err)
		}
		if err := s.seal(t.Context()); err != nil {
			t.Errorf("sealing: %v", err)
		}
		if err := s.Erase(t.Context(), Owner{Bot: "nobody"}); err != nil {
			t.Errorf("erasing: %v", err)
		}
		if duplicates, err := s.Append(t.Context(), batch("newer")); err != nil || duplicates != 0 {
			t.Errorf("%d duplicates (%v)", duplicates, err)
		}
		if duplicates, err := s.Append(t.Context(), batch("old")); err != nil || duplicates != 0 {
			t.Errorf("%d of what was dropped is known (%v)", duplicates, err)
		}
		for _, class := range classes {
			if days, err := s.archive.days(t.Context(), class); err != nil || slices.Contains(days, day) {
				t.Errorf("of %s there are the days %v (%v)", class, days, err)
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
			_, err5 := selectLatest(ctx, q, v)
			err6 := selectHeads(ctx, q, v, []*block{{}, {}, {}})
			return errors.Join(append(errs, err1, err2, err4, err5, err6)...)
		})
	})
}
