package meter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/test/explain"
)

// A naive model: every record that is new adds its value to its day and its month.
type model struct {
	seen   map[string]bool
	months map[string]int64
	days   map[string]int64
}

func (m *model) add(u plan.Usage) {
	for t := u.Type; t != ""; t = t.Whole() {
		name := fmt.Sprint(u.Workspace, "|", u.Bot, "|", t, "|", u.ID)
		if m.seen[name] {
			continue
		}
		m.seen[name] = true
		m.days[fmt.Sprint(u.Workspace, "|", t, "|", u.At.UTC().Format(time.DateOnly), "|", u.Bot, "|", u.Metadata["source"])] += u.Value
		if t.Monthly() {
			month := u.At.UTC().Format("2006-01")
			m.months[fmt.Sprint(u.Workspace, "||", t, "|", month)] += u.Value
			if u.Bot != "" {
				m.months[fmt.Sprint(u.Workspace, "|", u.Bot, "|", t, "|", month)] += u.Value
			}
		}
	}
}

// Whatever is reported, in whatever batches and however often, the sums are those of
// the model.
func TestSumsAreThoseOfAModel(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		types := []plan.Type{plan.InvocationCalls, plan.AISpend, plan.OpenAISpend, plan.BingSearchSpend}
		rapid.Check(t, func(r *rapid.T) {
			m := &model{map[string]bool{}, map[string]int64{}, map[string]int64{}}
			var workspaces []id.Workspace
			for range 2 {
				w, _ := f.workspace(t, plan.Managed)
				workspaces = append(workspaces, w)
			}
			usage := rapid.Custom(func(r *rapid.T) plan.Usage {
				return plan.Usage{
					ID:        strconv.Itoa(rapid.IntRange(0, 30).Draw(r, "id")),
					Workspace: rapid.SampledFrom(workspaces).Draw(r, "workspace"),
					Bot:       rapid.SampledFrom([]id.Bot{"", "a", "b"}).Draw(r, "bot"),
					Type:      rapid.SampledFrom(types).Draw(r, "type"),
					Value:     rapid.Int64Range(0, 1000).Draw(r, "value"),
					At:        at("2026-01-31T22:00:00+01:00").Add(time.Duration(rapid.IntRange(0, 72).Draw(r, "hour")) * time.Hour),
					Metadata:  map[string]string{"source": rapid.SampledFrom([]string{"", "x", "y|"}).Draw(r, "source")},
				}
			})
			for _, batch := range rapid.SliceOfN(rapid.SliceOfN(usage, 1, 40), 1, 4).Draw(r, "batches") {
				for range rapid.IntRange(1, 2).Draw(r, "times") {
					f.add(t, batch...)
				}
				for _, u := range batch {
					m.add(u)
				}
			}
			months, days := f.sums(t, workspaces...)
			clean(m.months)
			clean(m.days)
			if diff := cmp.Diff(m.months, months); diff != "" {
				r.Errorf("months: %s", diff)
			}
			if diff := cmp.Diff(m.days, days); diff != "" {
				r.Errorf("days: %s", diff)
			}
		})
	})
}

func clean(sums map[string]int64) {
	for name, value := range sums {
		if value == 0 {
			delete(sums, name)
		}
	}
}

// sums reads every sum of workspaces, in the model's words.
func (f *fixture) sums(t testing.TB, workspaces ...id.Workspace) (months, days map[string]int64) {
	t.Helper()
	months, days = map[string]int64{}, map[string]int64{}
	scan := func(into map[string]int64, layout, query string) {
		for _, w := range workspaces {
			rows, err := f.DB.Reader(t.Context()).Query(t.Context(), query, string(w))
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				var before, after string
				var moment, value int64
				if err := rows.Scan(&before, &moment, &after, &value); err != nil {
					t.Fatal(err)
				}
				into[before+time.UnixMilli(moment).UTC().Format(layout)+after] += value
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			rows.Close()
		}
	}
	scan(months, "2006-01", `SELECT workspace_id || '|' || bot_id || '|' || type || '|', month, '', value FROM usage_months WHERE workspace_id = $1`)
	scan(days, time.DateOnly, `SELECT workspace_id || '|' || type || '|', day, '|' || bot_id || '|' || source, value FROM usage_days WHERE workspace_id = $1`)
	clean(months)
	clean(days)
	return months, days
}

