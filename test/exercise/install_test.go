package exercise_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/test/harness"
)

// byAlias is the header of callers that know aliases.
var byAlias = []string{"x-multiple-integrations", "true"}

// counter makes handles and names that no other test has.
var counter = func() func() int64 {
	n := time.Now().UnixNano()
	return func() int64 { n++; return n }
}()

// shopkeeper is a person whose workspace may publish, and the handle.
func shopkeeper(t *testing.T, s *harness.Server) (*harness.Actor, string) {
	t.Helper()
	a := s.Person(t)
	handle := fmt.Sprint("shop-", counter())
	a.Do(t, "PUT", workspacesPath+"/"+a.Workspace, object{"handle": handle}, nil)
	return a, handle
}

// founder is the owner of the installation, in the platform's workspace.
func founder(t *testing.T, s *harness.Server) *harness.Actor {
	t.Helper()
	w, found, err := s.Workspaces.Platform(t.Context(), s.DB.Reader(t.Context()))
	if err != nil || !found {
		t.Fatalf("no platform workspace (%v)", err)
	}
	return &harness.Actor{Client: s.Client, Token: harness.OwnerToken, Email: harness.OwnerEmail, Workspace: string(w)}
}

// publish makes an integration, interface or plugin and answers it.
func publish(t *testing.T, a *harness.Actor, kind string, body object) object {
	t.Helper()
	if body["version"] == nil {
		body["version"] = "1.0.0"
	}
	if kind == "plugin" && body["code"] == nil {
		body["code"] = object{"node": "n", "browser": "b"}
	}
	var out map[string]object
	a.Do(t, "POST", "/v1/admin/"+kind+"s", body, &out)
	return out[kind]
}

// setUp updates a bot by aliases and answers it.
func setUp(t *testing.T, a *harness.Actor, bot, body any) object {
	t.Helper()
	var out struct{ Bot object }
	a.Do(t, "PUT", botsPath+"/"+bot.(string), body, &out, byAlias...)
	return out.Bot
}

// readBot is the bot with its integrations by alias.
func readBot(t *testing.T, a *harness.Actor, bot any) object {
	t.Helper()
	var out struct{ Bot object }
	a.Do(t, "GET", botsPath+"/"+bot.(string), nil, &out, byAlias...)
	return out.Bot
}

// under is the member of nested objects at a path of keys.
func under(v any, path ...string) any {
	for _, key := range path {
		v, _ = v.(object)[key]
	}
	return v
}

// telegram is an integration that is called and has to be configured.
func telegram(handle string) object {
	return object{
		"name": handle + "/telegram", "title": "Telegram", "description": "Chats", "url": obliging() + "/telegram",
		"configuration":  object{"schema": object{"type": "object", "properties": object{"token": object{"type": "string"}}, "required": []any{"token"}}},
		"configurations": object{"webhookless": object{"schema": object{"type": "object", "properties": object{}, "additionalProperties": false}}},
		"channels":       object{"dm": object{"messages": object{"text": object{"schema": object{}}}}, "group": object{"messages": object{}}},
	}
}

