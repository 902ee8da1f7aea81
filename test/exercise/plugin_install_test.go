package exercise_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

// listing is an interface with one entity, published by the platform.
func listing(t *testing.T, s *harness.Server) object {
	t.Helper()
	return publish(t, founder(t, s), "interface", object{
		"name": fmt.Sprint("listing-", counter()), "public": true,
		"entities": object{"item": object{"schema": object{"type": "object", "properties": object{"id": object{"type": "string"}}, "required": []any{"id"}}}},
		"actions":  object{"list": object{"input": object{"schema": object{}}, "output": object{"schema": object{"$ref": "item"}}}},
	})
}

// file is the entity that a drive has for the item of a listing.
func file(more string) object {
	return object{"type": "object", "properties": object{"id": object{"type": "string"}, more: object{"type": "number"}}, "required": []any{"id"}}
}

// drive is an integration that implements a listing.
func drive(handle, version, property string, of object) object {
	return object{
		"name": handle + "/drive", "version": version, "url": obliging() + "/drive",
		"entities":   object{"file": object{"schema": file(property)}},
		"actions":    object{"listFiles": schemas()},
		"interfaces": object{"files": object{"id": of["id"], "entities": object{"item": object{"name": "file"}}, "actions": object{"list": object{"name": "listFiles"}}}},
	}
}

// syncer is a plugin that needs a listing.
func syncer(handle string, of object) object {
	item := object{"$ref": "interface:source/entities/item"}
	holder := object{"schema": object{"type": "object", "properties": object{"item": item, "n": object{"type": "number"}}}}
	return object{
		"name":         handle + "/syncer",
		"actions":      object{"sync": object{"title": "Sync", "input": holder, "output": object{"schema": object{}}}},
		"events":       object{"synced": object{"schema": holder["schema"]}},
		"states":       object{"progress": object{"type": "bot", "schema": object{"type": "array", "items": item}}},
		"user":         object{"tags": object{"synced": object{"title": "Synced"}}},
		"conversation": object{"tags": object{"source": object{}}},
		"message":      object{"tags": object{"copied": object{}}},
		"dependencies": object{"interfaces": object{"source": object{"id": of["id"]}}},
	}
}

func names(of any) []string { return slices.Sorted(maps.Keys(of.(object))) }

