package exercise_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/botyard/botyard/test/harness"
)

// change is an operation that changes a bot, or reads all of it.
type change struct {
	method, path string
	body         object
}

// changesOf are the changes of a bot, each of which may be made again and again.
func changesOf(bot string, integration any) []change {
	path := botsPath + "/" + bot
	return []change{
		{"PUT", path, object{"name": "another", "tags": object{"a": "b"}, "secrets": object{"S": "s"}}},
		{"PUT", path, object{"integrations": object{"one": object{"integrationId": integration}}}},
		{"PUT", path, object{"integrations": object{"one": nil}}},
		{"PUT", path, object{"code": "new"}},
		{"POST", path + "/versions", object{"name": "v"}},
		{"POST", path + "/signing-secrets/rotate", object{}},
		{"POST", botsPath + "/baks", object{"botId": bot}},
		{"PUT", path + "/allowlist", object{"setting": "SELECTED_USERS"}},
		{"POST", fmt.Sprint(path, "/integrations/", integration, "/shareable-id"), object{}},
		{"GET", path + "/bot-json", nil},
	}
}

// A bot that is changed in every way while it goes from one workspace to another and back
// is in one of them with all that is its own. When it is deleted meanwhile, nothing is left
// of it anywhere, and nobody counts it.
func TestBotThatGoes(t *testing.T) {
	harness.RunAlone(t, []string{"--registration-wait", "0s"}, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		there := newWorkspace(t, a)
		integration := called(t, a, handle, obliging(), object{"visibility": "public"})["id"]
		count := func(query string, args ...any) (n int) {
			t.Helper()
			if err := s.DB.Reader(t.Context()).QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		bot := createBot(t, a, object{"url": obliging()})["id"].(string)
		changes := append(changesOf(bot, integration), change{}, change{"DELETE", botsPath + "/" + bot, nil})
		for _, last := range []bool{false, true} {
			harness.Together(t, len(changes), func(i int) error {
				if c := changes[i]; c.method == "DELETE" && !last {
					return nil
				}
				for n := range 8 {
					here, away := a, there
					if n%2 == 1 {
						here, away = there, a
					}
					c := changes[i]
					if c.method == "" {
						c = change{"POST", botsPath + "/" + bot + "/transfer", object{"targetWorkspaceId": away.Workspace}}
					}
					if c.method == "DELETE" && n < 4 {
						continue // the others have begun by then
					}
					if _, err := try(t, here, c.method, c.path, c.body, http.StatusOK, http.StatusNotFound); err != nil {
						return err
					}
				}
				return nil
			})
			if last {
				break
			}
			in := count(`SELECT COUNT(*) FROM bots WHERE id = $1 AND workspace_id = $2`, bot, there.Workspace)
			if n := count(`SELECT COUNT(*) FROM tokens t JOIN bots b ON b.id = t.subject_id WHERE b.id = $1 AND b.workspace_id <> t.workspace_id`, bot); n != 0 {
				t.Errorf("%d of its keys are in another workspace", n)
			}
			if got, want := []float64{botCount(t, a), botCount(t, there)}, []float64{float64(1 - in), float64(in)}; got[0] != want[0] || got[1] != want[1] {
				t.Errorf("the workspaces count %v bots, want %v", got, want)
			}
		}
		for _, actor := range []*harness.Actor{a, there} { // if it was never where it was to be deleted
			if _, err := try(t, actor, "DELETE", botsPath+"/"+bot, nil, http.StatusOK, http.StatusNotFound); err != nil {
				t.Error(err)
			}
			if n := botCount(t, actor); n != 0 {
				t.Errorf("a workspace counts %v bots", n)
			}
		}
		for _, table := range []string{"bot_tags", "bot_secrets", "bot_integrations", "bot_versions", "bot_allowlist", "bot_shareable_ids", "deployed_bots"} {
			if n := count(`SELECT COUNT(*) FROM `+table+` WHERE bot_id = $1`, bot); n != 0 {
				t.Errorf("%d rows of %s are left", n, table)
			}
		}
		if n := count(`SELECT COUNT(*) FROM tokens WHERE subject_id = $1`, bot); n != 0 {
			t.Errorf("%d keys are left", n)
		}
		if n := count(`SELECT installs FROM integrations WHERE id = $1`, integration); n != 0 {
			t.Errorf("the integration counts %d installs", n)
		}
		harness.Eventually(t, "the integration to be told", func() bool {
			return count(`SELECT COUNT(*) FROM jobs WHERE kind LIKE 'call-%'`)+count(`SELECT COUNT(*) FROM departed_instances`) == 0
		})
	})
}
