package exercise_test

import (
	"context"
	"html"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/test/harness"
)

func TestRotateBotSecret(t *testing.T) {
	harness.RunAlone(t, nil, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		made := createBot(t, a, object{})
		bot := made["id"].(string)
		path := botsPath + "/" + bot + "/signing-secrets/rotate"
		rotate := func() string {
			t.Helper()
			var out struct{ NewSigningSecret string }
			a.Do(t, "POST", path, object{}, &out)
			return out.NewSigningSecret
		}
		good := func(ctx context.Context) []string {
			t.Helper()
			secrets, err := s.Bots.SigningSecrets(ctx, s.DB.Reader(ctx), id.Bot(bot))
			if err != nil {
				t.Fatal(err)
			}
			return secrets
		}
		first := made["signingSecret"].(string)
		if diff := cmp.Diff([]string{first}, good(t.Context())); diff != "" {
			t.Error(diff)
		}
		second := rotate()
		if len(second) != len(first) || second == first || getBot(t, a, bot)["signingSecret"] != "" {
			t.Errorf("the new secret is %q", second)
		}
		if diff := cmp.Diff([]string{second, first}, good(t.Context())); diff != "" {
			t.Error(diff)
		}
		third := rotate()
		if diff := cmp.Diff([]string{third, second}, good(t.Context())); diff != "" {
			t.Error(diff)
		}
		if record := lastAct(t, a); record["value"] != "signing secret rotated" || strings.Contains(record["value"].(string), third) {
			t.Errorf("the record is %v", record)
		}
		rotate()
		fourth := good(t.Context())[0]
		if _, err := development(s).Advance(24*time.Hour - time.Minute); err != nil {
			t.Fatal(err)
		}
		if len(good(t.Context())) != 2 {
			t.Error("the old secret is good for less than a day")
		}
		if _, err := development(s).Advance(2 * time.Minute); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{fourth}, good(t.Context())); diff != "" {
			t.Error(diff)
		}
		s.Person(t).Refused(t, fault.ResourceNotFound, []string{bot}, "POST", path, object{})
		colleague(t, s, a, "viewer").Refused(t, fault.Forbidden, []string{"bot.write"}, "POST", path, object{})
		none, err := s.Bots.SigningSecrets(t.Context(), s.DB.Reader(t.Context()), "none")
		if err != nil || len(none) != 0 {
			t.Errorf("a missing bot has %v (%v)", none, err)
		}
	})
}

func TestShareableIDs(t *testing.T) {
	harness.RunAlone(t, nil, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		of := publish(t, a, "integration", object{"name": handle + "/shared"})["id"].(string)
		absent := publish(t, a, "integration", object{"name": handle + "/absent"})["id"].(string)
		bot := createBot(t, a, object{})["id"].(string)
		setUp(t, a, bot, object{"integrations": object{"old": object{"integrationId": of}}})
		nextMoment()
		setUp(t, a, bot, object{"integrations": object{"new": object{"integrationId": of}}})
		base := botsPath + "/" + bot + "/integrations/" + of
		path := base + "/shareable-id"
		make := func(query string) string {
			t.Helper()
			var out object
			a.Do(t, "POST", path+query, object{}, &out)
			return out["shareableId"].(string)
		}
		read := func(query string) (out object) {
			t.Helper()
			a.Do(t, "GET", path+query, nil, &out)
			return out
		}
		const old, recent = "?integrationInstanceAlias=old", "?integrationInstanceAlias=new"
		a.Refused(t, fault.ResourceNotFound, []string{"old", "createIntegrationShareableId"}, "GET", path, nil)
		first := make("")
		second := make(recent)
		if len(first) != 36 || first == second {
			t.Errorf("the ids are %q and %q", first, second)
		}
		for query, want := range map[string]string{"": first, old: first, recent: second} {
			if diff := cmp.Diff(object{"shareableId": want, "isExpired": false}, read(query)); diff != "" {
				t.Errorf("%q: %s", query, diff)
			}
		}
		third := make(old)
		if third == first || read("")["shareableId"] != third {
			t.Error("a new id does not take the place of the old one")
		}
		for wrong, words := range map[string][]string{
			path + "?integrationInstanceAlias=nope":               {`"nope"`},
			botsPath + "/" + bot + "/integrations/x/shareable-id": {`"x"`},
			strings.Replace(path, of, absent, 1):                  {absent},
		} {
			for _, method := range []string{"POST", "GET", "DELETE"} {
				var body any = object{}
				if method == "GET" {
					body = nil
				}
				a.Refused(t, fault.ResourceNotFound, words, method, wrong, body)
			}
			a.Refused(t, fault.ResourceNotFound, words, "DELETE", strings.Replace(wrong, "shareable-id", "sandboxed-conversations", 1), nil)
		}

		// Nothing is linked, and the links that were handed out stay.
		answer := a.Ask(t, "DELETE", base+"/sandboxed-conversations", object{})
		if answer.Status != 200 || string(answer.Body) != "{}" || read("")["shareableId"] != third {
			t.Errorf("unlinking answered %d %s", answer.Status, answer.Body)
		}

		if _, err := development(s).Advance(30*24*time.Hour + time.Second); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(object{"shareableId": third, "isExpired": true}, read("")); diff != "" {
			t.Error(diff)
		}
		make("")
		if read("")["isExpired"] != false {
			t.Error("a new id is expired")
		}
		a.Do(t, "DELETE", path, object{}, nil)
		a.Refused(t, fault.ResourceNotFound, []string{"old"}, "DELETE", path, nil)
		a.Refused(t, fault.ResourceNotFound, []string{"old"}, "GET", path, nil)
		if read(recent)["shareableId"] != second {
			t.Error("the other instance lost its id")
		}
		// What is installed anew was not shared.
		setUp(t, a, bot, object{"integrations": object{"new": nil}})
		setUp(t, a, bot, object{"integrations": object{"new": object{"integrationId": of}}})
		a.Refused(t, fault.ResourceNotFound, []string{"new"}, "GET", path+recent, nil)
		viewer := colleague(t, s, a, "viewer")
		viewer.Refused(t, fault.Forbidden, []string{"bot.write"}, "POST", path, object{})
		viewer.Refused(t, fault.ResourceNotFound, []string{"old"}, "GET", path, nil)
	})
}