func TestInstallPlugins(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		of := listing(t, s)
		integration := publish(t, a, "integration", drive(handle, "1.0.0", "size", of))
		plugin := publish(t, a, "plugin", syncer(handle, of))
		bot := createBot(t, a, object{"actions": object{"own": schemas()}, "user": object{"tags": object{"mine": object{}}}})["id"].(string)

		// As the command line sends it: the whole installed package.
		entry := object{
			"id": plugin["id"], "type": "plugin", "uri": "x", "name": plugin["name"], "version": "1.0.0", "alias": "sync", "definition": object{"a": []any{1, object{"b": nil}}},
			"implementation": object{"type": "Buffer", "data": []any{1, 2, 3}}, "configuration": object{}, "integrations": object{},
			"interfaces": object{"source": object{"integrationId": integration["id"], "integrationAlias": "second", "integrationInterfaceAlias": "files", "version": "1.0.0"}},
		}
		instance := object{"integrationId": integration["id"]}
		made := setUp(t, a, bot, object{"integrations": object{"first": instance, "second": instance}, "plugins": object{"sync": entry}})
		installed := under(made, "plugins", "sync").(object)
		want := object{
			"enabled": true, "id": plugin["id"], "name": handle + "/syncer", "version": "1.0.0", "title": plugin["title"], "description": "",
			"configuration": object{}, "integrations": object{},
			"interfaces": object{"source": object{"integrationId": integration["id"], "integrationAlias": "second", "integrationInterfaceAlias": "files", "interfaceId": of["id"]}},
			"createdAt":  plugin["createdAt"], "updatedAt": plugin["updatedAt"], "iconUrl": plugin["iconUrl"], "readmeUrl": plugin["readmeUrl"],
			"public": false, "visibility": "private", "lifecycleStatus": "published",
		}
		if diff := cmp.Diff(want, installed); diff != "" {
			t.Error(diff)
		}
		merged := func(bot object, property string) {
			t.Helper()
			resolved := file(property)
			for path, got := range map[string]any{
				"actions": under(bot, "actions", "sync#sync", "input", "schema", "properties", "item"),
				"events":  under(bot, "events", "sync#synced", "schema", "properties", "item"),
				"states":  under(bot, "states", "sync#progress", "schema", "items"),
			} {
				if diff := cmp.Diff(resolved, got); diff != "" {
					t.Errorf("%s: %s", path, diff)
				}
			}
			got := map[string][]string{
				"actions": names(bot["actions"]), "user": names(under(bot, "user", "tags")), "conversation": names(under(bot, "conversation", "tags")), "message": names(under(bot, "message", "tags")),
			}
			want := map[string][]string{"actions": {"own", "sync#sync"}, "user": {"mine", "synced"}, "conversation": {"source"}, "message": {"copied"}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		}
		merged(made, "size")
		if diff := cmp.Diff(made, readBot(t, a, bot)); diff != "" {
			t.Errorf("getBot answers another bot than updateBot: %s", diff)
		}

		// The next deploy sends null for all that it does not know, and whoever sends
		// the bot as it was read sends what is the plugin's.
		again := object{
			"actions": object{"own": schemas(), "sync#sync": nil}, "events": object{"sync#synced": nil}, "states": object{"sync#progress": nil},
			"user": object{"tags": object{"mine": object{}, "synced": nil}}, "conversation": object{"tags": object{"source": nil}}, "message": object{"tags": object{"copied": nil}},
			"integrations": object{"first": instance, "second": instance}, "plugins": object{"sync": entry},
		}
		merged(setUp(t, a, bot, again), "size")
		merged(setUp(t, a, bot, object{"actions": object{"sync#sync": schemas()}}), "size")
		merged(setUp(t, a, bot, object{"description": "not about it"}), "size")

		// A plugin's integration is upgraded under its alias: the plugin follows.
		upgraded := publish(t, a, "integration", drive(handle, "2.0.0", "bytes", of))
		made = setUp(t, a, bot, object{"integrations": object{"second": object{"integrationId": upgraded["id"]}}})
		merged(made, "bytes")
		if got := under(made, "plugins", "sync", "interfaces", "source", "integrationId"); got != upgraded["id"] {
			t.Errorf("the plugin is bound to %v", got)
		}

		unmapped := drive(handle, "3.0.0", "bytes", of)
		unmapped["interfaces"] = object{"files": object{"id": of["id"], "actions": object{"list": object{"name": "listFiles"}}}}

		// What a plugin needs stays.
		refuses(t, a, "PUT", botsPath+"/"+bot, []refusal{
			{"uninstalled", object{"integrations": object{"second": nil}}, fault.ReferenceConstraint, []string{"plugins.sync", `"second"`}},
			{"another integration", object{"integrations": object{"second": object{"integrationId": publish(t, a, "integration", object{"name": handle + "/other"})["id"]}}}, fault.ReferenceConstraint, []string{"plugins.sync"}},
			{"a version without the entity", object{"integrations": object{"second": object{"integrationId": publish(t, a, "integration", unmapped)["id"]}}}, fault.ReferenceNotFound, []string{"plugins.sync: states.progress.schema", "interface:source/entities/item"}},
			{"not bound", object{"plugins": object{"sync": object{"id": plugin["id"], "interfaces": object{}}}}, fault.InvalidPayload, []string{"plugins.sync.interfaces", `"source"`}},
			{"bound to nothing", object{"plugins": object{"sync": object{"id": plugin["id"], "interfaces": object{"source": object{"integrationId": integration["id"], "integrationAlias": "none"}}}}}, fault.ReferenceNotFound, []string{"plugins.sync.interfaces.source"}},
		})
		a.Refused(t, fault.ReferenceConstraint, nil, "DELETE", "/v1/admin/plugins/"+plugin["id"].(string), nil)

		// Without an alias the first instance of the integration backs it.
		made = setUp(t, a, bot, object{"plugins": object{"sync": object{"id": plugin["id"], "interfaces": object{"source": object{"integrationId": integration["id"]}}}}})
		merged(made, "size")
		if got := under(made, "plugins", "sync", "interfaces", "source", "integrationAlias"); got != "first" {
			t.Errorf("the plugin is bound to %v", got)
		}
		setUp(t, a, bot, object{"integrations": object{"second": nil}})

		// Switched off it brings nothing, and again what it brought.
		off := setUp(t, a, bot, object{"plugins": object{"sync": object{"id": plugin["id"], "enabled": false}}})
		if diff := cmp.Diff([]string{"own"}, names(off["actions"])); diff != "" {
			t.Error(diff)
		}
		merged(setUp(t, a, bot, object{"plugins": object{"sync": object{"id": plugin["id"], "enabled": true}}}), "size")

		// Two of one kind.
		made = setUp(t, a, bot, object{"plugins": object{"copy": object{"id": plugin["id"], "interfaces": object{"source": object{"integrationId": integration["id"]}}}}})
		if diff := cmp.Diff([]string{"copy#sync", "own", "sync#sync"}, names(made["actions"])); diff != "" {
			t.Error(diff)
		}

		// Uninstalled together with what it needed, it leaves the bot's own.
		made = setUp(t, a, bot, object{"plugins": object{"sync": nil, "copy": nil}, "integrations": object{"first": nil}})
		if diff := cmp.Diff([]string{"own"}, names(made["actions"])); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(object{"tags": object{"mine": object{}}}, made["user"]); diff != "" {
			t.Error(diff)
		}
		if len(made["events"].(object))+len(made["states"].(object))+len(made["plugins"].(object))+len(made["integrations"].(object)) != 0 {
			t.Errorf("something is left: %v", made)
		}
		if diff := cmp.Diff(made, readBot(t, a, bot)); diff != "" {
			t.Error(diff)
		}
	})
}

