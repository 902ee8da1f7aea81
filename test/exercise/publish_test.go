package exercise_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/catalog"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/workspace"
	"github.com/botyard/botyard/test/harness"
)

// TestVisibility walks an integration through private, public, unlisted and back.
func TestVisibility(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		stranger := s.Person(t)
		name := handle + "/seen"
		made := publish(t, a, "integration", object{"name": name, "public": false})
		i := made["id"].(string)
		hubLists := func() bool {
			t.Helper()
			return len(listed(t, stranger, hubPath+"integrations?name="+name, "integrations")) == 1
		}
		shown := func() bool {
			t.Helper()
			byID := stranger.Ask(t, "GET", hubPath+"integrations/"+i, nil).Status
			byName := stranger.Ask(t, "GET", catalogPath(hubPath+"integrations", name, "latest"), nil).Status
			if byID != byName {
				t.Errorf("the hub answers %d by id and %d by name", byID, byName)
			}
			return byID == http.StatusOK
		}
		for _, step := range []struct {
			update        object
			visibility    string
			listed, shown bool
		}{
			{object{}, "private", false, false},
			{object{"public": true}, "public", true, true},
			{object{"visibility": "unlisted"}, "unlisted", false, true},
			{object{"public": false}, "unlisted", false, true}, // it is not public already
			{object{"visibility": "public", "public": false}, "public", true, true},
			{object{"public": false}, "private", false, false},
			{object{"visibility": "unlisted"}, "unlisted", false, true},
		} {
			got := updateIntegration(t, a, i, step.update)
			if got["visibility"] != step.visibility || got["public"] != (step.visibility == "public") {
				t.Errorf("%v makes it %v, public %v", step.update, got["visibility"], got["public"])
			}
			if hubLists() != step.listed || shown() != step.shown {
				t.Errorf("%s: listed %v, shown %v", step.visibility, hubLists(), shown())
			}
			// Strangers never see it among their own.
			stranger.Refused(t, fault.ResourceNotFound, nil, "GET", integrationPath(i), nil)
		}
	})
}

// TestOpenVersionsAreFrozen holds what of a public or unlisted version can change.
func TestOpenVersionsAreFrozen(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		for _, visibility := range []string{"public", "unlisted"} {
			body := mail(handle + "/" + visibility)
			body["visibility"] = visibility
			made := publish(t, a, "integration", body)
			for part, update := range map[string]object{
				"actions":          {"actions": object{"more": object{"input": object{"schema": object{}}, "output": object{"schema": object{}}}}},
				"channels":         {"channels": object{"thread": nil}},
				"configuration":    {"configuration": object{"title": "other"}},
				"code":             {"code": "other"},
				"title":            {"title": "other"},
				"description":      {"description": "other"},
				"sdkVersion":       {"sdkVersion": "8"},
				"attributes":       {"attributes": object{"new": "1"}},
				"layers":           {"layers": []any{"two"}},
				"extraOperations":  {"extraOperations": object{"message_updated": nil}},
				"maxExecutionTime": {"maxExecutionTime": 31},
			} {
				words := []string{part, "new version", visibility}
				a.Refused(t, fault.Forbidden, words, "PUT", integrationPath(made["id"]), update, bypass...)
			}
			// The same again, as a pipeline does that runs twice, changes nothing.
			again := mail(handle + "/" + visibility)
			delete(again, "name")
			delete(again, "version")
			got := updateIntegration(t, a, made["id"], again)
			made["updatedAt"], made["signingSecret"] = got["updatedAt"], ""
			if diff := cmp.Diff(made, got); diff != "" {
				t.Error(diff)
			}
			// Where it runs, its secrets and its looks are no part of the promise.
			got = updateIntegration(t, a, made["id"], object{
				"url": "https://moved.example", "secrets": object{"KEY": "leaked, so changed"}, "icon": "PHN2Zy8+", "readme": "aGVsbG8=",
			})
			if got["url"] != "https://moved.example" || got["iconUrl"] == made["iconUrl"] || got["readmeUrl"] == made["readmeUrl"] {
				t.Errorf("it is %v", got)
			}
			a.Refused(t, fault.Forbidden, []string{"private"}, "DELETE", integrationPath(made["id"]), object{})
		}
	})
}