func TestInstallIntegrations(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		integration := publish(t, a, "integration", telegram(handle))
		of := integration["id"].(string)
		bot := createBot(t, a, object{})["id"].(string)
		token := object{"token": "t1"}

		made := setUp(t, a, bot, object{"integrations": object{"one": object{"integrationId": of, "configuration": token}}})
		one := under(made, "integrations", "one").(object)
		want := object{
			"enabled": true, "name": handle + "/telegram", "version": "1.0.0", "title": "Telegram", "description": "Chats",
			"webhookId": one["webhookId"], "webhookUrl": s.Base + "/webhook/" + one["webhookId"].(string),
			"configurationType": nil, "configuration": token, "disabledChannels": []any{}, "id": of,
			"status": "registered", "statusReason": nil,
			"createdAt": integration["createdAt"], "updatedAt": integration["updatedAt"], "iconUrl": integration["iconUrl"],
			"public": false, "visibility": "private", "verificationStatus": "unapproved", "lifecycleStatus": "published",
		}
		if diff := cmp.Diff(want, one); diff != "" {
			t.Error(diff)
		}
		if len(one["webhookId"].(string)) != 36 {
			t.Errorf("the webhook is %v", one["webhookId"])
		}
		if diff := cmp.Diff(made, readBot(t, a, bot)); diff != "" {
			t.Errorf("getBot answers another bot than updateBot: %s", diff)
		}

		// A second instance, switched off, needs no configuration yet.
		nextMoment()
		made = setUp(t, a, bot, object{"integrations": object{"two": object{"integrationId": of, "enabled": false}}})
		if diff := cmp.Diff(one, under(made, "integrations", "one")); diff != "" {
			t.Errorf("the first instance changed: %s", diff)
		}
		two := under(made, "integrations", "two").(object)
		if two["status"] != "unregistered" || two["statusReason"] != nil || two["enabled"] != false || two["webhookId"] == one["webhookId"] {
			t.Errorf("the second instance is %v", two)
		}

		// Without the header there is the first instance, by the integration's id.
		if diff := cmp.Diff(object{of: one}, getBot(t, a, bot)["integrations"]); diff != "" {
			t.Error(diff)
		}
		byID := updateBot(t, a, bot, object{"integrations": object{of: object{"disabledChannels": []any{"group", "dm", "dm"}}}})
		if got := under(byID, "integrations", of, "disabledChannels"); !cmp.Equal(got, []any{"dm", "group"}) {
			t.Errorf("disabled channels are %v", got)
		}

		// What an entry leaves out stays, in either form.
		made = setUp(t, a, bot, object{"integrations": object{"one": object{"enabled": true}}})
		one["disabledChannels"] = []any{"dm", "group"}
		if diff := cmp.Diff(one, under(made, "integrations", "one")); diff != "" {
			t.Error(diff)
		}
		made = setUp(t, a, bot, object{"integrations": object{"one": object{"configurationType": "webhookless", "configuration": object{}, "disabledChannels": []any{}}}})
		one["configurationType"], one["configuration"], one["disabledChannels"] = "webhookless", object{}, []any{}
		if diff := cmp.Diff(one, under(made, "integrations", "one")); diff != "" {
			t.Error(diff)
		}
		made = setUp(t, a, bot, object{"integrations": object{"one": object{"configurationType": nil, "configuration": token}}})
		one["configurationType"], one["configuration"] = nil, token
		if diff := cmp.Diff(one, under(made, "integrations", "one")); diff != "" {
			t.Error(diff)
		}
		made = setUp(t, a, bot, object{"name": "renamed"})
		if len(made["integrations"].(object)) != 2 {
			t.Errorf("after another update the integrations are %v", made["integrations"])
		}

		// Another version under the alias keeps the address and the configuration.
		next := telegram(handle)
		next["version"] = "1.1.0"
		upgraded := publish(t, a, "integration", next)
		made = setUp(t, a, bot, object{"integrations": object{"one": object{"integrationId": upgraded["id"]}}})
		one["id"], one["version"], one["createdAt"], one["updatedAt"] = upgraded["id"], "1.1.0", upgraded["createdAt"], upgraded["updatedAt"]
		if diff := cmp.Diff(one, under(made, "integrations", "one")); diff != "" {
			t.Error(diff)
		}

		// Null uninstalls, by alias or by id.
		made = setUp(t, a, bot, object{"integrations": object{"one": nil, "never there": nil}})
		if diff := cmp.Diff([]string{"two"}, slices.Sorted(maps.Keys(made["integrations"].(object)))); diff != "" {
			t.Error(diff)
		}
		if left := updateBot(t, a, bot, object{"integrations": object{of: nil}})["integrations"]; len(left.(object)) != 0 {
			t.Errorf("%v is left", left)
		}
		byID = updateBot(t, a, bot, object{"integrations": object{of: object{"configuration": token}}})
		if under(byID, "integrations", of, "enabled") != true {
			t.Errorf("installed by id: %v", byID["integrations"])
		}
		if left := setUp(t, a, bot, object{"integrations": object{of: nil}})["integrations"]; len(left.(object)) != 0 {
			t.Errorf("%v is left", left)
		}

		var stored int
		if err := s.DB.Reader(t.Context()).QueryRow(t.Context(), `SELECT COUNT(*) FROM bot_integrations WHERE bot_id = $1`, bot).Scan(&stored); err != nil || stored != 0 {
			t.Errorf("%d rows are left (%v)", stored, err)
		}
		var trail struct{ Records []object }
		a.Do(t, "GET", workspacesPath+"/"+a.Workspace+"/audit-records", nil, &trail)
		if got := trail.Records[0]; got["action"] != "UPDATE_BOT_CHANNEL" || got["resourceId"] != bot || got["value"] != "integrations" {
			t.Errorf("the trail says %v", got)
		}
	})
}

