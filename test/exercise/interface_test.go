package exercise_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/deploy/hub"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

const (
	interfacesPath = "/v1/admin/interfaces"
	hubPath        = "/v1/admin/hub/"
)

// catalogPath is the path of what stands under a name and a version.
func catalogPath(kinds, name, version string) string {
	return kinds + "/" + url.PathEscape(name) + "/" + url.PathEscape(version)
}

// getPackage reads what answers under the one member.
func getPackage(t *testing.T, a *harness.Actor, path, member string) object {
	t.Helper()
	var out map[string]object
	a.Do(t, "GET", path, nil, &out)
	return out[member]
}

// listed are the versions in a list, in its order.
func listed(t *testing.T, a *harness.Actor, path, member string) (versions []string) {
	t.Helper()
	var out map[string]any
	a.Do(t, "GET", path, nil, &out)
	for _, item := range out[member].([]any) {
		versions = append(versions, item.(object)["version"].(string))
	}
	return versions
}

// download reads an icon or readme, as a browser does.
func download(t *testing.T, address any) (contentType, content string, header http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", address.(string), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s answered %s: %s (%v)", address, response.Status, body, err)
	}
	return response.Header.Get("Content-Type"), string(body), response.Header
}

func encoded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

const svg = `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`

func TestInterface(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		least := publish(t, a, "interface", object{"name": handle + "/least"})
		want := object{
			"id": least["id"], "createdAt": least["createdAt"], "updatedAt": least["createdAt"], "name": handle + "/least", "version": "1.0.0",
			"title": "least", "description": "", "public": false, "iconUrl": least["iconUrl"], "readmeUrl": least["readmeUrl"],
			"entities": object{}, "events": object{}, "actions": object{}, "channels": object{}, "attributes": object{},
		}
		if diff := cmp.Diff(want, least); diff != "" || !moment.MatchString(fmt.Sprint(least["createdAt"])) || !strings.HasPrefix(least["id"].(string), "ifver_") {
			t.Errorf("%v %s", least, diff)
		}
		schema := object{"type": "object", "properties": object{"x": object{"$ref": "item"}}, "x-zui": object{"a": []any{nil, 1.5}}}
		body := object{
			"name": handle + "/whole", "version": "0.1.0-beta.1", "title": "Whole 🤖", "description": "d", "public": false, "sdkVersion": "7.2.4",
			"entities":     object{"item": object{"title": "Item", "description": "d", "schema": object{"type": "object"}}},
			"events":       object{"made": object{"title": "E", "schema": schema, "attributes": object{"k": "v"}}},
			"actions":      object{"make": object{"title": "A", "billable": true, "cacheable": false, "input": object{"schema": schema}, "output": object{"schema": object{}}}},
			"channels":     object{"c": object{"title": "C", "messages": object{"text": object{"schema": schema}}}},
			"nameTemplate": object{"script": "{{name}}", "language": "mustache"}, "attributes": object{"k": "v"},
			"icon": encoded(svg), "readme": encoded("# Whole"), "unknown": object{"a": 1},
		}
		whole := publish(t, a, "interface", body)
		for _, key := range []string{"name", "version", "title", "description", "public", "entities", "events", "actions", "channels", "nameTemplate", "attributes"} {
			if diff := cmp.Diff(body[key], whole[key]); diff != "" {
				t.Errorf("%s: %s", key, diff)
			}
		}
		contentType, content, header := download(t, whole["iconUrl"])
		if contentType != "image/svg+xml" || content != svg || !strings.Contains(header.Get("Content-Security-Policy"), "sandbox") || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %q %v", contentType, content, header)
		}
		if _, content, _ := download(t, whole["readmeUrl"]); content != "# Whole" {
			t.Errorf("the readme is %q", content)
		}
		for _, path := range []string{
			interfacesPath + "/" + whole["id"].(string), catalogPath(interfacesPath, handle+"/whole", "0.1.0-beta.1"), catalogPath(interfacesPath, handle+"/whole", "latest"),
		} {
			if diff := cmp.Diff(whole, getPackage(t, a, path, "interface")); diff != "" {
				t.Errorf("%s: %s", path, diff)
			}
		}
		var list struct{ Interfaces []object }
		a.Do(t, "GET", interfacesPath+"?name="+url.QueryEscape(handle+"/least"), nil, &list)
		for _, key := range []string{"entities", "events", "actions", "channels", "attributes"} {
			delete(want, key)
		}
		if diff := cmp.Diff([]object{want}, list.Interfaces); diff != "" {
			t.Error(diff)
		}

		path := interfacesPath + "/" + whole["id"].(string)
		var out struct{ Interface object }
		a.Do(t, "PUT", path, object{
			"events": object{"made": object{"schema": object{}, "attributes": object{"k": nil, "l": "w"}}, "none": nil}, "actions": object{"make": nil},
			"channels": object{"c": object{"messages": object{"image": object{"schema": object{}}}}}, "nameTemplate": nil, "title": "New", "attributes": object{"m": "n"},
		}, &out)
		delete(whole, "nameTemplate")
		whole["events"], whole["actions"] = object{"made": object{"schema": object{}, "attributes": object{"l": "w"}}}, object{}
		whole["channels"] = object{"c": object{"title": "C", "messages": object{"text": object{"schema": schema}, "image": object{"schema": object{}}}}}
		whole["title"], whole["attributes"], whole["updatedAt"] = "New", object{"k": "v", "m": "n"}, out.Interface["updatedAt"]
		if diff := cmp.Diff(whole, out.Interface); diff != "" {
			t.Error(diff)
		}
		a.Do(t, "PUT", path, object{}, &out)
		whole["updatedAt"] = out.Interface["updatedAt"]
		if diff := cmp.Diff(whole, getPackage(t, a, path, "interface")); diff != "" {
			t.Errorf("an empty update changed something: %s", diff)
		}

		a.Do(t, "DELETE", path, object{}, nil)
		a.Refused(t, fault.ResourceNotFound, []string{"interface"}, "GET", path, nil)
		a.Refused(t, fault.ResourceNotFound, []string{"interface"}, "DELETE", path, nil)
		var trail struct{ Records []object }
		a.Do(t, "GET", workspacesPath+"/"+a.Workspace+"/audit-records", nil, &trail)
		var did []any
		for _, r := range trail.Records {
			if r["resourceName"] == handle+"/whole@0.1.0-beta.1" {
				did = append(did, r["value"])
			}
		}
		if diff := cmp.Diff([]any{"interface deleted", "interface updated", "interface updated", "interface created"}, did); diff != "" {
			t.Error(diff)
		}
	})
}