// TestOpenIsKept holds that what is open to others is not deleted, of whatever kind.
func TestOpenIsKept(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		for _, kind := range []string{"integration", "interface", "plugin"} {
			made := publish(t, a, kind, object{"name": handle + "/kept", "public": true})
			path := "/v1/admin/" + kind + "s/" + made["id"].(string)
			a.Refused(t, fault.Forbidden, []string{handle + "/kept@1.0.0", "Make it private first"}, "DELETE", path, object{})
			a.Do(t, "PUT", path, object{"public": false}, nil)
			a.Do(t, "DELETE", path, object{}, nil)
		}
	})
}

// TestClosing holds that what others rely on stays open, and that a workspace whose
// integrations others have cannot be deleted.
func TestClosing(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		other := s.Person(t)
		made := publish(t, a, "integration", object{"name": handle + "/used", "visibility": "public"})
		own := createBot(t, a, object{"name": "Own"})["id"]
		foreign := createBot(t, other, object{"name": "Foreign secret"})["id"]
		install := object{"integrations": object{"x": object{"integrationId": made["id"], "enabled": false}}}
		remove := object{"integrations": object{"x": nil}}
		installs := func() any {
			t.Helper()
			return under(getPackage(t, other, hubPath+"integrations/"+made["id"].(string), "integration"), "meta", "installs")
		}
		setUp(t, a, own, install)
		setUp(t, other, foreign, install)
		if n := installs(); n != 2.0 {
			t.Errorf("it has %v installs", n)
		}
		f := a.Refused(t, fault.ReferenceConstraint, []string{"1 bot of other workspaces"}, "PUT", integrationPath(made["id"]), object{"visibility": "private"})
		g := a.Refused(t, fault.ReferenceConstraint, []string{`"Own"`, "1 bot of other workspaces"}, "DELETE", integrationPath(made["id"]), object{})
		h := a.Refused(t, fault.ReferenceConstraint, []string{handle + "/used@1.0.0"}, "DELETE", workspacesPath+"/"+a.Workspace, object{})
		for _, f := range []harness.Fault{f, g, h} {
			if strings.Contains(f.Message, "Foreign") {
				t.Errorf("the message names a bot of others: %s", f.Message)
			}
		}
		setUp(t, other, foreign, remove)
		updateIntegration(t, a, made["id"], object{"visibility": "private"})
		setUp(t, a, own, remove)
		a.Do(t, "DELETE", integrationPath(made["id"]), object{}, nil)
		a.Do(t, "DELETE", workspacesPath+"/"+a.Workspace, object{}, nil)
	})
}