func TestInstallIsRefused(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		of := publish(t, a, "integration", telegram(handle))["id"]
		dev := telegram(handle)
		dev["dev"] = true
		devID := publish(t, a, "integration", dev)["id"]
		stranger, strange := shopkeeper(t, s)
		foreign := publish(t, stranger, "integration", telegram(strange))["id"].(string)
		foreignPlugin := publish(t, stranger, "plugin", object{"name": strange + "/plugin"})["id"].(string)
		plugin := publish(t, a, "plugin", object{"name": handle + "/plugin", "configuration": object{"schema": object{"type": "object", "properties": object{"n": object{"type": "number"}}}}})["id"]
		bot := createBot(t, a, object{})["id"].(string)
		token := object{"token": "t"}
		one := func(entry object) object { return object{"name": "changed", "integrations": object{"one": entry}} }
		many := object{}
		for i := range 31 {
			many[fmt.Sprint("i", i)] = object{"integrationId": of, "configuration": token}
		}
		manyPlugins := object{}
		for i := range 31 {
			manyPlugins[fmt.Sprint("p", i)] = object{"id": plugin}
		}
		refuses(t, a, "PUT", botsPath+"/"+bot, []refusal{
			{"no such integration", one(object{"integrationId": "intver_01J00000000000000000000000"}), fault.ReferenceNotFound, []string{"integrations.one", "intver_01J00000000000000000000000"}},
			{"no id at all", one(object{"enabled": true}), fault.ReferenceNotFound, []string{"integrations.one", `"one"`}},
			{"foreign integration", one(object{"integrationId": foreign}), fault.ReferenceNotFound, []string{"integrations.one"}},
			{"a plugin's id", one(object{"integrationId": plugin}), fault.ReferenceNotFound, []string{"integrations.one"}},
			{"no configuration", one(object{"integrationId": of}), fault.InvalidDataFormat, []string{"integrations.one.configuration", `"token"`}},
			{"wrong configuration", one(object{"integrationId": of, "enabled": false, "configuration": object{"token": 7}}), fault.InvalidDataFormat, []string{"integrations.one.configuration.token", "string"}},
			{"configuration of another type", one(object{"integrationId": of, "configurationType": "webhookless", "configuration": token}), fault.InvalidDataFormat, []string{"integrations.one.configuration", `"token"`}},
			{"unknown configuration type", one(object{"integrationId": of, "configurationType": "none"}), fault.InvalidPayload, []string{"integrations.one.configurationType", "webhookless"}},
			{"unknown channel", one(object{"integrationId": of, "configuration": token, "disabledChannels": []any{"sms"}}), fault.InvalidPayload, []string{"integrations.one.disabledChannels", `"dm", "group"`}},
			{"large configuration", one(object{"integrationId": of, "configuration": object{"token": strings.Repeat("x", 20_480)}}), fault.LimitExceeded, []string{"20480"}},
			{"many integrations", object{"integrations": many}, fault.LimitExceeded, []string{"30 integrations", "31"}},
			{"development integration", one(object{"integrationId": devID, "configuration": token}), fault.InvalidPayload, []string{"development"}},
			{"empty alias", object{"integrations": object{"": object{"integrationId": of}}}, fault.InvalidPayload, []string{"integrations"}},
			{"wrong shape", one(object{"integrationId": 7}), fault.InvalidPayload, []string{"integrations.one.integrationId"}},
			{"no such plugin", object{"plugins": object{"p": object{"id": "plugver_01J00000000000000000000000"}}}, fault.ReferenceNotFound, []string{"plugins.p"}},
			{"foreign plugin", object{"plugins": object{"p": object{"id": foreignPlugin}}}, fault.ReferenceNotFound, []string{"plugins.p"}},
			{"plugin without an id", object{"plugins": object{"p": object{"enabled": true}}}, fault.InvalidPayload, []string{"id"}},
			{"plugin's configuration", object{"plugins": object{"p": object{"id": plugin, "configuration": object{"n": "x"}}}}, fault.InvalidDataFormat, []string{"plugins.p.configuration.n"}},
			{"plugin's alias", object{"plugins": object{"p#q": object{"id": plugin}}}, fault.InvalidPayload, []string{"p#q"}},
			{"unknown dependency", object{"plugins": object{"p": object{"id": plugin, "interfaces": object{"x": object{"integrationId": of}}}}}, fault.InvalidPayload, []string{"plugins.p.interfaces", `"x"`}},
			{"many plugins", object{"plugins": manyPlugins}, fault.LimitExceeded, []string{"30 plugins"}},
		})
		if left := readBot(t, a, bot); len(left["integrations"].(object)) != 0 || len(left["plugins"].(object)) != 0 {
			t.Errorf("something was installed: %v %v", left["integrations"], left["plugins"])
		}

		// Foreign and missing are one.
		missing := "intver_01J00000000000000000000000"
		answers := map[string]string{}
		for _, integration := range []string{missing, foreign} {
			answer := a.Ask(t, "PUT", botsPath+"/"+bot, one(object{"integrationId": integration}))
			answers[integration] = strings.ReplaceAll(answer.WithoutID(), integration, "ID")
		}
		if answers[missing] != answers[foreign] {
			t.Errorf("a foreign integration answers\n%s, a missing one\n%s", answers[foreign], answers[missing])
		}

		// The limit keeps nobody from having 30, nor from removing.
		delete(many, "i30")
		if made := setUp(t, a, bot, object{"integrations": many}); len(made["integrations"].(object)) != 30 {
			t.Errorf("%d integrations", len(made["integrations"].(object)))
		}
		a.Refused(t, fault.LimitExceeded, []string{"31"}, "PUT", botsPath+"/"+bot, object{"integrations": object{"more": object{"integrationId": of, "configuration": token}}})
		setUp(t, a, bot, object{"integrations": object{"i0": nil, "more": object{"integrationId": of, "configuration": token}}})

		// Development bots may have development integrations.
		devBot := createBot(t, a, object{"dev": true, "url": "https://example.com"})["id"]
		made := setUp(t, a, devBot, object{"integrations": object{"one": object{"integrationId": devID, "configuration": token}}})
		if under(made, "integrations", "one", "id") != devID {
			t.Errorf("the development bot has %v", made["integrations"])
		}
		// The command line knows it by this version.
		if under(made, "integrations", "one", "version") != "dev" || getIntegration(t, a, devID)["version"] != "1.0.0" {
			t.Errorf("the development integration is installed as %v", under(made, "integrations", "one", "version"))
		}
	})
}

