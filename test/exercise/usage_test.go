package exercise_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/workspace"
	"github.com/botyard/botyard/test/harness"
)

const (
	usagesPath = "/v1/admin/usages"
	noLimit    = float64(9007199254740991)
)

// use has a workspace use something, as ingest does.
func use(t *testing.T, s *harness.Server, usages ...plan.Usage) {
	t.Helper()
	if err := s.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error { return s.Meter.Add(ctx, tx, usages) }); err != nil {
		t.Fatal(err)
	}
}

func setQuota(t *testing.T, s *harness.Server, a *harness.Actor, of plan.Type, value int64) {
	t.Helper()
	if err := s.Meter.SetQuota(t.Context(), workspaceID(a), of, &value); err != nil {
		t.Fatal(err)
	}
}

// thisMonth is the first moment of the server's month, as it answers it.
func thisMonth(s *harness.Server) string {
	now := s.Server.Clock.Now()
	return time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC).Format("2006-01-02T15:04:05.000Z")
}

func usageOf(t *testing.T, a *harness.Actor, of, query string) object {
	t.Helper()
	var out struct{ Usage object }
	a.Do(t, "GET", usagesPath+"/"+of+"?"+query, nil, &out)
	return out.Usage
}

// Usage is counted for the workspace and for the bot, in the month it was used in,
// whatever form the period is asked in.
func TestUsage(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		bot := createBot(t, a, object{})["id"].(string)
		used := func(of plan.Type, value int64, at string) plan.Usage {
			moment, err := time.Parse(time.RFC3339, at)
			if err != nil {
				t.Fatal(err)
			}
			return plan.Usage{Workspace: workspaceID(a), Bot: id.Bot(bot), Type: of, Value: value, At: moment}
		}
		use(t, s, used(plan.InvocationCalls, 2, "2025-03-01T00:00:00Z"), used(plan.InvocationCalls, 3, "2025-03-31T23:59:59.999Z"),
			used(plan.InvocationCalls, 100, "2025-04-01T00:00:00Z"), used(plan.OpenAISpend, 7, "2025-03-05T00:00:00+14:00"))
		const march = "2025-03-01T00:00:00.000Z"
		for _, period := range []string{"2025-03", "2025-03-01", "2025-03-31", "2025-03-15T12:00:00Z", "2025-03-15T12:00:00", "2025-03-15T12:00", "2025-03-15 12:00:00", "2025-03-31T23:59:59.999Z", "2025-04-01T01:00:00+02:00"} {
			for _, of := range []string{a.Workspace, bot} {
				want := object{"id": of, "period": march, "value": 5.0, "quota": noLimit, "type": "invocation_calls"}
				if diff := cmp.Diff(want, usageOf(t, a, of, "type=invocation_calls&period="+url.QueryEscape(period))); diff != "" {
					t.Errorf("%s: %s", period, diff)
				}
			}
		}
		for of, want := range map[string]float64{"ai_spend": 7, "openai_spend": 7, "bing_search_spend": 0} {
			if got := usageOf(t, a, bot, "period=2025-03&type="+of)["value"]; got != want {
				t.Errorf("%s is %v, want %v", of, got, want)
			}
		}
		now := usageOf(t, a, a.Workspace, "type=invocation_calls")
		if now["period"] != thisMonth(s) || now["value"] != 0.0 {
			t.Errorf("now it is %v", now)
		}
		for _, period := range []string{"March", "2025-13", "2025-3", "1999-12", "9999-01-01", "2025-03-01T25:00:00Z", "\x00", "2025-W10", strings.Repeat("2", 5000)} {
			a.Refused(t, fault.InvalidQuery, []string{"period"}, "GET", usagesPath+"/"+bot+"?type=ai_spend&period="+url.QueryEscape(period), nil)
		}
		a.Refused(t, fault.InvalidQuery, []string{"workspaces only"}, "GET", usagesPath+"/"+bot+"?type=bot_count", nil)
	})
}

