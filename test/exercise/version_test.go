package exercise_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/workspace"
	"github.com/botyard/botyard/test/harness"
)

// botJSON is what getBotJson answers, to the byte.
func botJSON(t *testing.T, a *harness.Actor, of string) string {
	t.Helper()
	answer := a.Ask(t, "GET", botsPath+"/"+of+"/bot-json", nil)
	if answer.Status != http.StatusOK {
		t.Fatalf("getBotJson answered %d: %.500s", answer.Status, answer.Body)
	}
	return string(answer.Body)
}

// publishJSON publishes bot json as it came.
func publishJSON(t *testing.T, a *harness.Actor, bot, text string) {
	t.Helper()
	a.Do(t, "POST", botsPath+"/"+bot+"/publish-from-bot-json", `{"botJson":`+text+`}`, nil)
}

// saveVersion saves a version and answers its id.
func saveVersion(t *testing.T, a *harness.Actor, bot, name string) string {
	t.Helper()
	var out struct{ Version struct{ ID string } }
	a.Do(t, "POST", botsPath+"/"+bot+"/versions", object{"name": name}, &out)
	return out.Version.ID
}

func deployVersion(t *testing.T, a *harness.Actor, bot, version string) {
	t.Helper()
	a.Do(t, "POST", botsPath+"/"+bot+"/versions/deploy", object{"versionId": version}, nil)
}

// versionNames are those of a bot's versions, the newest first; the date of
// automatic ones is cut.
func versionNames(t *testing.T, a *harness.Actor, bot string) (names []string) {
	t.Helper()
	for _, v := range versions(t, a, bot) {
		name, _, _ := strings.Cut(v["name"].(string), " 2")
		names = append(names, name)
	}
	return names
}

func versions(t *testing.T, a *harness.Actor, of string) []object {
	t.Helper()
	var out struct{ Versions []object }
	a.Do(t, "GET", botsPath+"/"+of+"/versions", nil, &out)
	return out.Versions
}

// downloaded reads what an address gives, without a token.
func downloaded(t *testing.T, a *harness.Actor, address string) harness.Answer {
	t.Helper()
	path, ours := strings.CutPrefix(address, a.Base)
	if !ours {
		t.Fatalf("the address %q is not of this server", address)
	}
	return a.As("").In("").Ask(t, "GET", path, nil)
}

func versionURL(t *testing.T, a *harness.Actor, bot, version string) string {
	t.Helper()
	var out struct{ URL string }
	a.Do(t, "GET", botsPath+"/"+bot+"/versions/"+version, nil, &out)
	return out.URL
}

// actsOn are the trail's records of a bot, the newest first.
func actsOn(t *testing.T, a *harness.Actor, bot string) (acts []string) {
	t.Helper()
	var out struct{ Records []object }
	a.Do(t, "GET", workspacesPath+"/"+a.Workspace+"/audit-records?pageSize=100", nil, &out)
	for _, r := range out.Records {
		if r["resourceId"] == bot {
			value, _ := r["value"].(string)
			acts = append(acts, strings.TrimSpace(r["action"].(string)+" "+value))
		}
	}
	return acts
}

// rich is a bot with a definition, code, two instances of an integration, another
// integration and a plugin.
type rich struct {
	bot             string
	telegram, crm   string
	plugin          string
	handle          string
	telegramWebhook any
}

