package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/test/engines"
)

// movable is a clock that tests set.
type movable struct {
	sync.Mutex
	at time.Time
}

func (m *movable) Now() time.Time {
	m.Lock()
	defer m.Unlock()
	return m.at
}

func (m *movable) forward(d time.Duration) {
	m.Lock()
	defer m.Unlock()
	m.at = m.at.Add(d)
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// openStore opens the storage over a database; the files of SQLite are in dir.
func openStore(t testing.TB, d *db.DB, dir string, c *movable) *blockStore {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	var a archive
	var err error
	if d.Engine() == db.SQLite {
		a, err = openFiles(dir, "NORMAL", c, log)
	} else {
		a, err = openPartitions(t.Context(), d, c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return newBlockStore(a, d, c, log)
}

func closeStore(t testing.TB, s *blockStore) {
	t.Helper()
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

// listed is what the storage promises, in the simplest words.
type listed struct {
	records []Record
	known   map[string]bool
}

func (n *listed) append(records []Record) (duplicates int) {
	for _, r := range records {
		if r.ID != "" {
			name := fmt.Sprint(r.Bot, "/", r.Integration, "/", r.Kind, "/", r.ID)
			if r.Bot != "" {
				name = fmt.Sprint(r.Bot, "//", r.Kind, "/", r.ID)
			}
			if n.known[name] {
				duplicates++
				continue
			}
			n.known[name] = true
		}
		n.records = append(n.records, r)
	}
	return duplicates
}

// scan answers what passes, newest first. Records of one millisecond come by falling
// sequence, which the model does not know: they are compared as a set.
func (n *listed) scan(f *Filter) []string {
	var found []Record
	for _, r := range n.records {
		if f.passes(&r) {
			found = append(found, r)
		}
	}
	slices.SortStableFunc(found, func(a, b Record) int { return cmp.Compare(b.At, a.At) })
	return described(found)
}

func described(records []Record) []string {
	var all []string
	for _, r := range records {
		text := fmt.Sprintf("%d %s %s/%s/%s %s %s %s %s %q", r.At, r.Kind, r.Workspace, r.Bot, r.Integration, r.User, r.Conversation, r.Workflow, r.Level, r.Message)
		if r.Kind != KindLog {
			text += fmt.Sprintf(" %s %+v", r.ID, r.Body)
		}
		all = append(all, text)
	}
	// Within a millisecond the order is compared elsewhere.
	slices.SortStableFunc(all, func(a, b string) int {
		x, _, _ := strings.Cut(a, " ")
		y, _, _ := strings.Cut(b, " ")
		if x == y {
			return strings.Compare(a, b)
		}
		return strings.Compare(y, x)
	})
	return all
}

var words = []string{"payment", "accepted", "user", "declined", "größe", "🙂", "timeout", "x", "retry"}

func drawRecord(t *rapid.T, now time.Time) Record {
	r := Record{
		Kind:      rapid.SampledFrom([]Kind{KindLog, KindLog, KindLog, KindEvent, KindMessage, KindActionRun}).Draw(t, "kind"),
		At:        now.UnixMilli() - rapid.Int64Range(-1000, 3*millisPerDay).Draw(t, "ago")/rapid.SampledFrom([]int64{1, 1000, 1_000_000}).Draw(t, "scale"),
		Workspace: "w", Bot: rapid.SampledFrom([]id.Bot{"b1", "b2", ""}).Draw(t, "bot"),
		User:     rapid.SampledFrom([]string{"", "u1", "u2"}).Draw(t, "user"),
		Workflow: rapid.SampledFrom([]string{"", "f1"}).Draw(t, "workflow"),
	}
	if r.Bot == "" || rapid.Bool().Draw(t, "integrated") {
		r.Integration = "i1"
	}
	if rapid.IntRange(0, 3).Draw(t, "given") == 0 {
		r.ID = fmt.Sprint("id", rapid.IntRange(0, 40).Draw(t, "id"))
	}
	switch r.Kind {
	case KindLog:
		r.Level = Level(rapid.IntRange(1, 4).Draw(t, "level"))
		r.Message = strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 6).Draw(t, "message"), " ")
		r.HiddenFromBot = r.Integration != "" && rapid.Bool().Draw(t, "hidden")
	case KindEvent:
		r.Body = &Event{Type: rapid.SampledFrom(words).Draw(t, "type")}
	case KindMessage:
		r.Body = &Message{Direction: incoming}
	case KindActionRun:
		r.Body = &ActionRun{ActionType: "a", Status: "SUCCESS", DurationMs: 1.5, Input: []byte(`{"a":1}`)}
	}
	return r
}

func drawFilter(t *rapid.T, now time.Time) Filter {
	f := Filter{
		Kinds: rapid.SampledFrom([][]Kind{{KindLog}, {KindLog}, {KindEvent, KindMessage}, {KindActionRun}}).Draw(t, "kinds"),
		Bot:   rapid.SampledFrom([]id.Bot{"b1", "b2", ""}).Draw(t, "of"),
		From:  now.Add(-time.Duration(rapid.Int64Range(0, 5*millisPerDay).Draw(t, "from")) * time.Millisecond),
	}
	if f.Bot == "" {
		f.Integration = "i1"
	}
	if rapid.Bool().Draw(t, "bounded") {
		f.Until = now.Add(-time.Duration(rapid.Int64Range(0, millisPerDay).Draw(t, "until")) * time.Millisecond)
	}
	if rapid.IntRange(0, 2).Draw(t, "narrow") == 0 {
		f.User = rapid.SampledFrom([]string{"u1", "u2", "nobody"}).Draw(t, "whose")
	}
	if f.Kinds[0] == KindLog {
		if rapid.IntRange(0, 2).Draw(t, "levelled") == 0 {
			f.Level = Level(rapid.IntRange(1, 4).Draw(t, "at"))
		}
		if rapid.IntRange(0, 1).Draw(t, "searched") == 0 {
			f.Contains = rapid.SampledFrom([]string{"declined", "d u", "ßer", "nowhere", "x", "ed", "🙂"}).Draw(t, "needle")
		}
	}
	return f
}

// TestStorage holds the storage against the model: whatever is appended, late,
// repeated, at once, however it is merged, sealed and opened anew meanwhile, and
// whichever of two servers does it, each filter finds what it would find in a list.
func TestStorage(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			ctx := t.Context()
			dir := fmt.Sprint(t.TempDir(), "/", n)
			c := &movable{at: noon}
			stores := []*blockStore{openStore(t, d, dir, c), openStore(t, d, dir, c)}
			defer func() {
				for _, s := range stores {
					closeStore(t, s)
				}
			}()
			defer dropAll(t, stores[0])
			model := &listed{known: map[string]bool{}}
			rolled := 0
			count := func(_ context.Context, _ *db.Tx, records []Record) error {
				rolled += len(records)
				return nil
			}
			for range rapid.IntRange(1, 25).Draw(rt, "steps") {
				s := stores[rapid.IntRange(0, 1).Draw(rt, "server")]
				switch rapid.IntRange(0, 9).Draw(rt, "step") {
				case 0:
					c.forward(time.Duration(rapid.Int64Range(0, millisPerDay).Draw(rt, "forward")) * time.Millisecond)
				case 1:
					if err := s.roll(ctx, count, true); err != nil {
						rt.Fatal(err)
					}
				case 2:
					for _, class := range classes {
						if _, err := s.mergeOpen(ctx, class); err != nil {
							rt.Fatal(err)
						}
					}
				case 3:
					if err := s.seal(ctx); err != nil {
						rt.Fatal(err)
					}
				case 4:
					at := rapid.IntRange(0, 1).Draw(rt, "again")
					closeStore(t, stores[at])
					stores[at] = openStore(t, d, dir, c)
				default:
					now := c.Now()
					records := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Record { return drawRecord(t, now) }), 1, 12).Draw(rt, "records")
					want := model.append(records)
					got, err := s.Append(ctx, records)
					if err != nil {
						rt.Fatal(err)
					}
					if got != want {
						rt.Fatalf("%d duplicates, want %d", got, want)
					}
				}
			}
			for range 4 {
				f := drawFilter(rt, c.Now())
				checkScan(rt, stores[rapid.IntRange(0, 1).Draw(rt, "reader")], f, model)
			}
			if err := stores[0].roll(ctx, count, true); err != nil {
				rt.Fatal(err)
			}
			events := 0
			for _, r := range model.records {
				if classOf(r.Kind) == Events {
					events++
				}
			}
			if rolled != events {
				rt.Fatalf("%d records were rolled up, want %d", rolled, events)
			}
		})
	})
}