// An id of elsewhere, a missing one and nonsense are told alike; a bot that is deleted
// is gone, and what it used stays.
func TestUsageOfNobody(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, b := s.Person(t), s.Person(t)
		bot, theirs := createBot(t, a, object{})["id"].(string), createBot(t, b, object{})["id"].(string)
		use(t, s, plan.Usage{Workspace: workspaceID(a), Bot: id.Bot(bot), Type: plan.AISpend, Value: 9})
		for _, path := range []string{"", "/history", "/activity", "/daily-activity"} {
			var said []string
			for _, of := range []string{theirs, b.Workspace, "00000000-0000-4000-8000-000000000000", url.PathEscape(long(100))} {
				answer := a.Ask(t, "GET", usagesPath+"/"+of+path+"?type=ai_spend", nil)
				if answer.Status != 404 {
					t.Errorf("%s of %s answered %d", path, of, answer.Status)
				}
				said = append(said, strings.ReplaceAll(answer.WithoutID(), of, "it"))
			}
			if said[0] != said[1] || said[1] != said[2] {
				t.Errorf("%s tells a foreign bot from a missing one: %q", path, said)
			}
		}
		for _, ids := range []string{theirs, b.Workspace, "nothing", bot + "&ids=" + theirs} {
			a.Refused(t, fault.ResourceNotFound, nil, "GET", usagesPath+"/multiple?types=ai_spend&ids="+ids, nil)
		}
		a.Do(t, "DELETE", botsPath+"/"+bot, nil, nil)
		a.Refused(t, fault.ResourceNotFound, nil, "GET", usagesPath+"/"+bot+"?type=ai_spend", nil)
		var shares struct{ Data []object }
		a.Do(t, "GET", workspacesPath+"/"+a.Workspace+"/usages/by-bot?type=ai_spend", nil, &shares)
		if diff := cmp.Diff([]object{{"botId": bot, "value": 9.0}}, shares.Data); diff != "" {
			t.Error(diff)
		}
		a.Do(t, "DELETE", workspacesPath+"/"+a.Workspace, nil, nil)
		for _, table := range []string{"usage_records", "usage_months", "usage_days", "quotas", "gauges", "bot_gauges", "quota_warnings"} {
			var n int
			if err := s.DB.Reader(t.Context()).QueryRow(t.Context(), `SELECT COUNT(*) FROM `+table+` WHERE workspace_id = $1`, a.Workspace).Scan(&n); err != nil || n != 0 {
				t.Errorf("%d rows of a workspace that is gone are in %s, %v", n, table, err)
			}
		}
	})
}

func TestMultipleUsages(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		var bots []string
		for i := range 3 {
			bot := createBot(t, a, object{})["id"].(string)
			bots = append(bots, bot)
			use(t, s, plan.Usage{Workspace: workspaceID(a), Bot: id.Bot(bot), Type: plan.AISpend, Value: int64(i)})
		}
		var out struct{ Usages []object }
		a.In("").Do(t, "GET", usagesPath+"/multiple?types=ai_spend&types=storage_count&ids="+strings.Join(bots, "&ids="), nil, &out)
		var got []string
		for _, u := range out.Usages {
			got = append(got, fmt.Sprint(slices.Index(bots, u["id"].(string)), u["type"], u["value"]))
		}
		want := []string{"0ai_spend0", "0storage_count0", "1ai_spend1", "1storage_count0", "2ai_spend2", "2storage_count0"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		path := usagesPath + "/multiple?"
		for _, query := range []string{
			"types=coffee&ids=" + a.Workspace, "types=bot_count&ids=" + bots[0], "types=ai_spend&ids=" + bots[0] + "&ids=" + a.Workspace,
			"types=ai_spend" + strings.Repeat("&ids="+bots[0], 101), strings.Repeat("types=ai_spend&", 16) + "ids=" + bots[0],
		} {
			a.Refused(t, fault.InvalidQuery, nil, "GET", path+query, nil)
		}
	})
}

// History has a line for every month since the first, gauges as they were.
func TestUsageHistory(t *testing.T) {
	harness.RunAlone(t, nil, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		createBot(t, a, object{})
		bot := createBot(t, a, object{})["id"].(string)
		first := s.Server.Clock.Now()
		use(t, s, plan.Usage{Workspace: workspaceID(a), Type: plan.AISpend, Value: 4})
		// From the middle of a month, or the third step could leap over one.
		months := []string{thisMonth(s)}
		for range 2 {
			next := time.Date(s.Server.Clock.Now().Year(), s.Server.Clock.Now().Month()+1, 15, 0, 0, 0, 0, time.UTC)
			if _, err := development(s).Advance(next.Sub(s.Server.Clock.Now())); err != nil {
				t.Fatal(err)
			}
			months = append(months, thisMonth(s))
		}
		a.Do(t, "DELETE", botsPath+"/"+bot, nil, nil)
		use(t, s, plan.Usage{Workspace: workspaceID(a), Type: plan.AISpend, Value: 6}, plan.Usage{Workspace: workspaceID(a), Type: plan.AISpend, Value: 1, At: first})
		for of, want := range map[string][]float64{"bot_count": {1, 2, 2}, "ai_spend": {6, 0, 5}, "storage_count": {0}} {
			var out struct{ Usages []object }
			a.Do(t, "GET", usagesPath+"/"+a.Workspace+"/history?type="+of, nil, &out)
			var values []float64
			for i, u := range out.Usages {
				values = append(values, u["value"].(float64))
				if u["period"] != months[len(months)-1-i] {
					t.Errorf("%s: the %dth month is %v of %v", of, i, u["period"], months)
				}
			}
			if diff := cmp.Diff(want, values); diff != "" {
				t.Errorf("%s: %s", of, diff)
			}
		}
	})
}

