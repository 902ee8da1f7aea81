package definition

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// found looks a package up by what the test says of it: ids are name@version.
func found(r Reference) (Reference, error) {
	name, version, ok := strings.Cut(r.ID, "@")
	if !ok {
		return r, fault.New(fault.ReferenceNotFound, "There is no %q.", r.ID)
	}
	return Reference{ID: r.ID, Name: name, Version: version}, nil
}

func integration(t fataler, text string) Integration {
	t.Helper()
	var n NewIntegration
	readInto(t, text, &n)
	i, err := EmptyIntegration().Apply(n.Patch(), found)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return i
}

func interfaceOf(t fataler, text string) Interface {
	t.Helper()
	var n NewInterface
	readInto(t, text, &n)
	i, err := Interface{}.Apply(n.Patch())
	if err != nil {
		t.Fatalf("%v", err)
	}
	return i
}

func plugin(t fataler, text string) Plugin {
	t.Helper()
	var n NewPlugin
	readInto(t, text, &n)
	p, err := EmptyPlugin().Apply(n.Patch(), found, found)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return p
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

func readInto(t fataler, text string, v any) {
	t.Helper()
	if err := wire.ParseJSON([]byte(text), v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// breaks compares two definitions of a kind.
func breaks(t fataler, kind, old, next string) (lines []string) {
	t.Helper()
	var changes []Change
	switch kind {
	case "integration":
		changes = BreakingIntegration(integration(t, old), integration(t, next))
	case "interface":
		changes = BreakingInterface(interfaceOf(t, old), interfaceOf(t, next))
	case "plugin":
		changes = BreakingPlugin(plugin(t, old), plugin(t, next))
	default:
		t.Fatalf("no kind %q", kind)
	}
	for _, change := range changes {
		lines = append(lines, change.String())
	}
	return lines
}

// in and out are a definition with one action, and the schema on one side of it.
func in(schema string) string {
	return `{"actions":{"send":{"input":{"schema":` + schema + `},"output":{"schema":{}}}}}`
}

func out(schema string) string {
	return `{"actions":{"send":{"input":{"schema":{}},"output":{"schema":` + schema + `}}}}`
}

func message(schema string) string {
	return `{"channels":{"dm":{"messages":{"text":{"schema":` + schema + `}}}}}`
}

// The rules of docs/breaking-changes.md: each has its name there, with the message
// of its first test.
var breakingRules = []struct {
	rule, kind string
	old, next  string
	want       []string
}{
	{"action removed", "integration", in(`{}`), `{}`, []string{`actions.send: the action was removed`}},
	{"action removed", "interface", in(`{}`), `{}`, []string{`actions.send: the action was removed`}},
	{"action removed", "plugin", in(`{}`), `{}`, []string{`actions.send: the action was removed`}},
	{"action removed", "integration", in(`{}`), strings.Replace(in(`{}`), "send", "post", 1), []string{`actions.send: the action was removed`}},
	{"event removed", "integration", `{"events":{"joined":{"schema":{}}}}`, `{}`, []string{`events.joined: the event was removed`}},
	{"event removed", "interface", `{"events":{"joined":{"schema":{}}}}`, `{}`, []string{`events.joined: the event was removed`}},
	{"event removed", "plugin", `{"events":{"joined":{"schema":{}}}}`, `{}`, []string{`events.joined: the event was removed`}},
	{"channel removed", "integration", message(`{}`), `{}`, []string{`channels.dm: the channel was removed`}},
	{"channel removed", "interface", message(`{}`), `{}`, []string{`channels.dm: the channel was removed`}},
	{"message type removed", "integration", message(`{}`), `{"channels":{"dm":{"messages":{}}}}`, []string{`channels.dm.messages.text: the message type was removed`}},
	{"message type removed", "interface", message(`{}`), `{"channels":{"dm":{"messages":{}}}}`, []string{`channels.dm.messages.text: the message type was removed`}},
	{"state removed", "integration", `{"states":{"token":{"type":"user","schema":{}}}}`, `{}`, []string{`states.token: the state was removed`}},
	{"state removed", "plugin", `{"states":{"token":{"type":"bot","schema":{}}}}`, `{}`, []string{`states.token: the state was removed`}},
	{"state moved", "integration", `{"states":{"token":{"type":"user","schema":{}}}}`, `{"states":{"token":{"type":"integration","schema":{}}}}`,
		[]string{`states.token: the state moved from the user to the integration`}},
	{"state moved", "plugin", `{"states":{"token":{"type":"user","schema":{}}}}`, `{"states":{"token":{"type":"bot","schema":{}}}}`,
		[]string{`states.token: the state moved from the user to the bot`}},
	{"entity removed", "integration", `{"entities":{"ticket":{"schema":{}}}}`, `{}`, []string{`entities.ticket: the entity was removed`}},
	{"entity removed", "interface", `{"entities":{"ticket":{"schema":{}}}}`, `{}`, []string{`entities.ticket: the entity was removed`}},
	{"configuration removed", "integration", `{"configurations":{"oauth":{}}}`, `{}`, []string{`configurations.oauth: the configuration was removed`}},
	{"identifier required", "integration", `{}`, `{"configuration":{"identifier":{"required":true}}}`, []string{`configuration.identifier: an identifier became required`}},
	{"identifier required", "integration", `{"configurations":{"oauth":{}}}`, `{"configurations":{"oauth":{"identifier":{"required":true}}}}`,
		[]string{`configurations.oauth.identifier: an identifier became required`}},
	{"tag removed", "integration", `{"channels":{"dm":{"messages":{},"conversation":{"tags":{"id":{}}}}}}`, `{"channels":{"dm":{"messages":{}}}}`,
		[]string{`channels.dm.conversation.tags.id: the tag was removed`}},
	{"tag removed", "integration", `{"channels":{"dm":{"messages":{},"message":{"tags":{"id":{}}}}}}`, `{"channels":{"dm":{"messages":{}}}}`,
		[]string{`channels.dm.message.tags.id: the tag was removed`}},
	{"tag removed", "integration", `{"user":{"tags":{"id":{}}}}`, `{}`, []string{`user.tags.id: the tag was removed`}},
	{"tag removed", "plugin", `{"user":{"tags":{"id":{}}}}`, `{}`, []string{`user.tags.id: the tag was removed`}},
	{"tag removed", "plugin", `{"conversation":{"tags":{"id":{}}}}`, `{}`, []string{`conversation.tags.id: the tag was removed`}},
	{"tag removed", "plugin", `{"message":{"tags":{"id":{}}}}`, `{}`, []string{`message.tags.id: the tag was removed`}},
	{"creation switched off", "integration", `{"user":{"creation":{"enabled":true,"requiredTags":[]}}}`, `{"user":{"creation":{"enabled":false,"requiredTags":[]}}}`,
		[]string{`user.creation: users can no longer be created`}},
	{"creation switched off", "integration", `{"channels":{"dm":{"messages":{},"conversation":{"creation":{"enabled":true,"requiredTags":[]}}}}}`, `{"channels":{"dm":{"messages":{}}}}`,
		[]string{`channels.dm.conversation.creation: conversations can no longer be created`}},
	{"tag required for creation", "integration", `{"user":{"creation":{"enabled":true,"requiredTags":["a"]}}}`, `{"user":{"creation":{"enabled":true,"requiredTags":["id","a"]}}}`,
		[]string{`user.creation: required tag "id" was added`}},
	{"implementation removed", "integration", `{"interfaces":{"hitl":{"id":"hitl@1.0.0"}}}`, `{}`, []string{`interfaces.hitl: the implementation was removed`}},
	{"another interface", "integration", `{"interfaces":{"hitl":{"id":"hitl@1.0.0"}}}`, `{"interfaces":{"hitl":{"id":"chat@1.0.0"}}}`,
		[]string{`interfaces.hitl: the interface was "hitl" and is "chat"`}},
	{"another interface", "integration", `{"interfaces":{"hitl":{"id":"hitl@1.9.0"}}}`, `{"interfaces":{"hitl":{"id":"hitl@2.0.0"}}}`,
		[]string{`interfaces.hitl: the interface "hitl" had major version 1 and has 2`}},
	{"another interface", "integration", `{"interfaces":{"hitl":{"id":"hitl@0.1.2"}}}`, `{"interfaces":{"hitl":{"id":"hitl@0.2.0"}}}`,
		[]string{`interfaces.hitl: the interface "hitl" had major version 0.1 and has 0.2`}},
	{"counterpart removed or changed", "integration", `{"interfaces":{"hitl":{"id":"hitl@1.0.0","actions":{"start":{"name":"startHitl"}}}}}`,
		`{"interfaces":{"hitl":{"id":"hitl@1.0.0","actions":{"start":{"name":"begin"}}}}}`,
		[]string{`interfaces.hitl.actions.start: the action was "startHitl" and is "begin"`}},
	{"counterpart removed or changed", "integration", `{"interfaces":{"hitl":{"id":"hitl@1.0.0","entities":{"a":{"name":"a"}},"events":{"b":{"name":"b"}},"channels":{"c":{"name":"c"}}}}}`,
		`{"interfaces":{"hitl":{"id":"hitl@1.0.0"}}}`,
		[]string{`interfaces.hitl.entities.a: the counterpart was removed`, `interfaces.hitl.events.b: the counterpart was removed`, `interfaces.hitl.channels.c: the counterpart was removed`}},
	{"dependency added", "plugin", `{}`, `{"dependencies":{"interfaces":{"hitl":{"id":"hitl@1.0.0"}}}}`, []string{`dependencies.interfaces.hitl: the dependency was added`}},
	{"dependency added", "plugin", `{}`, `{"dependencies":{"integrations":{"zendesk":{"id":"zendesk@1.0.0"}}}}`, []string{`dependencies.integrations.zendesk: the dependency was added`}},
	{"another dependency", "plugin", `{"dependencies":{"interfaces":{"hitl":{"id":"hitl@1.0.0"}}}}`, `{"dependencies":{"interfaces":{"hitl":{"id":"chat@1.0.0"}}}}`,
		[]string{`dependencies.interfaces.hitl: the package was "hitl" and is "chat"`}},
	{"another dependency", "plugin", `{"dependencies":{"integrations":{"z":{"id":"z@1.0.0"}}}}`, `{"dependencies":{"integrations":{"z":{"id":"z@2.0.0"}}}}`,
		[]string{`dependencies.integrations.z: the package "z" had major version 1 and has 2`}},

	{"required property added", "integration", in(`{"type":"object","properties":{}}`), in(`{"type":"object","properties":{"to":{"type":"string"}},"required":["to"]}`),
		[]string{`actions.send.input: required property "to" was added`}},
	{"required property added", "interface", in(`{"type":"object"}`), in(`{"type":"object","required":["to"]}`), []string{`actions.send.input: required property "to" was added`}},
	{"required property added", "plugin", `{}`, `{"configuration":{"schema":{"type":"object","properties":{"key":{}},"required":["key"]}}}`,
		[]string{`configuration: required property "key" was added`}},
	{"required property added", "integration", `{}`, `{"configuration":{"schema":{"type":"object","properties":{"key":{}},"required":["key"]}}}`,
		[]string{`configuration: required property "key" was added`}},
	{"required property added", "integration", `{"configurations":{"c":{}}}`, `{"configurations":{"c":{"schema":{"type":"object","properties":{"key":{}},"required":["key"]}}}}`,
		[]string{`configurations.c: required property "key" was added`}},
	{"required property added", "integration", `{"states":{"s":{"type":"user","schema":{"type":"object"}}}}`, `{"states":{"s":{"type":"user","schema":{"type":"object","required":["k"]}}}}`,
		[]string{`states.s: required property "k" was added`}},
	{"required property added", "plugin", `{"states":{"s":{"type":"user","schema":{"type":"object"}}}}`, `{"states":{"s":{"type":"user","schema":{"type":"object","required":["k"]}}}}`,
		[]string{`states.s: required property "k" was added`}},
	{"required property added", "integration", `{"entities":{"e":{"schema":{"type":"object"}}}}`, `{"entities":{"e":{"schema":{"type":"object","required":["k"]}}}}`,
		[]string{`entities.e: required property "k" was added`}},
	{"required property added", "integration", message(`{"type":"object"}`), message(`{"type":"object","required":["k"]}`),
		[]string{`channels.dm.messages.text: required property "k" was added`}},
	{"property became required", "integration", in(`{"properties":{"to":{}}}`), in(`{"properties":{"to":{}},"required":["to"]}`),
		[]string{`actions.send.input: property "to" became required`}},
	{"property removed from accepted values", "integration", in(`{"properties":{"to":{},"cc":{}}}`), in(`{"properties":{"to":{}},"additionalProperties":false}`),
		[]string{`actions.send.input: property "cc" was removed`, `actions.send.input: other properties are no longer accepted`}},
	{"property removed from accepted values", "integration", in(`{"properties":{"cc":{"type":"string"}}}`), in(`{"properties":{},"additionalProperties":{"type":"number"}}`),
		[]string{`actions.send.input.cc: type was string and is number`, `actions.send.input.*: type was any and is number`}},
	{"other properties no longer accepted", "integration", in(`{"type":"object","properties":{"to":{}}}`), in(`{"type":"object","properties":{"to":{}},"additionalProperties":false}`),
		[]string{`actions.send.input: other properties are no longer accepted`}},
	{"property removed from produced values", "integration", out(`{"properties":{"id":{},"at":{}},"required":["id"]}`), out(`{"properties":{"at":{}}}`),
		[]string{`actions.send.output: property "id" was removed`}},
	{"property removed from produced values", "integration", `{"events":{"e":{"schema":{"properties":{"id":{}}}}}}`, `{"events":{"e":{"schema":{}}}}`,
		[]string{`events.e: property "id" was removed`}},
	{"property removed from produced values", "integration", message(`{"properties":{"id":{}}}`), message(`{}`), []string{`channels.dm.messages.text: property "id" was removed`}},
	{"property removed from produced values", "interface", message(`{"properties":{"id":{}}}`), message(`{}`), []string{`channels.dm.messages.text: property "id" was removed`}},
	{"property removed from produced values", "integration", `{"entities":{"e":{"schema":{"properties":{"id":{}}}}}}`, `{"entities":{"e":{"schema":{}}}}`,
		[]string{`entities.e: property "id" was removed`}},
	{"property no longer required", "integration", out(`{"properties":{"id":{}},"required":["id"]}`), out(`{"properties":{"id":{}}}`),
		[]string{`actions.send.output: property "id" is no longer required`}},
	{"property no longer required", "plugin", `{"events":{"e":{"schema":{"properties":{"id":{}},"required":["id"]}}}}`, `{"events":{"e":{"schema":{"properties":{"id":{}}}}}}`,
		[]string{`events.e: property "id" is no longer required`}},
	{"other properties no longer produced", "integration", out(`{"additionalProperties":{"type":"string"}}`), out(`{"additionalProperties":false}`),
		[]string{`actions.send.output: other properties are no longer produced`}},
	{"other properties no longer produced", "integration", out(`{"additionalProperties":{"type":"string"}}`), out(`{"additionalProperties":{"type":"number"}}`),
		[]string{`actions.send.output.*: type was string and is number`}},
	{"type changed or narrowed", "integration", in(`{"properties":{"n":{"type":"string"}}}`), in(`{"properties":{"n":{"type":"number"}}}`),
		[]string{`actions.send.input.n: type was string and is number`}},
	{"type changed or narrowed", "integration", in(`{"type":"number"}`), in(`{"type":"integer"}`), []string{`actions.send.input: type was number and is integer`}},
	{"type changed or narrowed", "integration", in(`{"type":["string","null"]}`), in(`{"type":"string"}`), []string{`actions.send.input: type was null or string and is string`}},
	{"type changed or narrowed", "integration", in(`{"type":"string","nullable":true}`), in(`{"type":"string"}`), []string{`actions.send.input: type was null or string and is string`}},
	{"type changed or narrowed", "integration", in(`{}`), in(`{"type":"string"}`), []string{`actions.send.input: type was any and is string`}},
	{"type changed or widened", "integration", out(`{"type":"string"}`), out(`{"type":["string","null"]}`), []string{`actions.send.output: type was string and is null or string`}},
	{"type changed or widened", "integration", out(`{"type":"integer"}`), out(`{"type":"number"}`), []string{`actions.send.output: type was integer and is number`}},
	{"type changed or widened", "integration", out(`{"type":"string"}`), out(`{}`), []string{`actions.send.output: type was string and is any`}},
	{"type changed or widened", "integration", message(`{"type":"string"}`), message(`{"type":"number"}`), []string{`channels.dm.messages.text: type was string and is number`}},
	{"no value accepted", "integration", in(`{"properties":{"a":{}}}`), in(`{"properties":{"a":false}}`), []string{`actions.send.input.a: no value is accepted any more`}},
	{"no value accepted", "integration", out(`{"properties":{"a":false}}`), out(`{"properties":{"a":{}}}`), []string{`actions.send.output.a: values are produced where there were none`}},
	{"enum value removed", "integration", in(`{"enum":["a","b"]}`), in(`{"enum":["b"]}`), []string{`actions.send.input: enum value "a" was removed`}},
	{"enum value removed", "integration", in(`{"const":1}`), in(`{"const":2}`), []string{`actions.send.input: enum value 1 was removed`}},
	{"enum value added", "integration", out(`{"type":"string","enum":["a"]}`), out(`{"type":"string","enum":["a","b"]}`), []string{`actions.send.output: enum value "b" was added`}},
	{"values limited", "integration", in(`{"type":"string"}`), in(`{"enum":["a"]}`), []string{`actions.send.input: the values were limited to an enumeration`}},
	{"values no longer limited", "integration", out(`{"const":"a"}`), out(`{"type":"string"}`), []string{`actions.send.output: the values are no longer limited to an enumeration`}},
	{"minimum raised", "integration", in(`{"type":"number","minimum":1}`), in(`{"type":"number","minimum":3}`), []string{`actions.send.input: minimum was raised from 1 to 3`}},
	{"minimum raised", "integration", in(`{"type":"number"}`), in(`{"type":"number","minimum":3}`), []string{`actions.send.input: minimum 3 was added`}},
	{"minimum raised", "integration", in(`{"type":"number","minimum":3}`), in(`{"type":"number","exclusiveMinimum":3}`), []string{`actions.send.input: minimum was raised from 3 to 3 (exclusive)`}},
	{"minimum raised", "integration", in(`{"type":"number","minimum":3}`), in(`{"type":"number","minimum":3,"exclusiveMinimum":true}`), []string{`actions.send.input: minimum was raised from 3 to 3 (exclusive)`}},
	{"maximum lowered", "integration", in(`{"type":"integer","maximum":9}`), in(`{"type":"integer","maximum":5}`), []string{`actions.send.input: maximum was lowered from 9 to 5`}},
	{"maximum lowered", "integration", in(`{"type":"integer","maximum":5}`), in(`{"type":"integer","exclusiveMaximum":5}`), []string{`actions.send.input: maximum was lowered from 5 to 5 (exclusive)`}},
	{"minimum lowered", "integration", out(`{"type":"number","minimum":3}`), out(`{"type":"number","minimum":1}`), []string{`actions.send.output: minimum was lowered from 3 to 1`}},
	{"minimum lowered", "integration", out(`{"type":"number","minimum":3}`), out(`{"type":"number"}`), []string{`actions.send.output: minimum 3 was removed`}},
	{"maximum raised", "integration", out(`{"type":"number","maximum":3}`), out(`{"type":"number","maximum":7}`), []string{`actions.send.output: maximum was raised from 3 to 7`}},
	{"multipleOf changed", "integration", in(`{"type":"number","multipleOf":3}`), in(`{"type":"number","multipleOf":2}`), []string{`actions.send.input: multipleOf was 3 and is 2`}},
	{"multipleOf changed", "integration", in(`{"type":"number"}`), in(`{"type":"number","multipleOf":2}`), []string{`actions.send.input: multipleOf 2 was added`}},
	{"multipleOf changed", "integration", out(`{"type":"number","multipleOf":2}`), out(`{"type":"number"}`), []string{`actions.send.output: multipleOf 2 was removed`}},
	{"length limited", "integration", in(`{"type":"string","maxLength":9}`), in(`{"type":"string","maxLength":5}`), []string{`actions.send.input: maxLength was lowered from 9 to 5`}},
	{"length limited", "integration", in(`{"type":"string"}`), in(`{"type":"string","minLength":1}`), []string{`actions.send.input: minLength 1 was added`}},
	{"length no longer limited", "integration", out(`{"type":"string","maxLength":9}`), out(`{"type":"string"}`), []string{`actions.send.output: maxLength 9 was removed`}},
	{"pattern or format changed", "integration", in(`{"type":"string"}`), in(`{"type":"string","pattern":"^a"}`), []string{`actions.send.input: pattern "^a" was added`}},
	{"pattern or format changed", "integration", in(`{"type":"string","format":"uri"}`), in(`{"type":"string","format":"email"}`), []string{`actions.send.input: format was "uri" and is "email"`}},
	{"pattern or format changed", "integration", out(`{"type":"string","format":"uri"}`), out(`{"type":"string"}`), []string{`actions.send.output: format "uri" was removed`}},
	{"items limited", "integration", in(`{"type":"array","items":{"type":"string"}}`), in(`{"type":"array","items":{"type":"string","maxLength":3},"maxItems":4,"uniqueItems":true}`),
		[]string{`actions.send.input: maxItems 4 was added`, `actions.send.input: items must now be unique`, `actions.send.input[]: maxLength 3 was added`}},
	{"items limited", "integration", in(`{"type":"array","items":[{"type":"string"}]}`), in(`{"type":"array","items":[{"type":"number"}],"additionalItems":false}`),
		[]string{`actions.send.input[0]: type was string and is number`, `actions.send.input[]: no value is accepted any more`}},
	{"items limited", "integration", in(`{"type":"array","prefixItems":[{"type":"string"}],"items":{}}`), in(`{"type":"array","prefixItems":[{"type":"number"}],"items":false}`),
		[]string{`actions.send.input[0]: type was string and is number`, `actions.send.input[]: no value is accepted any more`}},
	{"items no longer limited", "integration", out(`{"type":"array","items":{"type":"string"},"minItems":1,"uniqueItems":true}`), out(`{"type":"array"}`),
		[]string{`actions.send.output: minItems 1 was removed`, `actions.send.output: items are no longer unique`, `actions.send.output[]: type was string and is any`}},
	{"number of properties limited", "integration", in(`{"type":"object"}`), in(`{"type":"object","maxProperties":2}`), []string{`actions.send.input: maxProperties 2 was added`}},
	{"number of properties limited", "integration", in(`{"type":"object","minProperties":1}`), in(`{"type":"object","minProperties":2}`), []string{`actions.send.input: minProperties was raised from 1 to 2`}},
	{"alternative removed", "integration", in(`{"anyOf":[{"type":"object","properties":{"a":{"const":"x"}},"required":["a"]},{"type":"object","properties":{"a":{"const":"y"}},"required":["a"]},{"type":"string"}]}`),
		in(`{"anyOf":[{"type":"object","properties":{"a":{"const":"y"}},"required":["a"]},{"type":"string"}]}`),
		[]string{`actions.send.input: alternative 1 of the old schema is no longer accepted`}},
	{"alternative removed", "integration", in(`{"oneOf":[{"type":"object","properties":{"a":{"type":"string"}}},{"type":"string"}]}`),
		in(`{"oneOf":[{"type":"object","properties":{"a":{"type":"number"}}},{"type":"string"}]}`),
		[]string{`actions.send.input.a: type was string and is number`}},
	{"alternative removed", "integration", in(`{"anyOf":[{"type":"string"},{"type":"null"}]}`), in(`{"type":"string"}`), []string{`actions.send.input: type was null or string and is string`}},
	{"alternative added", "integration", out(`{"anyOf":[{"properties":{"a":{"const":"x"}},"required":["a"],"type":"object"},{"properties":{"a":{"const":"z"}},"required":["a"],"type":"object"}]}`),
		out(`{"anyOf":[{"properties":{"a":{"const":"x"}},"required":["a"],"type":"object"},{"properties":{"a":{"const":"z"}},"required":["a"],"type":"object"},{"properties":{"a":{"const":"y"}},"required":["a"],"type":"object"}]}`),
		[]string{`actions.send.output: alternative 3 of the new schema was added`}},
	{"reference changed", "interface", in(`{"properties":{"item":{"$ref":"ticket"}}}`), in(`{"properties":{"item":{"$ref":"issue"}}}`),
		[]string{`actions.send.input.item: the reference was "ticket" and is "issue"`}},
	{"reference changed", "plugin", in(`{"properties":{"item":{"$ref":"interface:a/entities/b"}}}`), in(`{"properties":{"item":{"$ref":"interface:a/entities/c"}}}`),
		[]string{`actions.send.input.item: the reference was "interface:a/entities/b" and is "interface:a/entities/c"`}},
	{"unsupported keyword", "integration", in(`{}`), in(`{"not":{"type":"string"}}`), []string{`actions.send.input: "not" was added`}},
	{"unsupported keyword", "integration", in(`{"patternProperties":{"^a":{}}}`), in(`{"patternProperties":{"^b":{}}}`), []string{`actions.send.input: "patternProperties" was changed`}},
	{"unsupported keyword", "integration", out(`{"if":{}}`), out(`{}`), []string{`actions.send.output: "if" was removed`}},
	{"schema that cannot be compared", "integration", in(`{"anyOf":[` + strings.Repeat(`{},`, 200) + `{}]}`), in(`{"type":"object"}`),
		[]string{`actions.send.input: the schema is too complex to be compared with the old one`}},
	{"schema that cannot be compared", "integration", in(`{"minimum":1e999}`), in(`{"minimum":2}`), []string{`actions.send.input: the schema holds numbers that are too large to be compared`}},
}

func TestBreakingRules(t *testing.T) {
	documented, err := os.ReadFile("../../docs/breaking-changes.md")
	if err != nil {
		t.Fatal(err)
	}
	inDocument := map[string]string{} // message by rule
	for line := range strings.Lines(string(documented)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) == 5 && strings.Contains(cells[3], "`") {
			inDocument[strings.TrimSpace(cells[1])] = strings.Trim(strings.TrimSpace(cells[3]), "`")
		}
	}
	tested := map[string]string{}
	for n, test := range breakingRules {
		if _, again := tested[test.rule]; !again {
			tested[test.rule] = test.want[0]
		}
		t.Run(fmt.Sprintf("%s %d", test.rule, n), func(t *testing.T) {
			if diff := cmp.Diff(test.want, breaks(t, test.kind, test.old, test.next)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if diff := cmp.Diff(tested, inDocument); diff != "" {
		t.Errorf("docs/breaking-changes.md has other rules or messages than the tests (-tested +documented):\n%s", diff)
	}
}

func TestNotBreaking(t *testing.T) {
	for name, test := range map[string]struct{ kind, old, next string }{
		"everything added": {"integration", `{}`, `{"actions":{"a":{"input":{"schema":{"required":["x"]}},"output":{"schema":{}}}},"events":{"e":{"schema":{}}},
			"channels":{"c":{"messages":{"m":{"schema":{}}}}},"states":{"s":{"type":"user","schema":{}}},"entities":{"n":{"schema":{}}},
			"configurations":{"c":{"identifier":{"required":true}}},"user":{"tags":{"t":{}},"creation":{"enabled":true,"requiredTags":["t"]}},
			"interfaces":{"i":{"id":"i@1.0.0"}},"identifier":{"extractScript":"x"}}`},
		"an interface grows":      {"interface", `{}`, in(`{"required":["x"]}`)},
		"a dependency is dropped": {"plugin", `{"dependencies":{"interfaces":{"hitl":{"id":"hitl@1.0.0"}}}}`, `{}`},
		"a dependency is newer":   {"plugin", `{"dependencies":{"interfaces":{"hitl":{"id":"hitl@1.0.0"}}}}`, `{"dependencies":{"interfaces":{"hitl":{"id":"hitl@1.4.0"}}}}`},
		"required property of a long name": {"integration", in(`{"properties":{"` + strings.Repeat("n", 150) + `":{}},"required":["` + strings.Repeat("n", 150) + `"]}`),
			in(`{"properties":{"` + strings.Repeat("n", 150) + `":{}},"required":["` + strings.Repeat("n", 150) + `"],"title":"x"}`)},
		"texts":                       {"integration", in(`{"title":"a","x-zui":{"def":1}}`), in(`{"description":"b","default":{},"$schema":"x"}`)},
		"a state expires":             {"plugin", `{"states":{"s":{"type":"user","schema":{}}}}`, `{"states":{"s":{"type":"user","schema":{},"expiry":5}}}`},
		"fewer required tags":         {"integration", `{"user":{"creation":{"enabled":true,"requiredTags":["a","b"]}}}`, `{"user":{"creation":{"enabled":true,"requiredTags":["b"]}}}`},
		"creation was never possible": {"integration", `{}`, `{"user":{"creation":{"enabled":false,"requiredTags":["b"]}}}`},
		"an identifier was required":  {"integration", `{"configuration":{"identifier":{"required":true}}}`, `{"configuration":{"identifier":{"required":false}}}`},
		"optional property accepted":  {"integration", in(`{"type":"object","properties":{},"additionalProperties":false}`), in(`{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}`)},
		"optional property produced":  {"integration", out(`{"type":"object","properties":{},"additionalProperties":false}`), out(`{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}`)},
		"first configuration":         {"integration", `{}`, `{"configuration":{"schema":{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}}}`},
		"removed where others are":    {"integration", in(`{"properties":{"a":{},"b":{}}}`), in(`{"properties":{"b":{}}}`)},
		"input is wider":              {"integration", in(`{"type":"integer","minimum":3,"enum":[4,5],"multipleOf":4}`), in(`{"type":["number","null"],"enum":[4,5,null,6],"multipleOf":2}`)},
		"output is narrower":          {"integration", out(`{"anyOf":[{"type":"string"},{"type":"null"}]}`), out(`{"type":"string","minLength":1,"pattern":"x"}`)},
		"another way to say nullable": {"integration", in(`{"type":["string","null"]}`), in(`{"anyOf":[{"type":"null"},{"type":"string"}]}`)},
		"an alternative added":        {"integration", in(`{"type":"string"}`), in(`{"oneOf":[{"type":"number"},{"type":"string"}]}`)},
		"an alternative removed":      {"integration", out(`{"oneOf":[{"type":"number"},{"type":"string"}]}`), out(`{"type":"string"}`)},
		"enum in place of const":      {"integration", in(`{"const":"a"}`), in(`{"type":"string","enum":["b","a"]}`)},
		"allOf in place of one": {"integration", in(`{"type":"object","properties":{"a":{"type":"string"},"b":{}},"required":["a"]}`),
			in(`{"allOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"b":{}}}]}`)},
		"a definition in place of a schema": {"integration", in(`{"properties":{"a":{"type":"string"}}}`), in(`{"properties":{"a":{"$ref":"#/$defs/t~1x"}},"$defs":{"t/x":{"type":"string"}}}`)},
		"a list of lists": {"integration", in(`{"properties":{"next":{"$ref":"#"}},"x-a":1}`),
			in(`{"properties":{"next":{"$ref":"#"}},"x-a":2}`)},
	} {
		t.Run(name, func(t *testing.T) {
			if lines := breaks(t, test.kind, test.old, test.next); len(lines) > 0 {
				t.Error(lines)
			}
		})
	}
}

// A recursive schema is compared in what it repeats.
func TestBreakingRecursion(t *testing.T) {
	list := func(item string) string {
		return in(`{"$ref":"#/definitions/list","definitions":{"list":{"type":"object","properties":{"value":` + item + `,"next":{"$ref":"#/definitions/list"}}}}}`)
	}
	want := []string{`actions.send.input.value: type was string and is number`}
	if diff := cmp.Diff(want, breaks(t, "integration", list(`{"type":"string"}`), list(`{"type":"number"}`))); diff != "" {
		t.Error(diff)
	}
	for _, circle := range []string{`{"$ref":"#"}`, `{"allOf":[{"$ref":"#"},{"$ref":"#"}]}`, `{"anyOf":[{"$ref":"#"},{"type":"string"}]}`, `{"items":{"$ref":"#"}}`} {
		breaks(t, "integration", in(circle), in(`{"type":"string"}`))
		breaks(t, "integration", in(`{"type":"array"}`), in(circle))
		breaks(t, "integration", in(circle), in(circle[:len(circle)-1]+`,"x-a":1}`))
	}
}

func TestChangesAreBounded(t *testing.T) {
	var properties []string
	for i := range 2 * maxChanges {
		properties = append(properties, fmt.Sprintf(`"p%d":{"type":"string"}`, i))
	}
	old := in(`{"properties":{` + strings.Join(properties, ",") + `}}`)
	if n := len(breaks(t, "integration", old, strings.ReplaceAll(old, "string", "number"))); n != maxChanges {
		t.Errorf("%d changes are told, want %d", n, maxChanges)
	}
}

// schemas makes schemas of the keywords that matter, some of them odd.
func schemas() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string { return anySchema(t, 3) })
}

func anySchema(t *rapid.T, depth int) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	some := func(name string) bool { return rapid.IntRange(0, 3).Draw(t, name) == 0 }
	if rapid.Bool().Draw(t, "typed") {
		add(`"type":%s`, rapid.SampledFrom([]string{`"string"`, `"number"`, `"integer"`, `"object"`, `"array"`, `["string","null"]`, `[]`, `"odd"`}).Draw(t, "type"))
	}
	if some("enumerated") {
		add(`"enum":%s`, rapid.SampledFrom([]string{`["a","b"]`, `[1,null]`, `[]`, `[1.5,{"x":1},[]]`}).Draw(t, "enum"))
	}
	if some("limited") {
		add(`"%s":%d`, rapid.SampledFrom([]string{"minimum", "exclusiveMaximum", "maxLength", "minItems", "multipleOf", "maxProperties"}).Draw(t, "limit"), rapid.IntRange(0, 3).Draw(t, "bound"))
	}
	if some("opaque") {
		add(`"not":{"type":"null"}`)
	}
	if some("referring") {
		add(`"$ref":%s`, rapid.SampledFrom([]string{`"#"`, `"entity"`, `"#/properties/a"`, `"#/no"`, `"interface:a/entities/b"`}).Draw(t, "ref"))
	}
	if depth > 0 {
		inner := func() string { return anySchema(t, depth-1) }
		if rapid.Bool().Draw(t, "object") {
			add(`"properties":{"a":%s,"b":%s}`, inner(), inner())
			add(`"required":%s`, rapid.SampledFrom([]string{`[]`, `["a"]`, `["a","c"]`}).Draw(t, "required"))
		}
		if some("others") {
			add(`"additionalProperties":%s`, rapid.SampledFrom([]string{`true`, `false`, inner()}).Draw(t, "additional"))
		}
		if some("array") {
			add(`"items":%s`, rapid.SampledFrom([]string{inner(), `[` + inner() + `,true]`}).Draw(t, "items"))
		}
		for _, keyword := range []string{"anyOf", "oneOf", "allOf"} {
			if some(keyword) {
				add(`"%s":[%s,%s]`, keyword, inner(), inner())
			}
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// unchanged is a schema with another text and the same meaning, so that nothing is
// recognised by its bytes.
func unchanged(schema string) string {
	if schema == `{}` {
		return `{"title":"again"}`
	}
	return schema[:len(schema)-1] + `,"title":"again"}`
}

func TestSameIsNotBreaking(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		schema := schemas().Draw(rt, "schema")
		for _, of := range []func(string) string{in, out, message} {
			for _, line := range breaks(rt, "integration", of(schema), of(unchanged(schema))) {
				if !strings.Contains(line, "too complex") {
					rt.Fatalf("%s: %s", schema, line)
				}
			}
			if lines := breaks(rt, "integration", of(schema), of(schema)); lines != nil {
				rt.Fatalf("%s: %v", schema, lines)
			}
		}
	})
}

// What is added and optional never breaks: an entry, or a property of an object.
func TestAddedIsNotBreaking(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		schema, more := anySchema(rt, 2), anySchema(rt, 2)
		closed := rapid.SampledFrom([]string{``, `,"additionalProperties":false`, `,"additionalProperties":true`}).Draw(rt, "closed")
		object := func(added string) string {
			return `{"type":"object","properties":{"old":` + schema + added + `},"required":["old"]` + closed + `}`
		}
		old, next := object(""), object(`,"new":`+more)
		for _, nested := range []func(string) string{
			func(s string) string { return s },
			func(s string) string { return `{"type":"array","items":` + s + `}` },
			func(s string) string { return `{"anyOf":[` + s + `,{"type":"null"}]}` },
			func(s string) string { return `{"allOf":[` + s + `]}` },
		} {
			for _, of := range []func(string) string{in, out, message} {
				for _, line := range breaks(rt, "integration", of(nested(old)), of(nested(next))) {
					if !strings.Contains(line, "too complex") {
						rt.Fatalf("%s -> %s: %s", nested(old), nested(next), line)
					}
				}
			}
		}
	})
}

// Whatever the schemas are, they are compared: without a panic, in bounded work,
// the same way every time.
func FuzzBreaking(f *testing.F) {
	f.Add(`{}`, `{"type":"string"}`)
	f.Add(`{"$ref":"#"}`, `{"anyOf":[{"$ref":"#"},{"items":{"$ref":"#/anyOf/0"}}]}`)
	f.Add(`{"properties":{"a":{"enum":[1,"x",null]}},"required":["a",1]}`, `{"properties":{"a":{"const":1e300}},"additionalProperties":{"type":["string",null]}}`)
	f.Add(`{"type":"array","items":[{},true],"additionalItems":false}`, `{"prefixItems":[{}],"items":3,"allOf":[true,{"not":{}}],"oneOf":[]}`)
	f.Add(`{"$ref":"#/%zz/~1"}`, `{"$ref":"#nowhere","minimum":"x","multipleOf":0,"pattern":4}`)
	for _, rule := range breakingRules {
		f.Add(rule.old, rule.next)
	}
	f.Fuzz(func(t *testing.T, old, next string) {
		if len(old) > maxSchema || len(next) > maxSchema {
			return
		}
		var o, n wire.Object
		if wire.ParseJSON([]byte(old), &o) != nil || wire.ParseJSON([]byte(next), &n) != nil {
			return
		}
		for _, d := range []direction{accepted, produced, accepted | produced} {
			first, again := newChanges(), newChanges()
			first.schema("s", d, o, n)
			again.schema("s", d, o, n)
			if diff := cmp.Diff(first.found, again.found); diff != "" {
				t.Fatalf("compared twice: %s", diff)
			}
			if len(first.found) > maxChanges {
				t.Fatalf("%d changes", len(first.found))
			}
			same := newChanges()
			same.schema("s", d, o, o)
			if len(same.found) > 0 {
				t.Fatalf("compared with itself: %v", same.found)
			}
		}
	})
}