func makeRich(t *testing.T, a *harness.Actor, handle string) rich {
	t.Helper()
	r := rich{handle: handle}
	r.telegram = publish(t, a, "integration", telegram(handle))["id"].(string)
	r.crm = publish(t, a, "integration", object{"name": handle + "/crm", "url": obliging() + "/crm", "configuration": object{"schema": object{
		"type": "object", "required": []any{"key"}, "properties": object{
			"region": object{"type": "string"},
			"key":    object{"type": "string", "x-zui": object{"secret": true}},
		}}}})["id"].(string)
	r.plugin = publish(t, a, "plugin", object{"name": handle + "/greeter",
		"actions":      object{"greet": object{"input": object{"schema": object{}}, "output": object{"schema": object{}}}},
		"dependencies": object{"integrations": object{"chat": object{"id": r.telegram}}},
	})["id"].(string)
	r.bot = createBot(t, a, object{
		"name": "rich", "tags": object{"env": "prod"}, "secrets": object{"API_KEY": "hidden-secret-value"},
		"events":          object{"lead": object{"title": "Lead", "schema": object{"type": "object", "properties": object{"n": object{"const": 1}}}}},
		"recurringEvents": object{"daily": object{"type": "tick", "schedule": object{"cron": "0 6 * * *"}, "payload": object{"a": 1}}},
		"configuration":   object{"data": object{"greeting": "hi"}, "schema": object{"type": "object", "properties": object{"greeting": object{"type": "string"}}}},
		"code":            "module.exports = 'é 1'", "maxExecutionTime": 30,
	})["id"].(string)
	made := setUp(t, a, r.bot, object{
		"layers": []any{"base"},
		"integrations": object{
			"one": object{"integrationId": r.telegram, "configuration": object{"token": "t1"}, "disabledChannels": []any{"group"}},
			"two": object{"integrationId": r.telegram, "enabled": false, "configuration": object{}},
			"crm": object{"integrationId": r.crm, "configuration": object{"region": "eu", "key": "crm-secret-value"}},
		},
		"plugins": object{"greeter": object{"id": r.plugin, "integrations": object{"chat": object{"integrationId": r.telegram, "integrationAlias": "one"}}}},
		"code":    "module.exports = 'é 1'",
	})
	r.telegramWebhook = under(made, "integrations", "one", "webhookId")
	return r
}

// change makes another bot of it in every respect.
func (r rich) change(t *testing.T, a *harness.Actor) {
	t.Helper()
	setUp(t, a, r.bot, object{
		"layers": []any{}, "maxExecutionTime": 60, "type": "adk", "code": "module.exports = 2",
		"events": object{"lead": nil, "sale": object{"schema": object{}}}, "actions": object{"sell": object{"input": object{"schema": object{}}, "output": object{"schema": object{}}}},
		"recurringEvents": object{"daily": nil}, "configuration": object{"data": object{"greeting": "ho"}},
		"states":       object{"cart": object{"type": "user", "schema": object{}}},
		"plugins":      object{"greeter": nil},
		"integrations": object{"one": nil, "two": object{"enabled": true, "configuration": object{"token": "t2"}}, "crm": object{"configuration": object{"key": "another-secret"}}},
	})
}

func TestDeployVersion(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		r := makeRich(t, a, handle)
		bot := r.bot
		first, firstBot := botJSON(t, a, bot), readBot(t, a, bot)
		one := saveVersion(t, a, bot, "one")
		r.change(t, a)
		second, secondBot := botJSON(t, a, bot), readBot(t, a, bot)
		if first == second {
			t.Fatal("the change changed nothing")
		}
		two := saveVersion(t, a, bot, "two")

		// What is not of the version stays as it is.
		updateBot(t, a, bot, object{"name": "renamed", "tags": object{"env": "test"}, "secrets": object{"MORE": "x"}})
		deployVersion(t, a, bot, one)
		if got := botJSON(t, a, bot); got != first {
			t.Errorf("after deploying the first version the bot is\n%s\nand was\n%s", got, first)
		}
		back := readBot(t, a, bot)
		if back["deployedAt"] == secondBot["deployedAt"] || back["name"] != "renamed" || under(back, "tags", "env") != "test" || len(back["secrets"].([]any)) != 2 {
			t.Errorf("the bot is %v", back)
		}
		if got := under(back, "integrations", "one", "webhookId"); got != r.telegramWebhook {
			t.Errorf("the address of what was installed again is %v, and was %v", got, r.telegramWebhook)
		}
		if got := under(back, "integrations", "crm", "configuration", "key"); got != "crm-secret-value" {
			t.Errorf("the secret in the configuration is %v", got)
		}
		if under(back, "actions", "greeter#greet") == nil {
			t.Error("what the plugin brings is not there")
		}
		// Beside times, names and registration it is the bot that it was.
		for _, b := range []object{firstBot, back} {
			for _, member := range []string{"updatedAt", "deployedAt", "name", "tags", "secrets"} {
				delete(b, member)
			}
			for _, i := range b["integrations"].(object) {
				delete(i.(object), "status")
				delete(i.(object), "statusReason")
			}
		}
		if diff := cmp.Diff(firstBot, back); diff != "" {
			t.Errorf("the bot differs: %s", diff)
		}
		deployVersion(t, a, bot, two)
		if got := botJSON(t, a, bot); got != second {
			t.Errorf("after deploying the second version the bot is\n%s\nand was\n%s", got, second)
		}
		deployVersion(t, a, bot, two) // twice is once
		if got := botJSON(t, a, bot); got != second {
			t.Errorf("deploying it twice made\n%s", got)
		}
		// Deploying saves no version of its own.
		if got, want := versionNames(t, a, bot), []string{"two", "Deployed", "one", "Deployed", "Deployed"}; !cmp.Equal(got, want) {
			t.Errorf("the versions are %v, want %v", got, want)
		}
		// What no version holds is saved before it is replaced.
		updateBot(t, a, bot, object{"events": object{"unsaved": object{"schema": object{}}}})
		unsaved := botJSON(t, a, bot)
		deployVersion(t, a, bot, one)
		if got, want := versionNames(t, a, bot)[:2], []string{"Replaced", "two"}; !cmp.Equal(got, want) {
			t.Errorf("the newest versions are %v, want %v", got, want)
		}
		deployVersion(t, a, bot, versions(t, a, bot)[0]["id"].(string))
		if got := botJSON(t, a, bot); got != unsaved {
			t.Errorf("the bot that was replaced came back as\n%s\nand was\n%s", got, unsaved)
		}
		deployVersion(t, a, bot, one)
		deployVersion(t, a, bot, two)
		deployVersion(t, a, bot, two)
		acts := actsOn(t, a, bot)
		want := []string{`DEPLOY_BOT version "two" (` + two + ")", `DEPLOY_BOT version "two" (` + two + ")", `DEPLOY_BOT version "one" (` + one + ")"}
		if diff := cmp.Diff(want, acts[:3]); diff != "" {
			t.Errorf("the trail: %s", diff)
		}
		if !slices.Contains(acts, "DOWNLOAD_BOT_ARCHIVE bot json") || !slices.Contains(acts, "UPDATE_BOT saved version one ("+one+")") {
			t.Errorf("the trail lacks what was read and saved: %v", acts)
		}
	})
}

