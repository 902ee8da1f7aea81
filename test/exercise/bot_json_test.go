package exercise_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/test/harness"
)

// The same bot in another workspace that can see what is installed, and nowhere a
// secret.
func TestPublishFromBotJSON(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		r := makeRich(t, a, handle)
		text := botJSON(t, a, r.bot)
		version := saveVersion(t, a, r.bot, "one")
		answer := downloaded(t, a, versionURL(t, a, r.bot, version))
		if answer.Status != http.StatusOK || string(answer.Body) != text {
			t.Errorf("the download is %d\n%s\nand bot json\n%s", answer.Status, answer.Body, text)
		}
		signing := createBot(t, a, object{})["signingSecret"].(string)
		for _, secret := range []string{"hidden-secret-value", "crm-secret-value", "API_KEY", signing, "signingSecret", "webhook", r.bot} {
			if strings.Contains(text, secret) {
				t.Errorf("bot json has %q: %s", secret, text)
			}
		}
		if !strings.Contains(text, `"token":"t1"`) {
			t.Errorf("bot json has no configuration: %s", text)
		}

		publishJSON(t, a, r.bot, text) // over itself
		if got := botJSON(t, a, r.bot); got != text {
			t.Errorf("over itself it is\n%s\nand was\n%s", got, text)
		}
		if key := under(readBot(t, a, r.bot), "integrations", "crm", "configuration", "key"); key != "crm-secret-value" {
			t.Errorf("the secret in the configuration became %v", key)
		}

		// Another bot lacks the secret, and is told so.
		other := createBot(t, a, object{"actions": object{"old": object{"input": object{"schema": object{}}, "output": object{"schema": object{}}}}, "code": "old"})["id"].(string)
		before := botJSON(t, a, other)
		a.Refused(t, fault.InvalidDataFormat, []string{"integrations.crm.configuration", `"key"`, "secret"}, "POST", botsPath+"/"+other+"/publish-from-bot-json", `{"botJson":`+text+`}`)
		if after := botJSON(t, a, other); after != before {
			t.Errorf("a refused one changed the bot to %s", after)
		}
		setUp(t, a, other, object{"integrations": object{"crm": object{"integrationId": r.crm, "configuration": object{"key": "its own"}}, "extra": object{"integrationId": r.telegram, "enabled": false}}})
		publishJSON(t, a, other, text)
		if got := botJSON(t, a, other); got != text {
			t.Errorf("in another bot it is\n%s\nand was\n%s", got, text)
		}
		if key := under(readBot(t, a, other), "integrations", "crm", "configuration", "key"); key != "its own" {
			t.Errorf("the secret of the other bot is %v", key)
		}
		if acts := actsOn(t, a, other); acts[1] != "DEPLOY_BOT bot json" {
			t.Errorf("the trail says %v", acts)
		}
		if got, want := versionNames(t, a, other), []string{"Deployed", "Replaced", "Deployed"}; !cmp.Equal(got, want) {
			t.Errorf("the versions are %v, want %v", got, want)
		}

		// In another workspace, private packages are named and nothing is changed.
		b := s.Person(t)
		foreign := createBot(t, b, object{"code": "old"})["id"].(string)
		before = botJSON(t, b, foreign)
		b.Refused(t, fault.ReferenceNotFound, []string{handle + "/telegram 1.0.0", handle + "/crm 1.0.0", handle + "/greeter 1.0.0", r.telegram, `alias "one"`},
			"POST", botsPath+"/"+foreign+"/publish-from-bot-json", `{"botJson":`+text+`}`)
		if after := botJSON(t, b, foreign); after != before {
			t.Errorf("a refused one changed the bot to %s", after)
		}
		simple := createBot(t, a, object{"events": object{"e": object{"schema": object{}}}, "code": "simple"})["id"].(string)
		publishJSON(t, b, foreign, botJSON(t, a, simple))
		if got := botJSON(t, b, foreign); got != botJSON(t, a, simple) {
			t.Errorf("in another workspace it is %s", got)
		}
	})
}