func TestInterfaceRefusals(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		name := handle + "/x"
		made := publish(t, a, "interface", object{"name": name, "entities": object{"e": object{"schema": object{}}}})
		refuses(t, a, "POST", interfacesPath, []refusal{
			{"nothing", object{}, fault.InvalidPayload, []string{"name"}},
			{"no version", object{"name": name}, fault.InvalidPayload, []string{"version"}},
			{"empty name", object{"name": "", "version": "1.0.0"}, fault.InvalidPayload, []string{"name"}},
			{"name of two slashes", object{"name": handle + "/a/b", "version": "1.0.0"}, fault.InvalidPayload, []string{"a/b"}},
			{"name with a space", object{"name": handle + "/a b", "version": "1.0.0"}, fault.InvalidPayload, []string{"a b"}},
			{"long name", object{"name": handle + "/" + strings.Repeat("x", 200), "version": "1.0.0"}, fault.InvalidPayload, []string{"200"}},
			{"no handle", object{"name": "x", "version": "1.0.0"}, fault.Forbidden, []string{handle + "/x"}},
			{"other handle", object{"name": "other/x", "version": "1.0.0"}, fault.Forbidden, []string{handle + "/x"}},
			{"version", object{"name": name, "version": "1.0"}, fault.InvalidPayload, []string{`"1.0"`, "MAJOR.MINOR.PATCH"}},
			{"version latest", object{"name": name, "version": "latest"}, fault.InvalidPayload, []string{"latest"}},
			{"taken", object{"name": name, "version": "1.0.0"}, fault.AlreadyExists, []string{name + "@1.0.0"}},
			{"title", object{"name": name, "version": "2.0.0", "title": long(65)}, fault.InvalidPayload, []string{"title"}},
			{"empty title", object{"name": name, "version": "2.0.0", "title": ""}, fault.InvalidPayload, []string{"title"}},
			{"description", object{"name": name, "version": "2.0.0", "description": long(257)}, fault.InvalidPayload, []string{"description"}},
			{"icon", object{"name": name, "version": "2.0.0", "icon": "%%"}, fault.InvalidPayload, []string{"icon", "base64"}},
			{"big icon", object{"name": name, "version": "2.0.0", "icon": strings.Repeat("A", 3<<20)}, fault.LimitExceeded, []string{"icon"}},
			{"schema", object{"name": name, "version": "2.0.0", "entities": object{"e": object{"schema": object{"type": 3}}}}, fault.InvalidJSONSchema, []string{"entities.e.schema"}},
			{"no schema", object{"name": name, "version": "2.0.0", "events": object{"e": object{}}}, fault.InvalidPayload, []string{"schema"}},
			{"attribute", object{"name": name, "version": "2.0.0", "attributes": object{"k": long(201)}}, fault.InvalidPayload, []string{"attributes"}},
			{"public", object{"name": name, "version": "2.0.0", "public": "yes"}, fault.InvalidPayload, []string{"public"}},
			{"breaking minor", object{"name": name, "version": "1.1.0"}, fault.BreakingChanges, []string{"entities.e", "major"}},
		})
		path := interfacesPath + "/" + made["id"].(string)
		refuses(t, a, "PUT", path, []refusal{
			{"title", object{"title": ""}, fault.InvalidPayload, []string{"title"}},
			{"schema", object{"actions": object{"x": object{"input": object{"schema": object{"type": 3}}, "output": object{"schema": object{}}}}}, fault.InvalidJSONSchema, []string{"actions.x.input.schema"}},
		})
		b, _ := shopkeeper(t, s)
		b.Refused(t, fault.Forbidden, []string{"handle"}, "POST", interfacesPath, object{"name": name, "version": "3.0.0"})
		plain := s.Person(t)
		plain.Refused(t, fault.Forbidden, []string{"handle", "updateWorkspace"}, "POST", interfacesPath, object{"name": "x", "version": "1.0.0"})
		if diff := cmp.Diff(made, getPackage(t, a, path, "interface")); diff != "" {
			t.Errorf("a refused request changed something: %s", diff)
		}
		if got := listed(t, a, interfacesPath, "interfaces"); len(got) != 1 {
			t.Errorf("the versions are %v", got)
		}
	})
}

