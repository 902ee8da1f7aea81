package exercise_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

// Packages of another workspace, as far as they are not open, are as packages that
// do not exist.
func TestForeignPackagesAreMissing(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		b, shop := shopkeeper(t, s)
		face := publish(t, b, "interface", object{"name": shop + "/face"})
		plug := publish(t, b, "plugin", object{"name": shop + "/plug"})
		named := url.PathEscape(shop + "/")
		for _, c := range []struct {
			method, path, foreign string
			body                  any
		}{
			{"GET", interfacesPath + "/{}", face["id"].(string), nil},
			{"PUT", interfacesPath + "/{}", face["id"].(string), object{"title": "stolen"}},
			{"DELETE", interfacesPath + "/{}", face["id"].(string), nil},
			{"GET", hubPath + "interfaces/{}", face["id"].(string), nil},
			{"GET", interfacesPath + "/" + named + "{}/latest", "face", nil},
			{"GET", interfacesPath + "/" + named + "{}/1.0.0", "face", nil},
			{"GET", hubPath + "interfaces/" + named + "{}/latest", "face", nil},
			{"GET", pluginsPath + "/{}", plug["id"].(string), nil},
			{"GET", pluginsPath + "/{}/code/node", plug["id"].(string), nil},
			{"GET", pluginsPath + "/{}/dereferenced", plug["id"].(string), nil},
			{"GET", pluginsPath + "/{}/dereferenced?interfaces.x=y", plug["id"].(string), nil},
			{"PUT", pluginsPath + "/{}", plug["id"].(string), object{"code": object{"node": "stolen"}}},
			{"DELETE", pluginsPath + "/{}", plug["id"].(string), nil},
			{"GET", hubPath + "plugins/{}", plug["id"].(string), nil},
			{"GET", hubPath + "plugins/{}/code/browser", plug["id"].(string), nil},
			{"GET", hubPath + "plugins/{}/dereferenced", plug["id"].(string), nil},
			{"GET", pluginsPath + "/" + named + "{}/latest", "plug", nil},
			{"GET", hubPath + "plugins/" + named + "{}/^1.0.0", "plug", nil},
		} {
			missing := c.foreign[:len(c.foreign)-3] + "000"
			ask := func(what string) harness.Answer {
				return a.Ask(t, c.method, strings.ReplaceAll(c.path, "{}", what), c.body)
			}
			foreign, gone := ask(c.foreign), ask(missing)
			if diff := cmp.Diff(strings.ReplaceAll(gone.WithoutID(), missing, c.foreign), foreign.WithoutID()); diff != "" || foreign.Status != http.StatusNotFound || gone.Status != foreign.Status {
				t.Errorf("%s %s: missing is %d, foreign %d: %s", c.method, c.path, gone.Status, foreign.Status, diff)
			}
		}
		if diff := cmp.Diff(face, getPackage(t, b, interfacesPath+"/"+face["id"].(string), "interface")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(plug, getPackage(t, b, pluginsPath+"/"+plug["id"].(string), "plugin")); diff != "" {
			t.Error(diff)
		}
	})
}

// Updates of one package that meet lose nothing of each other.
func TestPackageUpdatesThatMeet(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		const n = 24
		for _, kind := range []string{"interface", "plugin"} {
			path := "/v1/admin/" + kind + "s/" + publish(t, a, kind, object{"name": handle + "/" + kind})["id"].(string)
			harness.Together(t, n, func(i int) error {
				body := object{"actions": object{fmt.Sprint("a", i): schemas()}, "attributes": object{fmt.Sprint("k", i): "v"}}
				_, err := try(t, a, "PUT", path, body, http.StatusOK)
				return err
			})
			got := getPackage(t, a, path, kind)
			if actions, attributes := len(names(got["actions"])), len(names(got["attributes"])); actions != n || attributes != n {
				t.Errorf("the %s has %d actions and %d attributes, want %d each", kind, actions, attributes, n)
			}
		}
	})
}

// A workspace leaves with its packages, unless others need them.
func TestWorkspaceWithPackages(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		b, shop := shopkeeper(t, s)
		face := publish(t, a, "interface", object{"name": handle + "/face", "public": true})
		integration := publish(t, a, "integration", object{"name": handle + "/drive", "interfaces": object{"i": object{"id": face["id"]}}})
		plug := publish(t, a, "plugin", object{
			"name": handle + "/plug", "visibility": "unlisted",
			"dependencies": object{"integrations": object{"d": object{"id": integration["id"]}}},
		})
		a.Refused(t, fault.ReferenceConstraint, []string{"plugin " + handle + "/plug@1.0.0"}, "DELETE", "/v1/admin/integrations/"+integration["id"].(string), nil)

		built := publish(t, b, "plugin", object{"name": shop + "/built", "dependencies": object{"interfaces": object{"i": object{"id": face["id"]}}}})
		bot := createBot(t, b, object{})["id"]
		setUp(t, b, bot, object{"plugins": object{"p": object{"id": plug["id"], "enabled": false}}})
		leave := func(words ...string) {
			t.Helper()
			a.Refused(t, fault.ReferenceConstraint, words, "DELETE", workspacesPath+"/"+a.Workspace, nil)
		}
		leave(handle+"/plug@1.0.0", "1 bot of other workspaces")
		setUp(t, b, bot, object{"plugins": object{"p": nil}})
		leave("1 package of other workspaces")
		if got := listed(t, a, pluginsPath, "plugins"); !slices.Equal(got, []string{"1.0.0"}) {
			t.Errorf("a refused deletion left the plugins %v", got)
		}
		b.Do(t, "DELETE", pluginsPath+"/"+built["id"].(string), nil, nil)
		a.Do(t, "DELETE", workspacesPath+"/"+a.Workspace, nil, nil)
		for _, path := range []string{"interfaces/" + face["id"].(string), "plugins/" + plug["id"].(string), "plugins/" + plug["id"].(string) + "/code/node"} {
			b.Refused(t, fault.ResourceNotFound, nil, "GET", hubPath+path, nil)
		}
	})
}
