package exercise_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/test/harness"
)

const pluginsPath = "/v1/admin/plugins"

func TestPlugin(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		least := publish(t, a, "plugin", object{"name": handle + "/least", "code": object{"node": "", "browser": ""}})
		want := object{
			"id": least["id"], "createdAt": least["createdAt"], "updatedAt": least["createdAt"], "name": handle + "/least", "version": "1.0.0",
			"title": "least", "description": "", "public": false, "visibility": "private", "lifecycleStatus": "published",
			"iconUrl": least["iconUrl"], "readmeUrl": least["readmeUrl"], "attributes": object{},
			"configuration": object{"schema": object{"type": "object", "properties": object{}}},
			"states":        object{}, "events": object{}, "actions": object{}, "dependencies": object{"interfaces": object{}, "integrations": object{}},
			"user": object{"tags": object{}}, "conversation": object{"tags": object{}}, "message": object{"tags": object{}},
		}
		if diff := cmp.Diff(want, least); diff != "" || !strings.HasPrefix(least["id"].(string), "plugver_") {
			t.Errorf("%v %s", least, diff)
		}
		i := listing(t, s)
		drive := publish(t, a, "integration", object{"name": handle + "/drive", "version": "2.1.0"})
		schema := object{"type": "object", "properties": object{"x": object{"$ref": "interface:source/entities/item"}}}
		body := object{
			"name": handle + "/whole", "version": "0.1.0", "title": "Whole 🤖", "description": "d", "sdkVersion": "7.2.4",
			"code": object{"node": "exports.x = 'é'", "browser": "export const x = '\u2028'"}, "configuration": object{"title": "C", "description": "d", "schema": schema},
			"states":  object{"s": object{"type": "user", "schema": schema, "expiry": 5.0}},
			"events":  object{"e": object{"title": "E", "schema": schema, "attributes": object{"k": "v"}}},
			"actions": object{"act": object{"title": "A", "billable": true, "input": object{"schema": schema}, "output": object{"schema": object{}}}},
			"user":    object{"tags": object{"u": object{"title": "U"}}}, "conversation": object{"tags": object{"c": object{}}}, "message": object{"tags": object{"m": object{"description": "M"}}},
			"attributes": object{"k": "v"}, "icon": encoded(svg), "readme": encoded("# Whole"),
			"dependencies": object{
				// The command line sends all of the installed package along.
				"interfaces":   object{"source": object{"id": i["id"], "name": "wrong", "version": "9.9.9", "type": "interface", "uri": "x", "definition": object{"a": 1}}},
				"integrations": object{"drive": object{"name": handle + "/drive", "version": "^2.0.0"}},
			},
		}
		whole := publish(t, a, "plugin", body)
		for _, key := range []string{"name", "version", "title", "description", "configuration", "states", "events", "actions", "user", "conversation", "message", "attributes"} {
			if diff := cmp.Diff(body[key], whole[key]); diff != "" {
				t.Errorf("%s: %s", key, diff)
			}
		}
		if diff := cmp.Diff(any(object{
			"interfaces":   object{"source": object{"id": i["id"], "name": i["name"], "version": "1.0.0"}},
			"integrations": object{"drive": object{"id": drive["id"], "name": handle + "/drive", "version": "2.1.0"}},
		}), whole["dependencies"]); diff != "" {
			t.Error(diff)
		}
		path := pluginsPath + "/" + whole["id"].(string)
		for _, path := range []string{path, catalogPath(pluginsPath, handle+"/whole", "0.1.0"), catalogPath(pluginsPath, handle+"/whole", "latest"), catalogPath(pluginsPath, handle+"/whole", "<1.0.0")} {
			if diff := cmp.Diff(whole, getPackage(t, a, path, "plugin")); diff != "" {
				t.Errorf("%s: %s", path, diff)
			}
		}
		code := func(on, want string) {
			t.Helper()
			var out struct{ Code string }
			a.Do(t, "GET", path+"/code/"+on, nil, &out)
			if out.Code != want {
				t.Errorf("the code for %s is %q, want %q", on, out.Code, want)
			}
		}
		code("node", "exports.x = 'é'")
		code("browser", "export const x = '\u2028'")
		a.Refused(t, fault.InvalidPayload, []string{"platform"}, "GET", path+"/code/deno", nil)

		var out struct{ Plugin object }
		a.Do(t, "PUT", path, object{
			"code": object{"node": "new"}, "configuration": nil, "states": object{"s": nil}, "events": object{"e": object{"schema": object{}, "attributes": object{"l": "w"}}},
			"user": object{"tags": object{"u": nil, "v": object{}}}, "message": object{"tags": object{}}, "dependencies": object{"integrations": object{"drive": nil}}, "title": "New",
		}, &out)
		whole["configuration"], whole["states"] = object{"schema": object{"type": "object", "properties": object{}}}, object{}
		whole["events"] = object{"e": object{"schema": object{}, "attributes": object{"k": "v", "l": "w"}}}
		whole["user"], whole["title"], whole["updatedAt"] = object{"tags": object{"v": object{}}}, "New", out.Plugin["updatedAt"]
		whole["dependencies"].(object)["integrations"] = object{}
		if diff := cmp.Diff(whole, out.Plugin); diff != "" {
			t.Error(diff)
		}
		code("node", "new")
		code("browser", "export const x = '\u2028'")
		var list struct{ Plugins []object }
		a.Do(t, "GET", pluginsPath+"?name="+url.QueryEscape(handle+"/least"), nil, &list)
		for _, key := range []string{"configuration", "states", "events", "actions", "dependencies", "user", "conversation", "message", "attributes"} {
			delete(want, key)
		}
		if diff := cmp.Diff([]object{want}, list.Plugins); diff != "" {
			t.Error(diff)
		}
		a.Do(t, "DELETE", path, nil, nil)
		for _, gone := range []string{path, path + "/code/node", path + "/dereferenced"} {
			a.Refused(t, fault.ResourceNotFound, nil, "GET", gone, nil)
		}
	})
}

