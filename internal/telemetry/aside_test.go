package telemetry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/test/engines"
)

// poisoned is a store over a database whose history of two bots is appended and not
// rolled up.
type poisoned struct {
	*blockStore
	service *Service
	clock   *movable
	bots    []id.Bot
	records []Record // as they were appended
}

const poisonedWorkspace = id.Workspace("wkspace_poison")

func newPoisoned(t *testing.T, d *db.DB, seed uint64) *poisoned {
	t.Helper()
	p := &poisoned{clock: &movable{at: midnight.Add(12 * time.Hour)}, service: over(d)}
	p.blockStore = openStore(t, d, t.TempDir(), p.clock)
	t.Cleanup(func() { closeStore(t, p.blockStore) })
	for _, name := range []string{"a", "b"} {
		bot := id.Bot(fmt.Sprint("bot", seed, name))
		addBot(t, d, poisonedWorkspace, bot)
		p.bots = append(p.bots, bot)
	}
	p.records = history(rand.New(rand.NewPCG(seed, 13)), p.bots, 300)
	for i := range p.records {
		p.records[i].Workspace, p.records[i].ID = poisonedWorkspace, fmt.Sprint("r", i)
	}
	for from := 0; from < len(p.records); from += 50 {
		mustAppend(t, p.blockStore, p.records[from:from+50]...)
	}
	return p
}

// beside is another server: the same places and a memory of its own.
func (p *poisoned) beside(t *testing.T) *blockStore {
	other := newBlockStore(p.archive, p.main, p.clock, p.log)
	t.Cleanup(func() {
		for _, a := range other.appenders {
			a.close()
		}
	})
	return other
}