// The id of one workspace, bot or type says nothing about that of another.
func TestIDsAreOfTheirOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		one, _ := f.workspace(t, plan.Managed, "bot-1")
		two, _ := f.workspace(t, plan.Managed)
		u := plan.Usage{ID: "1", Workspace: one, Bot: "bot-1", Type: plan.InvocationCalls, Value: 1}
		other, elsewhere, spend := u, u, u
		other.Bot, elsewhere.Workspace, elsewhere.Bot, spend.Type = "bot-2", two, "bot-1", plan.AISpend
		f.add(t, u, other, elsewhere, spend, u)
		f.add(t, u)
		if n := f.value(t, one, string(one), plan.InvocationCalls, ""); n != 2 {
			t.Errorf("%d calls are counted, want one of each bot", n)
		}
		if n := f.value(t, one, "bot-1", plan.InvocationCalls, ""); n != 1 {
			t.Errorf("%d calls of the bot are counted", n)
		}
		if n := f.value(t, two, string(two), plan.InvocationCalls, ""); n != 1 {
			t.Errorf("%d calls of the other workspace are counted", n)
		}
		if n := f.value(t, one, string(one), plan.AISpend, ""); n != 1 {
			t.Errorf("%d is spent", n)
		}
	})
}

// What has no id is counted each time.
func TestWithoutID(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		w, _ := f.workspace(t, plan.Managed)
		u := plan.Usage{Workspace: w, Type: plan.InvocationCalls, Value: 3}
		f.add(t, u, u)
		f.add(t, u)
		if n := f.value(t, w, string(w), plan.InvocationCalls, ""); n != 9 {
			t.Errorf("%d are counted, want 9", n)
		}
	})
}

func TestWhatCannotBeCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		w, _ := f.workspace(t, plan.Managed)
		for name, u := range map[string]plan.Usage{
			"unknown type": {Type: "coffee", Value: 1},
			"a limit":      {Type: plan.WorkspaceRatelimit, Value: 1},
			"own count":    {Type: plan.BotCount, Value: 1},
			"negative":     {Type: plan.AISpend, Value: -1},
			"too much":     {Type: plan.StorageCount, Value: 1 << 60},
			"long id":      {Type: plan.AISpend, Value: 1, ID: strings.Repeat("x", 300)},
		} {
			u.Workspace = w
			err := f.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				return f.Add(ctx, tx, []plan.Usage{{Workspace: w, Type: plan.AISpend, Value: 1}, u})
			})
			if !fault.Is(err, fault.InvalidPayload) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := f.value(t, w, string(w), plan.AISpend, ""); n != 0 {
			t.Errorf("%d is counted of batches that were refused", n)
		}
		// Of a workspace that is gone, nothing is kept.
		f.add(t, plan.Usage{Workspace: "wkspace_gone", Type: plan.AISpend, Value: 1})
		var n int
		if err := f.DB.Reader(t.Context()).QueryRow(t.Context(), `SELECT COUNT(*) FROM usage_months WHERE workspace_id = 'wkspace_gone'`).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d sums of nobody, %v", n, err)
		}
	})
}

// Sums stop at the largest number that clients can read, and never turn over.
func TestHugeSums(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		w, _ := f.workspace(t, plan.Managed)
		var usages []plan.Usage
		for range 20 {
			usages = append(usages, plan.Usage{Workspace: w, Bot: "b", Type: plan.AISpend, Value: 1e15}, plan.Usage{Workspace: w, Bot: "b", Type: plan.StorageCount, Value: 1e15})
		}
		for range 2 {
			f.add(t, usages...)
		}
		for _, u := range []plan.Type{plan.AISpend, plan.StorageCount} {
			if n := f.value(t, w, string(w), u, ""); n != maxValue {
				t.Errorf("the sum of %s is %d", u, n)
			}
		}
	})
}