// checkScan reads page by page and holds the whole against the model, and the order
// against what it must be.
func checkScan(t *rapid.T, s *blockStore, f Filter, model *listed) {
	ctx := context.Background()
	var all []Record
	page := rapid.IntRange(1, 7).Draw(t, "page")
	for {
		n := 0
		if err := s.Scan(ctx, f, func(r *Record) bool {
			all = append(all, *r)
			n++
			return n < page
		}); err != nil {
			t.Fatal(err)
		}
		if n < page {
			break
		}
		last := all[len(all)-1]
		f.Before = &db.Key{At: last.At, ID: fmt.Sprint(last.Sequence)}
	}
	for i := 1; i < len(all); i++ {
		if older(&all[i], &all[i-1]) >= 0 {
			t.Fatalf("record %d is of %d/%d, the one before of %d/%d", i, all[i].At, all[i].Sequence, all[i-1].At, all[i-1].Sequence)
		}
	}
	f.Before = nil
	if diff := gocmp.Diff(model.scan(&f), described(all)); diff != "" {
		t.Fatalf("%+v (-model +storage):\n%s", f, diff)
	}
	// The same records come by the order of their appending.
	after, err := s.After(ctx, f, 0, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(model.scan(&f), described(after)); diff != "" {
		t.Fatalf("%+v after the beginning (-model +storage):\n%s", f, diff)
	}
}

func dropAll(t testing.TB, s *blockStore) {
	for _, class := range classes {
		days, err := s.archive.days(context.Background(), class)
		if err != nil {
			t.Fatal(err)
		}
		for _, day := range days {
			if err := s.archive.drop(context.Background(), class, day); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.main.Tx(context.Background(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM telemetry_cursors`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
