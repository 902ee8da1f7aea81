package exercise_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/test/harness"
)

const integrationsPath = "/v1/admin/integrations"

func integrationPath(i any) string { return integrationsPath + "/" + i.(string) }

func getIntegration(t *testing.T, a *harness.Actor, i any) object {
	t.Helper()
	return getPackage(t, a, integrationPath(i), "integration")
}

func updateIntegration(t *testing.T, a *harness.Actor, i any, body object, headers ...string) object {
	t.Helper()
	var out struct{ Integration object }
	a.Do(t, "PUT", integrationPath(i), body, &out, headers...)
	return out.Integration
}

// bypass is the header that lets breaking changes through.
var bypass = []string{"x-bypass-breaking-changes-detection", "true"}

// schemaOf is a schema of an object with properties of type string.
func schemaOf(properties ...string) object {
	all := object{}
	for _, p := range properties {
		all[p] = object{"type": "string"}
	}
	return object{"type": "object", "properties": all}
}

// mail is an integration that has a bit of everything.
func mail(name string) object {
	return object{
		"name": name, "version": "1.2.0", "title": "Mail", "description": "Sends mail", "sdkVersion": "7.0.0", "maxExecutionTime": 30,
		"actions": object{"send": object{
			"title": "Send", "billable": true, "cacheable": false, "input": object{"schema": schemaOf("to")}, "output": object{"schema": schemaOf("id")},
			"attributes": object{"kind": "mail"},
		}},
		"events":   object{"received": object{"schema": schemaOf("from"), "attributes": object{"a": "1", "b": "2"}}},
		"states":   object{"session": object{"type": "integration", "schema": schemaOf("token")}},
		"entities": object{"thread": object{"title": "Thread", "schema": schemaOf("id", "subject")}},
		"channels": object{"thread": object{
			"title":        "A thread",
			"messages":     object{"text": object{"schema": schemaOf("text")}, "image": object{"schema": schemaOf("imageUrl")}},
			"conversation": object{"tags": object{"subject": object{"title": "Subject"}}, "creation": object{"enabled": true, "requiredTags": []any{"subject"}}},
			"message":      object{"tags": object{"id": object{}}},
		}},
		"user":           object{"tags": object{"address": object{}}, "creation": object{"enabled": false, "requiredTags": []any{}}},
		"configuration":  object{"title": "Plain", "schema": schemaOf("token"), "identifier": object{"required": true, "linkTemplateScript": "\"https://x\""}},
		"configurations": object{"oauth": object{"schema": schemaOf(), "identifier": object{"linkTemplateScript": "link"}}},
		"identifier":     object{"extractScript": "extract", "fallbackHandlerScript": "fallback"},
		"attributes":     object{"tier": "gold"}, "secrets": object{"KEY": "k1", "OTHER": "o1"}, "code": "module.exports = {}",
		"layers": []any{"one"}, "extraOperations": object{"message_updated": object{"enabled": true}}, "url": "https://example.com/mail",
	}
}

func TestCreateIntegration(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		made := publish(t, a, "integration", mail(handle+"/mail"))
		sent := mail(handle + "/mail")
		want := object{
			"id": made["id"], "createdAt": made["createdAt"], "updatedAt": made["createdAt"], "name": handle + "/mail", "version": "1.2.0",
			"title": "Mail", "description": "Sends mail", "maxExecutionTime": 30.0, "url": "https://example.com/mail", "signingSecret": made["signingSecret"],
			"dev": false, "iconUrl": s.Base + "/v1/assets/icon.svg", "readmeUrl": s.Base + "/v1/assets/readme.md", "public": false, "visibility": "private",
			"verificationStatus": "unapproved", "lifecycleStatus": "published", "secrets": []any{"KEY", "OTHER"}, "attributes": object{"tier": "gold"},
			"interfaces": object{},
		}
		for _, member := range []string{"actions", "events", "states", "entities", "channels", "user", "configuration", "identifier"} {
			want[member] = sent[member]
		}
		want["configurations"] = object{"oauth": object{"schema": schemaOf(), "identifier": object{"required": false, "linkTemplateScript": "link"}}}
		if diff := cmp.Diff(want, made); diff != "" {
			t.Error(diff)
		}
		if !strings.HasPrefix(made["id"].(string), "intver_") || len(made["signingSecret"].(string)) != 48 {
			t.Errorf("id %v, signing secret %v", made["id"], made["signingSecret"])
		}
		want["signingSecret"] = ""
		if diff := cmp.Diff(want, getIntegration(t, a, made["id"])); diff != "" {
			t.Errorf("getIntegration answers another one than createIntegration: %s", diff)
		}
	})
}