// TestBreakingIntegrations holds when a breaking change is refused. Which changes
// break is tested with the rules themselves.
func TestBreakingIntegrations(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		version := func(name, version string, required ...any) object {
			input := schemaOf("to", "cc")
			if len(required) > 0 {
				input["required"] = required
			}
			return object{"name": handle + "/" + name, "version": version, "actions": object{"send": object{
				"input": object{"schema": input}, "output": object{"schema": object{}},
			}}}
		}
		change := []string{"actions.send.input", `property "to" became required`}
		publish(t, a, "integration", version("x", "1.0.0"))
		for _, next := range []string{"1.0.1", "1.1.0", "1.1.0-beta.1"} {
			for _, path := range []string{integrationsPath, integrationsPath + "/validate"} {
				a.Refused(t, fault.BreakingChanges, append(change, "major version increment"), "POST", path, version("x", next, "to"))
			}
		}
		publish(t, a, "integration", version("x", "2.0.0", "to"))
		publish(t, a, "integration", version("x", "2.1.0"))
		a.Do(t, "POST", integrationsPath, version("x", "1.1.0", "to"), nil, bypass...)
		// Below 1.0.0 the minor number is the major one.
		publish(t, a, "integration", version("early", "0.1.0"))
		a.Refused(t, fault.BreakingChanges, change, "POST", integrationsPath, version("early", "0.1.1", "to"))
		publish(t, a, "integration", version("early", "0.2.0", "to"))
		// A pre-release promises nothing.
		publish(t, a, "integration", version("previewed", "1.0.0-rc.1"))
		publish(t, a, "integration", version("previewed", "1.0.0", "to"))

		// A version that nobody uses may change as it likes; a used one may not.
		drafted := publish(t, a, "integration", version("draft", "1.0.0"))
		update := version("draft", "1.0.0", "to")
		harmless := version("draft", "1.0.0")
		updateIntegration(t, a, drafted["id"], update)
		updateIntegration(t, a, drafted["id"], harmless)
		bot := createBot(t, a, object{})["id"]
		setUp(t, a, bot, object{"integrations": object{"x": object{"integrationId": drafted["id"], "enabled": false}}})
		a.Refused(t, fault.BreakingChanges, change, "PUT", integrationPath(drafted["id"]), update)
		a.Refused(t, fault.BreakingChanges, change, "PUT", integrationPath(drafted["id"])+"/validate", update)
		updateIntegration(t, a, drafted["id"], object{"actions": object{"more": object{"input": object{"schema": object{}}, "output": object{"schema": object{}}}}})
		updateIntegration(t, a, drafted["id"], update, bypass...)
	})
}

// TestSecretsFollowVersions holds which secrets a new version starts with.
func TestSecretsFollowVersions(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		name := handle + "/secretive"
		values := func(i any) object {
			t.Helper()
			rows, err := s.DB.Reader(t.Context()).Query(t.Context(), `SELECT name, value FROM integration_secrets WHERE integration_id = $1`, i.(string))
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			all := object{}
			for rows.Next() {
				var name, sealed string
				if err := rows.Scan(&name, &sealed); err != nil {
					t.Fatal(err)
				}
				plain, err := s.Keys.Open(sealed, "integration_secrets", i.(string)+"/"+name, "value")
				if err != nil {
					t.Fatalf("%s of %v does not open: %v", name, i, err)
				}
				all[name] = string(plain)
			}
			return all
		}
		for _, step := range []struct {
			version string
			secrets object
			want    object
		}{
			{"1.0.0", object{"A": "1", "B": "2"}, object{"A": "1", "B": "2"}},
			{"1.1.0", object{"C": "3"}, object{"A": "1", "B": "2", "C": "3"}},
			{"2.0.0", object{"A": nil, "B": "new"}, object{"B": "new", "C": "3"}},
			{"1.0.1", nil, object{"A": "1", "B": "2"}}, // of the version below it, not of the highest
			{"0.1.0", nil, object{}},
			{"2.0.1-beta", object{"Z": nil}, object{"B": "new", "C": "3"}},
		} {
			made := publish(t, a, "integration", object{"name": name, "version": step.version, "secrets": step.secrets})
			if diff := cmp.Diff(step.want, values(made["id"])); diff != "" {
				t.Errorf("%s: %s", step.version, diff)
			}
			names := []any{}
			for _, name := range slices.Sorted(maps.Keys(step.want)) {
				names = append(names, name)
			}
			if diff := cmp.Diff(names, made["secrets"]); diff != "" {
				t.Errorf("%s: %s", step.version, diff)
			}
		}
		dev := publish(t, a, "integration", object{"name": name, "version": "3.0.0", "dev": true, "url": "https://x.example"})
		if diff := cmp.Diff(object{}, values(dev["id"])); diff != "" {
			t.Errorf("a development integration has secrets: %s", diff)
		}
	})
}