// Stocks go up and down, are had by bots, and are given back with them.
func TestStocks(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		w, _ := f.workspace(t, plan.Managed, "bot-1", "bot-2")
		now := f.Clock.Now()
		stored := func(b id.Bot, n int64) plan.Usage {
			return plan.Usage{Workspace: w, Bot: b, Type: plan.StorageCount, Value: n}
		}
		f.add(t, stored("bot-1", 100), stored("bot-2", 50), stored("", 7), stored("bot-1", -30))
		expect := func(name string, period string, whole, one, two int64) {
			t.Helper()
			got := [3]int64{f.value(t, w, string(w), plan.StorageCount, period), f.value(t, w, "bot-1", plan.StorageCount, period), f.value(t, w, "bot-2", plan.StorageCount, period)}
			if want := [3]int64{whole, one, two}; got != want {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
		expect("now", "", 127, 70, 50)
		f.clock.Advance(70 * 24 * time.Hour)
		expect("two months later", "", 127, 70, 50)
		f.add(t, stored("bot-2", -1000))
		expect("below nothing", "", 0, 70, 0)
		f.add(t, stored("bot-2", 60))
		expect("again", "", 60, 70, 60)
		expect("then", now.Format("2006-01"), 127, 70, 50)
		expect("between", monthOf(now).AddDate(0, 1, 0).Format(time.DateOnly), 127, 70, 50)
		expect("before", "2020-01", 0, 0, 0)
		f.tx(t, func(ctx context.Context, tx *db.Tx) error { return f.LeaveBot(ctx, tx, w, "bot-2") })
		expect("given back", "", 0, 70, 0)
		f.add(t, stored("bot-2", 5))
		other, _ := f.workspace(t, plan.Managed)
		f.tx(t, func(ctx context.Context, tx *db.Tx) error {
			if _, err := tx.Exec(ctx, `UPDATE bots SET workspace_id = $1 WHERE id = 'bot-2'`, string(other)); err != nil {
				return err
			}
			return f.MoveBot(ctx, tx, "bot-2", w, other)
		})
		for of, want := range map[string]int64{string(other): 5, "bot-2": 5} {
			if n := f.value(t, other, of, plan.StorageCount, ""); n != want {
				t.Errorf("in the other workspace %s has %d, want %d", of, n, want)
			}
		}
		if n := f.value(t, w, string(w), plan.StorageCount, ""); n != 0 {
			t.Errorf("the bot left %d behind", n)
		}
		f.tx(t, func(ctx context.Context, tx *db.Tx) error { return f.LeaveBot(ctx, tx, w, "bot-1") })
		month := monthOf(f.Clock.Now())
		f.clock.Advance(70 * 24 * time.Hour)
		for _, period := range []time.Time{month, month.AddDate(0, 1, 0)} {
			if has, err := f.ByBot(t.Context(), w, plan.StorageCount, period.Format("2006-01")); err != nil || len(has) > 0 {
				t.Errorf("in %s bots that have left have %v (%v)", period.Format("2006-01"), has, err)
			}
		}
	})
}

// Records are forgotten after their time, sums never.
func TestForget(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		w, _ := f.workspace(t, plan.Managed)
		u := plan.Usage{ID: "1", Workspace: w, Type: plan.AISpend, Value: 5, At: f.Clock.Now()}
		f.add(t, u)
		month := u.At.Format("2006-01")
		for _, later := range []struct {
			by        time.Duration
			forgotten int64
		}{{39 * 24 * time.Hour, 0}, {3 * 24 * time.Hour, 1}} {
			f.clock.Advance(later.by)
			f.add(t, u) // known until the last moment
			if n, err := f.Forget(t.Context()); err != nil || n != later.forgotten {
				t.Errorf("%d records were forgotten, want %d, %v", n, later.forgotten, err)
			}
			if n := f.value(t, w, string(w), plan.AISpend, month); n != 5 {
				t.Errorf("the sum is %d", n)
			}
		}
	})
}