// A plugin may need an integration itself.
func TestInstallPluginWithIntegration(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		integration := publish(t, a, "integration", object{"name": handle + "/mail"})
		other := publish(t, a, "integration", object{"name": handle + "/other"})
		plugin := publish(t, a, "plugin", object{"name": handle + "/mailer", "dependencies": object{"integrations": object{"post": object{"name": handle + "/mail", "version": "1.0.0"}}}})
		bot := createBot(t, a, object{})["id"].(string)
		instances := object{"mine": object{"integrationId": integration["id"]}, "other": object{"integrationId": other["id"]}}
		with := func(integration object, alias string) object {
			return object{"integrations": instances, "plugins": object{"p": object{"id": plugin["id"], "integrations": object{"post": object{"integrationId": integration["id"], "integrationAlias": alias}}}}}
		}
		refuses(t, a, "PUT", botsPath+"/"+bot, []refusal{
			{"not given", object{"integrations": instances, "plugins": object{"p": object{"id": plugin["id"]}}}, fault.InvalidPayload, []string{"plugins.p.integrations", `"post"`}},
			{"another one", with(other, "other"), fault.ReferenceNotFound, []string{"plugins.p.integrations.post", handle + "/mail"}},
			{"not that alias", with(integration, "other"), fault.ReferenceNotFound, []string{"plugins.p.integrations.post"}},
		})
		made := setUp(t, a, bot, with(integration, "mine"))
		if diff := cmp.Diff(object{"post": object{"integrationId": integration["id"], "integrationAlias": "mine"}}, under(made, "plugins", "p", "integrations")); diff != "" {
			t.Error(diff)
		}
		a.Refused(t, fault.ReferenceConstraint, []string{"plugins.p", `"mine"`}, "PUT", botsPath+"/"+bot, object{"integrations": object{"mine": nil}})
	})
}