// Activity comes newest first, in pages, its bounds included.
func TestUsageActivity(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		bots := []string{createBot(t, a, object{})["id"].(string), createBot(t, a, object{})["id"].(string)}
		begin := time.Date(2026, 1, 30, 23, 0, 0, 0, time.UTC)
		for i := range 50 {
			use(t, s, plan.Usage{
				ID: fmt.Sprint(i), Workspace: workspaceID(a), Bot: id.Bot(bots[i%2]), Type: plan.AISpend, Value: int64(i), At: begin.Add(time.Duration(i) * time.Hour),
				Metadata: map[string]string{"type": "IntegrationAction", "subtype": "say \x00\"" + fmt.Sprint(i%2), "source": long(200)},
			})
		}
		collect := func(path, query string) (values []float64, items []object) {
			t.Helper()
			for token := ""; ; {
				var out struct {
					Data []object
					Meta struct{ NextToken string }
				}
				a.Do(t, "GET", path+"?type=ai_spend&pageSize=7"+query+token, nil, &out)
				for _, item := range out.Data {
					values, items = append(values, item["value"].(float64)), append(items, item)
				}
				if out.Meta.NextToken == "" {
					return values, items
				}
				token = "&nextToken=" + out.Meta.NextToken
			}
		}
		path := usagesPath + "/" + a.Workspace
		values, items := collect(path+"/activity", "")
		if len(values) != 50 || !slices.IsSortedFunc(values, func(a, b float64) int { return int(b - a) }) {
			t.Errorf("the records are %v", values)
		}
		metadata := items[0]["metadata"].(object)
		if metadata["botId"] != bots[1] || metadata["type"] != "IntegrationAction" || items[0]["timestamp"] != "2026-02-02T00:00:00.000Z" || items[0]["period"] != "2026-02-01T00:00:00.000Z" {
			t.Errorf("the newest is %v", items[0])
		}
		if values, _ = collect(path+"/activity", "&timestampFrom=2026-01-31T00:00:00Z&timestampUntil=2026-01-31T02:00:00.000Z"); !slices.Equal(values, []float64{3, 2, 1}) {
			t.Errorf("between two moments: %v", values)
		}
		if values, _ = collect(path+"/activity", "&timestampUntil=2026-01"); len(values) != 25 {
			t.Errorf("until the month's end: %v", values)
		}
		if values, _ = collect(usagesPath+"/"+bots[1]+"/activity", "&timestampUntil=2026-01-31T04:00:00Z"); !slices.Equal(values, []float64{5, 3, 1}) {
			t.Errorf("of a bot: %v", values)
		}
		values, items = collect(path+"/daily-activity", "&dateFrom=2026-01-30&dateUntil=2026-01-31")
		slices.Sort(values)
		if !slices.Equal(values, []float64{0, 144, 156}) {
			t.Errorf("by day: %v", values)
		}
		keys := map[any]bool{}
		for _, item := range items {
			keys[item["key"]] = true
			if m := item["metadata"].(object); m["type"] != "IntegrationAction" || !slices.Contains(bots, m["botId"].(string)) || !strings.HasPrefix(m["subtype"].(string), `say "`) {
				t.Errorf("the day's metadata are %v", m)
			}
		}
		if len(keys) != len(items) {
			t.Errorf("%d items have %d keys", len(items), len(keys))
		}
		if values, _ = collect(usagesPath+"/"+bots[1]+"/daily-activity", "&dateFrom=2026-02-01T15:00:00Z"); len(values) != 2 {
			t.Errorf("by day, of a bot: %v", values)
		}
		for _, query := range []string{"&timestampFrom=soon", "&timestampFrom=2026-02-02&timestampUntil=2026-02-01", "&pageSize=0", "&nextToken=forged"} {
			a.Refused(t, fault.InvalidQuery, nil, "GET", path+"/activity?type=ai_spend"+query, nil)
		}
	})
}