// Gauges of two processes with many goroutines each never go over the quota,
// and use it up.
func TestQuotasOfTwoProcesses(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		w, _ := f.workspace(t, plan.Community)
		limit := int64(2)
		for _, u := range []plan.Type{plan.BotCount, plan.MemberCount, plan.IntegrationsOwned, plan.AlwaysAlive} {
			if err := f.SetQuota(t.Context(), w, u, &limit); err != nil {
				t.Fatal(err)
			}
		}
		other := exec.CommandContext(t.Context(), os.Args[0])
		other.Env = append(os.Environ(), "BOTYARD_TEST_PROCESS=grow", "BOTYARD_TEST_WORKSPACE="+string(w), "BOTYARD_TEST_DIR="+f.options.Dir, "BOTYARD_TEST_URL="+f.options.URL)
		var output strings.Builder
		other.Stdout, other.Stderr = &output, os.Stderr
		if err := other.Start(); err != nil {
			t.Fatal(err)
		}
		here, err := f.grow(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Wait(); err != nil {
			t.Fatal(err)
		}
		there, err := strconv.ParseInt(strings.TrimSpace(output.String()), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if here+there != 4*limit {
			t.Errorf("%d were let in here and %d there, want %d in all", here, there, 4*limit)
		}
		for _, u := range []plan.Type{plan.BotCount, plan.MemberCount, plan.IntegrationsOwned, plan.AlwaysAlive} {
			if n := f.value(t, w, string(w), u, ""); n != limit {
				t.Errorf("%s is %d", u, n)
			}
		}
		refused(t, f.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error { return f.Bots(ctx, tx, w, 1) }),
			fault.QuotaExceeded, "bot_count", "allows this workspace 2 bots, and it has 2", "quota set")
	})
}

// grow tries with many goroutines to get one more of everything, and answers how often
// that was allowed.
func (f *fixture) grow(ctx context.Context, w id.Workspace) (int64, error) {
	var let atomic.Int64
	var all sync.WaitGroup
	errs := make(chan error, 64)
	for i := range 64 {
		all.Go(func() {
			err := f.DB.Tx(db.Contend(ctx, string(w)), func(ctx context.Context, tx *db.Tx) error {
				switch i % 4 {
				case 0:
					return f.Bots(ctx, tx, w, 1)
				case 1:
					return f.Members(ctx, tx, w, 1)
				case 2:
					return f.Integrations(ctx, tx, w, 1)
				}
				return f.Gauge(ctx, tx, w, plan.AlwaysAlive, 1)
			})
			switch {
			case err == nil:
				let.Add(1)
			case !fault.Is(err, fault.QuotaExceeded):
				errs <- err
			}
		})
	}
	all.Wait()
	close(errs)
	var failed error
	for err := range errs {
		failed = errors.Join(failed, err)
	}
	return let.Load(), failed
}

func growAsProcess() error {
	f, err := open(context.Background(), db.Options{Dir: os.Getenv("BOTYARD_TEST_DIR"), URL: os.Getenv("BOTYARD_TEST_URL"), Synchronous: "NORMAL"})
	if err != nil {
		return err
	}
	defer f.DB.Close()
	n, err := f.grow(context.Background(), id.Workspace(os.Getenv("BOTYARD_TEST_WORKSPACE")))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(os.Stdout, n)
	return err
}

