package definition

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

func parse[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := wire.ParseJSON([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func made(t *testing.T, text string) Bot {
	t.Helper()
	p := parse[NewBot](t, text).Patch()
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	b, err := EmptyBot().Apply(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func text(t *testing.T, b Bot) string {
	t.Helper()
	s, err := b.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(s)
}

// members are the members of a definition, as bytes.
func members(t *testing.T, b Bot) map[string]string {
	t.Helper()
	parts := parse[map[string]jsontext.Value](t, text(t, b))
	strings := map[string]string{}
	for name, value := range parts {
		strings[name] = string(value)
	}
	return strings
}

func TestEmptyBot(t *testing.T) {
	want := `{"user":{"tags":{}},"conversation":{"tags":{}},"message":{"tags":{}},"states":{},` +
		`"configuration":{"data":{},"schema":{"type":"object","properties":{}}},"events":{},"recurringEvents":{},` +
		`"subscriptions":{"events":null},"actions":{},"medias":[]}`
	if diff := cmp.Diff(want, text(t, EmptyBot())); diff != "" {
		t.Error(diff)
	}
}

// The numbers, escapes and orders of free-form JSON that no decoder would keep.
const odd = `{"b":1.00,"a":"\u00e9\/","n":12345678901234567890,"$ref":"interface:x/entities/y"}`

func TestPatch(t *testing.T) {
	base := `{
		"user":{"tags":{"vip":{"title":"VIP"}}},
		"states":{"s":{"type":"user","schema":` + odd + `,"expiry":60000}},
		"events":{"e":{"title":"E","schema":` + odd + `,"attributes":{"x":"1","y":"2"}}},
		"actions":{"a":{"billable":false,"input":{"schema":{}},"output":{"schema":` + odd + `},"attributes":{"x":"1"}}},
		"recurringEvents":{"r":{"schedule":{"cron":"* * * * *"},"type":"tick","payload":` + odd + `}},
		"configuration":{"data":` + odd + `,"schema":{"type":"object"}},
		"medias":[{"url":"u","name":"n"}]
	}`
	for name, test := range map[string]struct {
		patch string
		want  map[string]string // members that differ from the base
	}{
		"nothing":              {`{}`, nil},
		"empty members":        {`{"user":{},"events":{},"configuration":{}}`, nil},
		"unknown members":      {`{"states":{"s":{"type":"user","schema":` + odd + `,"expiry":60000,"ui":{}}},"plugins":{}}`, nil},
		"null of what is gone": {`{"events":{"other":null,"plugin#e":null},"user":{"tags":{"no":null}}}`, nil},
		"null":                 {`{"events":{"e":null},"actions":{"a":null}}`, map[string]string{"events": `{}`, "actions": `{}`}},
		"a tag more":           {`{"user":{"tags":{"new":{}}}}`, map[string]string{"user": `{"tags":{"new":{},"vip":{"title":"VIP"}}}`}},
		"an item replaces, attributes stay": {
			`{"events":{"e":{"schema":{}}}}`,
			map[string]string{"events": `{"e":{"schema":{},"attributes":{"x":"1","y":"2"}}}`},
		},
		"attributes merge": {
			`{"events":{"e":{"schema":{},"attributes":{"x":null,"z":"3"}}}}`,
			map[string]string{"events": `{"e":{"schema":{},"attributes":{"y":"2","z":"3"}}}`},
		},
		"the last attribute": {
			`{"actions":{"a":{"input":{"schema":{}},"output":{"schema":{}},"attributes":{"x":null}}}}`,
			map[string]string{"actions": `{"a":{"input":{"schema":{}},"output":{"schema":{}}}}`},
		},
		"configuration data":   {`{"configuration":{"data":{"k":2.50}}}`, map[string]string{"configuration": `{"data":{"k":2.50},"schema":{"type":"object"}}`}},
		"configuration schema": {`{"configuration":{"schema":{}}}`, map[string]string{"configuration": `{"data":` + odd + `,"schema":{}}`}},
		"medias":               {`{"medias":[]}`, map[string]string{"medias": `[]`}},
		"subscribe": {
			`{"subscriptions":{"events":{"b":{},"a":{},"c":null}}}`,
			map[string]string{"subscriptions": `{"events":{"a":{},"b":{}}}`},
		},
		"subscribe to nothing": {`{"subscriptions":{"events":{}}}`, map[string]string{"subscriptions": `{"events":{}}`}},
		"no choice":            {`{"subscriptions":{"events":null}}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b, p := made(t, base), parse[BotPatch](t, test.patch)
			want := members(t, b)
			for member, value := range test.want {
				want[member] = value
			}
			after, err := b.Apply(p)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, members(t, after)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(text(t, made(t, base)), text(t, b)); diff != "" {
				t.Errorf("the patch changed the bot it was applied to: %s", diff)
			}
		})
	}
}

func TestRecurringEventKeepsItsFailures(t *testing.T) {
	b := made(t, `{"recurringEvents":{"r":{"schedule":{"cron":"@daily"},"type":"tick","payload":{}}}}`)
	reason := "refused"
	failed := b.RecurringEvents["r"]
	failed.FailedAttempts, failed.LastFailureReason = 3, &reason
	b.RecurringEvents["r"] = failed
	for patch, want := range map[string]float64{
		`{"recurringEvents":{"r":{"schedule":{"cron":"@daily"},"type":"tick","payload":{}}}}`:  3,
		`{"recurringEvents":{"r":{"schedule":{"cron":"@hourly"},"type":"tick","payload":{}}}}`: 0,
	} {
		after, err := b.Apply(parse[BotPatch](t, patch))
		if err != nil {
			t.Fatal(err)
		}
		if got := after.RecurringEvents["r"].FailedAttempts; got != want {
			t.Errorf("%s: %v failed attempts, want %v", patch, got, want)
		}
	}
}

// entries makes `"k0":value,…` of n entries.
func entries(n int, value string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(`"k%d":%s`, i, value)
	}
	return strings.Join(parts, ",")
}

func TestLimits(t *testing.T) {
	event := `{"schema":{}}`
	action := `{"input":{"schema":{}},"output":{"schema":{}}}`
	recurring := `{"schedule":{"cron":"@daily"},"type":"t","payload":{}}`
	for what, test := range map[string]struct {
		body string // with %s for the entries
		item string
		most int
	}{
		"tag definitions of users":         {`{"user":{"tags":{%s}}}`, `{}`, 50},
		"tag definitions of conversations": {`{"conversation":{"tags":{%s}}}`, `{}`, 50},
		"tag definitions of messages":      {`{"message":{"tags":{%s}}}`, `{}`, 50},
		"state definitions":                {`{"states":{%s}}`, `{"type":"bot","schema":{}}`, 20},
		"event definitions":                {`{"events":{%s}}`, event, 20},
		"recurring events":                 {`{"recurringEvents":{%s}}`, recurring, 50},
		"action definitions":               {`{"actions":{%s}}`, action, 200},
		"event subscriptions":              {`{"subscriptions":{"events":{%s}}}`, `{}`, 200},
		"attributes":                       {`{"events":{"e":{"schema":{},"attributes":{%s}}}}`, `"v"`, 50},
	} {
		t.Run(what, func(t *testing.T) {
			full := parse[NewBot](t, fmt.Sprintf(test.body, entries(test.most, test.item))).Patch()
			if _, err := EmptyBot().Apply(full); err != nil {
				t.Fatal(err)
			}
			over := parse[NewBot](t, fmt.Sprintf(test.body, entries(test.most+1, test.item))).Patch()
			_, err := EmptyBot().Apply(over)
			if !fault.Is(err, fault.LimitExceeded) || !strings.Contains(err.Error(), fmt.Sprintf("can have at most %d %s and would have %d", test.most, what, test.most+1)) {
				t.Errorf("one more: %v", err)
			}
		})
	}
}

func TestLimitNeverKeepsFromRemoving(t *testing.T) {
	b := EmptyBot()
	b.States = map[string]StateDefinition{}
	for i := range maxStates + 2 {
		b.States[fmt.Sprint("s", i)] = StateDefinition{Type: "bot"}
	}
	if _, err := b.Apply(parse[BotPatch](t, `{"states":{"s0":null}}`)); err != nil {
		t.Error(err)
	}
	if _, err := b.Apply(parse[BotPatch](t, `{"states":{"more":{"type":"bot","schema":{}}}}`)); !fault.Is(err, fault.LimitExceeded) {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, test := range map[string]struct {
		patch string
		kind  fault.Type
		part  string
	}{
		"empty key":               {`{"events":{"":{"schema":{}}}}`, fault.InvalidPayload, "events has an empty key"},
		"long key":                {`{"user":{"tags":{"` + long(201) + `":{}}}}`, fault.InvalidPayload, "of 201 characters"},
		"long attribute key":      {`{"events":{"e":{"schema":{},"attributes":{"` + long(201) + `":"v"}}}}`, fault.InvalidPayload, "events.e.attributes has the key"},
		"configuration data":      {`{"configuration":{"data":{"k":"` + long(20_480) + `"}}}`, fault.LimitExceeded, "configuration.data is 20488 bytes long; at most 20480"},
		"payload":                 {`{"recurringEvents":{"r":{"schedule":{"cron":"@daily"},"type":"","payload":{"k":"` + long(131_072) + `"}}}}`, fault.LimitExceeded, "at most 131072"},
		"schema size":             {`{"states":{"s":{"type":"bot","schema":{"description":"` + long(102_400) + `"}}}}`, fault.LimitExceeded, "states.s.schema is"},
		"schema":                  {`{"actions":{"a":{"input":{"schema":{}},"output":{"schema":{"type":3}}}}}`, fault.InvalidJSONSchema, "actions.a.output.schema is not a JSON schema: /type is a number"},
		"configuration schema":    {`{"configuration":{"schema":{"properties":[]}}}`, fault.InvalidJSONSchema, "/properties is an array and must be an object of schemas"},
		"media":                   {`{"medias":[{"url":"` + long(2001) + `","name":""}]}`, fault.InvalidPayload, "medias[0]"},
		"null needs no key":       {`{"events":{"":null}}`, "", ""},
		"everything is all right": {`{"events":{"` + long(200) + `":{"schema":{"type":["string","null"],"properties":{"type":{"type":"string"}}}}}}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := parse[BotPatch](t, test.patch).Check()
			if test.kind == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !fault.Is(err, test.kind) || !strings.Contains(err.Error(), test.part) {
				t.Errorf("%v, want %s with %q", err, test.kind, test.part)
			}
		})
	}
}

func TestDefinitionSize(t *testing.T) {
	b := EmptyBot()
	b.Configuration.Schema = wire.Object(`{"x":"` + strings.Repeat("x", maxDefinition) + `"}`)
	if _, err := b.JSON(); !fault.Is(err, fault.LimitExceeded) {
		t.Error(err)
	}
}

// laws are what every patch keeps to.
func laws(t interface {
	Helper()
	Fatalf(string, ...any)
}, b Bot, p BotPatch) {
	t.Helper()
	once, err := b.Apply(p)
	if err != nil {
		if !fault.Is(err, fault.LimitExceeded) {
			t.Fatalf("a patch that passed Check failed: %v", err)
		}
		return
	}
	twice, err := once.Apply(p)
	if err != nil {
		t.Fatalf("the second time: %v", err)
	}
	before, first, second := encoded(t, b), encoded(t, once), encoded(t, twice)
	if first != second {
		t.Fatalf("applied once:  %s\napplied twice: %s", first, second)
	}
	back, err := ParseBot([]byte(first))
	if err != nil {
		t.Fatalf("what was stored does not parse: %v", err)
	}
	if again := encoded(t, back); again != first {
		t.Fatalf("stored:    %s\nread back: %s", first, again)
	}
	then, now := itemsOf(t, before), itemsOf(t, first)
	for member, patched := range map[string]map[string]entry{
		"events": entriesOf(p.Events), "actions": entriesOf(p.Actions), "states": entriesOf(p.States), "recurringEvents": entriesOf(p.RecurringEvents),
	} {
		for key, e := range patched {
			_, stands := now[member][key]
			if stands != (e == set) {
				t.Fatalf("%s.%s stands: %v after a patch that sets it: %v", member, key, stands, e == set)
			}
		}
		for key, value := range then[member] {
			if _, touched := patched[key]; !touched && string(now[member][key]) != string(value) {
				t.Fatalf("%s.%s was not in the patch and became %s, from %s", member, key, now[member][key], value)
			}
		}
		for key := range now[member] {
			_, was := then[member][key]
			if !was && patched[key] != set {
				t.Fatalf("%s.%s came from nowhere", member, key)
			}
		}
	}
}

type entry int

const (
	null entry = iota + 1
	set
)

func entriesOf[P any](patch map[string]wire.Patch[P]) map[string]entry {
	kinds := map[string]entry{}
	for key, value := range patch {
		kinds[key] = null
		if _, ok := value.Get(); ok {
			kinds[key] = set
		}
	}
	return kinds
}

func encoded(t interface{ Fatalf(string, ...any) }, b Bot) string {
	s, err := b.JSON()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return string(s)
}

func itemsOf(t interface{ Fatalf(string, ...any) }, definition string) map[string]map[string]jsontext.Value {
	var items struct {
		Events          map[string]jsontext.Value `json:"events"`
		Actions         map[string]jsontext.Value `json:"actions"`
		States          map[string]jsontext.Value `json:"states"`
		RecurringEvents map[string]jsontext.Value `json:"recurringEvents"`
	}
	if err := wire.ParseJSON([]byte(definition), &items); err != nil {
		t.Fatalf("%v", err)
	}
	return map[string]map[string]jsontext.Value{
		"events": items.Events, "actions": items.Actions, "states": items.States, "recurringEvents": items.RecurringEvents,
	}
}

func TestPatchLaws(t *testing.T) {
	object := rapid.SampledFrom([]string{`{}`, odd, `{"type":"object"}`})
	attributes := rapid.SampledFrom([]string{``, `,"attributes":{}`, `,"attributes":{"x":"1"}`, `,"attributes":{"x":"2","y":"3"}`})
	patches := rapid.SampledFrom([]string{``, `,"attributes":{"x":null}`, `,"attributes":{"x":null,"y":"4"}`})
	keys := rapid.SampledFrom([]string{"a", "b", "c", "p#d"})
	section := func(t *rapid.T, attributes *rapid.Generator[string], removes bool, item func(object, attributes string) string) string {
		var parts []string
		seen := map[string]bool{}
		for range rapid.IntRange(0, 4).Draw(t, "entries") {
			key := keys.Draw(t, "key")
			if seen[key] {
				continue
			}
			seen[key] = true
			value := "null"
			if !removes || rapid.Bool().Draw(t, "set") {
				value = item(object.Draw(t, "object"), attributes.Draw(t, "attributes"))
			}
			parts = append(parts, `"`+key+`":`+value)
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	document := func(t *rapid.T, attributes *rapid.Generator[string], removes bool) string {
		return `{"events":` + section(t, attributes, removes, func(o, a string) string { return `{"schema":` + o + a + `}` }) +
			`,"actions":` + section(t, attributes, removes, func(o, a string) string {
			return `{"input":{"schema":` + o + `},"output":{"schema":{}}` + a + `}`
		}) +
			`,"states":` + section(t, attributes, removes, func(o, _ string) string { return `{"type":"user","schema":` + o + `}` }) +
			`,"recurringEvents":` + section(t, attributes, removes, func(o, _ string) string {
			return `{"schedule":{"cron":"@daily"},"type":"t","payload":` + o + `}`
		}) +
			`,"user":{"tags":` + section(t, attributes, removes, func(string, string) string { return `{}` }) + `}}`
	}
	rapid.Check(t, func(rt *rapid.T) {
		b := made(t, document(rt, attributes, false))
		p := parse[BotPatch](t, document(rt, rapid.OneOf(attributes, patches), true))
		laws(rt, b, p)
	})
}

func FuzzPatch(f *testing.F) {
	f.Add(`{}`, `{}`)
	f.Add(`{"events":{"e":{"schema":`+odd+`,"attributes":{"x":"1"}}}}`, `{"events":{"e":{"schema":{},"attributes":{"x":null}},"f":null}}`)
	f.Add(`{"actions":{"a":{"input":{"schema":{}},"output":{"schema":{}}}}}`, `{"actions":{"a":null},"medias":[],"configuration":{"data":{"x":1.0}}}`)
	f.Add(`{"subscriptions":{"events":{"a":{}}}}`, `{"subscriptions":{"events":null},"user":{"tags":{"t":{"title":"\ud800"}}}}`)
	f.Add(`{"recurringEvents":{"r":{"schedule":{"cron":"* * * * *"},"type":"t","payload":{}}},"states":{"s":{"type":"bot","schema":true}}}`, `{"states":{"s":{"expiry":1e3}}}`)
	f.Fuzz(func(t *testing.T, base, patch string) {
		var n NewBot
		var p BotPatch
		if wire.ParseJSON([]byte(base), &n) != nil || wire.ParseJSON([]byte(patch), &p) != nil {
			return
		}
		first := n.Patch()
		if first.Check() != nil || p.Check() != nil {
			return
		}
		b, err := EmptyBot().Apply(first)
		if err != nil {
			return
		}
		laws(t, b, p)
	})
}

func TestCron(t *testing.T) {
	for expression, good := range map[string]bool{
		"0 9 * * 1-5": true, "@daily": true, "@every 1h": true, "30 0 9 * * *": true,
		"": false, "every day": false, "99 * * * *": false, "* * * *": false, "TZ=": false, "TZ=UTC 0 9 * * *": false, "CRON_TZ=x": false,
	} {
		err := checkCron("recurringEvents.r.schedule.cron", expression)
		if good != (err == nil) {
			t.Errorf("%q: %v", expression, err)
		}
		if !good && !fault.Is(err, fault.InvalidPayload) {
			t.Errorf("%q is not InvalidPayload: %v", expression, err)
		}
	}
}