// A quota is the plan's, what was bought adds to it, the operator has the last word.
func TestQuotas(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		quota := func(of string) float64 {
			t.Helper()
			var out struct{ Quota object }
			a.Do(t, "GET", workspacesPath+"/"+a.Workspace+"/quota?period=2026-05-05&type="+of, nil, &out)
			if out.Quota["period"] != "2026-05-01T00:00:00.000Z" || out.Quota["type"] != of {
				t.Errorf("the quota is %v", out.Quota)
			}
			return out.Quota["value"].(float64)
		}
		if n := quota("ai_spend"); n != noLimit {
			t.Errorf("managed limits ai_spend to %v", n)
		}
		setPlan(t, s, a, workspace.Community)
		if err := s.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			return s.Meter.SetExtras(ctx, tx, workspaceID(a), map[plan.Type]int64{plan.BotCount: 2, plan.TableRowCount: 100_000})
		}); err != nil {
			t.Fatal(err)
		}
		for of, want := range map[string]float64{"bot_count": 3, "table_row_count": 101_000, "workspace_member_count": 1, "invocation_calls": 500, "storage_count": 1e8, "always_alive": 0, "workspace_ratelimit": 100, "integrations_owned_count": 20, "ai_spend": 5e9, "openai_spend": 5e9} {
			if got := quota(of); got != want {
				t.Errorf("%s is %v, want %v", of, got, want)
			}
		}
		if err := s.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error { return s.Meter.SetExtras(ctx, tx, workspaceID(a), nil) }); err != nil {
			t.Fatal(err)
		}
		if n := quota("bot_count"); n != 1 {
			t.Errorf("without what was bought it is %v", n)
		}
		setQuota(t, s, a, plan.BotCount, plan.Unlimited)
		if n := quota("bot_count"); n != noLimit {
			t.Errorf("without a limit it is %v", n)
		}
		var out struct{ Quotas []object }
		a.Do(t, "GET", workspacesPath+"/"+a.Workspace+"/quotas", nil, &out)
		if len(out.Quotas) != len(plan.Types) || out.Quotas[0]["period"] != thisMonth(s) {
			t.Errorf("the quotas are %v", out.Quotas)
		}

		// What the members choose stands for the plan's, and not above the operator's.
		spend := "/v1/admin/quotas/ai-spend"
		for _, step := range []struct {
			chosen any
			want   float64
		}{{290, 290e9}, {0, 0}, {12.345, 12.35e9}, {10_000, 1e13}} {
			a.Do(t, "PUT", spend, object{"monthlySpendingLimit": step.chosen}, nil)
			if n := quota("openai_spend"); n != step.want {
				t.Errorf("after %v it is %v", step.chosen, n)
			}
		}
		setQuota(t, s, a, plan.AISpend, 7e9)
		if n := quota("ai_spend"); n != 7e9 {
			t.Errorf("above the operator's it is %v", n)
		}
		refuses(t, a, "PUT", spend, []refusal{
			{"none", object{}, fault.InvalidPayload, nil},
			{"text", object{"monthlySpendingLimit": "5"}, fault.InvalidPayload, nil},
			{"negative", object{"monthlySpendingLimit": -0.01}, fault.InvalidPayload, []string{"0 to 10000"}},
			{"too much", object{"monthlySpendingLimit": 10_000.01}, fault.InvalidPayload, []string{"quota set"}},
			{"huge", `{"monthlySpendingLimit": 1e300}`, fault.InvalidPayload, nil},
		})
		var trail struct{ Records []object }
		a.Do(t, "GET", workspacesPath+"/"+a.Workspace+"/audit-records?pageSize=100", nil, &trail)
		var said []any
		for _, r := range trail.Records {
			if r["action"] == "SET_AI_SPENDING_LIMIT" {
				said = append(said, r["value"])
			}
		}
		if diff := cmp.Diff([]any{"10000", "12.35", "0", "290"}, said); diff != "" {
			t.Errorf("the records of the limit: %s", diff)
		}
	})
}

