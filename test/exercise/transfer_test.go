package exercise_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/workspace"
	"github.com/botyard/botyard/test/harness"
)

// transfer asks for a bot to be moved and answers the status.
func transfer(t *testing.T, a *harness.Actor, bot any, to string) harness.Answer {
	t.Helper()
	return a.Ask(t, "POST", botsPath+"/"+bot.(string)+"/transfer", object{"targetWorkspaceId": to})
}

// newWorkspace is a in a new workspace of its own.
func newWorkspace(t *testing.T, a *harness.Actor) *harness.Actor {
	t.Helper()
	var made object
	a.Do(t, "POST", workspacesPath, object{"name": "Another"}, &made)
	return a.In(made["id"].(string))
}

// lastAct is the newest record of a workspace's audit trail.
func lastAct(t *testing.T, a *harness.Actor) object {
	t.Helper()
	var page struct{ Records []object }
	a.Do(t, "GET", workspacesPath+"/"+a.Workspace+"/audit-records?pageSize=1", nil, &page)
	return page.Records[0]
}

func TestTransferBot(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		shop, handle := shopkeeper(t, s)
		open := publish(t, shop, "integration", object{"name": handle + "/open", "visibility": "public", "url": obliging()})["id"]
		a := s.Person(t)
		there := newWorkspace(t, a)
		friend, leaver := colleague(t, s, a, "developer"), colleague(t, s, a, "developer")
		addMember(t, there, friend.Email, "viewer")

		bot := createBot(t, a, object{
			"name": "Wanderer", "tags": object{"k": "v"}, "secrets": object{"KEY": "s"}, "code": "c", "maxExecutionTime": 9,
			"events": object{"e": object{"schema": object{"type": "object"}}},
		})["id"]
		setUp(t, a, bot, object{"integrations": object{"one": object{"integrationId": open, "configuration": object{"secret": "x"}}}, "alwaysAlive": true})
		a.Do(t, "PUT", allowlistPath(bot), object{"setting": "SELECTED_USERS", "users": object{friend.Account: true, leaver.Account: true}}, nil)
		var key object
		a.Do(t, "POST", botsPath+"/baks", object{"botId": bot, "note": "n"}, &key)
		var shared, sharedThere object
		a.Do(t, "POST", botsPath+"/"+bot.(string)+"/integrations/"+open.(string)+"/shareable-id", object{}, &shared)
		before := readBot(t, a, bot)

		if answer := transfer(t, a, bot, there.Workspace); answer.Status != 200 || string(answer.Body) != "{}" {
			t.Fatalf("answered %d %s", answer.Status, answer.Body)
		}
		if diff := cmp.Diff(before, readBot(t, there, bot)); diff != "" {
			t.Errorf("the bot changed on the way: %s", diff)
		}
		if a.Ask(t, "GET", botsPath+"/"+bot.(string), nil).Status != 404 || len(bots(t, a)) != 0 || len(bots(t, there)) != 1 {
			t.Error("the bot is where it was")
		}
		if botCount(t, a) != 0 || botCount(t, there) != 1 {
			t.Errorf("the workspaces count %v and %v bots", botCount(t, a), botCount(t, there))
		}
		var keys struct{ Baks []object }
		there.Do(t, "GET", botsPath+"/baks?botId="+bot.(string), nil, &keys)
		if len(keys.Baks) != 1 || keys.Baks[0]["id"] != key["id"] {
			t.Errorf("the keys are %v", keys.Baks)
		}
		there.As(key["value"].(string)).Refused(t, fault.Forbidden, []string{"key of a bot"}, "GET", botsPath, nil)
		there.Do(t, "GET", botsPath+"/"+bot.(string)+"/integrations/"+open.(string)+"/shareable-id", nil, &sharedThere)
		if shared["shareableId"] != sharedThere["shareableId"] {
			t.Errorf("shared as %v, then as %v", shared, sharedThere)
		}
		// Those who are members of both stay selected; nobody else gets in by it.
		var list object
		there.Do(t, "GET", allowlistPath(bot), nil, &list)
		if diff := cmp.Diff(object{"setting": "SELECTED_USERS", "users": []any{object{"id": friend.Account}}}, list); diff != "" {
			t.Error(diff)
		}
		if sees(t, friend.In(there.Workspace), bot) != 200 || sees(t, colleague(t, s, there, "manager"), bot) != 404 {
			t.Error("the allowlist does not hold in the new workspace")
		}
		for at, want := range map[*harness.Actor]string{a: "to workspace " + there.Workspace, there: "from workspace " + a.Workspace} {
			record := lastAct(t, at)
			if at == there {
				// The newest there is the invitation above.
				var page struct{ Records []object }
				there.Do(t, "GET", workspacesPath+"/"+there.Workspace+"/audit-records?pageSize=100", nil, &page)
				for _, r := range page.Records {
					if r["action"] == "TRANSFER_BOT" {
						record = r
					}
				}
			}
			if record["action"] != "TRANSFER_BOT" || record["resourceId"] != bot || record["resourceName"] != "Wanderer" || record["value"] != want || record["userId"] != a.Account {
				t.Errorf("the record is %v, want %s", record, want)
			}
		}
		// It lives on there, and may come back.
		updateBot(t, there, bot, object{"name": "Settled", "secrets": object{"KEY": "t"}})
		if answer := transfer(t, there, bot, a.Workspace); answer.Status != 200 {
			t.Errorf("the way back: %d %s", answer.Status, answer.Body)
		}
		a.Do(t, "DELETE", botsPath+"/"+bot.(string), nil, nil)
		if botCount(t, a) != 0 || botCount(t, there) != 0 {
			t.Error("a bot that moved is still counted")
		}
	})
}

