package definition_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/wire"
)

// A definition that was taken out and put back, anywhere, is the same to the byte,
// and so is what is taken out of it then.
func TestSourceRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"a", "b", "né", "x.y", "2"})
		schema := rapid.SampledFrom([]wire.Object{wire.Object(`{}`), wire.Object(`{"type":"object","properties":{"n":{"const":1.0}}}`)})
		attributes := rapid.MapOfN(name, rapid.SampledFrom([]definition.Attribute{"x", ""}), 0, 3)
		title := rapid.SampledFrom([]string{"", "A title"})
		flag := rapid.SampledFrom([]*bool{nil, new(bool)})
		tags := rapid.MapOfN(name, rapid.Custom(func(t *rapid.T) definition.TagDefinition {
			return definition.TagDefinition{Title: title.Draw(t, "title")}
		}), 0, 3)
		drawn := definition.NewBot{
			User: definition.NewTagSet{Tags: tags.Draw(t, "user")}, Message: definition.NewTagSet{Tags: tags.Draw(t, "message")},
			States: rapid.MapOfN(name, rapid.Custom(func(t *rapid.T) definition.StateDefinition {
				return definition.StateDefinition{Type: "bot", Schema: schema.Draw(t, "schema")}
			}), 0, 3).Draw(t, "states"),
			Events: rapid.MapOfN(name, rapid.Custom(func(t *rapid.T) definition.EventDefinition {
				return definition.EventDefinition{Title: title.Draw(t, "title"), Schema: schema.Draw(t, "schema"), Attributes: attributes.Draw(t, "attributes")}
			}), 0, 3).Draw(t, "events"),
			Actions: rapid.MapOfN(name, rapid.Custom(func(t *rapid.T) definition.ActionDefinition {
				return definition.ActionDefinition{Billable: flag.Draw(t, "billable"), Input: definition.SchemaHolder{Schema: schema.Draw(t, "schema")}}
			}), 0, 3).Draw(t, "actions"),
			RecurringEvents: rapid.MapOfN(name, rapid.Custom(func(t *rapid.T) definition.RecurringEventSettings {
				return definition.RecurringEventSettings{Type: "tick", Schedule: definition.Schedule{Cron: "0 6 * * *"}, Payload: schema.Draw(t, "payload")}
			}), 0, 3).Draw(t, "recurring"),
			Configuration: definition.ConfigurationPatch{Data: schema.Draw(t, "data"), Schema: schema.Draw(t, "configuration")},
		}
		switch rapid.IntRange(0, 2).Draw(t, "subscriptions") {
		case 1:
			drawn.Subscriptions.Events = definition.EventSubscriptions{}
		case 2:
			drawn.Subscriptions.Events = definition.EventSubscriptions{"a": {}}
		}
		if rapid.Bool().Draw(t, "medias") {
			drawn.Medias = []definition.Media{{URL: "https://example.com/a", Name: "a"}}
		}
		first := stored(t, become(t, definition.EmptyBot(), drawn))
		out := text(t, parsed(t, first).Source())
		var source definition.NewBot
		if err := wire.ParseJSON([]byte(out), &source); err != nil {
			t.Fatal(err)
		}
		if again := text(t, source); again != out {
			t.Errorf("written again it is %s, and was %s", again, out)
		}
		other := definition.EmptyBot()
		other.Actions = map[string]definition.ActionDefinition{"old": {}}
		second := stored(t, become(t, other, source))
		if first != second {
			t.Errorf("put back it is %s, and was %s", second, first)
		}
		if again := text(t, parsed(t, second).Source()); again != out {
			t.Errorf("taken out again it is %s, and was %s", again, out)
		}
	})
}

// How a recurring event has gone is not taken along, and is kept where the event
// stays what it was.
func TestSourceLeavesFailures(t *testing.T) {
	reason := "nobody was there"
	settings := definition.RecurringEventSettings{Type: "tick", Schedule: definition.Schedule{Cron: "0 6 * * *"}, Payload: wire.Object(`{}`)}
	had := definition.EmptyBot()
	had.RecurringEvents = map[string]definition.RecurringEvent{"daily": {RecurringEventSettings: settings, FailedAttempts: 3, LastFailureReason: &reason}}
	if same := become(t, had, had.Source()).RecurringEvents["daily"]; same.FailedAttempts != 3 {
		t.Errorf("in the same bot it failed %v times", same.FailedAttempts)
	}
	if fresh := become(t, definition.EmptyBot(), had.Source()).RecurringEvents["daily"]; fresh.FailedAttempts != 0 || fresh.LastFailureReason != nil {
		t.Errorf("in a fresh bot it failed %v times", fresh.FailedAttempts)
	}
}

type fatal interface {
	Helper()
	Fatal(...any)
}

func become(t fatal, b definition.Bot, source definition.NewBot) definition.Bot {
	t.Helper()
	next, err := b.Become(source)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func stored(t fatal, b definition.Bot) string {
	t.Helper()
	out, err := b.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func parsed(t fatal, text string) definition.Bot {
	t.Helper()
	b, err := definition.ParseBot([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func text(t fatal, source definition.NewBot) string {
	t.Helper()
	out, err := wire.AppendJSON(nil, source)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