// TestIcons holds that versions share an icon, that readmes are their own, and that
// an icon cannot run scripts in our origin.
func TestIcons(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		name := handle + "/pretty"
		evil := `<?xml version="1.0"?><!-- hello --><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`
		base := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
		first := publish(t, a, "integration", object{"name": name, "version": "1.0.0", "icon": base(evil), "readme": base("# One")})
		second := publish(t, a, "integration", object{"name": name, "version": "2.0.0", "readme": base("# Two")})
		other := publish(t, a, "integration", object{"name": name + "-2"})
		if first["iconUrl"] != second["iconUrl"] || first["iconUrl"] == other["iconUrl"] || first["readmeUrl"] == second["readmeUrl"] {
			t.Errorf("icons %v %v %v, readmes %v %v", first["iconUrl"], second["iconUrl"], other["iconUrl"], first["readmeUrl"], second["readmeUrl"])
		}
		contentType, content, header := download(t, first["iconUrl"])
		if contentType != "image/svg+xml" || content != evil {
			t.Errorf("the icon is %s: %s", contentType, content)
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox", "X-Content-Type-Options": "nosniff",
		} {
			if got := header.Get(name); got != want {
				t.Errorf("%s is %q", name, got)
			}
		}
		if contentType, content, header := download(t, second["readmeUrl"]); !strings.HasPrefix(contentType, "text/markdown") || content != "# Two" || !strings.HasPrefix(header.Get("Content-Disposition"), "attachment") {
			t.Errorf("the readme is %s: %s", contentType, content)
		}
		if contentType, _, _ := download(t, other["iconUrl"]); contentType != "image/svg+xml" {
			t.Errorf("the icon of those that have none is %s", contentType)
		}
		if _, content, _ := download(t, other["readmeUrl"]); content != "" {
			t.Errorf("the readme of those that have none is %q", content)
		}
		page := "<html><script>alert(1)</script></html>"
		readme := updateIntegration(t, a, other["id"], object{"readme": base(page)})["readmeUrl"]
		if contentType, _, _ := download(t, readme); !strings.HasPrefix(contentType, "text/markdown") {
			t.Errorf("a page is served as %s", contentType)
		}
		png := "\x89PNG\r\n\x1a\nrest"
		third := updateIntegration(t, a, second["id"], object{"icon": base(png)})
		if got := getIntegration(t, a, first["id"])["iconUrl"]; got != third["iconUrl"] || got == first["iconUrl"] {
			t.Errorf("the first version has the icon %v, the second %v", got, third["iconUrl"])
		}
		if contentType, _, _ := download(t, third["iconUrl"]); contentType != "image/png" {
			t.Errorf("it is served as %s", contentType)
		}
		if got := updateIntegration(t, a, second["id"], object{"icon": ""})["iconUrl"]; got != other["iconUrl"] {
			t.Errorf("without an icon it has %v", got)
		}
		// A hash alone opens nothing: what is not an icon or a readme stays closed.
		for _, path := range []string{"nothing", strings.Split(strings.TrimPrefix(readme.(string), s.Base+"/v1/assets/"), "-")[0], strings.Repeat("0", 64) + "-AAAA"} {
			response, err := http.Get(s.Base + "/v1/assets/" + path)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusNotFound {
				t.Errorf("%s answers %d", path, response.StatusCode)
			}
		}
		a.Refused(t, fault.LimitExceeded, []string{"icon"}, "PUT", integrationPath(first["id"]), object{"icon": base("<svg>" + strings.Repeat("x", 1<<20) + "</svg>")})
	})
}

