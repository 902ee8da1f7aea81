package exercise_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/test/harness"
)

// colleague makes a person and a member of a's workspace of it.
func colleague(t *testing.T, s *harness.Server, a *harness.Actor, role string) *harness.Actor {
	t.Helper()
	c := s.Person(t)
	addMember(t, a, c.Email, role)
	return c.In(a.Workspace)
}

func allowlistPath(bot any) string { return botsPath + "/" + bot.(string) + "/allowlist" }

// bots are the ids of the bots that the actor is listed, on pages of one.
func bots(t *testing.T, a *harness.Actor) (ids []string) {
	t.Helper()
	for token := ""; ; {
		var page struct {
			Bots []struct{ ID string }
			Meta struct{ NextToken string }
		}
		a.Do(t, "GET", botsPath+"?pageSize=1&nextToken="+token, nil, &page)
		for _, b := range page.Bots {
			ids = append(ids, b.ID)
		}
		if token = page.Meta.NextToken; token == "" {
			return ids
		}
	}
}

// sees is 200 or 404: what getBot answers, and whether the list agrees with it.
func sees(t *testing.T, a *harness.Actor, bot any) int {
	t.Helper()
	status := a.Ask(t, "GET", botsPath+"/"+bot.(string), nil).Status
	if listed := slices.Contains(bots(t, a), bot.(string)); listed != (status == 200) {
		t.Errorf("getBot answers %d and the list has it: %t", status, listed)
	}
	return status
}

func TestAllowlist(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		owner := s.Person(t)
		admin, manager := colleague(t, s, owner, "administrator"), colleague(t, s, owner, "manager")
		maker, viewer := colleague(t, s, owner, "developer"), colleague(t, s, owner, "viewer")
		bot := createBot(t, maker, object{"name": "secret"})["id"]
		free := createBot(t, owner, object{})["id"]
		path := allowlistPath(bot)
		read := func(a *harness.Actor) (list object) {
			t.Helper()
			a.Do(t, "GET", path, nil, &list)
			return list
		}
		who := func(status int, actors ...*harness.Actor) {
			t.Helper()
			for _, a := range actors {
				if got := sees(t, a, bot); got != status {
					t.Errorf("%s is answered %d, want %d", a.Email, got, status)
				}
				if sees(t, a, free) != 200 {
					t.Errorf("%s does not see the other bot", a.Email)
				}
			}
		}
		if diff := cmp.Diff(object{"setting": "ALL_WORKSPACE_USERS", "users": []any{}}, read(admin)); diff != "" {
			t.Error(diff)
		}
		who(200, owner, admin, manager, maker, viewer)

		owner.Do(t, "PUT", path, object{"setting": "SELECTED_USERS", "users": object{viewer.Account: true}}, nil)
		who(200, owner, admin, viewer)
		who(404, manager, maker)
		missing := strings.Replace(bot.(string), bot.(string)[:8], "00000000", 1)
		for _, ask := range []struct{ method, path, body string }{
			{"GET", botsPath + "/%s", ""}, {"PUT", botsPath + "/%s", `{"name":"mine"}`}, {"DELETE", botsPath + "/%s", "{}"},
			{"GET", botsPath + "/baks?botId=%s", ""}, {"POST", botsPath + "/baks", `{"botId":"%s"}`}, {"POST", "/v1/admin/introspect", `{"botId":"%s"}`},
		} {
			said := make([]string, 2)
			for n, named := range []string{bot.(string), missing} {
				fill := func(text string) any {
					if !strings.Contains(text, "%s") {
						return text
					}
					return fmt.Sprintf(text, named)
				}
				answer := manager.Ask(t, ask.method, fill(ask.path).(string), fill(ask.body))
				if answer.Status != 404 {
					t.Errorf("%s %s: %d %s", ask.method, ask.path, answer.Status, answer.Body)
				}
				said[n] = strings.ReplaceAll(answer.WithoutID(), named, "")
			}
			if said[0] != said[1] {
				t.Errorf("%s %s: %s is not %s", ask.method, ask.path, said[0], said[1])
			}
		}

		// Updates are partial, and users stay while everybody is let in.
		owner.Do(t, "PUT", path, object{"users": object{manager.Account: true}}, nil)
		owner.Do(t, "PUT", path, object{}, nil)
		want := []any{object{"id": manager.Account}, object{"id": viewer.Account}}
		if manager.Account > viewer.Account {
			slices.Reverse(want)
		}
		if diff := cmp.Diff(object{"setting": "SELECTED_USERS", "users": want}, read(owner)); diff != "" {
			t.Error(diff)
		}
		who(200, manager, viewer)
		owner.Do(t, "PUT", path, object{"users": object{viewer.Account: false, maker.Account: false, "nobody": false}}, nil)
		who(404, viewer, maker)
		owner.Do(t, "PUT", path, object{"setting": "ALL_WORKSPACE_USERS"}, nil)
		who(200, maker, viewer, manager)
		if diff := cmp.Diff(object{"setting": "ALL_WORKSPACE_USERS", "users": []any{object{"id": manager.Account}}}, read(owner)); diff != "" {
			t.Error(diff)
		}
		owner.Do(t, "PUT", path, object{"setting": "SELECTED_USERS"}, nil)
		who(200, manager)
		who(404, maker)

		refuses(t, owner, "PUT", path, []refusal{
			{"stranger", object{"users": object{s.Person(t).Account: true}}, fault.ReferenceNotFound, []string{"users", "listWorkspaceMembers"}},
			{"half good", object{"users": object{maker.Account: true, "nobody": true}}, fault.ReferenceNotFound, []string{"nobody"}},
			{"no such setting", object{"setting": "NOBODY"}, fault.InvalidPayload, []string{"setting"}},
			{"users are no map", object{"users": []any{maker.Account}}, fault.InvalidPayload, []string{"users"}},
			{"users are no flags", object{"users": object{maker.Account: "yes"}}, fault.InvalidPayload, []string{"users"}},
		})
		who(404, maker)
		manager.Refused(t, fault.Forbidden, []string{"bot.admit"}, "PUT", path, object{"setting": "ALL_WORKSPACE_USERS"})
		s.Person(t).Refused(t, fault.ResourceNotFound, nil, "GET", path, nil)

		// Who leaves and comes back is not let in by what was said before.
		var members struct{ Members []struct{ ID, UserID string } }
		owner.Do(t, "GET", membersPath+"?pageSize=100", nil, &members)
		for _, m := range members.Members {
			if m.UserID == manager.Account {
				owner.Do(t, "DELETE", membersPath+"/"+m.ID, nil, nil)
			}
		}
		addMember(t, owner, manager.Email, "manager")
		who(404, manager)
		// A higher role opens it, at once.
		owner.Do(t, "GET", membersPath+"?pageSize=100", nil, &members)
		for _, m := range members.Members {
			if m.UserID == maker.Account {
				owner.Do(t, "PUT", membersPath+"/"+m.ID, object{"role": "administrator"}, nil)
			}
		}
		who(200, maker)
	})
}