func TestTransferRefused(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		there := newWorkspace(t, a)
		bot := createBot(t, a, object{})["id"]
		path := botsPath + "/" + bot.(string) + "/transfer"
		to := func(w string) object { return object{"targetWorkspaceId": w} }
		stranger := s.Person(t)
		missing := "wkspace_01J00000000000000000000000"
		refuses(t, a, "POST", path, []refusal{
			{"none", object{}, fault.InvalidPayload, []string{"targetWorkspaceId"}},
			{"short", to("wkspace_1"), fault.InvalidPayload, []string{"targetWorkspaceId", "28"}},
			{"here", to(a.Workspace), fault.InvalidPayload, []string{"the bot is in"}},
			{"no text", to(missing[:27] + "\x00"), fault.InvalidPayload, nil},
			{"missing", to(missing), fault.ReferenceNotFound, []string{missing}},
			{"foreign", to(stranger.Workspace), fault.ReferenceNotFound, []string{stranger.Workspace}},
		})
		foreign := a.Ask(t, "POST", path, to(stranger.Workspace)).WithoutID()
		if strings.ReplaceAll(foreign, stranger.Workspace, missing) != a.Ask(t, "POST", path, to(missing)).WithoutID() {
			t.Errorf("a foreign workspace is answered %s", foreign)
		}
		stranger.Refused(t, fault.ResourceNotFound, nil, "POST", path, to(stranger.Workspace))

		// Rights on both sides: managers here, makers of bots there.
		developer, manager := colleague(t, s, a, "developer"), colleague(t, s, a, "manager")
		developer.Refused(t, fault.Forbidden, []string{"bot.transfer"}, "POST", path, to(there.Workspace))
		manager.Refused(t, fault.ReferenceNotFound, nil, "POST", path, to(there.Workspace))
		addMember(t, there, manager.Email, "viewer")
		manager.Refused(t, fault.Forbidden, []string{"viewer", "bot.write"}, "POST", path, to(there.Workspace))
		if err := s.Workspaces.SetBlocked(t.Context(), workspaceID(there), true); err != nil {
			t.Fatal(err)
		}
		a.Refused(t, fault.PaymentRequired, []string{there.Workspace}, "POST", path, to(there.Workspace))
		if err := s.Workspaces.SetBlocked(t.Context(), workspaceID(there), false); err != nil {
			t.Fatal(err)
		}

		// Whoever cannot see what is installed is not given it.
		private := publish(t, a, "integration", object{"name": handle + "/private", "url": obliging()})["id"]
		plugin := publish(t, a, "plugin", object{"name": handle + "/plug"})["id"]
		setUp(t, a, bot, object{"integrations": object{"mine": object{"integrationId": private}}, "plugins": object{"too": object{"id": plugin}}})
		before := readBot(t, a, bot)
		a.Refused(t, fault.ReferenceConstraint, []string{
			"the integration " + handle + `/private 1.0.0 (installed as "mine")`, "the plugin " + handle + `/plug 1.0.0 (installed as "too")`,
		}, "POST", path, to(there.Workspace))
		if diff := cmp.Diff(before, readBot(t, a, bot)); diff != "" {
			t.Errorf("a refused transfer changed the bot: %s", diff)
		}
		setUp(t, a, bot, object{"integrations": object{"mine": nil}, "plugins": object{"too": nil}})

		// The quota of the target decides, and one place is given once.
		createBot(t, there, object{})
		setPlan(t, s, there, workspace.Community)
		a.Refused(t, fault.QuotaExceeded, []string{"targetWorkspaceId", "bot_count"}, "POST", path, to(there.Workspace))
		setPlan(t, s, there, workspace.Team)
		several := []any{bot}
		for range 7 {
			several = append(several, createBot(t, a, object{})["id"])
		}
		moved := make([]int, len(several))
		harness.Together(t, len(several), func(i int) error {
			answer, err := a.Try(t.Context(), "POST", botsPath+"/"+several[i].(string)+"/transfer", to(there.Workspace))
			if err == nil && answer.Status != 200 && answer.Status != 403 {
				err = fmt.Errorf("answered %d: %s", answer.Status, answer.Body)
			}
			if answer.Status == 200 {
				moved[i] = 1
			}
			return err
		})
		sum := 0
		for _, n := range moved {
			sum += n
		}
		if sum != 2 || botCount(t, there) != 3 || botCount(t, a) != 6 || len(bots(t, there)) != 3 || len(bots(t, a)) != 6 {
			t.Errorf("%d bots moved; the workspaces count %v and %v", sum, botCount(t, there), botCount(t, a))
		}
	})
}

