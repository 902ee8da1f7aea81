package crash_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/test/harness"
)

// deploying are the flags of the server: nobody waits for integrations that run nowhere.
var deploying = []string{"--registration-wait", "0s"}

// deployers deploy versions of one bot at the same time.
const deployers = 4

// twoVersions is a bot with two versions that differ in everything that a version
// restores, and what the bot is as each.
type twoVersions struct {
	bot string
	ids [2]string
	as  [2]appearance
}

// appearance is a bot as bot json and as getBot shows it, without times and what
// registration makes of it.
type appearance struct {
	Archive string
	Bot     map[string]any
}

// Kill -9 while versions are deployed: after the restart the bot is one of them,
// whole, and it is the one that the trail names last.
func TestKillWhileDeploying(t *testing.T) {
	t.Parallel()
	for _, engine := range harness.Engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			dir, url := t.TempDir(), harness.DatabaseURL(t, engine)
			server := harness.StartBinary(t, dir, url, deploying...)
			made := makeVersions(t, server.Owner(t))
			deployed, seen := 0, [2]int{}
			for round := range kills {
				owner := server.Owner(t)
				n, moment := deployUntilKilled(t, server, owner, made)
				deployed += n
				server = harness.StartBinary(t, dir, url, deploying...)
				seen[isWhole(t, server.Owner(t), made, round, moment)]++
			}
			server.Stop(t)
			if seen[0] == 0 || seen[1] == 0 {
				t.Logf("only one of the versions was ever met: %v", seen)
			}
			t.Logf("%d deployments in %d rounds; after the kills the bot was %d times the first version and %d times the second", deployed, kills, seen[0], seen[1])
		})
	}
}

func makeVersions(t *testing.T, owner *harness.Actor) (made twoVersions) {
	t.Helper()
	type object = map[string]any
	post := func(path string, body, out any) { owner.Do(t, http.MethodPost, "/v1/admin/"+path, body, out) }
	var integration, another struct{ Integration struct{ ID string } }
	schema := object{"schema": object{"type": "object", "properties": object{"token": object{"type": "string"}}}}
	post("integrations", object{"name": "chat", "version": "1.0.0", "url": "http://127.0.0.1:9/", "configuration": schema}, &integration)
	post("integrations", object{"name": "crm", "version": "1.0.0", "url": "http://127.0.0.1:9/", "configuration": schema}, &another)
	var plugin struct{ Plugin struct{ ID string } }
	empty := object{"schema": object{}}
	post("plugins", object{"name": "greeter", "version": "1.0.0", "code": object{"node": "n", "browser": "b"},
		"actions": object{"greet": object{"input": empty, "output": empty}}}, &plugin)
	var bot struct{ Bot struct{ ID string } }
	post("bots", object{"name": "deployed", "events": object{"first": empty}}, &bot)
	made.bot = bot.Bot.ID
	for n, update := range []object{
		{
			"code": "module.exports = 1", "layers": []any{"a"},
			"integrations": object{"chat": object{"integrationId": integration.Integration.ID, "configuration": object{"token": "one"}}},
			"plugins":      object{"greeter": object{"id": plugin.Plugin.ID}},
		},
		{
			"code": "module.exports = 2", "layers": []any{"b"}, "events": object{"first": nil, "second": empty},
			"integrations": object{"chat": nil, "crm": object{"integrationId": another.Integration.ID, "configuration": object{"token": "two"}}},
			"plugins":      object{"greeter": nil},
		},
	} {
		owner.Do(t, http.MethodPut, "/v1/admin/bots/"+made.bot, update, nil)
		var version struct{ Version struct{ ID string } }
		post("bots/"+made.bot+"/versions", object{"name": "v"}, &version)
		made.ids[n] = version.Version.ID
		made.as[n] = appears(t, owner, made.bot)
	}
	if cmp.Equal(made.as[0], made.as[1]) {
		t.Fatal("the two versions are the same")
	}
	return made
}