func TestPublishFromBotJSONRefuses(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		bot := createBot(t, a, object{"code": "first"})["id"].(string)
		var whole object
		a.Do(t, "GET", botsPath+"/"+bot+"/bot-json", nil, &whole)
		with := func(member string, value any) object {
			text, err := json.Marshal(whole)
			if err != nil {
				t.Fatal(err)
			}
			var other object
			if err := json.Unmarshal(text, &other); err != nil {
				t.Fatal(err)
			}
			if value == nil {
				delete(other, member)
			} else {
				other[member] = value
			}
			return object{"botJson": other}
		}
		schema := object{"schema": object{}}
		many := object{}
		for i := range 31 {
			many["a"+strings.Repeat("x", i)] = object{"id": "i", "name": "n", "version": "v", "enabled": false, "disabledChannels": []any{}}
		}
		refuses(t, a, "POST", botsPath+"/"+bot+"/publish-from-bot-json", []refusal{
			{"nothing", object{}, fault.InvalidPayload, []string{"botJson"}},
			{"no object", object{"botJson": []any{}}, fault.InvalidPayload, []string{"botJson"}},
			{"an empty one", object{"botJson": object{}}, fault.InvalidPayload, []string{"botJson", "format"}},
			{"another format", with("format", 2), fault.InvalidPayload, []string{"botJson.format"}},
			{"no definition", with("definition", nil), fault.InvalidPayload, []string{"definition"}},
			{"a wrong type", with("type", "robot"), fault.InvalidPayload, []string{"botJson.type"}},
			{"code that is no text", with("code", 1), fault.InvalidPayload, []string{"botJson.code"}},
			{"a negative time", with("maxExecutionTime", -1), fault.InvalidPayload, []string{"maxExecutionTime"}},
			{"a long title", with("definition", object{"events": object{"e": object{"title": long(65), "schema": object{}}}}), fault.InvalidPayload, []string{"title"}},
			{"a wrong schema", with("definition", object{"events": object{"e": object{"schema": object{"type": 7}}}}), fault.InvalidJSONSchema, []string{"e"}},
			{"an empty key", with("definition", object{"actions": object{"": object{"input": schema, "output": schema}}}), fault.InvalidPayload, []string{"actions"}},
			{"too many layers", with("layers", strings.Split(strings.Repeat("l,", 100), ",")), fault.LimitExceeded, []string{"layers"}},
			{"too many integrations", with("integrations", many), fault.LimitExceeded, []string{"31"}},
			{"an unknown integration", with("integrations", object{"x": object{"id": "intver_01", "name": "shop/x", "version": "2.0.0", "enabled": true, "disabledChannels": []any{}}}), fault.ReferenceNotFound, []string{"shop/x 2.0.0", "intver_01", `alias "x"`}},
			{"an unknown plugin", with("plugins", object{"p": object{"id": "plugver_01", "name": "shop/p", "version": "1", "enabled": true, "interfaces": object{}, "integrations": object{}}}), fault.ReferenceNotFound, []string{"shop/p 1", `alias "p"`}},
			{"an alias with the mark of plugins", with("plugins", object{"a#b": object{"id": "plugver_01", "name": "n", "version": "1", "enabled": true, "interfaces": object{}, "integrations": object{}}}), fault.InvalidPayload, []string{"a#b"}},
		})
		// What is new to this server is passed over.
		a.Do(t, "POST", botsPath+"/"+bot+"/publish-from-bot-json", with("future", object{"a": 1}), nil)
		b := s.Person(t)
		foreign := b.Ask(t, "POST", botsPath+"/"+bot+"/publish-from-bot-json", object{"botJson": whole})
		missing := b.Ask(t, "POST", botsPath+"/"+strings.Repeat("0", 36)+"/publish-from-bot-json", object{"botJson": whole})
		if got := strings.ReplaceAll(foreign.WithoutID(), bot, strings.Repeat("0", 36)); got != missing.WithoutID() {
			t.Errorf("a foreign bot: %s\na missing one: %s", got, missing.WithoutID())
		}
	})
}