// The v2 API has the same numbers under its own names.
func TestFeatures(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		setPlan(t, s, a, workspace.Plus)
		createBot(t, a, object{})
		use(t, s, plan.Usage{Workspace: workspaceID(a), Type: plan.BingSearchSpend, Value: 11}, plan.Usage{Workspace: workspaceID(a), Type: plan.StorageCount, Value: 12})
		var quotas map[string]float64
		a.Do(t, "GET", "/v2/billing/quotas", nil, &quotas)
		for feature, want := range map[string]float64{"bot_count": 2, "collaborator_count": 2, "saved_versions": 50, "ratelimit": 100, "always_alive_count": 1, "human_in_the_loop": 1} {
			if quotas[feature] != want {
				t.Errorf("%s is %v, want %v", feature, quotas[feature], want)
			}
		}
		now := url.QueryEscape(s.Server.Clock.Now().Format(time.RFC3339))
		var all struct{ Quotas map[string]object }
		a.Do(t, "GET", "/v2/usage/workspace-usages?period="+now, nil, &all)
		for feature, want := range map[string]object{
			"bot_count": {"usage": 1.0, "quota": 2.0}, "ai_spend": {"usage": 11.0, "quota": 5e9}, "integration_spend": {"usage": 11.0, "quota": 5e9},
			"file_storage": {"usage": 12.0, "quota": 1e10}, "saved_versions": {"quota": 50.0}, "conversation_sessions": {"quota": noLimit},
		} {
			if diff := cmp.Diff(want, all.Quotas[feature]); diff != "" {
				t.Errorf("%s: %s", feature, diff)
			}
			var one object
			a.Do(t, "GET", "/v2/usage/workspace-usage?feature="+feature+"&period="+now, nil, &one)
			if diff := cmp.Diff(want, one); diff != "" {
				t.Errorf("%s alone: %s", feature, diff)
			}
		}
		for _, query := range []string{"", "?period=2026", "?period=" + now, "?feature=coffee&period=" + now} {
			if answer := a.Ask(t, "GET", "/v2/usage/workspace-usage"+query, nil); answer.Status != 400 {
				t.Errorf("%q was answered %d", query, answer.Status)
			}
		}
		b := s.Person(t)
		for _, path := range []string{"/v2/billing/quotas", "/v2/usage/workspace-usages?period=" + now} {
			b.In(a.Workspace).Refused(t, fault.ResourceNotFound, nil, "GET", path, nil)
		}
	})
}

// The completion is that of the quota which is closest to its end, of the workspaces
// of the caller alone.
func TestQuotaCompletion(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, b := s.Person(t), s.Person(t)
		completions := func(who *harness.Actor) map[string]object {
			t.Helper()
			var out map[string]object
			who.Do(t, "GET", workspacesPath+"/usages/quota-completion", nil, &out)
			return out
		}
		setPlan(t, s, a, workspace.Team)
		if got := completions(a); len(got) != 0 {
			t.Errorf("of nothing, %v is complete", got)
		}
		createBot(t, a, object{})
		use(t, s, plan.Usage{Workspace: workspaceID(a), Type: plan.InvocationCalls, Value: 20_000})
		addMember(t, a, b.Email, "viewer")
		want := map[string]object{a.Workspace: {"type": "invocation_calls", "completion": 0.4}}
		for _, who := range []*harness.Actor{a, b} {
			if diff := cmp.Diff(want, completions(who)); diff != "" {
				t.Error(diff)
			}
		}
		createBot(t, a, object{})
		use(t, s, plan.Usage{Workspace: workspaceID(a), Type: plan.AISpend, Value: 10e9})
		if diff := cmp.Diff(map[string]object{a.Workspace: {"type": "ai_spend", "completion": 2.0}}, completions(a)); diff != "" {
			t.Error(diff)
		}
	})
}