// TestHandleChangesHands holds that a name stays with who opened it to others, so that
// nobody who asks for a range of its versions gets another publisher's, and that
// nobody learns of a private one.
func TestHandleChangesHands(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		for _, kind := range []string{"integration", "interface", "plugin"} {
			a, handle := shopkeeper(t, s)
			b := s.Person(t)
			path := "/v1/admin/" + kind + "s"
			with := func(name, version string, public bool) object {
				body := object{"name": handle + "/" + name, "version": version, "public": public}
				if kind == "plugin" {
					body["code"] = object{"node": "n", "browser": "b"}
				}
				return body
			}
			made := publish(t, a, kind, with("private", "1.0.0", false))
			publish(t, a, kind, with("open", "1.0.0", true))
			a.Do(t, "PUT", workspacesPath+"/"+a.Workspace, object{"handle": handle + "-new"}, nil)
			b.Do(t, "PUT", workspacesPath+"/"+b.Workspace, object{"handle": handle}, nil)

			publish(t, b, kind, with("private", "1.0.0", true))
			own := publish(t, b, kind, with("open", "1.1.0", false))
			b.Refused(t, fault.AlreadyExists, []string{"another workspace", handle + "/open"}, "POST", path, with("open", "2.0.0", true))
			b.Refused(t, fault.AlreadyExists, []string{"another workspace", handle + "/open"}, "PUT", path+"/"+own["id"].(string), object{"public": true})
			if got := getPackage(t, b, catalogPath(hubPath+kind+"s", handle+"/open", "*"), kind)["version"]; got != "1.0.0" {
				t.Errorf("the %s that others asked for is now %v of another workspace", kind, got)
			}

			a.Refused(t, fault.Forbidden, []string{handle + "-new/private"}, "POST", path, with("private", "2.0.0", false))
			a.Refused(t, fault.Forbidden, []string{handle + "-new/private"}, "PUT", path+"/"+made["id"].(string), object{"public": true})
			a.Do(t, "PUT", path+"/"+made["id"].(string), object{"title": "Still mine"}, nil)
		}
	})
}

func TestPlatformPublishesWithoutHandle(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		platform := founder(t, s)
		name := fmt.Sprint("plain-", counter())
		publish(t, platform, "integration", object{"name": name, "visibility": "public"})
		stranger := s.Person(t)
		got := getPackage(t, stranger, catalogPath(hubPath+"integrations", name, "latest"), "integration")
		if got["name"] != name || under(got, "ownerWorkspace", "id") != platform.Workspace {
			t.Errorf("the hub shows %v", got)
		}
		f := stranger.Refused(t, fault.Forbidden, []string{"handle"}, "POST", integrationsPath, object{"name": "mine", "version": "1.0.0"})
		if !strings.Contains(f.Message, "updateWorkspace") {
			t.Errorf("the message does not say how to get a handle: %s", f.Message)
		}
	})
}

func TestVersionLimitAndQuota(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		harness.Together(t, 8, func(worker int) error {
			for n := range 25 {
				body := object{"name": handle + "/many", "version": fmt.Sprintf("1.%d.%d", worker, n)}
				if answer, err := a.Try(t.Context(), "POST", integrationsPath, body); err != nil || answer.Status != 200 {
					return fmt.Errorf("%d %s %w", answer.Status, answer.Body, err)
				}
			}
			return nil
		})
		a.Refused(t, fault.LimitExceeded, []string{"200 versions"}, "POST", integrationsPath, object{"name": handle + "/many", "version": "2.0.0"})

		// 20 names on a published plan, however many ask at once.
		b, handle := shopkeeper(t, s)
		setPlan(t, s, b, workspace.Community)
		made := make([]bool, 30)
		harness.Together(t, len(made), func(n int) error {
			answer, err := b.Try(t.Context(), "POST", integrationsPath, object{"name": fmt.Sprint(handle, "/n", n), "version": "1.0.0"})
			made[n] = answer.Status == 200
			return err
		})
		if n := count(made); n != 20 {
			t.Errorf("%d names fit", n)
		}
		b.Refused(t, fault.QuotaExceeded, []string{"integrations_owned_count", "20"}, "POST", integrationsPath, object{"name": handle + "/more", "version": "1.0.0"})
		b.Refused(t, fault.QuotaExceeded, nil, "POST", integrationsPath+"/validate", object{"name": handle + "/more", "version": "1.0.0"})
		first := slices.Index(made, true)
		again := publish(t, b, "integration", object{"name": fmt.Sprint(handle, "/n", first), "version": "1.1.0"})
		publish(t, b, "integration", object{"name": handle + "/dev", "dev": true, "url": "https://x.example"})
		// Only with its last version does a name stop to count.
		b.Do(t, "DELETE", integrationPath(again["id"]), object{}, nil)
		b.Refused(t, fault.QuotaExceeded, nil, "POST", integrationsPath, object{"name": handle + "/more", "version": "1.0.0"})
		last := getPackage(t, b, catalogPath(integrationsPath, fmt.Sprint(handle, "/n", first), "1.0.0"), "integration")
		b.Do(t, "DELETE", integrationPath(last["id"]), object{}, nil)
		publish(t, b, "integration", object{"name": handle + "/more"})
	})
}