func TestPluginRefusals(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		b, shop := shopkeeper(t, s)
		foreign := publish(t, b, "interface", object{"name": shop + "/secret"})
		name, code := handle+"/x", object{"node": "n", "browser": "b"}
		made := publish(t, a, "plugin", object{"name": name, "actions": object{"go": schemas()}})
		depends := func(kind string, on object) object {
			return object{"name": name, "version": "2.0.0", "code": code, "dependencies": object{kind: object{"d": on}}}
		}
		refuses(t, a, "POST", pluginsPath, []refusal{
			{"no code", object{"name": name, "version": "2.0.0"}, fault.InvalidPayload, []string{"code"}},
			{"half the code", object{"name": name, "version": "2.0.0", "code": object{"node": ""}}, fault.InvalidPayload, []string{"browser"}},
			{"no handle", object{"name": "x", "version": "1.0.0", "code": code}, fault.Forbidden, []string{handle + "/x"}},
			{"version", object{"name": name, "version": "v1", "code": code}, fault.InvalidPayload, []string{"v1"}},
			{"taken", object{"name": name, "version": "1.0.0", "code": code}, fault.AlreadyExists, []string{name + "@1.0.0"}},
			{"breaking", object{"name": name, "version": "1.0.1", "code": code}, fault.BreakingChanges, []string{"actions.go"}},
			{"visibility", object{"name": name, "version": "2.0.0", "code": code, "visibility": "secret"}, fault.InvalidPayload, []string{"visibility"}},
			{"nothing to depend on", depends("interfaces", object{}), fault.InvalidPayload, []string{"dependencies.interfaces.d"}},
			{"no such interface", depends("interfaces", object{"name": "nowhere"}), fault.ReferenceNotFound, []string{"interface", "nowhere@latest"}},
			{"no such integration", depends("integrations", object{"id": "intver_01J00000000000000000000000"}), fault.ReferenceNotFound, []string{"integration", "intver_01J"}},
			{"private interface of others", depends("interfaces", object{"id": foreign["id"]}), fault.ReferenceNotFound, []string{foreign["id"].(string)}},
			{"by name too", depends("interfaces", object{"name": shop + "/secret", "version": "1.0.0"}), fault.ReferenceNotFound, []string{shop + "/secret@1.0.0"}},
			{"state", object{"name": name, "version": "2.0.0", "code": code, "states": object{"s": object{"type": "task", "schema": object{}}}}, fault.InvalidPayload, []string{"type"}},
		})
		if got := listed(t, a, pluginsPath, "plugins"); !slices.Equal(got, []string{"1.0.0"}) {
			t.Errorf("the versions are %v", got)
		}
		if diff := cmp.Diff(made, getPackage(t, a, pluginsPath+"/"+made["id"].(string), "plugin")); diff != "" {
			t.Error(diff)
		}
		// An id of one kind is nothing that another kind has.
		for _, kind := range []string{"integrations", "interfaces", "hub/integrations", "hub/interfaces", "hub/plugins"} {
			a.Refused(t, fault.ResourceNotFound, nil, "GET", "/v1/admin/"+kind+"/"+made["id"].(string), nil)
		}
		for _, other := range []string{foreign["id"].(string), "x", "00000000-0000-4000-8000-000000000000", "plugver_01J00000000000000000000000"} {
			a.Refused(t, fault.ResourceNotFound, nil, "GET", pluginsPath+"/"+other, nil)
		}
	})
}