// TestLeastIntegration holds what the command line reads without looking whether it
// is there.
func TestLeastIntegration(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		made := publish(t, a, "integration", object{
			"name": handle + "/least", "channels": object{"c": object{"messages": object{}}}, "configurations": object{"x": object{}},
			"interfaces": object{}, "ui": object{"deep": []any{object{"unknown": true}}},
		})
		empty := object{"type": "object", "properties": object{}}
		for path, want := range map[string]any{
			"title": "least", "description": "", "url": "", "secrets": []any{}, "identifier": object{}, "states": object{}, "events": object{}, "entities": object{},
			"configuration":  object{"identifier": object{"required": false}, "schema": empty},
			"configurations": object{"x": object{"identifier": object{"required": false}, "schema": empty}},
			"channels": object{"c": object{
				"messages": object{}, "message": object{"tags": object{}},
				"conversation": object{"tags": object{}, "creation": object{"enabled": false, "requiredTags": []any{}}},
			}},
			"user": object{"tags": object{}, "creation": object{"enabled": false, "requiredTags": []any{}}},
		} {
			if diff := cmp.Diff(want, made[path]); diff != "" {
				t.Errorf("%s: %s", path, diff)
			}
		}
	})
}

func TestRefusedIntegrations(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		publish(t, a, "integration", object{"name": handle + "/there"})
		with := func(changes object) object {
			body := object{"name": handle + "/new", "version": "1.0.0"}
			for key, value := range changes {
				body[key] = value
			}
			return body
		}
		many := func(n int, item any) object {
			all := object{}
			for i := range n {
				all[fmt.Sprint("k", i)] = item
			}
			return all
		}
		refusals := []refusal{
			{"no name", object{"version": "1.0.0"}, fault.InvalidPayload, []string{"name"}},
			{"no version", object{"name": handle + "/x"}, fault.InvalidPayload, []string{"version"}},
			{"empty name", with(object{"name": ""}), fault.InvalidPayload, []string{"name"}},
			{"two slashes", with(object{"name": handle + "/a/b"}), fault.InvalidPayload, []string{"a/b", "handle/name"}},
			{"spaces in the name", with(object{"name": handle + "/a b"}), fault.InvalidPayload, []string{"a b"}},
			{"long name", with(object{"name": handle + "/" + strings.Repeat("n", 200)}), fault.InvalidPayload, []string{"name"}},
			{"no semver", with(object{"version": "1.0"}), fault.InvalidPayload, []string{"1.0", "MAJOR.MINOR.PATCH"}},
			{"latest as a version", with(object{"version": "latest"}), fault.InvalidPayload, []string{"latest"}},
			{"version is a number", with(object{"version": 1}), fault.InvalidPayload, []string{"version"}},
			{"foreign handle", with(object{"name": "somebody-else/x"}), fault.Forbidden, []string{"somebody-else/x", handle + "/x"}},
			{"no handle", with(object{"name": "x"}), fault.Forbidden, []string{handle + "/x"}},
			{"there already", with(object{"name": handle + "/there"}), fault.AlreadyExists, []string{handle + "/there@1.0.0"}},
			{"dev without url", with(object{"dev": true}), fault.InvalidPayload, []string{"url"}},
			{"public dev", with(object{"dev": true, "url": "https://x.example", "visibility": "public"}), fault.InvalidPayload, []string{"development"}},
			{"url", with(object{"url": "nowhere"}), fault.InvalidPayload, []string{"url", "nowhere"}},
			{"visibility", with(object{"visibility": "secret"}), fault.InvalidPayload, []string{"visibility"}},
			{"title", with(object{"title": strings.Repeat("t", 65)}), fault.InvalidPayload, []string{"title"}},
			{"empty title", with(object{"title": ""}), fault.InvalidPayload, []string{"title"}},
			{"icon", with(object{"icon": "!!!"}), fault.InvalidPayload, []string{"icon", "base64"}},
			{"icon that is text", with(object{"icon": "aGVsbG8="}), fault.InvalidPayload, []string{"icon", "SVG"}},
			{"schema", with(object{"events": object{"e": object{"schema": object{"type": 3}}}}), fault.InvalidJSONSchema, []string{"events.e.schema"}},
			{"event without a schema", with(object{"events": object{"e": object{}}}), fault.InvalidPayload, []string{"schema"}},
			{"11 channels", with(object{"channels": many(11, object{"messages": object{}})}), fault.LimitExceeded, []string{"10 channels"}},
			{"21 message types", with(object{"channels": object{"c": object{"messages": many(21, object{"schema": object{}})}}}), fault.LimitExceeded, []string{"20 message types"}},
			{"26 secrets", with(object{"secrets": many(26, "v")}), fault.LimitExceeded, []string{"25 secrets"}},
			{"long secret", with(object{"secrets": object{"S": strings.Repeat("s", 20_001)}}), fault.InvalidPayload, []string{"S"}},
			{"long script", with(object{"identifier": object{"extractScript": strings.Repeat("s", 2001)}}), fault.InvalidPayload, []string{"extractScript"}},
			{"execution time", with(object{"maxExecutionTime": 0}), fault.InvalidPayload, []string{"maxExecutionTime", "1 to 900"}},
			{"long execution time", with(object{"maxExecutionTime": 901}), fault.InvalidPayload, []string{"maxExecutionTime", "901"}},
			{"interface", with(object{"interfaces": object{"i": object{"id": "ifver_01HF58AAAAAAAAAAAAAAAAAAAA"}}}), fault.ReferenceNotFound, []string{"ifver_01HF58AAAAAAAAAAAAAAAAAAAA"}},
			{"not JSON", "{", fault.InvalidPayload, nil},
			{"an array", []any{}, fault.InvalidPayload, nil},
			{"lone surrogate and NUL", `{"name":"` + handle + `/x","version":"1.0.0","title":"a\u0000"}`, fault.InvalidPayload, []string{"U+0000"}},
		}
		refuses(t, a, "POST", integrationsPath, refusals)
		// What only createIntegration is told is not refused by the validation.
		var checked []refusal
		for _, r := range refusals {
			if !strings.HasSuffix(r.name, "execution time") {
				checked = append(checked, r)
			}
		}
		refuses(t, a, "POST", integrationsPath+"/validate", checked)
	})
}

