package exercise_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/telemetry"
	"github.com/botyard/botyard/test/harness"
)

// outlive are the tables whose rows stay when their workspace is deleted: the audit trail, and
// what the operator has to account for.
var outlive = []string{"audit_records", "invoices", "payment_attempts"}

// leftovers lists what refers to a workspace, bot, package or account that does not exist.
func leftovers(t *testing.T, s *harness.Server) (list []string) {
	t.Helper()
	owners := map[string]string{
		"workspace_id": "workspaces", "account_id": "accounts", "member_id": "members", "bot_id": "bots", "issue_id": "issues",
		"integration_id": "integrations", "interface_id": "interfaces", "plugin_id": "plugins",
	}
	if err := s.DB.Snapshot(t.Context(), func(ctx context.Context, q db.Querier) error {
		tables, err := s.DB.Tables(ctx, q)
		if err != nil {
			return err
		}
		for _, table := range tables {
			if slices.Contains(outlive, table.Name) {
				continue
			}
			for _, column := range table.Columns {
				owner := owners[column.Name]
				if owner == "" {
					continue
				}
				var n int
				if err := q.QueryRow(ctx, fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE %s <> '' AND %[2]s NOT IN (SELECT id FROM %s)", table.Name, column.Name, owner)).Scan(&n); err != nil {
					return err
				}
				if n > 0 {
					list = append(list, fmt.Sprintf("%d %s without their %s", n, table.Name, column.Name))
				}
			}
		}
		var erasing int
		if err := q.QueryRow(ctx, "SELECT COUNT(*) FROM jobs WHERE kind = $1", telemetry.JobErase).Scan(&erasing); err != nil {
			return err
		}
		if erasing > 0 {
			list = append(list, fmt.Sprintf("%d bots whose telemetry is to be erased", erasing))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

// What is created or changed in a workspace while it is deleted goes with it, or is refused
// because the workspace is gone. What is deleted later, such as the telemetry of its bots and
// the payment method of unpaid invoices, is deleted in the end.
func TestNothingOutlivesItsWorkspace(t *testing.T) {
	harness.RunAlone(t, nil, func(t *testing.T, s *harness.Server) {
		keeper, shop := shopkeeper(t, s)
		shared := publish(t, keeper, "integration", object{"name": shop + "/shared", "visibility": "public"})["id"].(string)
		guest := s.Person(t)
		for round := range 6 {
			a, handle := shopkeeper(t, s)
			member := addMember(t, a, guest.Email, "developer")
			bot := createBot(t, a, object{"name": "one"})["id"].(string)
			spare := createBot(t, a, object{"name": "two"})["id"].(string)
			own := publish(t, a, "integration", object{"name": handle + "/own"})["id"].(string)
			version := saveVersion(t, a, bot, "v")
			key := botKey(t, a, bot)
			records := strings.Repeat(`{"kind":"llm_call","model":"m","inputTokens":1,"outputTokens":1,"latencyMs":1,"costNanoUsd":1000}`+"\n"+
				`{"kind":"message","direction":"incoming","userId":"u","conversationId":"c"}`+"\n"+
				`{"kind":"issue","code":"c","category":"user_code","title":"t","description":"d","data":{},"groupBy":["x"]}`+"\n", 3)
			requests := []struct {
				method, path string
				body         any
			}{
				{"POST", botsPath, object{"tags": object{"a": "b"}, "secrets": object{"A": "b"}}},
				{"POST", botsPath, object{"dev": true}},
				{"PUT", botsPath + "/" + bot, object{"integrations": object{shared: object{"enabled": true}}, "secrets": object{"B": "c"}, "tags": object{"x": "y"}}},
				{"PUT", botsPath + "/" + spare, object{"integrations": object{own: object{"enabled": true}}}},
				{"POST", botsPath + "/" + bot + "/versions", object{"name": "w", "description": ""}},
				{"POST", botsPath + "/" + bot + "/versions/deploy", object{"versionId": version}},
				{"POST", botsPath + "/baks", object{"botId": bot}},
				{"POST", integrationsPath + "/iaks", object{"integrationId": own}},
				{"PUT", allowlistPath(bot), object{"setting": "SELECTED_USERS", "members": []string{member}}},
				{"POST", integrationsPath, object{"name": handle + "/new", "version": "1.0.0", "secrets": object{"S": "t"}}},
				{"POST", interfacesPath, object{"name": handle + "/new", "version": "1.0.0"}},
				{"POST", pluginsPath, object{"name": handle + "/new", "version": "1.0.0", "code": object{"node": "n", "browser": "b"}}},
				{"PUT", integrationsPath + "/" + own, object{"title": "T"}},
				{"POST", membersPath, object{"email": fmt.Sprintf("x%d@example.com", round), "role": "viewer"}},
				{"PUT", membersPath + "/" + member, object{"role": "manager"}},
				{"DELETE", membersPath + "/" + member, nil},
				{"DELETE", botsPath + "/" + spare, nil},
				{"POST", spaceKeyPath + "k", object{"value": 1}},
				{"PUT", workspacesPath + "/" + a.Workspace, object{"name": "renamed"}},
				{"POST", billingPath + "/credit-grants", object{"amount": 1_000_000_001, "feature": "ai_spend"}},
				{"POST", billingPath + "/trials", object{"plan": "team", "lengthInDays": 7}},
				{"PUT", billingPath + "/plans", object{"planId": "plus", "interval": "month"}},
				{"POST", billingPath + "/payment-methods", object{"paymentMethodId": "pm_card_visa"}},
				{"PUT", billingPath + "/auto-recharge/settings", object{"settings": object{"ai_credits_addon": object{"enabled": true, "threshold": 1}}}},
				{"PUT", billingPath + "/address", object{"lineOne": "1 Main St", "city": "Town", "postalCode": "1", "country": "US"}},
				{"POST", ingestPath, records},
			}
			answered := make(chan struct{}, len(requests))
			harness.Together(t, len(requests)+1, func(i int) error {
				who, r, headers := a, requests[min(i, len(requests)-1)], []string(nil)
				switch {
				case i == len(requests):
					for range 4 * round { // the deletion comes before, among and after the others
						<-answered
					}
					r.method, r.path, r.body = "DELETE", workspacesPath+"/"+a.Workspace, nil
				case r.path == ingestPath:
					who, headers = a.As(key), []string{"Content-Type", "application/x-ndjson"}
				}
				answer, err := who.Try(t.Context(), r.method, r.path, r.body, headers...)
				if i < len(requests) {
					answered <- struct{}{}
				}
				if err == nil && answer.Status >= 500 {
					err = fmt.Errorf("%s %s answered %d: %.300s", r.method, r.path, answer.Status, answer.Body)
				}
				return err
			})
			// It is refused while the payment of a purchase is under way.
			harness.Eventually(t, "the deletion of the workspace", func() bool {
				return slices.Contains([]int{200, 404}, a.Ask(t, "DELETE", workspacesPath+"/"+a.Workspace, nil).Status)
			})
		}
		var left []string
		defer func() {
			if t.Failed() {
				t.Log(strings.Join(left, "\n"))
			}
		}()
		harness.Eventually(t, "the deletion of everything", func() bool {
			if left = leftovers(t, s); len(left) == 0 {
				return true
			}
			advance(t, s, 24*time.Hour)
			return false
		})
	})
}