func TestPluginVisibility(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		b := s.Person(t)
		made := map[string]object{}
		for _, v := range []string{"private", "unlisted", "public"} {
			made[v] = publish(t, a, "plugin", object{"name": handle + "/" + v, "visibility": v, "actions": object{"go": schemas()}})
		}
		made["deprecated mirror"] = publish(t, a, "plugin", object{"name": handle + "/mirror", "public": true})
		if made["deprecated mirror"]["visibility"] != "public" || made["public"]["public"] != true || made["unlisted"]["public"] != false {
			t.Errorf("%v", made)
		}
		for v, p := range made {
			of, seen := p["id"].(string), v != "private"
			for _, path := range []string{hubPath + "plugins/" + of, catalogPath(hubPath+"plugins", p["name"].(string), "^1.0.0")} {
				answer := b.In("").Ask(t, "GET", path, nil)
				if (answer.Status == 200) != seen {
					t.Errorf("%s: %s answered %d", v, path, answer.Status)
				}
			}
			for _, path := range []string{hubPath + "plugins/" + of + "/code/node", hubPath + "plugins/" + of + "/dereferenced"} {
				if answer := b.In("").Ask(t, "GET", path, nil); (answer.Status == 200) != seen {
					t.Errorf("%s: %s answered %d", v, path, answer.Status)
				}
			}
			// On the routes of a workspace there are only its own.
			for _, path := range []string{"/" + of, "/" + of + "/code/node", "/" + of + "/dereferenced", "/" + url.PathEscape(p["name"].(string)) + "/latest"} {
				b.Refused(t, fault.ResourceNotFound, nil, "GET", pluginsPath+path, nil)
			}
			in := listed(t, b.In(""), hubPath+"plugins?name="+url.QueryEscape(p["name"].(string)), "plugins")
			if (len(in) == 1) != (p["visibility"] == "public") {
				t.Errorf("%s: the hub lists %v", v, in)
			}
			change := object{"title": "New"}
			if v == "private" {
				a.Do(t, "PUT", pluginsPath+"/"+of, change, nil)
				continue
			}
			a.Refused(t, fault.Forbidden, []string{"title"}, "PUT", pluginsPath+"/"+of, change)
			a.Refused(t, fault.Forbidden, []string{"code"}, "PUT", pluginsPath+"/"+of, object{"code": object{"browser": "other"}})
			a.Do(t, "PUT", pluginsPath+"/"+of, object{"code": object{"node": "n", "browser": "b"}, "actions": object{"none": nil}}, nil)
		}
		of, named := made["public"]["id"].(string), url.PathEscape(made["public"]["name"].(string))
		var out, byID, byName, resolved struct{ Plugin object }
		b.In("").Do(t, "GET", hubPath+"plugins/"+of, nil, &byID)
		b.In("").Do(t, "GET", hubPath+"plugins/"+of+"/dereferenced", nil, &resolved)
		b.In("").Do(t, "GET", hubPath+"plugins/"+named+"/latest", nil, &byName)
		a.Do(t, "GET", pluginsPath+"/"+named+"/latest", nil, &out)
		for _, got := range []object{byID.Plugin, byName.Plugin, resolved.Plugin} {
			if diff := cmp.Diff(out.Plugin, got); diff != "" {
				t.Error(diff)
			}
		}
		var code struct{ Code string }
		if b.In("").Do(t, "GET", hubPath+"plugins/"+of+"/code/browser", nil, &code); code.Code != "b" {
			t.Errorf("the code is %q", code.Code)
		}
		var list struct{ Plugins []object }
		if b.In("").Do(t, "GET", hubPath+"plugins?name="+named, nil, &list); len(list.Plugins) != 1 {
			t.Errorf("the hub lists %v", list.Plugins)
		}
		for _, step := range []struct {
			body object
			want string
		}{
			{object{"visibility": "unlisted"}, "unlisted"}, {object{"public": false}, "unlisted"}, {object{"public": true}, "public"}, {object{"public": false}, "private"},
			{object{"visibility": "public", "public": false}, "public"}, {object{"visibility": "private"}, "private"},
		} {
			a.Do(t, "PUT", pluginsPath+"/"+of, step.body, &out)
			if out.Plugin["visibility"] != step.want || out.Plugin["public"] != (step.want == "public") {
				t.Errorf("%v makes it %v", step.body, out.Plugin["visibility"])
			}
		}
	})
}