// TestTransferToAndFro: two transfers that cross, again and again, wait for neither
// each other nor lose a bot.
func TestTransferToAndFro(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		there := newWorkspace(t, a)
		const each = 6
		ids := make([]any, each)
		for i := range ids {
			ids[i] = createBot(t, a, object{})["id"]
		}
		harness.Together(t, 2*each, func(i int) error {
			from, to := a, there
			if i%2 == 1 {
				from, to = there, a
			}
			for range 4 {
				answer, err := from.Try(t.Context(), "POST", botsPath+"/"+ids[i/2].(string)+"/transfer", object{"targetWorkspaceId": to.Workspace})
				if err != nil {
					return err
				}
				if answer.Status != 200 && answer.Status != 404 {
					return fmt.Errorf("answered %d: %s", answer.Status, answer.Body)
				}
			}
			return nil
		})
		here, gone := len(bots(t, a)), len(bots(t, there))
		if here+gone != each || botCount(t, a) != float64(here) || botCount(t, there) != float64(gone) {
			t.Errorf("%d bots here and %d there; the workspaces count %v and %v", here, gone, botCount(t, a), botCount(t, there))
		}
	})
}

func TestAlwaysAlive(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		setPlan(t, s, a, workspace.Plus)
		one, two := createBot(t, a, object{})["id"], createBot(t, a, object{})["id"]
		dev := createBot(t, a, object{"dev": true})["id"]
		alive := object{"alwaysAlive": true}
		refused := func(bot any) {
			t.Helper()
			a.Refused(t, fault.QuotaExceeded, []string{"always_alive"}, "PUT", botsPath+"/"+bot.(string), alive)
			if getBot(t, a, bot)["alwaysAlive"] != false {
				t.Error("refused and done")
			}
		}
		updateBot(t, a, one, alive)
		updateBot(t, a, one, alive) // again is no second one
		updateBot(t, a, dev, alive) // development bots are not counted
		refused(two)
		updateBot(t, a, one, object{"alwaysAlive": false})
		updateBot(t, a, two, alive)
		refused(one)
		a.Do(t, "DELETE", botsPath+"/"+two.(string), nil, nil)
		updateBot(t, a, one, alive)

		// It takes its place along.
		there := newWorkspace(t, a)
		setPlan(t, s, there, workspace.Community)
		a.Refused(t, fault.QuotaExceeded, []string{"targetWorkspaceId", "always_alive"}, "POST", botsPath+"/"+one.(string)+"/transfer", object{"targetWorkspaceId": there.Workspace})
		if botCount(t, there) != 0 || botCount(t, a) != 1 {
			t.Error("a refused transfer counted")
		}
		setPlan(t, s, there, workspace.Plus)
		if answer := transfer(t, a, one, there.Workspace); answer.Status != 200 {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		three := createBot(t, a, object{})["id"]
		updateBot(t, a, three, alive)
		four := createBot(t, there, object{})["id"]
		there.Refused(t, fault.QuotaExceeded, []string{"always_alive"}, "PUT", botsPath+"/"+four.(string), alive)
	})
}