func count(all []bool) (n int) {
	for _, one := range all {
		if one {
			n++
		}
	}
	return n
}

// TestSameVersionAtOnce holds that of many who publish one version, one does.
func TestSameVersionAtOnce(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		made := make([]bool, 32)
		harness.Together(t, len(made), func(n int) error {
			answer, err := a.Try(t.Context(), "POST", integrationsPath, object{"name": handle + "/one", "version": "1.0.0", "title": fmt.Sprint(n)})
			if made[n] = answer.Status == 200; !made[n] && !strings.Contains(string(answer.Body), "AlreadyExists") {
				return fmt.Errorf("%d %s %w", answer.Status, answer.Body, err)
			}
			return err
		})
		if n := count(made); n != 1 {
			t.Errorf("%d were published", n)
		}
		if got := listed(t, a, integrationsPath, "integrations"); len(got) != 1 {
			t.Errorf("there are %v", got)
		}
	})
}

// TestPatchesAtOnce holds that of many updates none is lost.
func TestPatchesAtOnce(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		made := publish(t, a, "integration", object{"name": handle + "/busy"})
		harness.Together(t, 16, func(n int) error {
			body := object{"events": object{fmt.Sprint("e", n): object{"schema": object{}}}, "secrets": object{fmt.Sprint("S", n): "v"}}
			answer, err := a.Try(t.Context(), "PUT", integrationPath(made["id"]), body)
			if err == nil && answer.Status != 200 {
				err = fmt.Errorf("%d %s", answer.Status, answer.Body)
			}
			return err
		})
		got := getIntegration(t, a, made["id"])
		if len(got["events"].(object)) != 16 || len(got["secrets"].([]any)) != 16 {
			t.Errorf("it has %d events and %d secrets", len(got["events"].(object)), len(got["secrets"].([]any)))
		}
	})
}

