package exercise_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

// kindsOfPackages have versions that are found by name.
var kindsOfPackages = []string{"integration", "interface", "plugin"}

// visibility is the member of a request that opens a package, or closes it.
func visibility(kind string, open bool) object {
	switch {
	case kind == "interface":
		return object{"public": open}
	case open:
		return object{"visibility": "public"}
	}
	return object{"visibility": "private"}
}

// tryPublish is publish for goroutines; it answers the id.
func tryPublish(t *testing.T, a *harness.Actor, kind string, body object) (string, error) {
	if kind == "plugin" {
		body["code"] = object{"node": "n", "browser": "b"}
	}
	answer, err := a.Try(t.Context(), "POST", "/v1/admin/"+kind+"s", body)
	if err != nil {
		return "", err
	}
	var made map[string]struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(answer.Body, &made); err != nil || answer.Status != http.StatusOK {
		return "", fmt.Errorf("a new %s is answered by %d: %.300s (%w)", kind, answer.Status, answer.Body, err)
	}
	return made[kind].ID, nil
}

// TestLatestWhileVersionsGo holds that latest is always found while a name has a version,
// whatever happens to the others between the looks at the list and at the version.
func TestLatestWhileVersionsGo(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		for _, kind := range kindsOfPackages {
			a, handle := shopkeeper(t, s)
			name := handle + "/x"
			version := func(number string) object {
				body := visibility(kind, true)
				body["name"], body["version"] = name, number
				return body
			}
			publish(t, a, kind, version("1.0.0"))
			var done atomic.Bool
			come := func() error {
				defer done.Store(true)
				for range 8 {
					made, err := tryPublish(t, a, kind, version("2.0.0"))
					if err != nil {
						return err
					}
					path := "/v1/admin/" + kind + "s/" + made
					if _, err := try(t, a, "PUT", path, visibility(kind, false), http.StatusOK); err != nil {
						return err
					}
					if _, err := try(t, a, "DELETE", path, nil, http.StatusOK); err != nil {
						return err
					}
				}
				return nil
			}
			harness.Together(t, 7, func(i int) error {
				if i == 0 {
					return come()
				}
				path := catalogPath([]string{"/v1/admin/", hubPath}[i%2]+kind+"s", name, "latest")
				for !done.Load() {
					if kind == "integration" && i == 6 { // as webhooks that name no instance do
						if _, found, err := s.Catalog.Shared(t.Context(), name); !found || err != nil {
							return fmt.Errorf("no version is shared (%w)", err)
						}
						continue
					}
					if _, err := try(t, a, "GET", path, nil, http.StatusOK); err != nil {
						return err
					}
				}
				return nil
			})
		}
	})
}

// rounds is how much each member of a crowd does.
const rounds = 12

// crowd is what many do at once with the packages of a shop.
type crowd struct {
	shop   *harness.Actor
	guest  *harness.Actor // in another workspace
	handle string
}

// refusals are the errors that somebody may get who comes second.
var refusals = map[fault.Type]bool{
	fault.AlreadyExists: true, fault.ReferenceConstraint: true, fault.ReferenceNotFound: true, fault.ResourceNotFound: true,
	fault.Forbidden: true, fault.BreakingChanges: true,
}

// ask makes a request that may be refused to who comes second.
func (c *crowd) ask(t *testing.T, a *harness.Actor, method, path string, body any, headers ...string) (harness.Answer, error) {
	answer, err := a.Try(t.Context(), method, path, body, headers...)
	if err != nil || answer.Status == http.StatusOK {
		return answer, err
	}
	var f harness.Fault
	if err := json.Unmarshal(answer.Body, &f); err != nil || !refusals[f.Type] {
		return answer, fmt.Errorf("%s %s %v answered %d: %.400s", method, path, body, answer.Status, answer.Body)
	}
	return answer, nil
}