// Deprecated versions stay where they are and go nowhere else.
func TestInstallDeprecated(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		of := publish(t, a, "integration", telegram(handle))["id"].(string)
		has, hasNot := createBot(t, a, object{})["id"].(string), createBot(t, a, object{})["id"].(string)
		entry := object{"integrationId": of, "configuration": object{"token": "t"}}
		setUp(t, a, has, object{"integrations": object{"one": entry}})
		if err := s.Catalog.Deprecate(t.Context(), id.Integration(of)); err != nil {
			t.Fatal(err)
		}
		made := setUp(t, a, has, object{"integrations": object{"one": entry, "two": entry}})
		if under(made, "integrations", "two", "lifecycleStatus") != "deprecated" {
			t.Errorf("the bot has %v", made["integrations"])
		}
		a.Refused(t, fault.InvalidPayload, []string{"integrations.one", "deprecated"}, "PUT", botsPath+"/"+hasNot, object{"integrations": object{"one": entry}})
	})
}

// What is installed is counted by bots, named when it is to be deleted, and
// forgotten with the bots.
func TestInstallsAreCounted(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		body := telegram(handle)
		body["visibility"] = "public"
		of := publish(t, a, "integration", body)["id"].(string)
		entry := object{"integrationId": of, "configuration": object{"token": "t"}}
		installs := func() (n int64) {
			t.Helper()
			if err := s.DB.Reader(t.Context()).QueryRow(t.Context(), `SELECT installs FROM integrations WHERE id = $1`, of).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		want := func(n int64, when string) {
			t.Helper()
			if got := installs(); got != n {
				t.Errorf("%s: %d installs, want %d", when, got, n)
			}
		}
		own := createBot(t, a, object{"name": "Mine"})["id"].(string)
		setUp(t, a, own, object{"integrations": object{"one": entry, "two": entry}})
		want(1, "two instances")
		setUp(t, a, own, object{"integrations": object{"one": nil}})
		want(1, "one instance left")

		b := s.Person(t)
		var theirs []string
		for range 3 {
			bot := createBot(t, b, object{})["id"].(string)
			made := setUp(t, b, bot, object{"integrations": object{"one": entry}})
			if under(made, "integrations", "one", "public") != true {
				t.Errorf("another workspace's bot has %v", made["integrations"])
			}
			theirs = append(theirs, bot)
		}
		want(4, "three more bots")
		a.Refused(t, fault.ReferenceConstraint, []string{"Mine", "3"}, "DELETE", "/v1/admin/integrations/"+of, nil)

		setUp(t, a, own, object{"integrations": object{"two": nil}})
		want(3, "uninstalled")
		b.Do(t, "DELETE", botsPath+"/"+theirs[0], nil, nil)
		want(2, "a bot deleted")
		b.Do(t, "DELETE", workspacesPath+"/"+b.Workspace, nil, nil)
		want(0, "a workspace deleted")
		for _, table := range []string{"bot_integrations", "bot_plugins"} {
			var left int
			if err := s.DB.Reader(t.Context()).QueryRow(t.Context(), `SELECT COUNT(*) FROM `+table+` WHERE bot_id = $1`, theirs[1]).Scan(&left); err != nil || left != 0 {
				t.Errorf("%s has %d rows of a deleted workspace (%v)", table, left, err)
			}
		}
		a.Do(t, "PUT", "/v1/admin/integrations/"+of, object{"visibility": "private"}, nil)
		a.Do(t, "DELETE", "/v1/admin/integrations/"+of, nil, nil)
	})
}