// TestValidateIntegration holds that validation passes what creation passes, and
// keeps nothing.
func TestValidateIntegration(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		before := a.State(t)
		body := mail(handle + "/mail")
		body["icon"], body["readme"] = "PHN2Zy8+", "aGVsbG8="
		for range 2 {
			var out object
			a.Do(t, "POST", integrationsPath+"/validate", body, &out)
			if len(out) != 0 {
				t.Errorf("it answers %v", out)
			}
		}
		if after := a.State(t); after != before {
			t.Errorf("validation kept something: %s", after)
		}
		made := publish(t, a, "integration", body)
		before = a.State(t)
		path := integrationPath(made["id"]) + "/validate"
		a.Do(t, "PUT", path, object{"title": "Other", "code": "2", "actions": object{"send": nil}, "secrets": object{"KEY": nil}}, nil)
		if after := a.State(t); after != before {
			t.Errorf("validation of an update kept something: %s", after)
		}
		a.Refused(t, fault.InvalidPayload, []string{"url"}, "PUT", path, object{"url": "nowhere"})
		a.Refused(t, fault.ResourceNotFound, nil, "PUT", integrationsPath+"/intver_01HF58AAAAAAAAAAAAAAAAAAAA/validate", object{})
		updateIntegration(t, a, made["id"], object{"visibility": "public"})
		a.Refused(t, fault.Forbidden, []string{"actions", "new version"}, "PUT", path, object{"actions": object{"send": nil}})
	})
}