// choose is the id of one of the listed, whose names begin with prefix, or "" when there is
// none.
func (c *crowd) choose(t *testing.T, a *harness.Actor, path, prefix string) (string, error) {
	answer, err := c.ask(t, a, "GET", path+"?pageSize=100", nil)
	if err != nil {
		return "", err
	}
	var all map[string]jsontext.Value
	if err := json.Unmarshal(answer.Body, &all); err != nil {
		return "", err
	}
	var list []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	if err := json.Unmarshal(all[path[strings.LastIndex(path, "/")+1:]], &list); err != nil {
		return "", err
	}
	var ids []string
	for _, one := range list {
		if strings.HasPrefix(one.Name, prefix) {
			ids = append(ids, one.ID)
		}
	}
	if len(ids) == 0 {
		return "", nil
	}
	return ids[rand.IntN(len(ids))], nil
}

// sell creates, opens, closes or deletes a package, or builds one on another.
func (c *crowd) sell(t *testing.T) error {
	kind := kindsOfPackages[rand.IntN(3)]
	path := "/v1/admin/" + kind + "s"
	id, err := c.choose(t, c.shop, path, c.handle)
	if err != nil {
		return err
	}
	body := visibility(kind, rand.IntN(3) > 0)
	if id == "" || rand.IntN(3) == 0 {
		body["name"], body["version"] = fmt.Sprint(c.handle, "/", kind, rand.IntN(2)), fmt.Sprint(1+rand.IntN(3), ".0.0")
		if kind == "plugin" {
			body["code"] = object{"node": "n", "browser": "b"}
		}
		if kind != "interface" {
			face, err := c.choose(t, c.shop, interfacesPath, c.handle)
			if err != nil {
				return err
			}
			if face != "" && kind == "integration" {
				body["interfaces"] = object{"i": object{"id": face}}
			} else if face != "" {
				body["dependencies"] = object{"interfaces": object{"i": object{"id": face}}}
			}
		}
		_, err := c.ask(t, c.shop, "POST", path, body)
		return err
	}
	switch n := rand.IntN(5); {
	case n == 0 && kind == "integration":
		_, err = c.ask(t, c.shop, "POST", "/v1/admin/integrations/iaks", object{"integrationId": id})
	case n < 3:
		_, err = c.ask(t, c.shop, "PUT", path+"/"+id, body)
	default:
		_, err = c.ask(t, c.shop, "DELETE", path+"/"+id, nil)
	}
	return err
}

// buy makes a bot, moves it to the other workspace, deletes it, or changes what it has
// installed.
func (c *crowd) buy(t *testing.T, a, other *harness.Actor) error {
	id, err := c.choose(t, a, botsPath, "")
	if err != nil {
		return err
	}
	bot := botsPath + "/" + id
	switch n := rand.IntN(12); {
	case id == "" || n == 0:
		_, err = c.ask(t, a, "POST", botsPath, object{})
		return err
	case n == 1:
		_, err = c.ask(t, a, "POST", bot+"/transfer", object{"targetWorkspaceId": other.Workspace})
		return err
	case n == 2:
		_, err = c.ask(t, a, "DELETE", bot, nil)
		return err
	case n < 5:
		_, err = c.ask(t, a, "PUT", bot, object{"integrations": object{"one": nil, "two": nil}, "plugins": object{"p": nil}}, byAlias...)
		return err
	}
	from := hubPath
	if a == c.shop {
		from = "/v1/admin/"
	}
	integration, err := c.choose(t, a, from+"integrations", c.handle)
	if err != nil {
		return err
	}
	plugin, err := c.choose(t, a, from+"plugins", c.handle)
	if err != nil {
		return err
	}
	body := object{}
	if integration != "" {
		body["integrations"] = object{[]string{"one", "two"}[rand.IntN(2)]: object{"integrationId": integration, "enabled": false}}
	}
	if plugin != "" && rand.IntN(2) == 0 {
		body["plugins"] = object{"p": object{"id": plugin, "enabled": false}}
	}
	_, err = c.ask(t, a, "PUT", bot, body, byAlias...)
	return err
}