func TestPluginInUse(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		b := s.Person(t)
		p := publish(t, a, "plugin", object{"name": handle + "/p", "visibility": "public", "actions": object{"go": schemas()}})
		path := pluginsPath + "/" + p["id"].(string)
		own, other := createBot(t, a, object{"name": "Mine"})["id"], createBot(t, b, object{"name": "Theirs"})["id"]
		install := object{"plugins": object{"p": object{"id": p["id"]}}}
		setUp(t, a, own, install)
		setUp(t, b, other, install)
		f := a.Refused(t, fault.ReferenceConstraint, []string{`"Mine"`, "1 bot of other workspaces"}, "DELETE", path, nil)
		if strings.Contains(f.Message, "Theirs") {
			t.Errorf("the message names a bot of another workspace: %s", f.Message)
		}
		a.Refused(t, fault.ReferenceConstraint, []string{"1 bot of other workspaces"}, "PUT", path, object{"visibility": "private"})
		a.Do(t, "PUT", path, object{"visibility": "unlisted"}, nil)
		setUp(t, b, other, object{"plugins": object{"p": nil}})
		a.Do(t, "PUT", path, object{"visibility": "private"}, nil)
		a.Refused(t, fault.BreakingChanges, []string{"actions.go"}, "PUT", path, object{"actions": object{"go": nil}})
		a.Do(t, "PUT", path, object{"actions": object{"more": schemas()}}, nil)
		a.Do(t, "PUT", path, object{"actions": object{"go": nil}}, nil, "x-bypass-breaking-changes-detection", "true")
		setUp(t, a, own, object{"plugins": object{"p": nil}})
		a.Do(t, "DELETE", path, nil, nil)

		// Deprecated, it stays where it is and goes nowhere else.
		old := publish(t, a, "plugin", object{"name": handle + "/old"})
		if err := s.Catalog.DeprecatePlugin(t.Context(), id.Plugin(old["id"].(string))); err != nil {
			t.Fatal(err)
		}
		if got := getPackage(t, a, pluginsPath+"/"+old["id"].(string), "plugin"); got["lifecycleStatus"] != "deprecated" {
			t.Errorf("it is %v", got["lifecycleStatus"])
		}
		a.Refused(t, fault.InvalidPayload, []string{"plugins.p", "deprecated"}, "PUT", botsPath+"/"+own.(string), object{"plugins": object{"p": object{"id": old["id"]}}}, byAlias...)
	})
}

