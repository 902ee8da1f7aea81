package meter

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/plan"
)

// warnings are those that wait to be told, and what the trail says of them.
func (f *fixture) warnings(t *testing.T, w id.Workspace) (told []string, trail []string) {
	t.Helper()
	scan := func(query string, visit func(string)) {
		rows, err := f.DB.Reader(t.Context()).Query(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			visit(text)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	scan(`SELECT payload FROM jobs WHERE kind = 'warn-of-quota' ORDER BY id`, func(text string) {
		var warning Warning
		if err := json.Unmarshal([]byte(text), &warning); err != nil {
			t.Fatal(err)
		}
		if warning.WorkspaceID == w {
			told = append(told, string(warning.Quota)+" "+string(rune('0'+warning.Threshold/25))+" "+warning.Period[:7])
		}
	})
	scan(`SELECT value FROM audit_records WHERE action = 'UNKNOWN' AND workspace_id = '`+string(w)+`' ORDER BY id`, func(text string) {
		trail = append(trail, text)
	})
	return told, trail
}

// Each threshold is told of once in a month, and of several that are passed at once
// only the highest.
func TestWarnings(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		w, _ := f.workspace(t, plan.Community) // 500 messages
		month := f.Clock.Now().Format("2006-01")
		count := func(n int64) {
			f.add(t, plan.Usage{Workspace: w, Type: plan.InvocationCalls, Value: n})
		}
		expect := func(name string, want ...string) {
			t.Helper()
			told, trail := f.warnings(t, w)
			if diff := cmp.Diff(want, told); diff != "" || len(trail) != len(told) {
				t.Errorf("%s: %s, %d records", name, diff, len(trail))
			}
		}
		count(249)
		expect("below")
		count(1)
		expect("half", "invocation_calls 2 "+month)
		count(10)
		expect("more than half", "invocation_calls 2 "+month)
		count(200)
		expect("nine tenths", "invocation_calls 2 "+month, "invocation_calls 3 "+month)
		count(100)
		all := []string{"invocation_calls 2 " + month, "invocation_calls 3 " + month, "invocation_calls 4 " + month}
		expect("all", all...)
		count(1000)
		expect("more than all", all...)
		if _, trail := f.warnings(t, w); !strings.Contains(trail[1], "90 % of the quota invocation_calls is used: 460 of 500 in "+month) {
			t.Errorf("the trail says %q", trail[1])
		}
		f.clock.Advance(32 * 24 * time.Hour)
		count(300)
		next := f.Clock.Now().Format("2006-01")
		expect("in the next month", append(all, "invocation_calls 2 "+next)...)
		f.tx(t, func(ctx context.Context, tx *db.Tx) error { return f.Bots(ctx, tx, w, 1) })
		expect("of a gauge", append(all, "invocation_calls 2 "+next, "bot_count 4 "+next)...)
	})
}