func TestInterfaceVersions(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		name := handle + "/x"
		for _, version := range []string{"1.0.0", "2.0.0-rc.1", "1.2.0", "0.9.0", "1.1.5"} {
			publish(t, a, "interface", object{"name": name, "version": version})
			nextMoment()
		}
		for reference, want := range map[string]string{
			"latest": "1.2.0", "1.0.0": "1.0.0", "^1.0.0": "1.2.0", ">=1.0.0 <1.2.0-0": "1.1.5", "<1.0.0": "0.9.0", "1.x || 0.x": "1.2.0", "2.0.0-rc.1": "2.0.0-rc.1",
		} {
			if got := getPackage(t, a, catalogPath(interfacesPath, name, reference), "interface")["version"]; got != want {
				t.Errorf("%s is %v, want %s", reference, got, want)
			}
		}
		for _, reference := range []string{"3.0.0", "<0.1.0", "nonsense", "^2.0.0"} {
			a.Refused(t, fault.ResourceNotFound, []string{name}, "GET", catalogPath(interfacesPath, name, reference), nil)
		}
		if diff := cmp.Diff([]string{"1.1.5", "0.9.0", "1.2.0", "2.0.0-rc.1", "1.0.0"}, listed(t, a, interfacesPath, "interfaces")); diff != "" {
			t.Error(diff)
		}
		if got := listed(t, a, interfacesPath+"?version=1.2.0&name="+url.QueryEscape(name), "interfaces"); !slices.Equal(got, []string{"1.2.0"}) {
			t.Errorf("filtered: %v", got)
		}
		if got := pages(t, a, interfacesPath, "interfaces", 2, func(int) {}); len(got) != 5 {
			t.Errorf("by pages: %v", got)
		}
		// An icon is that of all versions of the name, also of later ones.
		var out struct{ Interface object }
		first := getPackage(t, a, catalogPath(interfacesPath, name, "1.0.0"), "interface")
		a.Do(t, "PUT", interfacesPath+"/"+first["id"].(string), object{"icon": encoded(svg), "readme": encoded("one")}, &out)
		later := publish(t, a, "interface", object{"name": name, "version": "1.3.0"})
		for _, version := range []string{"0.9.0", "1.3.0"} {
			i := getPackage(t, a, catalogPath(interfacesPath, name, version), "interface")
			if i["iconUrl"] != out.Interface["iconUrl"] || i["readmeUrl"] == out.Interface["readmeUrl"] || i["readmeUrl"] != later["readmeUrl"] {
				t.Errorf("%s has the icon %v and the readme %v", version, i["iconUrl"], i["readmeUrl"])
			}
		}
	})
}