// TestPatchIntegration walks through the rules of patches.
func TestPatchIntegration(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		made := publish(t, a, "integration", mail(handle+"/mail"))
		want := getIntegration(t, a, made["id"])
		for _, step := range []struct {
			name   string
			update object
			change func()
		}{
			{"nothing", object{}, func() {}},
			{"absent keeps", object{"url": "https://other.example"}, func() { want["url"] = "https://other.example" }},
			{"an empty identifier erases no script", object{"identifier": object{}}, func() {}},
			{"one script", object{"identifier": object{"extractScript": "new"}}, func() { want["identifier"].(object)["extractScript"] = "new" }},
			{"null erases a script", object{"identifier": object{"fallbackHandlerScript": nil}}, func() { delete(want["identifier"].(object), "fallbackHandlerScript") }},
			{"configuration by member", object{"configuration": object{"title": "T2"}}, func() { want["configuration"].(object)["title"] = "T2" }},
			{"its identifier by member", object{"configuration": object{"identifier": object{"required": false}}},
				func() { under(want, "configuration", "identifier").(object)["required"] = false }},
			{"null erases its script", object{"configuration": object{"identifier": object{"linkTemplateScript": nil}}},
				func() { delete(under(want, "configuration", "identifier").(object), "linkTemplateScript") }},
			{"a further configuration", object{"configurations": object{"more": object{"title": "More"}}}, func() {
				want["configurations"].(object)["more"] = object{"title": "More", "identifier": object{"required": false}, "schema": schemaOf()}
			}},
			{"null removes one", object{"configurations": object{"oauth": nil, "unknown": nil}}, func() { delete(want["configurations"].(object), "oauth") }},
			{"messages merge", object{"channels": object{"thread": object{"messages": object{"image": nil, "audio": object{"schema": object{}}}}}}, func() {
				messages := under(want, "channels", "thread", "messages").(object)
				delete(messages, "image")
				messages["audio"] = object{"schema": object{}}
			}},
			{"tags of conversations merge", object{"channels": object{"thread": object{"conversation": object{"tags": object{"id": object{}}}}}},
				func() { under(want, "channels", "thread", "conversation", "tags").(object)["id"] = object{} }},
			{"tags of messages merge", object{"channels": object{"thread": object{"message": object{"tags": object{"id": nil, "x": object{}}}}}},
				func() { under(want, "channels", "thread", "message").(object)["tags"] = object{"x": object{}} }},
			{"an item replaces the old one, but its attributes merge", object{"events": object{"received": object{"schema": schemaOf(), "attributes": object{"a": nil, "c": "3"}}}}, func() {
				want["events"].(object)["received"] = object{"schema": schemaOf(), "attributes": object{"b": "2", "c": "3"}}
			}},
			{"null removes an item", object{"actions": object{"send": nil, "never": nil}}, func() { want["actions"] = object{} }},
			{"tags of users", object{"user": object{"tags": object{"address": nil, "name": object{}}}}, func() { want["user"].(object)["tags"] = object{"name": object{}} }},
			{"creation", object{"user": object{"creation": object{"enabled": true, "requiredTags": []any{"name"}}}},
				func() { want["user"].(object)["creation"] = object{"enabled": true, "requiredTags": []any{"name"}} }},
			{"attributes", object{"attributes": object{"tier": nil, "x": "y"}}, func() { want["attributes"] = object{"x": "y"} }},
			{"secrets", object{"secrets": object{"KEY": nil, "NEW": "n"}}, func() { want["secrets"] = []any{"NEW", "OTHER"} }},
			{"no url", object{"url": nil}, func() { want["url"] = "" }},
			{"extra operations", object{"extraOperations": object{"message_updated": nil, "more": object{"enabled": false}}}, func() {}},
			{"unknown members", object{"nonsense": object{"a": 1}, "name": "other", "version": "9.9.9", "dev": true}, func() {}},
		} {
			got := updateIntegration(t, a, made["id"], step.update)
			step.change()
			want["updatedAt"] = got["updatedAt"]
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s: %s", step.name, diff)
			}
			if diff := cmp.Diff(want, getIntegration(t, a, made["id"])); diff != "" {
				t.Fatalf("%s, read back: %s", step.name, diff)
			}
		}
	})
}