// What requests and the roll-up of records ask for is found by an index.
func TestStatementsUseIndexes(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		month := monthOf(f.Clock.Now())
		bots := []subject{{"w", "b"}, {"w", "c"}}
		page := db.Page{Size: 10, After: &db.Key{At: 1, ID: "k"}}
		explain.NoScans(t, f.DB, func(ctx context.Context, q db.Querier) error {
			var errs []error
			is := func(_ any, err error) { errs = append(errs, err) }
			is(selectAllowances(ctx, q, []id.Workspace{"v", "w"}))
			is(selectAllowancesOf(ctx, q, "a"))
			is(selectValuesOf(ctx, q, "a", month))
			is(selectMonth(ctx, q, "w", "", plan.AISpend, month))
			is(selectMonthUntil(ctx, q, "w", "b", plan.StorageCount, month))
			is(selectGauge(ctx, q, "w", plan.BotCount))
			is(selectBotGauge(ctx, q, "w", "b", plan.StorageCount))
			is(selectMonths(ctx, q, bots[0], plan.AISpend, month))
			is(selectByBot(ctx, q, "w", plan.AISpend, month))
			is(selectByBotUntil(ctx, q, "w", plan.StorageCount, month))
			is(selectBotGauges(ctx, q, "w", plan.StorageCount))
			for _, subjects := range [][]subject{bots, {{"v", ""}, {"w", ""}}} {
				values := map[measure]int64{}
				errs = append(errs, selectSums(ctx, q, values, subjects, []plan.Type{plan.AISpend, plan.InvocationCalls}, month),
					selectSumsUntil(ctx, q, values, subjects, []plan.Type{plan.StorageCount, plan.TableRowCount}, month),
					selectGaugesOf(ctx, q, values, subjects, []plan.Type{plan.StorageCount, plan.TableRowCount}))
			}
			is(selectBotWorkspaces(ctx, q, []string{"b", "c"}))
			is(selectRoles(ctx, q, "a", []id.Workspace{"v", "w"}))
			is(selectActivity(ctx, q, bots[0], plan.AISpend, span{0, 9}, page))
			is(selectActivity(ctx, q, subject{workspace: "w"}, plan.AISpend, span{0, 9}, page))
			is(selectDays(ctx, q, bots[0], plan.AISpend, span{0, 9}, page))
			is(selectClosed(ctx, q, "w", "a"))
			is(selectWorkspaces(ctx, q, "w", 10))
			is(selectGauges(ctx, q, []id.Workspace{"v", "w"}))
			is(deleteRecords(ctx, q, 1, 10))
			errs = append(errs, deleteWorkspace(ctx, q, "w"))
			return errors.Join(errs...)
		})
	})
}

// What is read all at once is what is read one by one.
func TestUsagesAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		w, account := f.workspace(t, plan.Community, "bot-1", "bot-2")
		other, _ := f.workspace(t, plan.Managed, "bot-3")
		first := f.Clock.Now()
		f.tx(t, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO members (id, workspace_id, account_id, email, email_key, role, created_at) VALUES ($1, $2, $3, 'm', 'm', 'administrator', 0)`,
				string(id.NewMember()), string(other), string(account))
			return err
		})
		for month := range 3 {
			for i, of := range []subject{{w, "bot-1"}, {w, "bot-2"}, {other, "bot-3"}, {w, ""}} {
				for n, used := range []plan.Type{plan.InvocationCalls, plan.OpenAISpend, plan.StorageCount, plan.TableRowCount} {
					f.add(t, plan.Usage{Workspace: of.workspace, Bot: of.bot, Type: used, Value: int64(1 + month*100 + i*10 + n), At: f.Clock.Now()})
				}
			}
			f.clock.Advance(62 * 24 * time.Hour)
		}
		perBot := slices.DeleteFunc(slices.Clone(plan.Types), func(t plan.Type) bool { return !t.PerBot() })
		for at := first; !at.After(f.Clock.Now()); at = at.AddDate(0, 1, 0) {
			for _, ask := range []struct {
				ids   []string
				types []plan.Type
			}{{[]string{string(w), string(other)}, plan.Types}, {[]string{"bot-1", "bot-2", "bot-3"}, perBot}} {
				usages, err := f.Usages(t.Context(), account, ask.ids, ask.types, at.Format("2006-01"))
				if err != nil {
					t.Fatal(err)
				}
				var want []Usage
				for _, of := range ask.ids {
					home := w
					if of == string(other) || of == "bot-3" {
						home = other
					}
					for _, counted := range ask.types {
						u, err := f.Usage(t.Context(), home, of, counted, at.Format("2006-01"))
						if err != nil {
							t.Fatal(err)
						}
						want = append(want, u)
					}
				}
				if diff := cmp.Diff(want, usages); diff != "" {
					t.Errorf("in %s: %s", at.Format("2006-01"), diff)
				}
			}
		}
	})
}
