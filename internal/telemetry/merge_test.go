package telemetry

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/test/engines"
)

// appendOneByOne appends records of a bot, each in a block of its own, and answers their
// names, oldest first.
func appendOneByOne(t testing.TB, s *blockStore, c *movable, bot id.Bot, kind Kind, n int) (names []string) {
	t.Helper()
	for i := range n {
		name := fmt.Sprintf("%s at %s, %03d", bot, c.Now().Format(time.DateTime), i)
		r := Record{Kind: kind, ID: name, At: c.Now().Add(time.Duration(i-n) * time.Second).UnixMilli(), Workspace: "w", Bot: bot}
		if kind == KindLog {
			r.Level, r.Message = Info, name
		} else {
			r.Body = &Event{Type: name}
		}
		mustAppend(t, s, r)
		names = append(names, name)
	}
	return names
}

func mergeAll(t testing.TB, s *blockStore, class Class) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = s.mergeOpen(t.Context(), class); err != nil {
			t.Fatal(err)
		}
	}
}

// However far a reader has come when the blocks are merged, it sees each record once.
func TestMergeWhileBlocksAreRead(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		c := &movable{at: noon}
		s := openStore(t, d, t.TempDir(), c)
		defer func() { closeStore(t, s) }()
		const lines = maxListed + 16
		// With so many blocks of the next day, all that are listed of a day are open before
		// more of them are.
		const later = 9
		for _, at := range []int{maxListed - 1, maxListed + 2, maxListed + later - 1} {
			bot := id.Bot(fmt.Sprint("scan at ", at))
			want := appendOneByOne(t, s, c, bot, KindLog, lines)
			c.forward(24 * time.Hour)
			want = append(want, appendOneByOne(t, s, c, bot, KindLog, later)...)
			slices.Reverse(want)
			var got []string
			if err := s.Scan(t.Context(), Filter{Kinds: []Kind{KindLog}, Bot: bot}, func(r *Record) bool {
				if got = append(got, r.Message); len(got) == at {
					mergeAll(t, s, Logs)
				}
				return true
			}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("merged at record %d of a scan (-want +got):\n%s", at, diff)
			}
		}
		for _, at := range []int{1, 2 * stepAfter} {
			bot := id.Bot(fmt.Sprint("after at ", at))
			want := appendOneByOne(t, s, c, bot, KindLog, lines)
			seen := 0
			records, err := s.After(t.Context(), Filter{Kinds: []Kind{KindLog}, Bot: bot, Match: func(*Record) bool {
				if seen++; seen == at {
					mergeAll(t, s, Logs)
				}
				return true
			}}, 0, 2*lines)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range records {
				got = append(got, r.Message)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("merged at record %d of a tail (-want +got):\n%s", at, diff)
			}
		}
	})
}

// Merges, appends and readers run at the same time, on records whose times overlap: no
// reader misses a record that was there when it began, or sees one twice.
func TestReadersAmongMerges(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		c := &movable{at: noon}
		s := openStore(t, d, t.TempDir(), c)
		defer func() { closeStore(t, s) }()
		const rounds, each = 16, 20
		var mu sync.Mutex
		stored := map[string]bool{}
		done := make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			defer close(done)
			for n := range rounds * each {
				name := fmt.Sprint("m", n)
				// Every third comes late, so that blocks overlap.
				late := time.Duration(n%3) * time.Duration(n) * 10 * time.Millisecond
				r := logLine(c, time.Hour-time.Duration(n)*10*time.Millisecond+late, name)
				if _, err := s.Append(context.Background(), []Record{r}); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				stored[name] = true
				mu.Unlock()
				if n%each == each-1 {
					if _, err := s.mergeOpen(context.Background(), Logs); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
		check := func(how string, read func(visit func(*Record)) error) {
			mu.Lock()
			missing := make(map[string]bool, len(stored))
			for name := range stored {
				missing[name] = true
			}
			mu.Unlock()
			twice := map[string]int{}
			if err := read(func(r *Record) {
				delete(missing, r.Message)
				twice[r.Message]++
			}); err != nil {
				t.Errorf("%s: %v", how, err)
			}
			for name, n := range twice {
				if n > 1 {
					t.Errorf("%s: %s is seen %d times", how, name, n)
				}
			}
			if len(missing) > 0 {
				t.Errorf("%s: %d records are missing", how, len(missing))
			}
		}
		f := Filter{Kinds: []Kind{KindLog}, Bot: "b"}
		for running := true; running && !t.Failed(); {
			select {
			case <-done:
				running = false
			default:
			}
			check("scan", func(visit func(*Record)) error {
				return s.Scan(context.Background(), f, func(r *Record) bool { visit(r); return true })
			})
			check("after", func(visit func(*Record)) error {
				records, err := s.After(context.Background(), f, 0, rounds*each)
				for i := range records {
					visit(&records[i])
				}
				return err
			})
		}
		all.Wait()
	})
}

// Records that were set aside are found while their blocks are merged.
func TestSetAsideWhileMerged(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		c := &movable{at: noon}
		s := openStore(t, d, t.TempDir(), c)
		defer func() { closeStore(t, s) }()
		const events = 4 * stepAfter
		for round := range 5 {
			bot := id.Bot(fmt.Sprint("b", round))
			appendOneByOne(t, s, c, bot, KindEvent, events)
			var rows []asideRow
			if err := s.roll(t.Context(), func(_ context.Context, _ *db.Tx, records []Record) error {
				rows = rows[:0]
				for _, r := range records {
					rows = append(rows, asideRow{volume: volumeName(Events, dayOf(noon)), sequence: r.Sequence, bot: bot})
				}
				return nil
			}, true); err != nil {
				t.Fatal(err)
			}
			if len(rows) != events {
				t.Fatalf("%d records are rolled up, want %d", len(rows), events)
			}
			var merging sync.WaitGroup
			merging.Go(func() {
				if _, err := s.mergeOpen(context.Background(), Events); err != nil {
					t.Error(err)
				}
			})
			for range 8 {
				found, _, err := s.recordsOf(t.Context(), rows)
				if err != nil {
					t.Fatal(err)
				}
				if len(found) != events {
					t.Errorf("round %d: %d of %d records are found", round, len(found), events)
				}
			}
			merging.Wait()
		}
	})
}