// appears reads what the bot is.
func appears(t *testing.T, owner *harness.Actor, bot string) (is appearance) {
	t.Helper()
	answer := owner.Ask(t, http.MethodGet, "/v1/admin/bots/"+bot+"/bot-json", nil)
	if answer.Status != http.StatusOK {
		t.Fatalf("getBotJson answered %d: %s", answer.Status, answer.Body)
	}
	is.Archive = string(answer.Body)
	var shown struct{ Bot map[string]any }
	owner.Do(t, http.MethodGet, "/v1/admin/bots/"+bot, nil, &shown, "x-multiple-integrations", "true")
	is.Bot = shown.Bot
	for _, member := range []string{"updatedAt", "deployedAt"} {
		delete(is.Bot, member)
	}
	for _, i := range is.Bot["integrations"].(map[string]any) {
		for _, member := range []string{"status", "statusReason", "webhookUrl"} { // the address has the port
			delete(i.(map[string]any), member)
		}
	}
	for _, packages := range []string{"integrations", "plugins"} {
		for _, p := range is.Bot[packages].(map[string]any) {
			for _, member := range []string{"iconUrl", "readmeUrl"} {
				delete(p.(map[string]any), member)
			}
		}
	}
	return is
}

// deployUntilKilled deploys the versions by turns, and kills the server at a random
// moment. It answers how many deployments were acknowledged before.
func deployUntilKilled(t *testing.T, server *harness.Process, owner *harness.Actor, made twoVersions) (acknowledged int, moment time.Duration) {
	t.Helper()
	var killed atomic.Bool
	var count atomic.Int64
	var all sync.WaitGroup
	first := make(chan struct{})
	var begun sync.Once
	for deployer := range deployers {
		all.Go(func() {
			for n := deployer; ; n++ {
				answer, err := owner.Try(t.Context(), http.MethodPost, "/v1/admin/bots/"+made.bot+"/versions/deploy", map[string]any{"versionId": made.ids[n%2]})
				if err != nil {
					if !killed.Load() {
						t.Errorf("before the kill: %v", err)
					}
					return
				}
				if answer.Status != http.StatusOK && answer.Status != http.StatusTooManyRequests {
					t.Errorf("deployBotVersion answered %d: %s", answer.Status, answer.Body)
					return
				}
				if answer.Status != http.StatusOK {
					continue
				}
				count.Add(1)
				begun.Do(func() { close(first) })
			}
		})
	}
	select {
	case <-first:
	case <-time.After(harness.Patience):
		t.Errorf("no deployment was acknowledged in %s", harness.Patience)
	}
	moment = rand.N(150 * time.Millisecond)
	time.Sleep(moment)
	killed.Store(true)
	server.Kill()
	all.Wait()
	return int(count.Load()), moment
}

// isWhole answers which version the bot is, and fails when it is a mixture.
func isWhole(t *testing.T, owner *harness.Actor, made twoVersions, round int, moment time.Duration) (version int) {
	t.Helper()
	is := appears(t, owner, made.bot)
	for version = range made.as {
		if is.Archive == made.as[version].Archive {
			break
		}
	}
	if diff := cmp.Diff(made.as[version], is); diff != "" {
		t.Fatalf("round %d, killed after %v: the bot is no version, but a mixture: %s", round, moment, diff)
	}
	// The newest record is the newest commit.
	var trail struct {
		Records []struct{ Action, ResourceID, Value string }
	}
	owner.Do(t, http.MethodGet, "/v1/admin/workspaces/"+owner.Workspace+"/audit-records?pageSize=100", nil, &trail)
	for _, r := range trail.Records {
		if r.ResourceID != made.bot || r.Action != "DEPLOY_BOT" {
			continue
		}
		if !strings.Contains(r.Value, made.ids[version]) {
			text, _ := json.Marshal(r)
			t.Errorf("round %d, killed after %v: the bot is version %s, and the last record %s", round, moment, made.ids[version], text)
		}
		break
	}
	return version
}