// A quota that is lowered is warned of too, when the gauges are looked after.
func TestWarningsOfALowerQuota(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		w, _ := f.workspace(t, plan.Managed)
		f.add(t, plan.Usage{Workspace: w, Type: plan.InvocationCalls, Value: 400})
		f.tx(t, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE workspaces SET plan = 'community'`)
			return err
		})
		for range 2 {
			if _, err := f.Reconcile(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if told, _ := f.warnings(t, w); len(told) != 1 || !strings.HasPrefix(told[0], "invocation_calls 3") {
			t.Errorf("told of %v", told)
		}
	})
}

// The webhook is told with a signature that who has the secret can check; a refusal is
// tried again by the queue.
func TestWebhook(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		bodies, refuse := make(chan string, 10), true
		hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			at, sum, _ := strings.Cut(strings.TrimPrefix(r.Header.Get(SignatureHeader), "t="), ",v1=")
			if sum != signature("0123456789abcdef", at, body) || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("the call is signed %q", r.Header.Get(SignatureHeader))
			}
			if refuse { // the queue calls one after the other
				refuse = false
				http.Redirect(w, r, "/elsewhere", http.StatusFound)
				return
			}
			bodies <- string(body)
		}))
		defer hook.Close()
		queue := jobs.New(f.DB, f.Clock, f.Log)
		f.Queue = queue
		queue.Handle(JobWarn, Webhook{hook.URL, "0123456789abcdef", f.Clock}.Tell, jobs.Policy{Backoff: time.Millisecond})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- queue.Run(ctx) }()
		w, _ := f.workspace(t, plan.Community)
		f.add(t, plan.Usage{Workspace: w, Type: plan.AISpend, Value: 4e9})
		select {
		case body := <-bodies:
			var got Warning
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			want := Warning{ID: got.ID, Type: "quota.warning", WorkspaceID: w, Quota: plan.AISpend, Threshold: 75, Limit: 5e9, Usage: 4e9, Period: got.Period, CreatedAt: got.CreatedAt}
			if diff := cmp.Diff(want, got); diff != "" || !strings.HasPrefix(got.ID, "notif_") {
				t.Errorf("told %s", diff)
			}
		case <-time.After(3 * time.Minute):
			t.Error("the webhook was not told")
		}
		stop()
		<-ended
		if err := (Webhook{}).Tell(t.Context(), jobs.Job{}); err != nil {
			t.Errorf("without an address: %v", err)
		}
	})
}

// Gauges that differ from what they count are found, told of and corrected.
func TestReconcile(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		right, _ := f.workspace(t, plan.Managed, "bot-1", "bot-2")
		wrong, _ := f.workspace(t, plan.Managed, "bot-3")
		f.tx(t, func(ctx context.Context, tx *db.Tx) error {
			if err := f.Bots(ctx, tx, right, 2); err != nil {
				return err
			}
			if err := f.Bots(ctx, tx, wrong, 7); err != nil {
				return err
			}
			return f.Members(ctx, tx, wrong, -1)
		})
		for _, want := range []int{2, 0} {
			if n, err := f.Reconcile(t.Context()); err != nil || n != want {
				t.Errorf("%d were corrected, want %d, %v", n, want, err)
			}
		}
		for w, want := range map[id.Workspace]int64{right: 2, wrong: 1} {
			if n := f.value(t, w, string(w), plan.BotCount, ""); n != want {
				t.Errorf("%d bots are counted, want %d", n, want)
			}
		}
		want := map[plan.Type]uint64{plan.BotCount: 1, plan.MemberCount: 1, plan.AlwaysAlive: 0, plan.IntegrationsOwned: 0}
		if diff := cmp.Diff(want, f.Drift()); diff != "" {
			t.Error(diff)
		}
	})
}

// conflicting is a trail whose first record meets another transaction.
type conflicting struct {
	trail
	met bool
}

func (c *conflicting) Record(ctx context.Context, tx *db.Tx, w id.Workspace, act access.Act) error {
	if !c.met {
		c.met = true
		return &pgconn.PgError{Code: "40001"}
	}
	return c.trail.Record(ctx, tx, w, act)
}

// A batch whose transaction is run again is looked at as it was the first time.
func TestReconcileAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		w, _ := f.workspace(t, plan.Community, "bot-1")
		f.tx(t, func(ctx context.Context, tx *db.Tx) error {
			return setGauge(ctx, tx, w, plan.BotCount, 7)
		})
		trail := &conflicting{trail: f.Trail, met: f.DB.Engine() == db.SQLite} // which repeats nothing
		f.Trail = trail
		if n, err := f.Reconcile(t.Context()); err != nil || n != 1 || !trail.met {
			t.Errorf("%d were corrected, want 1, %v; met another transaction: %t", n, err, trail.met)
		}
		if n := f.value(t, w, string(w), plan.BotCount, ""); n != 1 {
			t.Errorf("%d bots are counted, want 1", n)
		}
	})
}