// TestTransferStorage: what a bot stores is moved with it and counted once; what it
// used stays explained where it was used.
func TestTransferStorage(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		there := newWorkspace(t, a)
		bot := createBot(t, a, object{})["id"].(string)
		use := func(w *harness.Actor, name string, of plan.Type, value int64) {
			t.Helper()
			u := plan.Usage{ID: bot + name, Workspace: workspaceID(w), Bot: id.Bot(bot), Type: of, Value: value, At: s.Clock.Now()}
			if err := s.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error { return s.Meter.Add(ctx, tx, []plan.Usage{u}) }); err != nil {
				t.Fatal(err)
			}
		}
		value := func(w *harness.Actor, of string, kind plan.Type) float64 {
			t.Helper()
			var out struct{ Usage struct{ Value float64 } }
			w.Do(t, "GET", "/v1/admin/usages/"+of+"?type="+string(kind), nil, &out)
			return out.Usage.Value
		}
		use(a, "stored", plan.StorageCount, 5000)
		use(a, "called", plan.InvocationCalls, 7)
		if answer := transfer(t, a, bot, there.Workspace); answer.Status != 200 {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		use(there, "called there", plan.InvocationCalls, 2)
		for _, want := range []struct {
			at    *harness.Actor
			of    string
			kind  plan.Type
			value float64
		}{
			{a, a.Workspace, plan.StorageCount, 0}, {there, there.Workspace, plan.StorageCount, 5000}, {there, bot, plan.StorageCount, 5000},
			{a, a.Workspace, plan.InvocationCalls, 7}, {there, there.Workspace, plan.InvocationCalls, 2}, {there, bot, plan.InvocationCalls, 2},
		} {
			if got := value(want.at, want.of, want.kind); got != want.value {
				t.Errorf("%s of %s is %v, want %v", want.kind, want.of, got, want.value)
			}
		}
		var split any
		a.Do(t, "GET", workspacesPath+"/"+a.Workspace+"/usages/by-bot?type=invocation_calls", nil, &split)
		if text := fmt.Sprint(split); !strings.Contains(text, bot) || !strings.Contains(text, "7") {
			t.Errorf("what was used here is explained by %v", split)
		}
		// The new workspace must have room for it.
		setPlan(t, s, a, workspace.Community)
		use(there, "more", plan.StorageCount, 200_000_000)
		there.Refused(t, fault.QuotaExceeded, []string{"targetWorkspaceId", "storage_count"}, "POST", botsPath+"/"+bot+"/transfer", object{"targetWorkspaceId": a.Workspace})
		if got := value(there, bot, plan.StorageCount); got != 200_005_000 {
			t.Errorf("after a refused transfer the bot stores %v", got)
		}
	})
}