// TestReview walks through verification and deprecation.
func TestReview(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		made := publish(t, a, "integration", object{"name": handle + "/reviewed", "visibility": "public"})
		i := id.Integration(made["id"].(string))
		status := func() any { return getIntegration(t, a, made["id"])["verificationStatus"] }
		request := func() {
			a.Do(t, "POST", integrationsPath+"/request-verification", object{"integrationId": made["id"]}, nil)
		}
		review := func(v catalog.Verification) {
			t.Helper()
			if err := s.Catalog.Review(t.Context(), i, v); err != nil {
				t.Fatal(err)
			}
		}
		for _, step := range []struct {
			do   func()
			want string
		}{
			{func() {}, "unapproved"}, {request, "pending"}, {request, "pending"}, {func() { review(catalog.Rejected) }, "rejected"},
			{request, "pending"}, {func() { review(catalog.Approved) }, "approved"}, {request, "approved"},
		} {
			if step.do(); status() != step.want {
				t.Errorf("it is %v, want %s", status(), step.want)
			}
		}
		if err := s.Catalog.Review(t.Context(), i, catalog.Pending); !fault.Is(err, fault.InvalidPayload) {
			t.Errorf("a review ends with pending: %v", err)
		}
		for name, err := range map[string]error{
			"review": s.Catalog.Review(t.Context(), "intver_none", catalog.Approved), "deprecate": s.Catalog.Deprecate(t.Context(), "intver_none"),
		} {
			if !fault.Is(err, fault.ResourceNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for query, want := range map[string]int{"approved": 1, "pending": 0} {
			for _, path := range []string{integrationsPath, hubPath + "integrations"} {
				if got := listed(t, a, path+"?name="+handle+"/reviewed&verificationStatus="+query, "integrations"); len(got) != want {
					t.Errorf("%s lists %v as %s", path, got, query)
				}
			}
		}
		if err := s.Catalog.Deprecate(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		if got := getIntegration(t, a, made["id"])["lifecycleStatus"]; got != "deprecated" {
			t.Errorf("it is %v", got)
		}
	})
}

// TestApprovalIsForWhatWasReviewed holds that an approved version whose code, url or
// definition changes is not approved any more.
func TestApprovalIsForWhatWasReviewed(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		made := publish(t, a, "integration", object{"name": handle + "/changing", "code": "one"})
		for _, change := range []struct {
			body object
			want string
		}{
			{object{"title": "T", "description": "D", "secrets": object{"S": "s"}}, "approved"},
			{object{"code": "one"}, "approved"},
			{object{"code": "two"}, "unapproved"},
			{object{"events": object{"e": object{"schema": schemaOf("a")}}}, "unapproved"},
			{object{"url": obliging()}, "unapproved"},
			{object{"visibility": "public"}, "approved"},
		} {
			if err := s.Catalog.Review(t.Context(), id.Integration(made["id"].(string)), catalog.Approved); err != nil {
				t.Fatal(err)
			}
			answered := updateIntegration(t, a, made["id"], change.body)["verificationStatus"]
			if got := getIntegration(t, a, made["id"])["verificationStatus"]; got != change.want || answered != change.want {
				t.Errorf("after %v it answers %v and is %v, want %s", change.body, answered, got, change.want)
			}
		}
	})
}

// TestIntegrationTrail holds that every change is in the audit trail.
func TestIntegrationTrail(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		made := publish(t, a, "integration", object{"name": handle + "/x"})
		updateIntegration(t, a, made["id"], object{"title": "T", "secrets": object{"S": "value that is secret"}})
		a.Do(t, "POST", integrationPath(made["id"])+"/signing-secrets/rotate", object{}, nil)
		a.Do(t, "POST", integrationsPath+"/request-verification", object{"integrationId": made["id"]}, nil)
		a.Do(t, "POST", integrationsPath+"/iaks", object{"integrationId": made["id"]}, nil)
		a.Do(t, "DELETE", integrationPath(made["id"]), object{}, nil)
		var out struct{ Records []object }
		a.Do(t, "GET", workspacesPath+"/"+a.Workspace+"/audit-records", nil, &out)
		var values []string
		for _, r := range out.Records {
			if r["resourceName"] != handle+"/x@1.0.0" {
				continue
			}
			if r["action"] != "UNKNOWN" || r["resourceId"] != made["id"] || r["userEmail"] != a.Email {
				t.Errorf("a record is %v", r)
			}
			values = append(values, r["value"].(string))
		}
		slices.Reverse(values)
		if len(values) != 6 || values[0] != "integration created" || values[1] != "integration updated: secrets, title" ||
			values[2] != "signing secret rotated" || values[3] != "verification requested" || !strings.HasPrefix(values[4], "key created: iak_") || values[5] != "integration deleted" {
			t.Errorf("the trail says %q", values)
		}
	})
}