func TestConfigurationsAreSealed(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		of := publish(t, a, "integration", telegram(handle))["id"]
		plugin := publish(t, a, "plugin", object{"name": handle + "/plugin"})["id"]
		bot := createBot(t, a, object{})["id"]
		made := setUp(t, a, bot, object{
			"integrations": object{"a": object{"integrationId": of, "configuration": object{"token": "hunter2"}}},
			"plugins":      object{"a": object{"id": plugin, "configuration": object{"token": "hunter2"}}},
		})
		if under(made, "integrations", "a", "configuration", "token") != "hunter2" || under(made, "plugins", "a", "configuration", "token") != "hunter2" {
			t.Errorf("the configurations are answered as %v and %v", made["integrations"], made["plugins"])
		}
		for _, table := range []string{"bot_integrations", "bot_plugins"} {
			var stored string
			if err := s.DB.Reader(t.Context()).QueryRow(t.Context(), `SELECT configuration FROM `+table+` WHERE bot_id = $1`, bot).Scan(&stored); err != nil || strings.Contains(stored, "hunter2") {
				t.Errorf("%s holds %s (%v)", table, stored, err)
			}
		}
	})
}

func TestListBotsByWhatIsInstalled(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		of := publish(t, a, "integration", telegram(handle))["id"]
		plugin := publish(t, a, "plugin", object{"name": handle + "/plugin"})["id"]
		entry := object{"integrationId": of, "configuration": object{"token": "t"}}
		createBot(t, a, object{"name": "none"})
		talks, both := createBot(t, a, object{"name": "talks"})["id"], createBot(t, a, object{"name": "both"})["id"]
		setUp(t, a, talks, object{"integrations": object{"one": entry, "two": entry}})
		setUp(t, a, both, object{"integrations": object{"one": entry}, "plugins": object{"p": object{"id": plugin}}})
		names := func(query string) (found []string) {
			t.Helper()
			var list struct{ Bots []struct{ Name string } }
			a.Do(t, "GET", botsPath+"?sortDirection=asc"+query, nil, &list)
			for _, b := range list.Bots {
				found = append(found, b.Name)
			}
			slices.Sort(found)
			return found
		}
		escaped := strings.ReplaceAll(handle, "/", "%2F") + "%2F"
		for query, want := range map[string][]string{
			"": {"both", "none", "talks"},
			"&integrationNames=" + escaped + "telegram":                                   {"both", "talks"},
			"&integrationNames=x&integrationNames=" + escaped + "telegram":                {"both", "talks"},
			"&pluginNames=" + escaped + "plugin":                                          {"both"},
			"&integrationNames=" + escaped + "telegram&pluginNames=" + escaped + "plugin": {"both"},
			"&integrationNames=telegram":                                                  nil,
		} {
			if diff := cmp.Diff(want, names(query)); diff != "" {
				t.Errorf("%s: %s", query, diff)
			}
		}
		a.Refused(t, fault.InvalidQuery, []string{"integrationNames"}, "GET", botsPath+"?"+strings.Repeat("integrationNames=x&", 51), nil)
	})
}

