package exercise_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/test/harness"
)

// Two processes on one PostgreSQL are one server.
func TestTwoProcesses(t *testing.T) {
	url, dir := harness.DatabaseURL(t, db.PostgreSQL), t.TempDir()
	one := harness.StartBinary(t, dir, url)
	two := harness.StartBinary(t, dir, url)
	owner := one.Owner(t)
	there := &harness.Actor{Client: two.Client, Token: owner.Token, Workspace: owner.Workspace}
	id := createBot(t, owner, object{})["id"].(string)
	const clients, each = 64, 2
	harness.Together(t, clients, func(i int) error {
		who := []*harness.Actor{owner, there}[i%2]
		for j := range each {
			key := fmt.Sprintf("t%d", i%maxKeys)
			if _, err := try(t, who, "PUT", botsPath+"/"+id, object{"tags": object{key: fmt.Sprint(j)}}, 200); err != nil {
				return err
			}
			if _, err := try(t, who, "POST", botsPath, object{"name": key}, 200); err != nil {
				return err
			}
		}
		return nil
	})
	tags := object{}
	for i := range clients {
		tags[fmt.Sprintf("t%d", i%maxKeys)] = fmt.Sprint(each - 1)
	}
	for _, who := range []*harness.Actor{owner, there} {
		if diff := cmp.Diff(tags, getBot(t, who, id)["tags"]); diff != "" {
			t.Error(diff)
		}
		if n := botCount(t, who); n != clients*each+1 {
			t.Errorf("%v bots are counted, want %d", n, clients*each+1)
		}
	}
	// A cursor of one is good for the other, and a token deleted by one is refused
	// by the other.
	var page struct{ Meta struct{ NextToken string } }
	owner.Do(t, "GET", botsPath+"?pageSize=1", nil, &page)
	there.Do(t, "GET", botsPath+"?pageSize=1&nextToken="+page.Meta.NextToken, nil, nil)
	var made struct{ Pat struct{ ID, Value string } }
	owner.Do(t, "POST", patsPath, object{"note": "n"}, &made)
	there.As(made.Pat.Value).Do(t, "GET", mePath, nil, nil)
	owner.Do(t, "DELETE", patsPath+"/"+made.Pat.ID, nil, nil)
	if _, err := try(t, there.As(made.Pat.Value), "GET", mePath, nil, 401); err != nil {
		t.Error(err)
	}
	one.Stop(t)
	there.Do(t, "GET", botsPath, nil, nil)
	two.Stop(t)
}

// The operator's commands work beside a server that runs.
func TestCommandsBesideAServer(t *testing.T) {
	for _, engine := range harness.Engines {
		t.Run(string(engine), func(t *testing.T) {
			dir, url := t.TempDir(), harness.DatabaseURL(t, engine)
			server := harness.StartBinary(t, dir, url, "--dev")
			owner := server.Owner(t)
			at := []string{"--data", dir, "--database-url", url, "--json"}
			run := func(out any, args ...string) {
				t.Helper()
				if err := json.Unmarshal([]byte(harness.Command(t, append(args, at...)...)), out); err != nil {
					t.Fatal(err)
				}
			}
			addMember(t, owner, "New@example.com", "developer")
			var account struct {
				Account            struct{ ID, Email string }
				WorkspaceID, Token string
			}
			run(&account, "account", "create", "--email", "new@example.com", "--name", "New")
			a := &harness.Actor{Client: server.Client, Token: account.Token, Workspace: account.WorkspaceID}
			createBot(t, a, object{"name": "mine"})
			createBot(t, a.In(owner.Workspace), object{"name": "theirs"})

			var token struct{ ID, Note, Token string }
			run(&token, "token", "create", "--email", "new@example.com", "--note", "second", "--expires", "24h")
			a.As(token.Token).Do(t, "GET", mePath, nil, nil)

			run(&struct{}{}, "workspace", "set-plan", "--id", account.WorkspaceID, "--plan", "community")
			if _, err := try(t, a, "POST", botsPath, object{}, 403); err != nil {
				t.Error(err)
			}
			harness.Advance(t, dir, 48*time.Hour)
			if _, err := try(t, a.As(token.Token), "GET", mePath, nil, 401); err != nil {
				t.Error(err)
			}
			a.Do(t, "GET", mePath, nil, nil)
			server.Stop(t)
		})
	}
}