func TestPublicInterface(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		b := s.Person(t)
		name := handle + "/x"
		made := publish(t, a, "interface", object{"name": name, "entities": object{"e": object{"schema": object{}}}})
		id := made["id"].(string)
		hidden := []string{
			interfacesPath + "/" + id, hubPath + "interfaces/" + id, catalogPath(interfacesPath, name, "latest"), catalogPath(hubPath+"interfaces", name, "1.0.0"),
		}
		for _, path := range hidden {
			b.Refused(t, fault.ResourceNotFound, nil, "GET", path, nil)
		}
		if got := listed(t, b.In(""), hubPath+"interfaces?name="+url.QueryEscape(name), "interfaces"); got != nil {
			t.Errorf("the hub lists %v", got)
		}
		var out struct{ Interface object }
		a.Do(t, "PUT", interfacesPath+"/"+id, object{"public": true}, &out)
		for _, path := range hidden {
			who := b
			if strings.HasPrefix(path, hubPath) {
				who = b.In("")
			}
			if diff := cmp.Diff(out.Interface, getPackage(t, who, path, "interface")); diff != "" {
				t.Errorf("%s: %s", path, diff)
			}
		}
		if got := listed(t, b.In(""), hubPath+"interfaces?name="+url.QueryEscape(name), "interfaces"); !slices.Equal(got, []string{"1.0.0"}) {
			t.Errorf("the hub lists %v", got)
		}
		if got := listed(t, b, interfacesPath, "interfaces"); got != nil {
			t.Errorf("another workspace lists %v as its own", got)
		}
		// What it is made of stays; the same again is no change.
		for _, change := range []object{{"title": "New"}, {"entities": object{"e": nil}}, {"attributes": object{"k": "v"}}, {"events": object{"v": object{"schema": object{}}}}} {
			a.Refused(t, fault.Forbidden, []string{name + "@1.0.0", "new version"}, "PUT", interfacesPath+"/"+id, change)
		}
		a.Do(t, "PUT", interfacesPath+"/"+id, object{"entities": object{"e": object{"schema": object{}}, "none": nil}, "public": true, "readme": encoded("text")}, nil)
		for _, method := range []string{"PUT", "DELETE"} {
			b.Refused(t, fault.ResourceNotFound, nil, method, interfacesPath+"/"+id, object{})
		}

		// Others build on it: then it stays where it is.
		other, shop := shopkeeper(t, s)
		drive := publish(t, other, "integration", object{"name": shop + "/drive", "interfaces": object{"i": object{"id": id}}})
		plugin := publish(t, a, "plugin", object{"name": handle + "/p", "dependencies": object{"interfaces": object{"i": object{"name": name}}}})
		if diff := cmp.Diff(any(object{"id": id, "name": name, "version": "1.0.0"}), under(plugin, "dependencies", "interfaces", "i")); diff != "" {
			t.Error(diff)
		}
		a.Refused(t, fault.ReferenceConstraint, []string{"1 package of other workspaces"}, "PUT", interfacesPath+"/"+id, object{"public": false})
		a.Refused(t, fault.ReferenceConstraint, []string{"plugin " + handle + "/p@1.0.0", "1 package of other workspaces"}, "DELETE", interfacesPath+"/"+id, nil)
		other.Do(t, "DELETE", "/v1/admin/integrations/"+drive["id"].(string), nil, nil)
		a.Do(t, "PUT", interfacesPath+"/"+id, object{"public": false}, nil)
		a.Refused(t, fault.ReferenceConstraint, []string{"plugin"}, "DELETE", interfacesPath+"/"+id, nil)
		a.Refused(t, fault.BreakingChanges, []string{"entities.e"}, "PUT", interfacesPath+"/"+id, object{"entities": object{"e": nil}})
		a.Do(t, "PUT", interfacesPath+"/"+id, object{"entities": object{"e": nil}}, nil, "x-bypass-breaking-changes-detection", "true")
		a.Do(t, "DELETE", "/v1/admin/plugins/"+plugin["id"].(string), nil, nil)
		a.Do(t, "DELETE", interfacesPath+"/"+id, nil, nil)
	})
}