func TestDereferencedPlugin(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		b, shop := shopkeeper(t, s)
		i := listing(t, s)
		own := publish(t, a, "integration", drive(handle, "1.0.0", "size", i))
		private := publish(t, b, "integration", drive(shop, "1.0.0", "size", i))
		open := drive(shop, "2.0.0", "pages", i)
		open["visibility"] = "unlisted"
		foreign := publish(t, b, "integration", open)
		plain := publish(t, a, "integration", object{"name": handle + "/plain"})
		// Another version of the interface will do: it is the same by name.
		next := publish(t, founder(t, s), "interface", object{"name": i["name"], "version": "1.1.0", "public": true, "entities": i["entities"], "actions": i["actions"]})
		later := drive(handle, "2.0.0", "owner", next)
		newer := publish(t, a, "integration", later)
		body := syncer(handle, i)
		body["visibility"] = "public"
		p := publish(t, a, "plugin", body)
		path := pluginsPath + "/" + p["id"].(string) + "/dereferenced"

		for _, test := range []struct {
			who       *harness.Actor
			path      string
			by        any
			more      string
			refusedAs fault.Type
			words     []string
		}{
			{a, path, own["id"], "size", "", nil},
			{a, path, foreign["id"], "pages", "", nil},
			{a, path, newer["id"], "owner", "", nil},
			{a.In(""), hubPath + "plugins/" + p["id"].(string) + "/dereferenced", foreign["id"], "pages", "", nil},
			{a.In(""), hubPath + "plugins/" + p["id"].(string) + "/dereferenced", own["id"], "", fault.ReferenceNotFound, []string{"interfaces.source", own["id"].(string)}},
			{a, path, private["id"], "", fault.ReferenceNotFound, []string{"interfaces.source", private["id"].(string)}},
			{a, path, plain["id"], "", fault.ReferenceNotFound, []string{"interfaces.source", handle + "/plain@1.0.0", i["name"].(string)}},
			{a, path, "nothing", "", fault.ReferenceNotFound, []string{"nothing"}},
		} {
			asked := test.path + "?interfaces.source=" + url.QueryEscape(test.by.(string))
			if test.refusedAs != "" {
				test.who.Refused(t, test.refusedAs, test.words, "GET", asked, nil)
				continue
			}
			got := getPackage(t, test.who, asked, "plugin")
			for _, at := range [][]string{
				{"actions", "sync", "input", "schema", "properties", "item"}, {"events", "synced", "schema", "properties", "item"}, {"states", "progress", "schema", "items"},
			} {
				if diff := cmp.Diff(any(file(test.more)), under(got, at...)); diff != "" {
					t.Errorf("%s %v: %s", asked, at, diff)
				}
			}
			for _, key := range []string{"user", "dependencies", "configuration", "name", "id", "visibility"} {
				if diff := cmp.Diff(p[key], got[key]); diff != "" {
					t.Errorf("%s: %s", key, diff)
				}
			}
		}
		a.Refused(t, fault.InvalidQuery, []string{"interfaces.source is missing", i["name"].(string)}, "GET", path, nil)
		a.Refused(t, fault.InvalidQuery, []string{"interfaces.target"}, "GET", path+"?interfaces.target="+own["id"].(string), nil)
		if diff := cmp.Diff(p["actions"], getPackage(t, a, pluginsPath+"/"+p["id"].(string), "plugin")["actions"]); diff != "" {
			t.Errorf("dereferencing changed the plugin: %s", diff)
		}
	})
}

// Versions have room; one more than their limit is refused.
func TestVersionLimit(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		const most = 200
		harness.Together(t, 8, func(worker int) error {
			for n := worker; n < most; n += 8 {
				body := object{"name": handle + "/x", "version": fmt.Sprintf("1.0.%d", n)}
				if _, err := try(t, a, "POST", interfacesPath, body, 200); err != nil {
					return err
				}
			}
			return nil
		})
		a.Refused(t, fault.LimitExceeded, []string{"200", "versions"}, "POST", interfacesPath, object{"name": handle + "/x", "version": "1.1.0"})
		if got := len(pages(t, a, interfacesPath, "interfaces", 100, func(int) {})); got != most {
			t.Errorf("there are %d versions", got)
		}
	})
}
