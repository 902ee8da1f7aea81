package crash_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/botyard/botyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	kills   = 20
	clients = 16
	// each round writes for a little longer than the one before, so that the
	// kill meets every moment of a write.
	minWork  = 60 * time.Millisecond
	workStep = 7 * time.Millisecond
)

// written are the names of the bots that were acknowledged, by id.
type written struct {
	sync.Mutex
	names map[string]string
}

// Kill -9 under load: every acknowledged bot is there after the restart, whole,
// and nothing is there in part.
func TestKill(t *testing.T) {
	for _, engine := range harness.Engines {
		t.Run(string(engine), func(t *testing.T) {
			dir, databaseURL := t.TempDir(), harness.DatabaseURL(t, engine)
			acknowledged := &written{names: map[string]string{}}
			var server *harness.Process
			for round := range kills {
				server = harness.StartBinary(t, dir, databaseURL)
				owner := server.Owner(t)
				before := len(acknowledged.names)
				write(t, server, owner, acknowledged, round)
				if len(acknowledged.names) == before {
					t.Fatalf("round %d: nothing was written before the kill", round)
				}
			}
			server = harness.StartBinary(t, dir, databaseURL)
			check(t, server.Owner(t), acknowledged)
			server.Stop(t)
			t.Logf("%d bots were acknowledged in %d rounds", len(acknowledged.names), kills)
		})
	}
}

// write makes bots with many clients until the server is killed.
func write(t *testing.T, server *harness.Process, owner *harness.Actor, acknowledged *written, round int) {
	var killed atomic.Bool
	var all sync.WaitGroup
	// On a busy machine the first bot may take a while; the clock starts with it.
	first := make(chan struct{})
	var begun sync.Once
	for client := range clients {
		all.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d-%d", round, client, i)
				body := map[string]any{"name": name, "tags": map[string]string{"name": name}, "secrets": map[string]string{"S": name}, "code": name}
				answer, err := owner.Try(t.Context(), http.MethodPost, "/v1/admin/bots", body)
				if err != nil {
					if !killed.Load() {
						t.Errorf("before the kill: %v", err)
					}
					return
				}
				var made struct{ Bot struct{ ID string } }
				if err := json.Unmarshal(answer.Body, &made); err != nil || answer.Status != http.StatusOK {
					t.Errorf("createBot answered %d: %s", answer.Status, answer.Body)
					return
				}
				acknowledged.Lock()
				acknowledged.names[made.Bot.ID] = name
				acknowledged.Unlock()
				begun.Do(func() { close(first) })
			}
		})
	}
	select {
	case <-first:
	case <-time.After(harness.Patience):
		t.Errorf("round %d: no bot was acknowledged in %s", round, harness.Patience)
	}
	time.Sleep(minWork + time.Duration(round)*workStep)
	killed.Store(true)
	server.Kill()
	all.Wait()
}

// check holds what is there against what was acknowledged and against itself.
func check(t *testing.T, owner *harness.Actor, acknowledged *written) {
	type bot struct {
		ID, Name string
		Tags     map[string]string
	}
	there := map[string]bot{}
	each(t, owner, "/v1/admin/bots?pageSize=100", func(page struct {
		Bots []bot
		Meta meta
	}) string {
		for _, b := range page.Bots {
			there[b.ID] = b
			if b.Tags["name"] != b.Name {
				t.Errorf("bot %s is called %q and its tags are %v", b.ID, b.Name, b.Tags)
			}
		}
		return page.Meta.NextToken
	})
	for id, name := range acknowledged.names {
		if there[id].Name != name {
			t.Errorf("bot %s, acknowledged as %q, is %q after the kill", id, name, there[id].Name)
		}
	}
	recorded := map[string]string{}
	each(t, owner, "/v1/admin/workspaces/"+owner.Workspace+"/audit-records?pageSize=100", func(page struct {
		Records []struct{ Action, ResourceID, ResourceName string }
		Meta    meta
	}) string {
		for _, r := range page.Records {
			if r.Action != "CREATE_BOT" {
				continue
			}
			if _, twice := recorded[r.ResourceID]; twice {
				t.Errorf("bot %s was recorded twice", r.ResourceID)
			}
			recorded[r.ResourceID] = r.ResourceName
		}
		return page.Meta.NextToken
	})
	for id, b := range there {
		if recorded[id] != b.Name {
			t.Errorf("bot %s is called %q and recorded as %q", id, b.Name, recorded[id])
		}
	}
	if len(recorded) != len(there) {
		t.Errorf("%d bots are recorded and %d are there", len(recorded), len(there))
	}
	var w struct{ BotCount int }
	owner.Do(t, http.MethodGet, "/v1/admin/workspaces/"+owner.Workspace, nil, &w)
	if w.BotCount != len(there) {
		t.Errorf("the workspace counts %d bots and has %d", w.BotCount, len(there))
	}
	// A few are read whole: their definitions and secrets are there too.
	n := 0
	for id := range acknowledged.names {
		var one struct {
			Bot struct {
				Secrets    []string
				DeployedAt string
			}
		}
		owner.Do(t, http.MethodGet, "/v1/admin/bots/"+id, nil, &one)
		if len(one.Bot.Secrets) != 1 || one.Bot.DeployedAt == "" {
			t.Errorf("bot %s has the secrets %v and was deployed at %q", id, one.Bot.Secrets, one.Bot.DeployedAt)
		}
		if n++; n == 50 {
			break
		}
	}
}

type meta struct{ NextToken string }

// each reads a list page by page; its path has a query.
func each[P any](t *testing.T, who *harness.Actor, path string, take func(P) (next string)) {
	t.Helper()
	for next := ""; ; {
		var page P
		who.Do(t, http.MethodGet, path+"&nextToken="+url.QueryEscape(next), nil, &page)
		if next = take(page); next == "" {
			return
		}
	}
}
