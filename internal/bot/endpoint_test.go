package bot

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
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

// Of many instances, over several pages, each that waits is called once, and not all at
// once; a job that is broken off and begins anew changes nothing more.
func TestRegisterInstallsByPages(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		const bots, aliases = 3*installPage/2 + 1, 2
		c := clock.System()
		queue := jobs.New(d, c, nil)
		s := New(Options{DB: d, Clock: c, Catalog: late{}, Endpoints: late{}, Calls: queue})
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			for n := range bots {
				b := sample(t, home, int64(n))
				if err := insertBot(ctx, tx, b); err != nil {
					return err
				}
				for alias := range aliases {
					i := Instance{
						Alias: fmt.Sprint(alias), Integration: "late", Enabled: n%10 != 0, DisabledChannels: `[]`, Webhook: id.NewWebhook(), Sealed: "sealed",
						Status: Pending, StatusReason: noURL, CreatedAt: db.Moment(1), UpdatedAt: db.Moment(1),
					}
					if n%3 == 0 {
						i.Status, i.StatusReason = Registered, ""
					}
					if err := upsertInstance(ctx, tx, b.ID, i); err != nil {
						return err
					}
				}
			}
			return nil
		})
		payload, err := json.Marshal(id.Integration("late"))
		if err != nil {
			t.Fatal(err)
		}
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
		want := map[string]int{}
		for n := range bots {
			switch {
			case n%3 == 0:
				want["registered because  generation 0"] += aliases
			case n%10 == 0:
				want["registration_pending because "+noURL+" generation 0"] += aliases
			default:
				want["registration_pending because "+notCalled+" generation 1"] += aliases
			}
		}
		first := counts(`SELECT status || ' because ' || COALESCE(status_reason, '') || ' generation ' || generation, COUNT(*) FROM bot_integrations GROUP BY 1`)
		began := time.Now()
		for range 2 {
			if err := s.registerInstalls(t.Context(), jobs.Job{Kind: jobRegisterInstalls, Payload: payload}); err != nil {
				t.Fatal(err)
			}
			got := counts(`SELECT status || ' because ' || COALESCE(status_reason, '') || ' generation ' || generation, COUNT(*) FROM bot_integrations GROUP BY 1`)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("before %v; after (-want +got):\n%s", first, diff)
			}
		}
		t.Logf("%d instances in %s", bots*aliases, time.Since(began))
		due := 0
		for of, n := range maps.All(counts(`SELECT CAST(run_at AS TEXT), COUNT(*) FROM jobs WHERE kind = 'call-instance' GROUP BY run_at`)) {
			due += n
			if n > registersPerSecond {
				t.Errorf("%d calls begin at %s, want %d a second at most", n, of, registersPerSecond)
			}
		}
		if due != want["registration_pending because "+notCalled+" generation 1"] {
			t.Errorf("%d calls wait", due)
		}
	})
}
