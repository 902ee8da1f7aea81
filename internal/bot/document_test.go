package bot

import (
	"reflect"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/id"
)

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

	for name, test := range map[string]struct {
		bot     Bot
		members int
	}{"least": {least, 23}, "full": {full, 27}} {
		t.Run(name, func(t *testing.T) {
			out := appendAnswer(nil, test.bot, "shh")
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
	if err := json.Unmarshal(appendAnswer(nil, b, ""), &out); err != nil {
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
	for b.Loop() {
		answer(bot, "")
	}
}
