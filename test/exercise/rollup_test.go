package exercise_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/harness"
)

// probed is the body of one of the server's own pages.
func probed(t *testing.T, a *harness.Actor, path string) string {
	t.Helper()
	answer, err := http.Get(a.Base + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %d: %s (%v)", path, answer.StatusCode, body, err)
	}
	return string(body)
}

// rollupReason is what /readyz says of the roll-ups.
func rollupReason(t *testing.T, a *harness.Actor) string {
	t.Helper()
	var ready struct {
		Ready  bool
		Checks []struct{ Name, Reason string }
	}
	if err := json.Unmarshal([]byte(probed(t, a, "/readyz")), &ready); err != nil || !ready.Ready {
		t.Fatalf("the server is ready: %t (%v)", ready.Ready, err)
	}
	for _, c := range ready.Checks {
		if c.Name == "roll-ups" {
			return c.Reason
		}
	}
	t.Fatal("/readyz does not tell of the roll-ups")
	return ""
}

// metricOf is the value of a metric without labels, as /metrics has it.
func metricOf(t *testing.T, a *harness.Actor, name string) (value string) {
	t.Helper()
	for line := range strings.Lines(probed(t, a, "/metrics")) {
		if rest, is := strings.CutPrefix(line, name+" "); is {
			value = strings.TrimSpace(rest)
		}
	}
	return value
}

func setAsideMetric(t *testing.T, a *harness.Actor) string {
	t.Helper()
	return metricOf(t, a, "botyard_rollup_set_aside")
}

// A stored definition that cannot be read makes the cost of its actions unknown. Those
// runs are set aside and told of; everything else of the same requests is counted, of
// this workspace and of others; and when it can be read again they are counted, once.
func TestPoisonousRecords(t *testing.T) {
	harness.RunAlone(t, nil, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		other := s.Person(t)
		name := handle + "/mail"
		of := publish(t, a, "integration", mail(name))["id"].(string)
		bot, others := createBot(t, a, object{})["id"].(string), createBot(t, other, object{})["id"].(string)
		setUp(t, a, bot, object{"integrations": object{"mail": object{"integrationId": of, "enabled": false}}})
		definition := ""
		exchange := func(text string) (was string) {
			if err := s.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				if err := tx.QueryRow(ctx, `SELECT definition FROM integration_definitions WHERE integration_id = $1`, of).Scan(&was); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, `UPDATE integration_definitions SET definition = $1 WHERE integration_id = $2`, text, of)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return was
		}
		if reason, metric := rollupReason(t, a), setAsideMetric(t, a); reason != "" || metric != "0" {
			t.Errorf("at first the roll-ups say %q and %q are set aside", reason, metric)
		}
		definition = exchange("{damaged")

		var records []object
		for i := range 40 {
			records = append(records,
				object{"kind": "message", "direction": "incoming", "userId": "ann", "conversationId": "c", "id": fmt.Sprint("m", i)},
				object{"kind": "issue", "code": "c", "category": "other", "title": "t", "description": "d", "id": fmt.Sprint("i", i)})
			if i%20 == 7 {
				records = append(records, object{
					"kind": "action_run", "integrationName": name, "actionType": "send", "status": "SUCCESS", "durationMs": 1, "id": fmt.Sprint("run", i),
					"input": object{}, "output": object{"botpress": object{"cost": 0.25}},
				})
			}
		}
		record(t, a, bot, records...)
		record(t, other, others, object{"kind": "message", "direction": "incoming", "userId": "bob", "conversationId": "c"})
		today := s.Clock.Now().UTC().Format(time.DateOnly)
		messages := func(who *harness.Actor, bot string, want float64) {
			t.Helper()
			settled(t, func() error {
				if got := analyticsOf(t, who, bot, today, today)[0]["userMessages"]; got != want {
					return fmt.Errorf("%v messages are counted of %v", got, want)
				}
				return nil
			})
		}
		spent := func(want float64) error {
			var usage struct{ Usage struct{ Value float64 } }
			a.Do(t, "GET", "/v1/admin/usages/"+bot+"?type=ai_spend", nil, &usage)
			if usage.Usage.Value != want {
				return fmt.Errorf("ai_spend is %v, want %v", usage.Usage.Value, want)
			}
			return nil
		}
		messages(a, bot, 40)
		messages(other, others, 1)
		if issues := issuesOf(t, a, bot, 40); len(issues) != 1 {
			t.Errorf("%d issues", len(issues))
		}
		settled(t, func() error {
			if reason, metric := rollupReason(t, a), setAsideMetric(t, a); !strings.Contains(reason, "2 records are set aside") || !strings.Contains(reason, "err_") || metric != "2" {
				return fmt.Errorf("the roll-ups say %q and %q are set aside", reason, metric)
			}
			return nil
		})
		if err := spent(0); err != nil {
			t.Error(err)
		}
		// The runs are in the list all the while.
		var runs struct{ Data []object }
		a.Do(t, "GET", botsPath+"/"+bot+"/action-runs?integrationName="+name, nil, &runs)
		if len(runs.Data) != 2 {
			t.Errorf("%d runs are listed", len(runs.Data))
		}

		exchange(definition)
		advance(t, s, 2*time.Minute)
		settled(t, func() error { return spent(500_000_000) })
		if reason, metric := rollupReason(t, a), setAsideMetric(t, a); reason != "" || metric != "0" {
			t.Errorf("afterwards the roll-ups say %q and %q are set aside", reason, metric)
		}
		messages(a, bot, 40)
	})
}
