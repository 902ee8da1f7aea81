package bot

import (
	"reflect"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// addresses are those of assets, for answers in tests.
type addresses struct{}

func (addresses) IconURL(h blob.Hash) string   { return "https://example.com/" + string(h) }
func (addresses) ReadmeURL(h blob.Hash) string { return "https://example.com/" + string(h) }

func answering() *Service {
	return New(Options{PublicURL: func() string { return "https://example.com" }, Assets: addresses{}})
}

// Without the header there is room for one instance of each integration.
func TestAnswerKeysIntegrations(t *testing.T) {
	b, err := emptyBot()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []Instance{{Alias: "a", Integration: "intver_1"}, {Alias: "b", Integration: "intver_2"}, {Alias: "c", Integration: "intver_1"}} {
		i.Configuration, i.DisabledChannels = wire.Object("{}"), "[]"
		i.Webhook = id.Webhook("hook-" + i.Alias)
		b.Integrations = append(b.Integrations, i)
	}
	for byAlias, want := range map[bool]map[string]string{
		true:  {"a": "hook-a", "b": "hook-b", "c": "hook-c"},
		false: {"intver_1": "hook-a", "intver_2": "hook-b"},
	} {
		var out struct {
			Bot struct {
				Integrations map[string]struct {
					WebhookID, WebhookURL string
				}
			}
		}
		if err := json.Unmarshal(answering().appendAnswer(nil, b, "", byAlias), &out, json.MatchCaseInsensitiveNames(true)); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for key, i := range out.Bot.Integrations {
			got[key] = i.WebhookID
			if i.WebhookURL != "https://example.com/webhook/"+i.WebhookID {
				t.Error(i.WebhookURL)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("by alias %v: %s", byAlias, diff)
		}
	}
}

// The answer is written by hand; its document is BotAnswer. One without unknown
// members and with all required ones fits the other.
func TestAnswerIsTheDocumentedOne(t *testing.T) {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schema := registry.Schema(reflect.TypeFor[BotAnswer](), true, "")
	least, err := emptyBot()
	if err != nil {
		t.Fatal(err)
	}
	least.ID, least.Name, least.Type, least.Status = id.NewBot(false, time.Now()), "", Studio, Active
	full := least
	full.ID, full.Dev = id.NewBot(true, time.Now()), true
	full.Name, full.Description = "quotes \" \\ \u2028 \x01 é 😀", ptr("line\nline")
	full.DeployedAt, full.MaxExecutionTime, full.CreatedBy = time.Now(), 60, id.NewAccount()
	full.Tags, full.SecretNames, full.AlwaysAlive, full.Type = `{"a":"\u00e9"}`, `["A"]`, true, Desk

	at := time.UnixMilli(1_700_000_000_000)
	of := Package{
		Name: "handle/name", Version: "1.0.0", Title: "Title", Visibility: "public", Verification: "approved", Lifecycle: "published",
		Icon: "icon", Readme: "readme", CreatedAt: at, UpdatedAt: at,
	}
	integration, plugin := id.NewIntegration(false, at), id.NewPlugin(at)
	full.Packages = 3
	full.Integrations = []Instance{
		{Alias: "one \"", Integration: integration, Enabled: true, ConfigurationType: ptr("other"), Configuration: wire.Object(`{"a":1.0}`), DisabledChannels: `["c"]`,
			Webhook: id.NewWebhook(), Identifier: "known", Status: Pending, StatusReason: "because", Of: of},
		{Alias: "two", Integration: integration, Configuration: wire.Object(`{}`), DisabledChannels: `[]`, Webhook: id.NewWebhook(), Status: Unregistered, Of: of},
	}
	full.Plugins = []PluginInstance{
		{Alias: "none", Plugin: plugin, Configuration: wire.Object(`{}`), Of: of},
		{Alias: "some", Plugin: plugin, Enabled: true, Configuration: wire.Object(`{"a":1.0}`), Of: of,
			Interfaces:   map[string]PluginInterface{"i": {IntegrationID: string(integration), IntegrationAlias: "two", IntegrationInterfaceAlias: "x", InterfaceID: string(id.NewInterface(at))}},
			Integrations: map[string]PluginIntegration{"j": {IntegrationID: string(integration), IntegrationAlias: "two"}}},
	}
	s := answering()
	for name, test := range map[string]struct {
		bot     Bot
		members int
	}{"least": {least, 23}, "full": {full, 27}} {
		t.Run(name, func(t *testing.T) {
			out := s.appendAnswer(nil, test.bot, "shh", true)
			var v any
			if err := json.Unmarshal(out, &v); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			path, result := huma.NewPathBuffer(nil, 0), huma.ValidateResult{}
			huma.Validate(registry, schema, path, huma.ModeReadFromServer, v, &result)
			for _, err := range result.Errors {
				t.Error(err)
			}
			members := v.(map[string]any)["bot"].(map[string]any)
			if len(members) != test.members {
				t.Errorf("%d members, want %d: %s", len(members), test.members, out)
			}
			want := map[string]any{"name": test.bot.Name, "signingSecret": "shh", "createdAt": test.bot.CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z")}
			for member, value := range want {
				if diff := cmp.Diff(value, members[member]); diff != "" {
					t.Errorf("%s: %s", member, diff)
				}
			}
		})
	}
}

func TestAnswerCopiesTheDefinition(t *testing.T) {
	b, err := emptyBot()
	if err != nil {
		t.Fatal(err)
	}
	b.ID, b.Definition = id.NewBot(false, time.Now()), `{"actions":{},"odd":{"n":1.00,"s":"\u00e9"}}`
	var out struct {
		Bot struct {
			Odd jsontext.Value `json:"odd"`
		} `json:"bot"`
	}
	if err := json.Unmarshal(answering().appendAnswer(nil, b, "", true), &out); err != nil {
		t.Fatal(err)
	}
	if got := string(out.Bot.Odd); got != `{"n":1.00,"s":"\u00e9"}` {
		t.Error(got)
	}
}

func BenchmarkAnswer(b *testing.B) {
	bot, err := emptyBot()
	if err != nil {
		b.Fatal(err)
	}
	bot.ID, bot.Name = id.NewBot(false, time.Now()), "name"
	b.ReportAllocs()
	s := answering()
	for b.Loop() {
		s.answer(bot, "", true)
	}
}