func TestVersions(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		bot := createBot(t, a, object{})["id"].(string)
		path := botsPath + "/" + bot + "/versions"
		if got := versions(t, a, bot); got == nil || len(got) != 0 {
			t.Errorf("a new bot has the versions %v", got)
		}
		refuses(t, a, "POST", path, []refusal{
			{"no name", object{}, fault.InvalidPayload, []string{"name"}},
			{"an empty name", object{"name": ""}, fault.InvalidPayload, []string{"name", "1 to 200"}},
			{"a long name", object{"name": long(201)}, fault.InvalidPayload, []string{"201"}},
			{"a long description", object{"name": "n", "description": long(2001)}, fault.InvalidPayload, []string{"2001"}},
			{"a name that is no text", object{"name": 1}, fault.InvalidPayload, []string{"name"}},
			{"the character U+0000", `{"name":"a\u0000"}`, fault.InvalidPayload, []string{"U+0000"}},
		})
		var made struct{ Version object }
		a.Do(t, "POST", path, object{"name": long(200), "description": "", "more": true}, &made)
		a.Do(t, "POST", path, object{"name": long(200)}, nil) // names may repeat
		want := []object{{"id": versions(t, a, bot)[0]["id"], "name": long(200)}, {"id": made.Version["id"], "name": long(200)}}
		if diff := cmp.Diff(want, versions(t, a, bot)); diff != "" {
			t.Error(diff)
		}
		id := made.Version["id"].(string)

		// Others see neither bot nor version, and another bot's version is not this one's.
		b := s.Person(t)
		other := createBot(t, a, object{})["id"].(string)
		for _, ask := range []struct {
			who          *harness.Actor
			method, path string
			body         any
		}{
			{b, "GET", path, nil}, {b, "POST", path, object{"name": "n"}}, {b, "GET", path + "/" + id, nil},
			{b, "POST", path + "/deploy", object{"versionId": id}}, {b, "GET", botsPath + "/" + bot + "/bot-json", nil},
			{a, "GET", botsPath + "/" + other + "/versions/" + id, nil}, {a, "POST", botsPath + "/" + other + "/versions/deploy", object{"versionId": id}},
			{a, "GET", path + "/botver_none", nil}, {a, "POST", path + "/deploy", object{"versionId": ""}},
		} {
			ask.who.Refused(t, fault.ResourceNotFound, nil, ask.method, ask.path, ask.body)
		}
		foreign, missing := a.Ask(t, "GET", botsPath+"/"+other+"/versions/"+id, nil), a.Ask(t, "GET", botsPath+"/"+other+"/versions/botver_00000000000000000000000000", nil)
		if got := strings.ReplaceAll(foreign.WithoutID(), id, "botver_00000000000000000000000000"); got != missing.WithoutID() {
			t.Errorf("another bot's: %s\na missing one: %s", got, missing.WithoutID())
		}

		// The address is good for a while, and as long as the version is there.
		url := versionURL(t, a, bot, id)
		if answer := downloaded(t, a, url); answer.Status != http.StatusOK || answer.Header.Get("Content-Type") != "application/json" ||
			answer.Header.Get("Content-Disposition") != "attachment; filename*=UTF-8''"+id+".json" {
			t.Errorf("the download is %d %v", answer.Status, answer.Header)
		}
		for _, wrong := range []string{url[:len(url)-len(id)-8] + "x/" + id, strings.Replace(url, "downloads/", "downloads/A", 1), a.Base + "/downloads/"} {
			if answer := downloaded(t, a, wrong); answer.Status != http.StatusNotFound {
				t.Errorf("%s: %d %s", wrong, answer.Status, answer.Body)
			}
		}
		again := versionURL(t, a, other, saveVersion(t, a, other, "n"))
		a.Do(t, "DELETE", botsPath+"/"+other, nil, nil)
		if answer := downloaded(t, a, again); answer.Status != http.StatusNotFound {
			t.Errorf("the bot is gone and the download %d %s", answer.Status, answer.Body)
		}
	})
}