// What is not a bot's own operation does not tell of a bot that keeps one out.
func TestAllowlistElsewhere(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		developer := colleague(t, s, a, "developer")
		of := publish(t, developer, "integration", object{"name": handle + "/used"})["id"].(string)
		plugin := publish(t, developer, "plugin", object{"name": handle + "/used"})["id"].(string)
		bot := createBot(t, a, object{"name": "Confidential"})["id"].(string)
		setUp(t, a, bot, object{"integrations": object{"one": object{"integrationId": of}}, "plugins": object{"two": object{"id": plugin}}})
		used := plan.Usage{ID: bot, Workspace: workspaceID(a), Bot: id.Bot(bot), Type: plan.StorageCount, Value: 7, At: s.Clock.Now()}
		if err := s.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error { return s.Meter.Add(ctx, tx, []plan.Usage{used}) }); err != nil {
			t.Fatal(err)
		}
		byBot := workspacesPath + "/" + a.Workspace + "/usages/by-bot?type=storage_count"
		said := func() string {
			t.Helper()
			var all strings.Builder
			for _, ask := range [][2]string{
				{"DELETE", "/v1/admin/integrations/" + of}, {"DELETE", "/v1/admin/plugins/" + plugin}, {"GET", byBot},
				{"GET", botsPath + "?integrationNames=" + handle + "/used"}, {"GET", botsPath + "?pluginNames=" + handle + "/used"},
			} {
				all.Write(developer.Ask(t, ask[0], ask[1], nil).Body)
			}
			return all.String()
		}
		open := said()
		a.Do(t, "PUT", allowlistPath(bot), object{"setting": "SELECTED_USERS"}, nil)
		closed := said()
		if strings.Count(open, "Confidential") != 4 || strings.Count(open, bot) != 3 {
			t.Errorf("open: %s", open)
		}
		if strings.Contains(closed, "Confidential") || strings.Contains(closed, bot) || strings.Count(closed, "a bot that you are not let into") != 2 {
			t.Errorf("closed: %s", closed)
		}
		if answer := a.Ask(t, "GET", byBot, nil); !strings.Contains(string(answer.Body), bot) {
			t.Errorf("the owner is told %s", answer.Body)
		}
	})
}