// TestCatalogUnderPressure holds that nothing comes apart when versions are published,
// closed, deleted and installed at once: no bot and no package is left with something that
// is gone or closed to it, and every count is right.
func TestCatalogUnderPressure(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		c := &crowd{}
		c.shop, c.handle = shopkeeper(t, s)
		var second object
		c.shop.Do(t, "POST", workspacesPath, object{"name": "guest"}, &second)
		c.guest = c.shop.In(second["id"].(string))
		harness.Together(t, 8, func(i int) error {
			for range rounds {
				var err error
				switch {
				case i < 4:
					err = c.sell(t)
				case i < 6:
					err = c.buy(t, c.shop, c.guest)
				default:
					err = c.buy(t, c.guest, c.shop)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		for what, query := range map[string]string{
			"integrations whose installs are not the number of bots": `SELECT COUNT(*) FROM integrations i WHERE i.workspace_id = $1
				AND installs <> (SELECT COUNT(DISTINCT bot_id) FROM bot_integrations b WHERE b.integration_id = i.id)`,
			"words with other installs than their integration": `SELECT COUNT(*) FROM integration_words w JOIN integrations i ON i.id = w.integration_id WHERE i.workspace_id = $1
				AND (w.listed <> (i.visibility = 'public') OR w.listed AND w.installs <> i.installs)`,
			"instances of what is gone or closed": `SELECT COUNT(*) FROM bot_integrations b JOIN bots o ON o.id = b.bot_id LEFT JOIN integrations i ON i.id = b.integration_id
				WHERE (i.id IS NULL OR i.visibility = 'private' AND i.workspace_id <> o.workspace_id) AND ($1 <> '')`,
			"plugins of bots that are gone or closed": `SELECT COUNT(*) FROM bot_plugins b JOIN bots o ON o.id = b.bot_id LEFT JOIN plugins i ON i.id = b.plugin_id
				WHERE (i.id IS NULL OR i.visibility = 'private' AND i.workspace_id <> o.workspace_id) AND ($1 <> '')`,
			"interfaces that are gone and implemented": `SELECT COUNT(*) FROM integration_interfaces d JOIN integrations i ON i.id = d.integration_id
				LEFT JOIN interfaces f ON f.id = d.interface_id WHERE i.workspace_id = $1 AND f.id IS NULL`,
			"dependencies that are gone": `SELECT COUNT(*) FROM plugin_dependencies d JOIN plugins i ON i.id = d.plugin_id
				LEFT JOIN interfaces f ON f.id = d.package_id WHERE i.workspace_id = $1 AND f.id IS NULL`,
			"keys of integrations that are gone": `SELECT COUNT(*) FROM tokens WHERE workspace_id = $1 AND subject_id NOT IN (SELECT id FROM integrations)`,
			"rows of integrations that are gone": `SELECT (SELECT COUNT(*) FROM integration_definitions WHERE integration_id NOT IN (SELECT id FROM integrations))
				+ (SELECT COUNT(*) FROM integration_words WHERE integration_id NOT IN (SELECT id FROM integrations)) WHERE $1 <> ''`,
		} {
			var n int
			if err := s.DB.Reader(t.Context()).QueryRow(t.Context(), query, c.shop.Workspace).Scan(&n); err != nil || n != 0 {
				t.Errorf("%d %s (%v)", n, what, err)
			}
		}
		var names int
		err := s.DB.Reader(t.Context()).QueryRow(t.Context(), `SELECT COUNT(DISTINCT name) FROM integrations WHERE workspace_id = $1`, c.shop.Workspace).Scan(&names)
		if n := usageOf(t, c.shop, c.shop.Workspace, "type=integrations_owned_count")["value"]; err != nil || n != float64(names) {
			t.Errorf("%v integrations are counted, and there are %d (%v)", n, names, err)
		}
	})
}