func TestVersionDownloadExpires(t *testing.T) {
	harness.RunAlone(t, nil, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		bot := createBot(t, a, object{"code": "1"})["id"].(string)
		url := versionURL(t, a, bot, saveVersion(t, a, bot, "n"))
		if answer := downloaded(t, a, url); answer.Status != http.StatusOK {
			t.Fatalf("answered %d %s", answer.Status, answer.Body)
		}
		if _, err := development(s).Advance(16 * time.Minute); err != nil {
			t.Fatal(err)
		}
		if answer := downloaded(t, a, url); answer.Status != http.StatusNotFound {
			t.Errorf("16 minutes later: %d %s", answer.Status, answer.Body)
		}
	})
}

// Automatic versions never keep a deployment back: the oldest goes. Those that
// people save are counted against the plan.
func TestVersionLimits(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		setPlan(t, s, a, workspace.Plan("community"))
		bot := createBot(t, a, object{"code": "0"})["id"].(string)
		first := versions(t, a, bot)[0]["id"]
		updateBot(t, a, bot, object{"code": "0"}) // nothing new
		updateBot(t, a, bot, object{"name": "other"})
		if got := versions(t, a, bot); len(got) != 1 {
			t.Errorf("deploying the same made %d versions", len(got))
		}
		for _, name := range []string{"a", "b", "c"} {
			saveVersion(t, a, bot, name)
		}
		a.Refused(t, fault.QuotaExceeded, []string{"saved_versions", "community", "3"}, "POST", botsPath+"/"+bot+"/versions", object{"name": "d"})
		for i := range 25 {
			updateBot(t, a, bot, object{"code": strings.Repeat("x", i+1)})
		}
		names := versionNames(t, a, bot)
		if len(names) != 23 || names[19] != "Deployed" || names[20] != "c" || names[22] != "a" {
			t.Errorf("the versions are %v", names)
		}
		a.Refused(t, fault.ResourceNotFound, []string{first.(string)}, "POST", botsPath+"/"+bot+"/versions/deploy", object{"versionId": first})
		// Another bot has its own.
		setPlan(t, s, a, workspace.Plan("managed"))
		other := createBot(t, a, object{})["id"].(string)
		setPlan(t, s, a, workspace.Plan("community"))
		saveVersion(t, a, other, "a")
	})
}

