package telemetry

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/postgres"
)

// TestBackup carries records of several days from engine to engine by what a backup
// is made of: each is there, none twice, and one that is sent again is known.
func TestBackup(t *testing.T) {
	engines := map[db.Engine]func() *db.DB{
		db.SQLite: func() *db.DB { return mainDatabase(t) },
		db.PostgreSQL: func() *db.DB {
			d, err := db.Open(t.Context(), db.Options{URL: postgres.Database(t)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = d.Close() })
			return d
		},
	}
	for _, way := range [][2]db.Engine{{db.SQLite, db.PostgreSQL}, {db.PostgreSQL, db.SQLite}} {
		t.Run(string(way[0])+" to "+string(way[1]), func(t *testing.T) {
			c := &movable{at: noon}
			from := openStore(t, engines[way[0]](), t.TempDir(), c)
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

			to := openStore(t, engines[way[1]](), t.TempDir(), c)
			defer closeStore(t, to)
			volumes := 0
			err := from.eachVolume(t.Context(), func(ctx context.Context, name string, q db.Querier, tables map[string]db.Table) error {
				volumes++
				for table, of := range tables {
					err := db.EachRow(ctx, q, of, func(row []any) error { return to.restoreRows(t.Context(), name, table, [][]any{row}) })
					if err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if volumes < 6 {
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
