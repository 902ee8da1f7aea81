package telemetry

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/engines"
)

// TestBackup carries records of several days from engine to engine by what a backup
// is made of: each is there, none twice, and one that is sent again is known.
func TestBackup(t *testing.T) {
	for _, way := range [][2]db.Engine{{db.SQLite, db.PostgreSQL}, {db.PostgreSQL, db.SQLite}} {
		t.Run(string(way[0])+" to "+string(way[1]), func(t *testing.T) {
			c := &movable{at: noon}
			from := openStore(t, engines.Open(t, way[0]), t.TempDir(), c)
			defer closeStore(t, from)
			var sent []Record
			for n := range 3 {
				for m := range 50 {
					line := logLine(c, time.Duration(m)*time.Second, fmt.Sprint("line ", m, " of day ", n))
					line.ID = fmt.Sprint(n, "-", m)
					sent = append(sent, line)
				}
				mustAppend(t, from, sent[n*50:]...)
				mustAppend(t, from, Record{Kind: KindMessage, At: c.Now().UnixMilli(), Workspace: "w", Bot: "b", User: "u", Conversation: "c"})
				c.forward(24 * time.Hour)
			}

			to := openStore(t, engines.Open(t, way[1]), t.TempDir(), c)
			defer closeStore(t, to)
			if volumes := copyVolumes(t, from, to); volumes < 6 {
				t.Errorf("%d volumes were shown, want one of each class for each of 3 days", volumes)
			}
			if diff := cmp.Diff(read(t, from, "b"), read(t, to, "b")); diff != "" || len(read(t, to, "b")) != len(sent) {
				t.Error(diff)
			}
			if duplicates, err := to.Append(t.Context(), sent); err != nil || duplicates != len(sent) {
				t.Errorf("%d of %d were known when they were sent again (%v)", duplicates, len(sent), err)
			}
			for _, name := range []string{"", "logs", "logs-", "logs-../../etc", "events-2026-13-01", "users-2026-11-21"} {
				if err := to.restoreRows(t.Context(), name, "blocks", nil); err == nil {
					t.Errorf("%q was taken for a day", name)
				}
			}
		})
	}
}

// copyVolumes copies all volumes the way a backup does, and counts them.
func copyVolumes(t *testing.T, from, to *blockStore) (volumes int) {
	t.Helper()
	if err := from.eachVolume(t.Context(), func(ctx context.Context, name string, q db.Querier, tables map[string]db.Table) error {
		volumes++
		for table, of := range tables {
			err := db.EachRow(ctx, q, of, func(row []any) error { return to.restoreRows(t.Context(), name, table, [][]any{row}) })
			if err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return volumes
}

// Between the copy of the main database and that of the volumes, records are rolled up,
// merged and their day is sealed. A restored installation counts them all the same, and
// those that were counted before are not counted again.
func TestBackupWhileRecordsAreRolledUp(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		c := &movable{at: noon}
		from := openStore(t, d, t.TempDir(), c)
		defer closeStore(t, from)
		ignore := func(context.Context, *db.Tx, []Record) error { return nil }
		roll := func(s *blockStore, count rollUpFunc) {
			t.Helper()
			if err := s.roll(t.Context(), count, true); err != nil {
				t.Fatal(err)
			}
		}
		counted := appendOneByOne(t, from, c, "b", KindEvent, 2*minMerged)
		roll(from, ignore)
		name := cursorName(&volume{class: Events, day: dayOf(noon)})
		cursor, err := selectCursor(t.Context(), d.Reader(t.Context()), name)
		if err != nil {
			t.Fatal(err)
		}
		c.forward(time.Minute)
		want := appendOneByOne(t, from, c, "b", KindEvent, 3*minMerged)
		roll(from, ignore)
		mergeAll(t, from, Events)
		c.forward(24 * time.Hour)
		if err := from.seal(t.Context()); err != nil {
			t.Fatal(err)
		}

		restored := engines.Open(t, d.Engine())
		engines.InTx(t, restored, func(ctx context.Context, tx *db.Tx) error { return putCursor(ctx, tx, name, cursor) })
		to := openStore(t, restored, t.TempDir(), c)
		defer closeStore(t, to)
		copyVolumes(t, from, to)
		var got []string
		for range 2 {
			roll(to, func(_ context.Context, _ *db.Tx, records []Record) error {
				for _, r := range records {
					got = append(got, r.ID)
				}
				return nil
			})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rolled up after the restoration (-want +got):\n%s", diff)
		}
		var kept []string
		if err := to.Scan(t.Context(), Filter{Kinds: []Kind{KindEvent}, Bot: "b"}, func(r *Record) bool {
			kept = append(kept, r.ID)
			return true
		}); err != nil {
			t.Fatal(err)
		}
		all := slices.Concat(counted, want)
		slices.Sort(all)
		slices.Sort(kept)
		if diff := cmp.Diff(all, kept); diff != "" {
			t.Errorf("the restored records (-want +got):\n%s", diff)
		}
	})
}