func TestIntegrationByName(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		name := handle + "/ranged"
		for _, version := range []string{"0.9.0", "1.0.0", "1.2.0", "1.10.0", "2.0.0-beta.1"} {
			publish(t, a, "integration", object{"name": name, "version": version})
		}
		for reference, want := range map[string]string{
			"1.0.0": "1.0.0", "latest": "1.10.0", "*": "1.10.0", "^1.0.0": "1.10.0", "~1.2": "1.2.0", ">=1.0.0 <1.10.0-0": "1.2.0", "<1.0.0": "0.9.0",
			"<1.10.0": "1.2.0", "2.0.0-beta.1": "2.0.0-beta.1", "1.0.0 || 0.9.0": "1.0.0", "0.x": "0.9.0",
		} {
			if got := getPackage(t, a, catalogPath(integrationsPath, name, reference), "integration")["version"]; got != want {
				t.Errorf("%q is %v, want %s", reference, got, want)
			}
		}
		for _, reference := range []string{"3.0.0", "^3", "nonsense", "<0.9.0", "1.3"} {
			a.Refused(t, fault.ResourceNotFound, []string{name}, "GET", catalogPath(integrationsPath, name, reference), nil)
		}
		// The hub has none of them: they are private.
		a.Refused(t, fault.ResourceNotFound, []string{name}, "GET", catalogPath(hubPath+"integrations", name, "latest"), nil)
		stranger := s.Person(t)
		stranger.Refused(t, fault.ResourceNotFound, []string{name}, "GET", catalogPath(integrationsPath, name, "latest"), nil)
	})
}

// TestForeignIntegrations holds that a foreign integration and a missing one cannot
// be told apart, whatever form the id has.
func TestForeignIntegrations(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		stranger := s.Person(t)
		foreign := publish(t, a, "integration", object{"name": handle + "/private"})["id"].(string)
		for _, call := range []struct {
			method, path string
			body         any
		}{
			{"GET", "/v1/admin/integrations/%s", nil}, {"PUT", "/v1/admin/integrations/%s", object{"title": "x"}}, {"DELETE", "/v1/admin/integrations/%s", object{}},
			{"PUT", "/v1/admin/integrations/%s/validate", object{}}, {"POST", "/v1/admin/integrations/%s/signing-secrets/rotate", object{}},
			{"GET", "/v1/admin/integrations/iaks?integrationId=%s", nil}, {"GET", "/v1/admin/hub/integrations/%s", nil},
			{"POST", "/v1/admin/integrations/iaks", `{"integrationId":"%s"}`}, {"POST", "/v1/admin/integrations/request-verification", `{"integrationId":"%s"}`},
		} {
			ask := func(i string) string {
				path, body := strings.ReplaceAll(call.path, "%s", i), call.body
				if text, is := body.(string); is {
					body = strings.ReplaceAll(text, "%s", i)
				}
				answer := stranger.Ask(t, call.method, path, body)
				if answer.Status != 404 {
					t.Errorf("%s %s answers %d: %s", call.method, path, answer.Status, answer.Body)
				}
				return strings.ReplaceAll(answer.WithoutID(), i, "ID")
			}
			missing := ask("intver_01HF58AAAAAAAAAAAAAAAAAAAA")
			for _, i := range []string{foreign, "plugver_01HF58AAAAAAAAAAAAAAAAAAAA", "6a76fa10-e150-4ff6-8f59-a300feec06c1", "nonsense"} {
				if got := ask(i); got != missing {
					t.Errorf("%s %s: %s answers %s, a missing one %s", call.method, call.path, i, got, missing)
				}
			}
		}
	})
}

