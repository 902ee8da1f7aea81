package definition

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

func TestResolveEntities(t *testing.T) {
	const ticket = `{"type":"object","properties":{"id":{"type":"string"},"n":{"const":1.00}},"title":"Ticket"}`
	lookup := func(ref string) (wire.Object, bool) {
		switch ref {
		case "interface:hitl/entities/ticket", "ticket":
			return wire.Object(ticket), true
		case "interface:hitl/entities/nothing":
			return nil, true
		}
		return nil, false
	}
	for name, test := range map[string]struct{ schema, want string }{
		"none":          {odd[:len(odd)-len(`,"$ref":"interface:x/entities/y"}`)] + `}`, odd[:len(odd)-len(`,"$ref":"interface:x/entities/y"}`)] + `}`},
		"whole":         {`{"$ref":"interface:hitl/entities/ticket"}`, ticket},
		"escaped key":   {`{"\u0024ref":"interface:hitl/entities/ticket"}`, ticket},
		"escaped value": {`{"$ref":"interface:hitl\/entities\/ticket"}`, ticket},
		"property": {
			`{"type":"object","properties":{"item":{"$ref":"interface:hitl/entities/ticket"},"x":{"const":1.0}},"required":["item"]}`,
			`{"type":"object","properties":{"item":` + ticket + `,"x":{"const":1.0}},"required":["item"]}`,
		},
		"in arrays": {
			`{"anyOf":[{"$ref":"interface:hitl/entities/ticket"},{"type":"null"}],"items":[true,{"$ref":"ticket"}]}`,
			`{"anyOf":[` + ticket + `,{"type":"null"}],"items":[true,` + ticket + `]}`,
		},
		"of an interface": {`{"properties":{"item":{"$ref":"ticket"}}}`, `{"properties":{"item":` + ticket + `}}`},
		"unknown names and others stay": {
			`{"properties":{"a":{"$ref":"other"},"b":{"$ref":"#/$defs/ticket"},"c":{"$ref":"https://x/ticket"},"d":{"$ref":""}}}`,
			`{"properties":{"a":{"$ref":"other"},"b":{"$ref":"#/$defs/ticket"},"c":{"$ref":"https://x/ticket"},"d":{"$ref":""}}}`,
		},
		"a property of that name": {`{"properties":{"$ref":{"type":"string"}}}`, `{"properties":{"$ref":{"type":"string"}}}`},
		"empty entity":            {`{"items":{"$ref":"interface:hitl/entities/nothing"}}`, `{"items":{}}`},
		"texts beside": {
			`{"properties":{"item":{"title":"Item","$ref":"ticket","x-zui":{"a":1.0}}}}`,
			`{"properties":{"item":{"type":"object","properties":{"id":{"type":"string"},"n":{"const":1.00}},"title":"Item","x-zui":{"a":1.0}}}}`,
		},
		"rules beside": {
			`{"$ref":"ticket","required":["id"]}`,
			`{"type":"object","properties":{"id":{"type":"string"},"n":{"const":1.00}},"title":"Ticket","required":["id"]}`,
		},
		"rules that both say": {
			`{"$ref":"ticket","properties":{"also":{"$ref":"ticket"}},"title":"Both"}`,
			`{"allOf":[` + ticket + `,{"properties":{"also":` + ticket + `},"title":"Both"}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ResolveEntities(wire.Object(test.schema), lookup)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	_, err := ResolveEntities(wire.Object(`{"items":{"$ref":"interface:hitl/entities/user"}}`), lookup)
	if !fault.Is(err, fault.ReferenceNotFound) || !strings.Contains(err.Error(), `refers to "interface:hitl/entities/user"`) {
		t.Errorf("a missing entity: %v", err)
	}
}

func TestResolvedSchemasAreBounded(t *testing.T) {
	big := wire.Object(`{"description":"` + strings.Repeat("x", maxSchema-100) + `"}`)
	schema := `{"anyOf":[` + strings.TrimSuffix(strings.Repeat(`{"$ref":"e"},`, 50), ",") + `]}`
	_, err := ResolveEntities(wire.Object(schema), func(string) (wire.Object, bool) { return big, true })
	if !fault.Is(err, fault.LimitExceeded) {
		t.Error(err)
	}
}

// References nested in what stands beside one another cannot make the work quadratic.
func TestResolvingIsBounded(t *testing.T) {
	nested := func(depth int) wire.Object {
		return wire.Object(strings.Repeat(`{"$ref":"e","x":`, depth) + `"` + strings.Repeat("x", 80_000) + `"` + strings.Repeat("}", depth))
	}
	lookup := func(string) (wire.Object, bool) { return wire.Object(`{}`), true }
	if _, err := ResolveEntities(nested(10), lookup); err != nil {
		t.Errorf("ten levels: %v", err)
	}
	if _, err := ResolveEntities(nested(400), lookup); !fault.Is(err, fault.LimitExceeded) {
		t.Errorf("400 levels: %v", err)
	}
}

func TestEntityReference(t *testing.T) {
	for ref, want := range map[string][3]any{
		"interface:hitl/entities/user":    {"hitl", "user", true},
		"interface:a/b/entities/c":        {"a/b", "c", true},
		"interface:hitl":                  {"hitl", "", false},
		"hitl/entities/user":              {"", "", false},
		"#/definitions/x":                 {"", "", false},
		"interface:hitl/entities/a/b #%d": {"hitl", "a/b #%d", true},
	} {
		alias, entity, ok := EntityReference(ref)
		if diff := cmp.Diff(want, [3]any{alias, entity, ok}); diff != "" {
			t.Errorf("%s: %s", ref, diff)
		}
	}
}

// Without references a schema stays what it was, byte for byte.
func TestResolveKeepsTheRest(t *testing.T) {
	nothing := func(string) (wire.Object, bool) { return nil, false }
	rapid.Check(t, func(rt *rapid.T) {
		schema := strings.ReplaceAll(schemas().Draw(rt, "schema"), "interface:a/entities/b", "entity")
		got, err := ResolveEntities(wire.Object(schema), nothing)
		if err != nil || string(got) != schema {
			rt.Fatalf("%s became %s: %v", schema, got, err)
		}
	})
}

func FuzzResolveEntities(f *testing.F) {
	f.Add(`{"$ref":"interface:a/entities/b"}`, `{"type":"object","$ref":"c"}`)
	f.Add(`{"properties":{"x":{"$ref":"c","title":"\ud800","properties":{"y":{"\u0024ref":"c"}}}}}`, `{"properties":{}}`)
	f.Fuzz(func(t *testing.T, schema, entity string) {
		var s, e wire.Object
		if wire.ParseJSON([]byte(schema), &s) != nil || wire.ParseJSON([]byte(entity), &e) != nil {
			return
		}
		before := string(s)
		got, err := ResolveEntities(s, func(string) (wire.Object, bool) { return e, true })
		if string(s) != before {
			t.Fatal("the schema was changed in place")
		}
		if err != nil {
			if !fault.Is(err, fault.LimitExceeded) {
				t.Fatal(err)
			}
			return
		}
		var back wire.Object
		if err := wire.ParseJSON(got, &back); err != nil {
			t.Fatalf("%s is no object: %v", got, err)
		}
	})
}

func TestMergePlugin(t *testing.T) {
	bot := made(t, `{"user":{"tags":{"own":{"title":"Own"},"both":{"title":"Bot's"}}},"states":{"s":{"type":"bot","schema":`+odd+`}},
		"actions":{"a":{"input":{"schema":{}},"output":{"schema":{}}},"desk#a":{"input":{"schema":{}},"output":{"schema":{}}}},
		"recurringEvents":{"r":{"schedule":{"cron":"@daily"},"type":"t","payload":{}}}}`)
	item := `{"type":"object","properties":{"item":{"$ref":"interface:hitl/entities/ticket"}}}`
	p := plugin(t, `{"user":{"tags":{"both":{"title":"Plugin's"}}},"conversation":{"tags":{"c":{}}},"message":{"tags":{"m":{}}},
		"states":{"s":{"type":"user","schema":`+item+`,"expiry":5}},"events":{"e":{"schema":`+item+`}},
		"actions":{"a":{"title":"A","input":{"schema":`+item+`},"output":{"schema":`+item+`},"attributes":{"x":"1"}}},
		"dependencies":{"interfaces":{"hitl":{"id":"hitl@1.0.0"}}}}`)
	backing := integration(t, `{"entities":{"zTicket":{"schema":{"type":"object","properties":{"id":{},"zendeskId":{}}}}},
		"interfaces":{"desk":{"id":"hitl@1.0.0","entities":{"ticket":{"name":"zTicket"},"lost":{"name":"nothing"}}}}}`)
	alias, ok := backing.Implements(Reference{ID: "hitl@1.0.0", Name: "hitl"})
	if alias != "desk" || !ok {
		t.Fatalf("implements under %q, %v", alias, ok)
	}
	entity := func(of, name string) (wire.Object, bool) {
		if of != "hitl" {
			return nil, false
		}
		return backing.Entity(alias, name)
	}
	before, pluginBefore := text(t, bot), definitionOf(t, p)
	merged, err := MergePlugin(bot, "desk", p, entity)
	if err != nil {
		t.Fatal(err)
	}
	resolved := `{"type":"object","properties":{"item":{"type":"object","properties":{"id":{},"zendeskId":{}}}}}`
	want := members(t, bot)
	want["user"] = `{"tags":{"both":{"title":"Plugin's"},"own":{"title":"Own"}}}`
	want["conversation"], want["message"] = `{"tags":{"c":{}}}`, `{"tags":{"m":{}}}`
	want["states"] = `{"desk#s":{"type":"user","schema":` + resolved + `,"expiry":5},"s":{"type":"bot","schema":` + odd + `}}`
	want["events"] = `{"desk#e":{"schema":` + resolved + `}}`
	want["actions"] = `{"a":{"input":{"schema":{}},"output":{"schema":{}}},"desk#a":{"title":"A","input":{"schema":` + resolved + `},"output":{"schema":` + resolved + `},"attributes":{"x":"1"}}}`
	if diff := cmp.Diff(want, members(t, merged)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, text(t, bot)); diff != "" {
		t.Errorf("the bot was changed: %s", diff)
	}
	if diff := cmp.Diff(pluginBefore, definitionOf(t, p)); diff != "" {
		t.Errorf("the plugin was changed: %s", diff)
	}
	for _, missing := range []string{"lost", "unknown"} {
		gone := plugin(t, fmt.Sprintf(`{"events":{"e":{"schema":{"$ref":"interface:hitl/entities/%s"}}}}`, missing))
		_, err := MergePlugin(bot, "desk", gone, entity)
		if !fault.Is(err, fault.ReferenceNotFound) || !strings.Contains(err.Error(), "events.e.schema refers to") {
			t.Errorf("%s: %v", missing, err)
		}
	}
	if _, ok := backing.Implements(Reference{ID: "hitl@2.0.0", Name: "other"}); ok {
		t.Error("implements what it does not")
	}
}