func TestWebchat(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		owner := founder(t, s)
		// The name is the platform's: whichever test comes first publishes it.
		publication := owner.Ask(t, "POST", "/v1/admin/integrations", object{"name": "webchat", "version": "0.0.1", "visibility": "public"})
		if publication.Status != 200 && publication.Status != 409 {
			t.Fatalf("%d %s", publication.Status, publication.Body)
		}
		var found struct{ Integration object }
		owner.Do(t, "GET", "/v1/admin/integrations/webchat/0.0.1", nil, &found)
		a := s.Person(t)
		bot := createBot(t, a, object{})["id"].(string)
		path := botsPath + "/" + bot + "/webchat"
		types := []string{"preconfigured", "configurable", "fullscreen", "sharableUrl"}
		none := func() {
			t.Helper()
			for _, kind := range types {
				a.Refused(t, fault.ResourceNotFound, []string{`"webchat"`, "updateBot"}, "GET", path+"?type="+kind, nil)
			}
		}
		none()
		install := func(enabled bool) object {
			t.Helper()
			return under(setUp(t, a, bot, object{"integrations": object{"chat": object{"integrationId": found.Integration["id"], "enabled": enabled}}}), "integrations", "chat").(object)
		}
		install(false)
		none()
		client := install(true)["webhookId"].(string)
		code := func(kind string) string {
			t.Helper()
			var out object
			a.Do(t, "GET", path+"?type="+kind, nil, &out)
			return out["code"].(string)
		}
		const inject = `<script src="https://cdn.botpress.cloud/webchat/v1/inject.js"></script>`
		init := `window.botpressWebChat.init({"botId":"` + bot + `","clientId":"` + client + `","hostUrl":"https://cdn.botpress.cloud/webchat/v1","messagingUrl":"https://messaging.botpress.cloud"`
		for kind, words := range map[string][]string{
			"preconfigured": {inject, `<script src="https://mediafiles.botpress.cloud/` + bot + `/webchat/config.js" defer></script>`},
			"configurable":  {inject, init + "});"},
			"fullscreen":    {inject, init + `,"hideWidget":true,"containerWidth":"100%25","layoutWidth":"100%25","disableAnimations":true});`, `["LIFECYCLE.LOADED"]`},
		} {
			got := html.UnescapeString(strings.ReplaceAll(code(kind), `\/`, "/"))
			for _, word := range words {
				if !strings.Contains(got, word) {
					t.Errorf("%s lacks %s:\n%s", kind, word, got)
				}
			}
		}
		if got, want := code("sharableUrl"), "https://mediafiles.botpress.cloud/"+bot+"/webchat/bot.html"; got != want {
			t.Errorf("the address is %s", got)
		}
		a.Refused(t, fault.InvalidQuery, []string{"type"}, "GET", path, nil)
		a.Refused(t, fault.InvalidQuery, []string{"type"}, "GET", path+"?type=shareableUrl", nil)
		s.Person(t).Refused(t, fault.ResourceNotFound, []string{bot}, "GET", path+"?type=configurable", nil)
	})
}

// TestWebchatHosts: the hosts are those of the settings, and what stands in them
// cannot leave its place in the snippet.
func TestWebchatHosts(t *testing.T) {
	flags := []string{
		"--webchat-host-url", "https://chat.example.com/v1/", "--webchat-messaging-url", "http://localhost:1/</script>",
		"--webchat-files-url", `https://files.example.com/"<i>`, "--webchat-integration", "talk",
	}
	harness.RunAlone(t, flags, func(t *testing.T, s *harness.Server) {
		owner := founder(t, s)
		chat := publish(t, owner, "integration", object{"name": "talk"})["id"]
		bot := createBot(t, owner, object{})["id"].(string)
		setUp(t, owner, bot, object{"integrations": object{"chat": object{"integrationId": chat}}})
		for _, kind := range []string{"preconfigured", "configurable", "fullscreen"} {
			var out struct{ Code string }
			owner.Do(t, "GET", botsPath+"/"+bot+"/webchat?type="+kind, nil, &out)
			if !strings.HasPrefix(out.Code, `<script src="https://chat.example.com/v1/inject.js"></script>`) {
				t.Errorf("%s:\n%s", kind, out.Code)
			}
			if strings.Count(out.Code, "<script") != 2 || strings.Count(out.Code, "</script>") != 2 || strings.Contains(out.Code, "<i>") {
				t.Errorf("%s:\n%s", kind, out.Code)
			}
		}
	})
}