func TestDeleteIntegration(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		made := publish(t, a, "integration", mail(handle+"/mail"))
		bot := createBot(t, a, object{"name": "Post office"})["id"].(string)
		setUp(t, a, bot, object{"integrations": object{"mail": object{"integrationId": made["id"], "configuration": object{}, "enabled": false}}})
		a.Refused(t, fault.ReferenceConstraint, []string{"Post office", handle + "/mail@1.2.0"}, "DELETE", integrationPath(made["id"]), object{})
		setUp(t, a, bot, object{"integrations": object{"mail": nil}})

		developer, keeper := s.Person(t), s.Person(t)
		addMember(t, a, developer.Email, "developer")
		addMember(t, a, keeper.Email, "manager")
		developer, keeper = developer.In(a.Workspace), keeper.In(a.Workspace)
		developer.Refused(t, fault.Forbidden, []string{"developer"}, "DELETE", integrationPath(made["id"]), object{})
		own := publish(t, developer, "integration", object{"name": handle + "/own"})
		developer.Do(t, "DELETE", integrationPath(own["id"]), object{}, nil)
		keeper.Do(t, "DELETE", integrationPath(made["id"]), object{}, nil)
		a.Refused(t, fault.ResourceNotFound, nil, "GET", integrationPath(made["id"]), nil)
		a.Refused(t, fault.ResourceNotFound, nil, "DELETE", integrationPath(made["id"]), object{})
		// The version is free again, and what was copied from is gone with it.
		again := publish(t, a, "integration", object{"name": handle + "/mail", "version": "1.2.0"})
		if secrets := again["secrets"].([]any); len(secrets) != 0 {
			t.Errorf("it has the secrets %v of a deleted version", secrets)
		}
	})
}

func TestDevelopmentIntegrations(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		var ids []any
		for range 2 { // the same name and version, twice
			made := publish(t, a, "integration", object{"name": handle + "/x", "dev": true, "url": "https://tunnel.example/1", "code": "x"})
			if !strings.HasPrefix(made["id"].(string), "devint_") || made["dev"] != true {
				t.Errorf("made %v, dev %v", made["id"], made["dev"])
			}
			ids = append(ids, made["id"])
		}
		publish(t, a, "integration", object{"name": handle + "/x"})
		if got := listed(t, a, integrationsPath+"?dev=true", "integrations"); len(got) != 2 {
			t.Errorf("%v are listed for development", got)
		}
		for _, path := range []string{integrationsPath, integrationsPath + "?dev=false"} {
			if got := listed(t, a, path, "integrations"); len(got) != 1 {
				t.Errorf("%s lists %v", path, got)
			}
		}
		if got := updateIntegration(t, a, ids[0], object{"url": "https://tunnel.example/2"}); got["url"] != "https://tunnel.example/2" {
			t.Errorf("the url is %v", got["url"])
		}
		if got := getPackage(t, a, catalogPath(integrationsPath, handle+"/x", "latest"), "integration"); got["dev"] != false {
			t.Errorf("the name leads to %v", got["id"])
		}
		a.Refused(t, fault.InvalidPayload, []string{"development"}, "PUT", integrationPath(ids[0]), object{"visibility": "public"})
		a.Refused(t, fault.InvalidPayload, []string{"development"}, "POST", integrationsPath+"/request-verification", object{"integrationId": ids[0]})
		a.Do(t, "DELETE", integrationPath(ids[0]), object{}, nil)
	})
}