// What cannot be restored is named, and nothing is changed.
func TestDeployVersionLacking(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		r := makeRich(t, a, handle)
		one := saveVersion(t, a, r.bot, "one")
		setUp(t, a, r.bot, object{"code": "module.exports = 2", "plugins": object{"greeter": nil}, "integrations": object{"one": nil, "two": nil, "crm": nil}})
		two, second := saveVersion(t, a, r.bot, "two"), botJSON(t, a, r.bot)
		a.Do(t, "DELETE", "/v1/admin/plugins/"+r.plugin, nil, nil)
		a.Do(t, "DELETE", "/v1/admin/integrations/"+r.telegram, nil, nil)
		before := readBot(t, a, r.bot)
		a.Refused(t, fault.ReferenceNotFound, []string{`version "one"`, handle + "/telegram 1.0.0", handle + "/greeter 1.0.0", `alias "one"`, `alias "two"`},
			"POST", botsPath+"/"+r.bot+"/versions/deploy", object{"versionId": one})
		if diff := cmp.Diff(before, readBot(t, a, r.bot)); diff != "" {
			t.Errorf("a refused deployment changed the bot: %s", diff)
		}
		// Downloaded, it goes without the configurations that nobody can judge.
		answer := downloaded(t, a, versionURL(t, a, r.bot, one))
		if text := string(answer.Body); answer.Status != http.StatusOK || strings.Contains(text, `"t1"`) || !strings.Contains(text, `"region":"eu"`) || strings.Contains(text, "crm-secret-value") {
			t.Errorf("the download is %d %s", answer.Status, text)
		}
		deployVersion(t, a, r.bot, two)
		if got := botJSON(t, a, r.bot); got != second {
			t.Errorf("the bot is %s", got)
		}
	})
}

// A version keeps what was deprecated since; bot json brings nothing deprecated in.
func TestDeployVersionDeprecated(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		of := publish(t, a, "integration", object{"name": handle + "/old", "url": obliging(), "visibility": "public"})["id"].(string)
		bot := createBot(t, a, object{"code": "1"})["id"].(string)
		setUp(t, a, bot, object{"integrations": object{"old": object{"integrationId": of}}})
		one, text := saveVersion(t, a, bot, "one"), botJSON(t, a, bot)
		setUp(t, a, bot, object{"integrations": object{"old": nil}})
		if err := s.Catalog.Deprecate(t.Context(), id.Integration(of)); err != nil {
			t.Fatal(err)
		}
		other := createBot(t, a, object{})["id"].(string)
		a.Refused(t, fault.InvalidPayload, []string{"deprecated"}, "POST", botsPath+"/"+other+"/publish-from-bot-json", `{"botJson":`+text+`}`)
		deployVersion(t, a, bot, one)
		if got := botJSON(t, a, bot); got != text {
			t.Errorf("the bot is %s", got)
		}
	})
}

// A bot without code becomes one without code again.
func TestDeployVersionWithoutCode(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		bot := createBot(t, a, object{"events": object{"e": object{"schema": object{}}}})["id"].(string)
		one, text := saveVersion(t, a, bot, "one"), botJSON(t, a, bot)
		if strings.Contains(text, `"code"`) {
			t.Errorf("bot json has code: %s", text)
		}
		updateBot(t, a, bot, object{"code": "1"})
		deployVersion(t, a, bot, one)
		if got := botJSON(t, a, bot); got != text {
			t.Errorf("the bot is %s", got)
		}
		updateBot(t, a, bot, object{"code": "1"})
		publishJSON(t, a, bot, text)
		if got := botJSON(t, a, bot); got != text {
			t.Errorf("the bot is %s", got)
		}
	})
}