func (p *poisoned) days(t *testing.T, d *db.DB, bot id.Bot) map[date]Day {
	t.Helper()
	days, err := selectDays(t.Context(), d.Reader(t.Context()), poisonedWorkspace, bot, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return days
}

func (p *poisoned) mustMatch(t *testing.T, d *db.DB, bot id.Bot, records []Record) {
	t.Helper()
	if diff := cmp.Diff(naive(records, bot), p.days(t, d, bot), cmpopts.EquateApprox(1e-9, 1e-12)); diff != "" {
		t.Errorf("%s (-naive +rolled up):\n%s", bot, diff)
	}
}

func mustRollups(t *testing.T, s *Service) Rollups {
	t.Helper()
	r, err := s.Rollups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A day of one bot is damaged in the database: the records that it would be added to are
// set aside, everything else is counted, and when the row is mended they are too, once,
// by whichever of two servers.
func TestDamagedDayIsSetAside(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		p := newPoisoned(t, d, 1)
		first := dateOf(midnight.UnixMilli()) - 1
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO analytics_days (bot_id, day, totals) VALUES ($1, $2, $3)`, string(p.bots[0]), int64(first), []byte("damaged"))
			return err
		})
		if err := p.roll(t.Context(), p.service.rollUpAnalytics, false); err != nil {
			t.Fatal(err)
		}
		p.mustMatch(t, d, p.bots[1], p.records)

		state := mustRollups(t, p.service)
		if state.Records == 0 || state.Records >= 300 || len(state.Stalled) > 0 || len(state.SetAside) == 0 || state.SetAside[0].Bots != 1 {
			t.Fatalf("the roll-ups say %+v", state)
		}
		if text := state.String(); !strings.Contains(text, state.SetAside[0].ErrorID) || !strings.Contains(text, "set aside") {
			t.Errorf("the operator reads %q", text)
		}
		var cause string
		if err := d.Reader(t.Context()).QueryRow(t.Context(), `SELECT MIN(error) FROM telemetry_aside`).Scan(&cause); err != nil || !strings.Contains(cause, string(p.bots[0])) {
			t.Errorf("the cause is %q (%v)", cause, err)
		}
		// Too early it is not tried, in time in vain.
		for range 2 {
			if err := p.retryAside(t.Context(), p.service.rollUpAnalytics); err != nil {
				t.Fatal(err)
			}
			if again := mustRollups(t, p.service); again.Records == 0 || again.Records > state.Records {
				t.Errorf("%d records are set aside after a try, %d before", again.Records, state.Records)
			}
			p.clock.forward(2 * time.Minute)
		}
		// The second day of the bot is right for those that passed: the rest is missing.
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `DELETE FROM analytics_days WHERE totals = $1`, []byte("damaged"))
			return errors.Join(err, hastenAside(ctx, tx))
		})
		// Merged meanwhile.
		v, err := p.archive.open(t.Context(), Events, dayOf(p.clock.Now()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.merge(t.Context(), v, true); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		for _, s := range []*blockStore{p.blockStore, p.beside(t)} {
			both.Go(func() {
				if err := s.retryAside(t.Context(), p.service.rollUpAnalytics); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		for _, bot := range p.bots {
			p.mustMatch(t, d, bot, p.records)
		}
		if state := mustRollups(t, p.service); state.Records != 0 || state.String() != "" {
			t.Errorf("afterwards the roll-ups say %+v", state)
		}
	})
}

// A record that PostgreSQL cannot hold, as only a release with weaker checks could have
// let in, is found among hundreds, and so is one that the program panics over.
func TestOneRecordIsSetAside(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		p := newPoisoned(t, d, 2)
		nul := issueOf(p.bots[0], 0, midnight, "code", "name")
		nul.Body.(*Issue).Title = "a\x00b"
		nul.ID, nul.Workspace = "nul", poisonedWorkspace
		whole := issueOf(p.bots[0], 0, midnight, "code", "name")
		whole.ID, whole.Workspace = "whole", poisonedWorkspace
		mustAppend(t, p.blockStore, whole, nul)
		const terrible = "r123"
		rollUp := func(ctx context.Context, tx *db.Tx, records []Record) error {
			if err := p.service.rollUpIssues(ctx, tx, records); err != nil {
				return err
			}
			if err := p.service.rollUpAnalytics(ctx, tx, records); err != nil {
				return err
			}
			for i := range records {
				if records[i].ID == terrible {
					t.Log(records[i].Body.(fmt.Stringer))
				}
			}
			return nil
		}
		if err := p.roll(t.Context(), rollUp, false); err != nil {
			t.Fatal(err)
		}
		want := map[db.Engine]int64{db.SQLite: 1, db.PostgreSQL: 2}[d.Engine()]
		if state := mustRollups(t, p.service); state.Records != want || int64(len(state.SetAside)) != want {
			t.Errorf("the roll-ups say %+v, want %d records for as many reasons", state, want)
		}
		var counted []Record
		for _, r := range p.records {
			if r.ID != terrible {
				counted = append(counted, r)
			}
		}
		for _, bot := range p.bots {
			p.mustMatch(t, d, bot, counted)
		}
		issues, _, err := p.service.Issues(t.Context(), poisonedWorkspace, p.bots[0], db.Page{Size: 10})
		if err != nil || len(issues) != 1 || issues[0].EventsCount != 3-want {
			t.Errorf("%+v (%v)", issues, err)
		}
		// What is set aside leaves with its bot.
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			return errors.Join(deleteInsight(ctx, tx, p.bots[0]), deleteInsight(ctx, tx, p.bots[1]))
		})
		if state := mustRollups(t, p.service); state.Records != 0 {
			t.Errorf("after the bots left, %d records are set aside", state.Records)
		}
	})
}

// Two servers try again what was set aside, and have not read the same rows: of those of
// which the other has counted some, none is lost.
func TestRetriesThatOverlap(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		p := newPoisoned(t, d, 4)
		broken := true
		rollUp := func(ctx context.Context, tx *db.Tx, records []Record) error {
			for _, r := range records {
				if broken && r.Bot == p.bots[0] {
					return errDay
				}
			}
			return p.service.rollUpAnalytics(ctx, tx, records)
		}
		if err := p.roll(t.Context(), rollUp, false); err != nil {
			t.Fatal(err)
		}
		broken = false
		rows, err := selectAside(t.Context(), d.Reader(t.Context()), 1<<60, 1000)
		if err != nil || len(rows) < 10 {
			t.Fatalf("%d records are set aside (%v)", len(rows), err)
		}
		half := len(rows) / 2
		for _, try := range [][]asideRow{rows[:half], rows[half-1:], rows} {
			if err := p.retry(t.Context(), try, rollUp); err != nil {
				t.Fatal(err)
			}
		}
		if state := mustRollups(t, p.service); state.Records != int64(len(rows)-half) {
			t.Errorf("%d records are set aside, want the %d that were tried together with others", state.Records, len(rows)-half)
		}
		p.clock.forward(longestAsideWait)
		if err := p.retryAside(t.Context(), rollUp); err != nil {
			t.Fatal(err)
		}
		for _, bot := range p.bots {
			p.mustMatch(t, d, bot, p.records)
		}
	})
}

// What fails for the database's own reason sets nothing aside: the volume stalls, is told
// of, waits longer from try to try, and goes on when all is well.
func TestStall(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		p := newPoisoned(t, d, 3)
		rename := func(from, to string) {
			engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, `ALTER TABLE `+from+` RENAME TO `+to)
				return err
			})
		}
		rename("analytics_days", "hidden_days")
		if err := p.roll(t.Context(), p.service.rollUpAnalytics, false); err == nil {
			t.Fatal("the roll-up passes without its table")
		}
		volume := volumeName(Events, dayOf(p.clock.Now()))
		state := mustRollups(t, p.service)
		if len(state.Stalled) != 1 || state.Stalled[0].Volume != volume || state.Stalled[0].Tries != 1 || state.Records != 0 ||
			!strings.Contains(state.String(), volume) || !strings.Contains(state.String(), state.Stalled[0].ErrorID) {
			t.Fatalf("the roll-ups say %+v: %s", state, state)
		}
		// It is not tried at once, and an eager one counts as a try.
		if err := p.roll(t.Context(), p.service.rollUpAnalytics, false); err != nil {
			t.Errorf("it is tried at once: %v", err)
		}
		if err := p.roll(t.Context(), p.service.rollUpAnalytics, true); err == nil {
			t.Error("the roll-up passes without its table")
		}
		if again := mustRollups(t, p.service).Stalled; len(again) != 1 || again[0].Tries != 2 || again[0].ErrorID != state.Stalled[0].ErrorID {
			t.Errorf("the second try makes it %+v", again)
		}
		if first, second := (&stalled{tries: 1}).wait(), (&stalled{tries: 2}).wait(); second != 2*first || (&stalled{tries: 100}).wait() != longestStall {
			t.Errorf("it waits %s, then %s", first, second)
		}
		rename("hidden_days", "analytics_days")
		// Another server, which has failed at nothing, ends it.
		if err := p.beside(t).roll(t.Context(), p.service.rollUpAnalytics, false); err != nil {
			t.Fatal(err)
		}
		if state := mustRollups(t, p.service); state.String() != "" {
			t.Errorf("afterwards the roll-ups say %s", state)
		}
		for _, bot := range p.bots {
			p.mustMatch(t, d, bot, p.records)
		}
	})
}

// Records are told apart at the cost of a few tries each, and those of other bots never
// fail with them, however many there are.
func TestSift(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		s := openStore(t, d, t.TempDir(), &movable{at: noon})
		defer closeStore(t, s)
		for _, poison := range []struct{ every, bots, most int }{{1000, 1, 1}, {97, 1, 11}, {3, 1, 1000}, {1, 7, 1000}, {250, 300, 4}} {
			var records []Record
			bad := map[int64]bool{}
			for i := range 1000 {
				r := Record{Sequence: int64(i + 1), Bot: id.Bot(fmt.Sprintf("bot%d", i*7%poison.bots)), Kind: KindEvent, Body: &Event{"e"}}
				// One bot is poisonous, of which there are several.
				if bad[r.Sequence] = i%poison.every == poison.every-1 && (poison.bots != 7 || r.Bot == "bot3"); true {
					records = append(records, r)
				}
			}
			tries := 0
			good, refused, err := s.sift(t.Context(), records, func(ctx context.Context, tx *db.Tx, records []Record) error {
				tries++
				if err := putCursor(ctx, tx, "trial", 1); err != nil {
					return err
				}
				for _, r := range records {
					if bad[r.Sequence] {
						return errDay
					}
				}
				return nil
			})
			if err != nil || len(good)+len(refused) != len(records) || len(refused) > poison.most {
				t.Fatalf("%+v: %d pass and %d do not (%v)", poison, len(good), len(refused), err)
			}
			for _, r := range good {
				if bad[r.Sequence] {
					t.Errorf("%+v: record %d passes", poison, r.Sequence)
				}
			}
			poisonous := map[id.Bot]bool{}
			for _, r := range records {
				poisonous[r.Bot] = poisonous[r.Bot] || bad[r.Sequence]
			}
			for _, r := range refused {
				if !poisonous[r.record.Bot] {
					t.Errorf("%+v: record %d of %s, which has no bad one, is refused", poison, r.record.Sequence, r.record.Bot)
				}
			}
			// SQLite runs a function twice that fails after writing.
			if most := 2 * (maxTrials + 2*poison.bots + 10); tries > most {
				t.Errorf("%+v: %d tries, want %d at most", poison, tries, most)
			}
			if left, err := selectCursor(t.Context(), d.Reader(t.Context()), "trial"); err != nil || left != 0 {
				t.Errorf("a trial left something behind (%v)", err)
			}
		}
	})
}