// Of many who publish one version at once, one does.
func TestVersionThatManyPublish(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		for kind, path := range map[string]string{"interface": interfacesPath, "plugin": "/v1/admin/plugins"} {
			var made atomic.Int64
			harness.Together(t, 16, func(int) error {
				body := object{"name": handle + "/" + kind, "version": "1.0.0", "code": object{"node": "n", "browser": "b"}}
				status, err := try(t, a, "POST", path, body, http.StatusOK, http.StatusConflict)
				if status == http.StatusOK {
					made.Add(1)
				}
				return err
			})
			if made.Load() != 1 {
				t.Errorf("%d callers made the %s", made.Load(), kind)
			}
		}
	})
}

// The definitions that come with the binary make a hub in which interfaces are
// found by everybody.
func TestLoadedHub(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		if _, err := s.LoadHub(t.Context(), hub.Files); err != nil {
			t.Fatal(err)
		}
		a := s.Person(t)
		for _, name := range []string{"creatable", "deletable", "hitl", "listable", "llm", "readable", "speech-to-text", "text-to-image", "typing-indicator", "updatable"} {
			var found, byID, byName struct{ Interface object }
			a.In("").Do(t, "GET", hubPath+"interfaces/"+name+"/latest", nil, &found)
			if i := found.Interface; i["public"] != true || i["title"] == "" || len(i["actions"].(object)) == 0 {
				t.Errorf("%s is %v", name, i)
			}
			a.In("").Do(t, "GET", hubPath+"interfaces/"+found.Interface["id"].(string), nil, &byID)
			// What the older command line asks for.
			a.Do(t, "GET", interfacesPath+"/"+name+"/latest", nil, &byName)
			for _, got := range []object{byID.Interface, byName.Interface} {
				if diff := cmp.Diff(found.Interface, got); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
			var list struct{ Interfaces []object }
			a.In("").Do(t, "GET", hubPath+"interfaces?name="+name, nil, &list)
			if len(list.Interfaces) != 1 || list.Interfaces[0]["id"] != found.Interface["id"] {
				t.Errorf("the hub lists %v", list.Interfaces)
			}
			founder(t, s).Refused(t, fault.AlreadyExists, []string{name}, "POST", interfacesPath, object{"name": name, "version": found.Interface["version"]})
		}
	})
}