func TestIntegrationKeys(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		i := publish(t, a, "integration", object{"name": handle + "/x"})["id"]
		list := integrationsPath + "/iaks?integrationId=" + i.(string)
		create := func(body object) (key object) {
			a.Do(t, "POST", integrationsPath+"/iaks", body, &key)
			return key
		}
		first := create(object{"integrationId": i})
		nextMoment()
		second := create(object{"integrationId": i, "note": "for CI"})
		if first["note"] != "" || second["note"] != "for CI" || !strings.HasPrefix(second["value"].(string), "bp_iak_") || len(second["value"].(string)) != 43 {
			t.Errorf("made %v and %v", first, second)
		}
		var keys struct{ Iaks []object }
		a.Do(t, "GET", list, nil, &keys)
		want := []object{
			{"id": second["id"], "createdAt": second["createdAt"], "note": "for CI"}, {"id": first["id"], "createdAt": first["createdAt"], "note": ""},
		}
		if diff := cmp.Diff(want, keys.Iaks); diff != "" {
			t.Error(diff)
		}
		// A key opens no admin operation, and nothing at all once it is deleted.
		a.As(second["value"].(string)).Refused(t, fault.Forbidden, []string{"integration"}, "GET", integrationPath(i), nil)
		stranger := s.Person(t)
		stranger.Refused(t, fault.ResourceNotFound, nil, "DELETE", integrationsPath+"/iaks/"+second["id"].(string), object{})
		a.Do(t, "DELETE", integrationsPath+"/iaks/"+second["id"].(string), object{}, nil)
		a.Refused(t, fault.ResourceNotFound, nil, "DELETE", integrationsPath+"/iaks/"+second["id"].(string), object{})
		a.As(second["value"].(string)).Refused(t, fault.Unauthorized, nil, "GET", integrationPath(i), nil)
		a.Refused(t, fault.InvalidPayload, []string{"note"}, "POST", integrationsPath+"/iaks", object{"integrationId": i, "note": long(600)})
		a.Refused(t, fault.InvalidQuery, []string{"integrationId"}, "GET", integrationsPath+"/iaks", nil)
		a.Do(t, "DELETE", integrationPath(i), object{}, nil)
		a.As(first["value"].(string)).Refused(t, fault.Unauthorized, nil, "GET", integrationPath(i), nil)
	})
}

func TestRotateSigningSecret(t *testing.T) {
	harness.RunAlone(t, nil, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		made := publish(t, a, "integration", object{"name": handle + "/x"})
		secrets := func() []string {
			t.Helper()
			endpoint, _, err := s.Catalog.Endpoint(t.Context(), s.DB.Reader(t.Context()), id.Integration(made["id"].(string)))
			all := endpoint.SigningSecrets
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		rotate := func() string {
			var out struct{ NewSigningSecret string }
			a.Do(t, "POST", integrationPath(made["id"])+"/signing-secrets/rotate", object{}, &out)
			return out.NewSigningSecret
		}
		first := made["signingSecret"].(string)
		if diff := cmp.Diff([]string{first}, secrets()); diff != "" {
			t.Error(diff)
		}
		second := rotate()
		if diff := cmp.Diff([]string{second, first}, secrets()); diff != "" || second == first {
			t.Error(diff)
		}
		third := rotate()
		if diff := cmp.Diff([]string{third, second}, secrets()); diff != "" {
			t.Error(diff)
		}
		if _, err := development(s).Advance(24 * time.Hour); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{third}, secrets()); diff != "" {
			t.Errorf("a day later: %s", diff)
		}
		if got := getIntegration(t, a, made["id"])["signingSecret"]; got != "" {
			t.Errorf("the signing secret is shown: %v", got)
		}
	})
}