// 64 clients of two processes over one database get as many bots, members and
// integrations as the quota has, and no more.
func TestQuotaOfTwoProcesses(t *testing.T) {
	for _, engine := range harness.Engines {
		t.Run(string(engine), func(t *testing.T) {
			dir, databaseURL := t.TempDir(), harness.DatabaseURL(t, engine)
			one := harness.StartBinary(t, dir, databaseURL)
			two := harness.StartBinary(t, dir, databaseURL)
			owner := one.Owner(t)
			there := &harness.Actor{Client: two.Client, Token: owner.Token, Workspace: owner.Workspace}
			owner.Do(t, "PUT", workspacesPath+"/"+owner.Workspace, object{"handle": "crowded"}, nil)
			for _, of := range []string{"bot_count", "workspace_member_count", "integrations_owned_count"} {
				harness.Command(t, "quota", "set", "--workspace", owner.Workspace, "--type", of, "--value", "2", "--data", dir, "--database-url", databaseURL)
			}
			for of, ask := range map[string]func(i int) (string, object){
				"bot_count": func(int) (string, object) { return botsPath, object{} },
				"workspace_member_count": func(i int) (string, object) {
					return membersPath, object{"email": fmt.Sprintf("m%d@example.com", i), "role": "viewer"}
				},
				"integrations_owned_count": func(i int) (string, object) {
					return "/v1/admin/integrations", object{"name": fmt.Sprintf("crowded/i%d", i), "version": "1.0.0"}
				},
			} {
				var made atomic.Int64
				harness.Together(t, 64, func(i int) error {
					path, body := ask(i)
					status, err := try(t, []*harness.Actor{owner, there}[i%2], "POST", path, body, 200, 403)
					if status == 200 {
						made.Add(1)
					}
					return err
				})
				if n := usageOf(t, there, owner.Workspace, "type="+of)["value"]; made.Load() != 2 || n != 2.0 {
					t.Errorf("%s: %d were made and %v counted, want 2", of, made.Load(), n)
				}
				path, body := ask(99)
				answer := owner.Ask(t, "POST", path, body)
				if !strings.Contains(string(answer.Body), `"raisedBy"`) || !strings.Contains(string(answer.Body), "quota set") {
					t.Errorf("%s: the refusal says %s", of, answer.Body)
				}
			}
			one.Stop(t)
			two.Stop(t)
		})
	}
}

// Bots whose workspace has no incoming messages left take no calls from outside, and
// take them again when the quota is raised or the month is over.
func TestWebhookWithoutMessagesLeft(t *testing.T) {
	harness.RunAlone(t, nil, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		far := harness.NewFarSide(t)
		bot := createBot(t, a, object{})["id"].(string)
		integration := called(t, a, handle, far.URL, nil)
		hook := installed(t, a, bot, "one", object{"integrationId": integration["id"], "configuration": object{"token": "t"}})["webhookUrl"].(string)
		answered := func() {
			t.Helper()
			if status, _, said := knock(t, "POST", hook, "hello"); status >= 400 {
				t.Errorf("the webhook answered %d %s", status, said)
			}
		}
		setQuota(t, s, a, plan.InvocationCalls, 2)
		use(t, s, plan.Usage{Workspace: workspaceID(a), Bot: id.Bot(bot), Type: plan.InvocationCalls, Value: 1})
		answered()
		use(t, s, plan.Usage{Workspace: workspaceID(a), Bot: id.Bot(bot), Type: plan.InvocationCalls, Value: 1})
		turnedAway(t, s, fault.QuotaExceeded, "no incoming messages left", "POST", hook, "hello")
		setQuota(t, s, a, plan.InvocationCalls, 3)
		answered()
		setQuota(t, s, a, plan.InvocationCalls, 1)
		turnedAway(t, s, fault.QuotaExceeded, "no incoming messages left", "POST", hook, "hello")
		if _, err := development(s).Advance(32 * 24 * time.Hour); err != nil {
			t.Fatal(err)
		}
		answered()
	})
}

// TestUsageAsAList: the usage of a workspace is a list of one, the same that is asked
// of its id, also of a month before.
func TestUsageAsAList(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		use(t, s, plan.Usage{Workspace: workspaceID(a), Type: plan.AISpend, Value: 7})
		path := workspacesPath + "/" + a.Workspace + "/usages"
		for _, query := range []string{"?type=ai_spend", "?type=bot_count", "?type=ai_spend&period=2024-02"} {
			var list struct{ Usages []object }
			a.Do(t, "GET", path+query, nil, &list)
			if diff := cmp.Diff([]object{usageOf(t, a, a.Workspace, query[1:])}, list.Usages); diff != "" {
				t.Errorf("%s as a list (-by id +list):\n%s", query, diff)
			}
		}
		a.Refused(t, fault.InvalidQuery, []string{"type"}, "GET", path+"?type=gold", nil)
		a.Refused(t, fault.InvalidQuery, []string{"type"}, "GET", path, nil)
		a.Refused(t, fault.InvalidQuery, []string{"period"}, "GET", path+"?type=ai_spend&period=March", nil)
		s.Person(t).Refused(t, fault.ResourceNotFound, []string{a.Workspace}, "GET", path+"?type=ai_spend", nil)
	})
}