// Deployments that meet each other and updates leave a bot that is one version,
// with whatever an update that came after it changed.
func TestDeploymentsThatMeet(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		r := makeRich(t, a, handle)
		as := map[string]string{}
		one := saveVersion(t, a, r.bot, "one")
		as[one] = botJSON(t, a, r.bot)
		r.change(t, a)
		two := saveVersion(t, a, r.bot, "two")
		as[two] = botJSON(t, a, r.bot)
		ids := []string{one, two}
		for range 3 {
			harness.Together(t, 16, func(i int) error {
				if i%4 == 3 {
					_, err := try(t, a, "PUT", botsPath+"/"+r.bot, object{"name": "name", "tags": object{"t": "x"}}, 200)
					return err
				}
				_, err := try(t, a, "POST", botsPath+"/"+r.bot+"/versions/deploy", object{"versionId": ids[i%2]}, 200)
				return err
			})
			text, bot := botJSON(t, a, r.bot), readBot(t, a, r.bot)
			if text != as[one] && text != as[two] {
				t.Fatalf("the bot is a mixture:\n%s\nof\n%s\nand\n%s", text, as[one], as[two])
			}
			if merged := under(bot, "actions", "greeter#greet") != nil; merged != (text == as[one]) {
				t.Errorf("what the plugin brings is there: %v", merged)
			}
			last := ""
			for _, act := range actsOn(t, a, r.bot) {
				if strings.HasPrefix(act, "DEPLOY_BOT version") {
					last = act
					break
				}
			}
			for id, of := range as {
				if (text == of) != strings.Contains(last, id) {
					t.Errorf("the trail's last deployment is %s, and the bot %s", last, text)
				}
			}
		}

		// An update of the definition comes before or after, and is never in between.
		with := updateOne(t, a, r.bot, one)
		for range 3 {
			deployVersion(t, a, r.bot, two)
			harness.Together(t, 2, func(i int) error {
				if i == 0 {
					_, err := try(t, a, "POST", botsPath+"/"+r.bot+"/versions/deploy", object{"versionId": one}, 200)
					return err
				}
				_, err := try(t, a, "PUT", botsPath+"/"+r.bot, object{"states": object{"late": object{"type": "bot", "schema": object{}}}}, 200)
				return err
			})
			if text := botJSON(t, a, r.bot); text != as[one] && text != with {
				t.Errorf("the bot is neither the version nor that with the update:\n%s", text)
			}
		}

		// Versions that are saved while others are deployed hold one or the other.
		harness.Together(t, 16, func(i int) error {
			if i%2 == 0 {
				_, err := try(t, a, "POST", botsPath+"/"+r.bot+"/versions", object{"name": "meanwhile"}, 200)
				return err
			}
			_, err := try(t, a, "POST", botsPath+"/"+r.bot+"/versions/deploy", object{"versionId": ids[i/2%2]}, 200)
			return err
		})
		for _, v := range versions(t, a, r.bot) {
			if v["name"] != "meanwhile" {
				continue
			}
			if text := string(downloaded(t, a, versionURL(t, a, r.bot, v["id"].(string))).Body); text != as[one] && text != as[two] && text != with {
				t.Errorf("a version is a mixture:\n%s", text)
			}
		}
	})
}

// updateOne is the bot as the version with an update of its definition.
func updateOne(t *testing.T, a *harness.Actor, bot, version string) string {
	t.Helper()
	deployVersion(t, a, bot, version)
	updateBot(t, a, bot, object{"states": object{"late": object{"type": "bot", "schema": object{}}}})
	return botJSON(t, a, bot)
}

// At the limit of a plan, of many that are saved at once only as many stay as it
// allows.
func TestVersionsThatMeet(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		setPlan(t, s, a, workspace.Plan("community"))
		bot := createBot(t, a, object{"code": "0"})["id"].(string)
		harness.Together(t, 12, func(i int) error {
			_, err := try(t, a, "POST", botsPath+"/"+bot+"/versions", object{"name": "v"}, 200, 403)
			return err
		})
		if names := versionNames(t, a, bot); len(names) != 4 {
			t.Errorf("the versions are %v, want 3 and the automatic one", names)
		}
		harness.Together(t, 32, func(i int) error {
			_, err := try(t, a, "PUT", botsPath+"/"+bot, object{"code": strings.Repeat("x", i+1)}, 200)
			return err
		})
		if names := versionNames(t, a, bot); len(names) != 23 {
			t.Errorf("there are %d versions, want 3 and the newest 20 automatic ones", len(names))
		}
	})
}

// An answer that is lost is asked for again: the same key saves and deploys once.
func TestVersionsRepeated(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		bot := createBot(t, a, object{"code": "0"})["id"].(string)
		path := botsPath + "/" + bot + "/versions"
		first := a.Ask(t, "POST", path, object{"name": "v"}, "Idempotency-Key", "save")
		again := a.Ask(t, "POST", path, object{"name": "v"}, "Idempotency-Key", "save")
		if string(first.Body) != string(again.Body) || len(versions(t, a, bot)) != 2 {
			t.Errorf("repeated it answers %s and %s, and there are %d versions", first.Body, again.Body, len(versions(t, a, bot)))
		}
	})
}
