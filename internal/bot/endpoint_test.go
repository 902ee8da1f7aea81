package bot

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/test/engines"
)

// late is an integration that has a url at last. The catalog stands beside this package,
// and answers two questions of it.
type late struct{}

func (late) Endpoint(context.Context, db.Querier, id.Integration) (definition.Endpoint, bool, error) {
	return definition.Endpoint{URL: "https://late.example"}, true, nil
}

func (late) Integration(_ context.Context, _ db.Querier, _ id.Workspace, i id.Integration) (definition.InstallableIntegration, bool, error) {
	return definition.InstallableIntegration{ID: i, URL: "https://late.example"}, true, nil
}

func (late) Plugin(context.Context, db.Querier, id.Workspace, id.Plugin) (v definition.InstallablePlugin, found bool, err error) {
	return v, false, nil
}

func (late) CountInstalls(context.Context, *db.Tx, id.Integration, int64) error { return nil }

// farSide takes the calls of a test. It stands where integrations are.
type farSide struct {
	register func(definition.Callee)
	mu       sync.Mutex
	calls    map[id.Webhook]int
}

func (f *farSide) Register(_ context.Context, c definition.Callee) error {
	f.register(c)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[c.Webhook]++
	return nil
}

func (f *farSide) Unregister(context.Context, definition.Callee) error { return nil }