// Installations of one bot that meet lose nothing of each other.
func TestInstallationsThatMeet(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		of := publish(t, a, "integration", telegram(handle))["id"].(string)
		plugin := publish(t, a, "plugin", object{"name": handle + "/plugin", "actions": object{"run": schemas()}})["id"]
		bots := []string{createBot(t, a, object{})["id"].(string), createBot(t, a, object{})["id"].(string)}
		entry := object{"integrationId": of, "configuration": object{"token": "t"}}
		harness.Together(t, 48, func(i int) error {
			body := object{"actions": object{fmt.Sprint("own", i): schemas()}}
			if i%2 == 0 {
				body["integrations"] = object{fmt.Sprint("i", i): entry}
			} else {
				body["plugins"] = object{fmt.Sprint("p", i): object{"id": plugin}}
			}
			_, err := try(t, a, "PUT", botsPath+"/"+bots[i%2], body, 200)
			return err
		})
		installs := func() (n int64) {
			if err := s.DB.Reader(t.Context()).QueryRow(t.Context(), `SELECT installs FROM integrations WHERE id = $1`, of).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		even, odd := readBot(t, a, bots[0]), readBot(t, a, bots[1])
		if len(even["integrations"].(object)) != 24 || len(even["actions"].(object)) != 24 || installs() != 1 {
			t.Errorf("%d integrations, %d actions, %d installs", len(even["integrations"].(object)), len(even["actions"].(object)), installs())
		}
		if len(odd["plugins"].(object)) != 24 || len(odd["actions"].(object)) != 48 {
			t.Errorf("%d plugins, %d actions", len(odd["plugins"].(object)), len(odd["actions"].(object)))
		}
		harness.Together(t, 24, func(i int) error {
			_, err := try(t, a, "PUT", botsPath+"/"+bots[0], object{"integrations": object{fmt.Sprint("i", 2*i): nil}}, 200)
			return err
		})
		if left := readBot(t, a, bots[0])["integrations"].(object); len(left) != 0 || installs() != 0 {
			t.Errorf("%d integrations are left, %d installs", len(left), installs())
		}
	})
}

// Many bots that begin to have an integration, or cease to, are all counted.
func TestInstallsOfManyBots(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		of := publish(t, a, "integration", object{"name": handle + "/popular"})["id"].(string)
		bots := make([]string, 32)
		for i := range bots {
			bots[i] = createBot(t, a, object{})["id"].(string)
		}
		count := func() (n int64) {
			if err := s.DB.Reader(t.Context()).QueryRow(t.Context(), `SELECT installs FROM integrations WHERE id = $1`, of).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		harness.Together(t, len(bots), func(i int) error {
			_, err := try(t, a, "PUT", botsPath+"/"+bots[i], object{"integrations": object{"a": object{"integrationId": of}, "b": object{"integrationId": of}}}, 200)
			return err
		})
		if n := count(); n != 32 {
			t.Errorf("%d installs, want 32", n)
		}
		harness.Together(t, len(bots), func(i int) error {
			if i%2 == 0 {
				_, err := try(t, a, "DELETE", botsPath+"/"+bots[i], nil, 200)
				return err
			}
			_, err := try(t, a, "PUT", botsPath+"/"+bots[i], object{"integrations": object{"a": nil, "b": nil}}, 200)
			return err
		})
		if n := count(); n != 0 {
			t.Errorf("%d installs are left", n)
		}
	})
}

// schemas are those of an action that takes and gives anything.
func schemas() object {
	return object{"input": object{"schema": object{}}, "output": object{"schema": object{}}}
}