func TestBotKeys(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		owner := s.Person(t)
		developer := colleague(t, s, owner, "developer")
		bot := createBot(t, owner, object{})["id"]
		const path = botsPath + "/baks"
		list := func(bot any) []any {
			t.Helper()
			var out struct{ Baks []any }
			developer.Do(t, "GET", path+"?botId="+bot.(string), nil, &out)
			return out.Baks
		}
		if keys := list(bot); len(keys) != 0 || keys == nil {
			t.Errorf("a new bot has the keys %v", keys)
		}
		var one, two object
		developer.Do(t, "POST", path, object{"botId": bot, "note": "one ✓"}, &one)
		nextMoment()
		developer.Do(t, "POST", path, object{"botId": bot}, &two)
		value, _ := one["value"].(string)
		if !strings.HasPrefix(value, "bp_bak_") || len(value) != 43 || one["note"] != "one ✓" || two["note"] != "" {
			t.Errorf("the keys are %v and %v", one, two)
		}
		shown := func(key object) object {
			return object{"id": key["id"], "createdAt": key["createdAt"], "note": key["note"]}
		}
		if diff := cmp.Diff([]any{shown(two), shown(one)}, list(bot)); diff != "" {
			t.Error(diff)
		}
		owner.As(value).Refused(t, fault.Forbidden, []string{"key of a bot"}, "GET", botsPath, nil)

		refuses(t, owner, "POST", path, []refusal{
			{"no bot", object{}, fault.InvalidPayload, []string{"botId"}},
			{"missing bot", object{"botId": "b"}, fault.ResourceNotFound, []string{`"b"`}},
			{"long note", object{"botId": bot, "note": long(501)}, fault.InvalidPayload, []string{"1002", "1000"}},
		})
		owner.Refused(t, fault.InvalidQuery, []string{"botId"}, "GET", path, nil)
		stranger := s.Person(t)
		stranger.Refused(t, fault.ResourceNotFound, nil, "GET", path+"?botId="+bot.(string), nil)
		foreign := stranger.Ask(t, "DELETE", path+"/"+one["id"].(string), nil).WithoutID()
		absent := stranger.Ask(t, "DELETE", path+"/bak_01J00000000000000000000000", nil).WithoutID()
		if strings.ReplaceAll(foreign, one["id"].(string), "") != strings.ReplaceAll(absent, "bak_01J00000000000000000000000", "") {
			t.Errorf("a foreign key is answered %s and a missing one %s", foreign, absent)
		}

		// The keys of a bot that keeps one out are not one's to delete.
		owner.Do(t, "PUT", allowlistPath(bot), object{"setting": "SELECTED_USERS"}, nil)
		developer.Refused(t, fault.ResourceNotFound, []string{one["id"].(string)}, "DELETE", path+"/"+one["id"].(string), nil)
		owner.Do(t, "DELETE", path+"/"+one["id"].(string), nil, nil)
		owner.As(value).Refused(t, fault.Unauthorized, nil, "GET", botsPath, nil)
		owner.Refused(t, fault.ResourceNotFound, nil, "DELETE", path+"/"+one["id"].(string), nil)
		owner.Do(t, "PUT", allowlistPath(bot), object{"setting": "ALL_WORKSPACE_USERS"}, nil)
		if diff := cmp.Diff([]any{shown(two)}, list(bot)); diff != "" {
			t.Error(diff)
		}

		// However many ask at once, a bot has its hundred keys and no more.
		made := make([]bool, 110)
		harness.Together(t, len(made), func(i int) error {
			answer, err := owner.Try(t.Context(), "POST", path, object{"botId": bot})
			if err == nil && answer.Status != 200 && answer.Status != 413 {
				err = fmt.Errorf("answered %d: %s", answer.Status, answer.Body)
			}
			made[i] = err == nil && answer.Status == 200
			return err
		})
		count := 1
		for _, ok := range made {
			if ok {
				count++
			}
		}
		if len(list(bot)) != 100 || count != 100 {
			t.Errorf("%d keys were made and %d are listed, want 100", count, len(list(bot)))
		}
		last := two["value"].(string)
		owner.Do(t, "DELETE", botsPath+"/"+bot.(string), nil, nil)
		owner.As(last).Refused(t, fault.Unauthorized, nil, "GET", botsPath, nil)
	})
}