// insertHome makes the workspace that calls are made for.
func insertHome(ctx context.Context, tx *db.Tx) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO workspaces (id, name, owner_id, plan, billing_version, blocked, spending_limit, about, profile_picture,
			contact_email, website, social_accounts, is_public, created_at, updated_at)
		VALUES ($1, 'home', 'owner', 'managed', 'v4', FALSE, 1, '', '', '', '', '[]', FALSE, 1, 1)`, string(home))
	return err
}

// Of many instances, over several pages, each that waits is called once, and few jobs
// wait at any time; when it begins anew nothing more is called.
func TestRegisterInstallsByPages(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		const bots, aliases = installPage/2 + 51, 2
		c := clock.System()
		queue := jobs.New(d, c, slog.New(slog.DiscardHandler))
		queue.AtOnce(32)
		counts := func(query string) map[string]int {
			t.Helper()
			rows, err := d.Reader(t.Context()).Query(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			found := map[string]int{}
			for rows.Next() {
				var of string
				var n int
				if err := rows.Scan(&of, &n); err != nil {
					t.Fatal(err)
				}
				found[of] = n
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			return found
		}
		var waited atomic.Int64
		far := &farSide{calls: map[id.Webhook]int{}, register: func(definition.Callee) {
			var n int64
			if err := d.Reader(t.Context()).QueryRow(t.Context(), `SELECT COUNT(*) FROM jobs WHERE kind = 'call-instance'`).Scan(&n); err != nil {
				t.Error(err)
			}
			for most := waited.Load(); n > most && !waited.CompareAndSwap(most, n); most = waited.Load() {
			}
		}}
		keys := secret.New()
		s := New(Options{DB: d, Clock: c, Catalog: late{}, Endpoints: late{}, Calls: queue, Caller: far, Keys: keys})
		want, due := map[string]int{}, 0
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			if err := insertHome(ctx, tx); err != nil {
				return err
			}
			for n := range bots {
				b := sample(t, home, int64(n))
				if err := insertBot(ctx, tx, b); err != nil {
					return err
				}
				for alias := range aliases {
					i := Instance{
						Alias: fmt.Sprint(alias), Integration: "late", Enabled: n%10 != 0, DisabledChannels: `[]`, Webhook: id.NewWebhook(),
						Status: Pending, StatusReason: noURL, CreatedAt: db.Moment(1), UpdatedAt: db.Moment(1),
					}
					i.Sealed = integrationConfigurationColumn.Seal(keys, []byte("{}"), string(b.ID), i.Alias)
					switch {
					case n%3 == 0:
						i.Status, i.StatusReason = Registered, ""
						want["registered because  generation 0"]++
					case !i.Enabled:
						want["registration_pending because "+noURL+" generation 0"]++
					default:
						want["registered because  generation 1"]++
						due++
					}
					if err := upsertInstance(ctx, tx, b.ID, i); err != nil {
						return err
					}
				}
			}
			return nil
		})
		s.HandleCalls(queue, time.Minute)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- queue.Run(ctx) }()
		for range 2 {
			engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error { return s.EndpointChanged(ctx, tx, "late") })
			for len(counts(`SELECT kind, COUNT(*) FROM jobs GROUP BY kind`)) > 0 {
				time.Sleep(20 * time.Millisecond)
			}
			got := counts(`SELECT status || ' because ' || COALESCE(status_reason, '') || ' generation ' || generation, COUNT(*) FROM bot_integrations GROUP BY 1`)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		for w, n := range far.calls {
			if n != 1 {
				t.Errorf("%s was called %d times", w, n)
			}
		}
		if len(far.calls) != due {
			t.Errorf("%d instances were called, want %d", len(far.calls), due)
		}
		if most := waited.Load(); most > registersPerPage+registersUnderWay {
			t.Errorf("%d calls waited at once", most)
		}
	})
}

// A workspace has a bounded number of calls at a time, some of them reserved for those that
// somebody waits for.
func TestCallsOfAWorkspaceAreBounded(t *testing.T) {
	var c calling
	take := func(w id.Workspace, most int) (taken int) {
		for c.enter(w, most) {
			taken++
		}
		return taken
	}
	if bulk, rest, other := take("w", bulkOfWorkspace), take("w", callsOfWorkspace), take("other", bulkOfWorkspace); bulk != bulkOfWorkspace || rest != callsOfWorkspace-bulkOfWorkspace || other != bulkOfWorkspace {
		t.Errorf("there were places for %d bulk calls and %d others, and for %d of another workspace", bulk, rest, other)
	}
	c.leave("w")
	if taken := take("w", callsOfWorkspace); taken != 1 {
		t.Errorf("of one place that was given back, %d were taken", taken)
	}
	// However many find it busy, they come back at a steady rate, and those that somebody
	// waits for do not stand behind the others.
	now := time.UnixMilli(1000)
	for n := range 10_000 {
		if at, want := c.postpone(order{Workspace: "w", Bulk: true}, now), now.Add(busyWait+time.Duration(n)*busyEvery); !at.Equal(want) {
			t.Fatalf("call %d comes back at %s, want %s", n, at, want)
		}
	}
	for name, o := range map[string]order{"one that somebody waits for": {Workspace: "w"}, "one of another workspace": {Workspace: "other", Bulk: true}} {
		if at := c.postpone(o, now); !at.Equal(now.Add(busyWait)) {
			t.Errorf("%s comes back at %s", name, at)
		}
	}
	if at, want := c.postpone(order{Workspace: "other", Bulk: true}, now.Add(time.Hour)), now.Add(time.Hour+busyWait); !at.Equal(want) {
		t.Errorf("after an hour a call comes back at %s, want %s", at, want)
	}
	for range callsOfWorkspace {
		c.leave("w")
	}
	for range bulkOfWorkspace {
		c.leave("other")
	}
	if len(c.running)+len(c.next) != 0 {
		t.Errorf("of idle workspaces it remembers %v and %v", c.running, c.next)
	}
}

// A call that finds its workspace busy is not lost.
func TestBusyCallsComeBack(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		queue := jobs.New(d, clock.System(), slog.New(slog.DiscardHandler))
		s := New(Options{DB: d, Clock: clock.System(), Calls: queue})
		var called []order
		handle := s.fairly(func(_ context.Context, o order) error { called = append(called, o); return nil })
		job := jobs.Job{Kind: jobCallInstance, Payload: jsontext.Value(`{"workspace":"w","webhook":"h","bulk":true}`)}
		for s.calling.enter("w", callsOfWorkspace) {
		}
		for turn := range 3 {
			if err := handle(t.Context(), job); err != nil {
				t.Fatal(err)
			}
			job = jobs.Job{Kind: jobCallInstance}
			if err := d.Reader(t.Context()).QueryRow(t.Context(), `SELECT payload FROM jobs`).Scan((*[]byte)(&job.Payload)); err != nil {
				t.Fatalf("turn %d: %v", turn, err)
			}
			engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, `DELETE FROM jobs`)
				return err
			})
		}
		for range callsOfWorkspace {
			s.calling.leave("w")
		}
		if err := handle(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]order{{Workspace: "w", Webhook: "h", Bulk: true}}, called); diff != "" {
			t.Errorf("what was called (-want +got):\n%s", diff)
		}
	})
}
