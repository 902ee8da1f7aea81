package definition

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// definitionOf is a definition as it is stored.
func definitionOf(t fataler, d interface{ JSON() ([]byte, error) }) string {
	t.Helper()
	text, err := d.JSON()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return string(text)
}

func partsOf(t fataler, definition string) map[string]string {
	t.Helper()
	var parts map[string]jsontext.Value
	readInto(t, definition, &parts)
	texts := map[string]string{}
	for name, value := range parts {
		texts[name] = string(value)
	}
	return texts
}

// The shapes that the command line reads without asking whether they are there.
func TestEmptyPackages(t *testing.T) {
	creation := `"creation":{"enabled":false,"requiredTags":[]}`
	for want, d := range map[string]interface{ JSON() ([]byte, error) }{
		`{"identifier":{},"configuration":{"identifier":{"required":false},"schema":{"type":"object","properties":{}}},"configurations":{},` +
			`"channels":{},"states":{},"events":{},"actions":{},"user":{"tags":{},` + creation + `},"entities":{},"interfaces":{}}`: integration(t, `{}`),
		`{"identifier":{},"configuration":{"identifier":{"required":false},"schema":{"type":"object","properties":{}}},` +
			`"configurations":{"c":{"identifier":{"required":false},"schema":{"type":"object","properties":{}}}},` +
			`"channels":{"c":{"messages":{},"conversation":{"tags":{},` + creation + `},"message":{"tags":{}}}},"states":{},"events":{},"actions":{},` +
			`"user":{"tags":{},` + creation + `},"entities":{},"interfaces":{"i":{"id":"i@1.2.3","name":"i","version":"1.2.3","entities":{},"actions":{},"events":{},"channels":{}}}}`: integration(t, `{"configurations":{"c":{}},"channels":{"c":{"messages":{}}},"interfaces":{"i":{"id":"i@1.2.3"}}}`),
		`{"entities":{},"events":{},"actions":{},"channels":{}}`: interfaceOf(t, `{}`),
		`{"configuration":{"schema":{"type":"object","properties":{}}},"states":{},"events":{},"actions":{},"dependencies":{"interfaces":{},"integrations":{}},` +
			`"user":{"tags":{}},"conversation":{"tags":{}},"message":{"tags":{}}}`: plugin(t, `{}`),
	} {
		if diff := cmp.Diff(want, definitionOf(t, d)); diff != "" {
			t.Error(diff)
		}
	}
}

const integrationBase = `{
	"identifier":{"extractScript":"e","fallbackHandlerScript":"f"},
	"configuration":{"title":"C","description":"D","schema":` + odd + `,"identifier":{"required":true,"linkTemplateScript":"l"}},
	"configurations":{"oauth":{"title":"O","schema":` + odd + `,"identifier":{"linkTemplateScript":"l"}}},
	"channels":{"dm":{"title":"DM","messages":{"text":{"schema":` + odd + `},"image":{"schema":{}}},
		"conversation":{"creation":{"enabled":true,"requiredTags":["id"]},"tags":{"id":{"title":"Id"}}},"message":{"tags":{"ts":{}}}}},
	"states":{"token":{"type":"integration","schema":` + odd + `}},
	"events":{"joined":{"schema":{},"attributes":{"x":"1"}}},
	"actions":{"send":{"input":{"schema":` + odd + `},"output":{"schema":{}},"attributes":{"x":"1"}}},
	"user":{"creation":{"enabled":true,"requiredTags":[]},"tags":{"id":{}}},
	"entities":{"ticket":{"title":"T","schema":` + odd + `}},
	"interfaces":{"hitl":{"id":"hitl@1.0.0","actions":{"start":{"name":"startHitl"}}}}
}`

func TestIntegrationPatch(t *testing.T) {
	dm := `{"dm":{"title":"DM","messages":{"image":{"schema":{}},"text":{"schema":` + odd + `}},"conversation":{"tags":{"id":{"title":"Id"}},"creation":{"enabled":true,"requiredTags":["id"]}},"message":{"tags":{"ts":{}}}}}`
	for name, test := range map[string]struct {
		patch string
		want  map[string]string // members that differ from the base
	}{
		"nothing":                   {`{}`, nil},
		"empty members":             {`{"identifier":{},"configuration":{"identifier":{}},"channels":{"dm":{}},"configurations":{"oauth":{}},"user":{},"entities":{}}`, nil},
		"unknown members":           {`{"sdkVersion":"1","identifier":{"other":null},"channels":{"dm":{"ui":{}}}}`, nil},
		"null of what is not there": {`{"actions":{"x":null},"channels":{"x":null,"dm":{"messages":{"x":null},"message":{"tags":{"x":null}}}},"interfaces":{"x":null}}`, nil},
		"a script":                  {`{"identifier":{"extractScript":"new"}}`, map[string]string{"identifier": `{"fallbackHandlerScript":"f","extractScript":"new"}`}},
		"no script":                 {`{"identifier":{"extractScript":null}}`, map[string]string{"identifier": `{"fallbackHandlerScript":"f"}`}},
		"no link": {`{"configuration":{"identifier":{"linkTemplateScript":null}}}`,
			map[string]string{"configuration": `{"title":"C","description":"D","identifier":{"required":true},"schema":` + odd + `}`}},
		"not required": {`{"configuration":{"identifier":{"required":false}}}`,
			map[string]string{"configuration": `{"title":"C","description":"D","identifier":{"linkTemplateScript":"l","required":false},"schema":` + odd + `}`}},
		"a schema": {`{"configuration":{"schema":{},"title":""}}`,
			map[string]string{"configuration": `{"description":"D","identifier":{"linkTemplateScript":"l","required":true},"schema":{}}`}},
		"a configuration is patched, another set": {`{"configurations":{"oauth":{"identifier":{"linkTemplateScript":null}},"key":{"title":"K"}}}`,
			map[string]string{"configurations": `{"key":{"title":"K","identifier":{"required":false},"schema":` + emptySchema + `},"oauth":{"title":"O","identifier":{"required":false},"schema":` + odd + `}}`}},
		"a configuration removed": {`{"configurations":{"oauth":null}}`, map[string]string{"configurations": `{}`}},
		"a message type":          {`{"channels":{"dm":{"messages":{"image":null,"file":{"schema":{}}}}}}`, map[string]string{"channels": strings.Replace(dm, `"image":{"schema":{}}`, `"file":{"schema":{}}`, 1)}},
		"tags of conversations":   {`{"channels":{"dm":{"conversation":{"tags":{"id":null}}}}}`, map[string]string{"channels": strings.Replace(dm, `"tags":{"id":{"title":"Id"}}`, `"tags":{}`, 1)}},
		"tags of messages":        {`{"channels":{"dm":{"message":{"tags":{"a":{}}}}}}`, map[string]string{"channels": strings.Replace(dm, `"tags":{"ts":{}}`, `"tags":{"a":{},"ts":{}}`, 1)}},
		"creation":                {`{"channels":{"dm":{"conversation":{"creation":{"enabled":false,"requiredTags":[]}}}}}`, map[string]string{"channels": strings.Replace(dm, `"enabled":true,"requiredTags":["id"]`, `"enabled":false,"requiredTags":[]`, 1)}},
		"a channel removed":       {`{"channels":{"dm":null}}`, map[string]string{"channels": `{}`}},
		"tags of users":           {`{"user":{"tags":{"id":null,"name":{}}}}`, map[string]string{"user": `{"tags":{"name":{}},"creation":{"enabled":true,"requiredTags":[]}}`}},
		"an attribute removed":    {`{"events":{"joined":{"schema":{},"attributes":{"x":null}}}}`, map[string]string{"events": `{"joined":{"schema":{}}}`}},
		"an action replaced":      {`{"actions":{"send":{"title":"S","input":{"schema":{}},"output":{"schema":{}}}}}`, map[string]string{"actions": `{"send":{"title":"S","input":{"schema":{}},"output":{"schema":{}},"attributes":{"x":"1"}}}`}},
		"an entity replaced":      {`{"entities":{"ticket":{"schema":{}}}}`, map[string]string{"entities": `{"ticket":{"schema":{}}}`}},
		"a state replaced":        {`{"states":{"token":{"type":"user","schema":{}}}}`, map[string]string{"states": `{"token":{"type":"user","schema":{}}}`}},
		"an interface replaced": {`{"interfaces":{"hitl":{"id":"hitl@1.1.0","name":"said","version":"9","entities":{"a":{"name":"b"}}}}}`,
			map[string]string{"interfaces": `{"hitl":{"id":"hitl@1.1.0","name":"hitl","version":"1.1.0","entities":{"a":{"name":"b"}},"actions":{},"events":{},"channels":{}}}`}},
	} {
		t.Run(name, func(t *testing.T) {
			base := integration(t, integrationBase)
			p := parse[IntegrationPatch](t, test.patch)
			if err := p.Check(); err != nil {
				t.Fatal(err)
			}
			before := definitionOf(t, base)
			once, err := base.Apply(p, found)
			if err != nil {
				t.Fatal(err)
			}
			want := partsOf(t, before)
			for member, value := range test.want {
				want[member] = value
			}
			stored := definitionOf(t, once)
			if diff := cmp.Diff(want, partsOf(t, stored)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(before, definitionOf(t, base)); diff != "" {
				t.Errorf("the patch changed what it was applied to: %s", diff)
			}
			twice, err := once.Apply(p, found)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(stored, definitionOf(t, twice)); diff != "" {
				t.Errorf("applied twice: %s", diff)
			}
			back, err := ParseIntegration([]byte(stored))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(stored, definitionOf(t, back)); diff != "" {
				t.Errorf("stored and read: %s", diff)
			}
		})
	}
}

func TestInterfacePatch(t *testing.T) {
	base := `{"entities":{"item":{"schema":{"type":"object"}}},"events":{"made":{"schema":` + odd + `,"attributes":{"x":"1"}}},
		"actions":{"make":{"input":{"schema":{"$ref":"item"}},"output":{"schema":{}}}},
		"channels":{"c":{"title":"C","messages":{"text":{"schema":` + odd + `}}}},"nameTemplate":{"script":"s","language":"handlebars"}}`
	for name, test := range map[string]struct {
		patch string
		want  map[string]string
	}{
		"nothing":           {`{"channels":{"c":{}},"entities":{"x":null}}`, nil},
		"no name template":  {`{"nameTemplate":null}`, map[string]string{"nameTemplate": ""}},
		"a name template":   {`{"nameTemplate":{"script":"t","language":"l"}}`, map[string]string{"nameTemplate": `{"script":"t","language":"l"}`}},
		"a message type":    {`{"channels":{"c":{"messages":{"text":null,"file":{"schema":{}}}}}}`, map[string]string{"channels": `{"c":{"title":"C","messages":{"file":{"schema":{}}}}}`}},
		"a channel removed": {`{"channels":{"c":null}}`, map[string]string{"channels": `{}`}},
		"an attribute":      {`{"events":{"made":{"schema":{},"attributes":{"y":"2"}}}}`, map[string]string{"events": `{"made":{"schema":{},"attributes":{"x":"1","y":"2"}}}`}},
		"an action removed": {`{"actions":{"make":null}}`, map[string]string{"actions": `{}`}},
	} {
		t.Run(name, func(t *testing.T) {
			before := interfaceOf(t, base)
			p := parse[InterfacePatch](t, test.patch)
			if err := p.Check(); err != nil {
				t.Fatal(err)
			}
			after, err := before.Apply(p)
			if err != nil {
				t.Fatal(err)
			}
			want := partsOf(t, definitionOf(t, before))
			for member, value := range test.want {
				want[member] = value
				if value == "" {
					delete(want, member)
				}
			}
			stored := definitionOf(t, after)
			if diff := cmp.Diff(want, partsOf(t, stored)); diff != "" {
				t.Error(diff)
			}
			back, err := ParseInterface([]byte(stored))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(stored, definitionOf(t, back)); diff != "" {
				t.Errorf("stored and read: %s", diff)
			}
		})
	}
}

func TestPluginPatch(t *testing.T) {
	base := `{"configuration":{"title":"C","schema":` + odd + `},"states":{"s":{"type":"bot","schema":` + odd + `,"expiry":60000}},
		"events":{"e":{"schema":{},"attributes":{"x":"1"}}},"actions":{"a":{"input":{"schema":{}},"output":{"schema":{}}}},
		"user":{"tags":{"u":{"title":"U"}}},"conversation":{"tags":{"c":{}}},"message":{"tags":{"m":{}}},
		"dependencies":{"interfaces":{"hitl":{"id":"hitl@1.0.0"}},"integrations":{"zendesk":{"id":"zendesk@2.0.0","name":"x","definition":{}}}}}`
	reference := func(alias, version string) string {
		return fmt.Sprintf(`"%s":{"id":"%s@%s","name":"%s","version":"%s"}`, alias, alias, version, alias, version)
	}
	for name, test := range map[string]struct {
		patch string
		want  map[string]string
	}{
		"nothing":            {`{"states":{"x":null},"dependencies":{}}`, nil},
		"no configuration":   {`{"configuration":null}`, map[string]string{"configuration": `{"schema":` + emptySchema + `}`}},
		"a configuration":    {`{"configuration":{"schema":{}}}`, map[string]string{"configuration": `{"schema":{}}`}},
		"tags without nulls": {`{"user":{"tags":{"v":{}}},"message":{"tags":{}}}`, map[string]string{"user": `{"tags":{"u":{"title":"U"},"v":{}}}`}},
		"a tag removed":      {`{"user":{"tags":{"u":null}}}`, map[string]string{"user": `{"tags":{}}`}},
		"a dependency removed, one set": {`{"dependencies":{"interfaces":{"hitl":null,"llm":{"id":"llm@3.0.0"}}}}`,
			map[string]string{"dependencies": `{"interfaces":{` + reference("llm", "3.0.0") + `},"integrations":{` + reference("zendesk", "2.0.0") + `}}`}},
		"states": {`{"states":{"s":null,"t":{"type":"user","schema":{}}}}`, map[string]string{"states": `{"t":{"type":"user","schema":{}}}`}},
	} {
		t.Run(name, func(t *testing.T) {
			before := plugin(t, base)
			p := parse[PluginPatch](t, test.patch)
			if err := p.Check(); err != nil {
				t.Fatal(err)
			}
			after, err := before.Apply(p, found, found)
			if err != nil {
				t.Fatal(err)
			}
			want := partsOf(t, definitionOf(t, before))
			for member, value := range test.want {
				want[member] = value
			}
			stored := definitionOf(t, after)
			if diff := cmp.Diff(want, partsOf(t, stored)); diff != "" {
				t.Error(diff)
			}
			back, err := ParsePlugin([]byte(stored))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(stored, definitionOf(t, back)); diff != "" {
				t.Errorf("stored and read: %s", diff)
			}
		})
	}
}

func TestReferences(t *testing.T) {
	var asked []Reference
	find := func(r Reference) (Reference, error) {
		asked = append(asked, r)
		if r.Name == "gone" {
			return r, fault.New(fault.ReferenceNotFound, "gone")
		}
		return Reference{ID: "x", Name: r.Name, Version: r.Version}, nil
	}
	n := parse[NewPlugin](t, `{"dependencies":{"interfaces":{"b":{"name":"b","version":"^1"},"a":{"id":"a","name":"z","version":"9"},"c":{"name":"c"}}}}`)
	if _, err := EmptyPlugin().Apply(n.Patch(), find, nil); err != nil {
		t.Fatal(err)
	}
	want := []Reference{{ID: "a"}, {Name: "b", Version: "^1"}, {Name: "c", Version: "latest"}}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
	gone := parse[PluginPatch](t, `{"dependencies":{"integrations":{"g":{"name":"gone"}}}}`)
	if _, err := EmptyPlugin().Apply(gone, nil, find); !fault.Is(err, fault.ReferenceNotFound) {
		t.Errorf("a missing dependency: %v", err)
	}
	missing := parse[IntegrationPatch](t, `{"interfaces":{"g":{"id":"nothing"}}}`)
	if _, err := EmptyIntegration().Apply(missing, found); !fault.Is(err, fault.ReferenceNotFound) {
		t.Errorf("a missing interface: %v", err)
	}
}

func TestBesideTheDefinition(t *testing.T) {
	p := parse[IntegrationPatch](t, `{"extraOperations":{"a":{"enabled":true},"b":{"enabled":false},"c":null},"attributes":{"x":null,"y":"2"}}`)
	operations, err := p.ApplyExtraOperations(map[string]ExtraOperation{"b": {true}, "c": {true}, "d": {true}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]ExtraOperation{"a": {true}, "d": {true}}, operations); diff != "" {
		t.Error(diff)
	}
	before := map[string]Attribute{"x": "1", "z": "3"}
	attributes, err := ApplyAttributes("An integration", before, p.Attributes)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]Attribute{"y": "2", "z": "3"}, attributes); diff != "" {
		t.Error(diff)
	}
	if len(before) != 2 {
		t.Error("the old attributes were changed")
	}
	many := parse[IntegrationPatch](t, `{"attributes":{`+entries(51, `"v"`)+`},"extraOperations":{`+entries(51, `{"enabled":true}`)+`}}`)
	if _, err := ApplyAttributes("An integration", nil, many.Attributes); !fault.Is(err, fault.LimitExceeded) {
		t.Error(err)
	}
	if _, err := many.ApplyExtraOperations(nil); !fault.Is(err, fault.LimitExceeded) {
		t.Error(err)
	}
}

func TestMembers(t *testing.T) {
	if diff := cmp.Diff([]string{"configuration", "identifier", "user", "attributes"},
		parse[IntegrationPatch](t, `{"attributes":{},"user":{"tags":{}},"identifier":{"extractScript":null},"configuration":{"identifier":{"required":false}}}`).Members()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"channels", "nameTemplate"}, parse[InterfacePatch](t, `{"nameTemplate":null,"channels":{}}`).Members()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"configuration", "dependencies"}, parse[PluginPatch](t, `{"configuration":null,"dependencies":{"interfaces":{}}}`).Members()); diff != "" {
		t.Error(diff)
	}
	for _, members := range [][]string{parse[IntegrationPatch](t, `{"identifier":{}}`).Members(), parse[InterfacePatch](t, `{}`).Members(), parse[PluginPatch](t, `{"user":{}}`).Members()} {
		if members != nil {
			t.Errorf("a patch of nothing has %v", members)
		}
	}
}

func TestPackageLimits(t *testing.T) {
	applyIntegration := func(t *testing.T, text string) error {
		p := parse[NewIntegration](t, text).Patch()
		if err := p.Check(); err != nil {
			return err
		}
		_, err := EmptyIntegration().Apply(p, found)
		return err
	}
	applyInterface := func(t *testing.T, text string) error {
		_, err := Interface{}.Apply(parse[NewInterface](t, text).Patch())
		return err
	}
	applyPlugin := func(t *testing.T, text string) error {
		_, err := EmptyPlugin().Apply(parse[NewPlugin](t, text).Patch(), found, found)
		return err
	}
	schema, action, state := `{"schema":{}}`, `{"input":{"schema":{}},"output":{"schema":{}}}`, `{"type":"user","schema":{}}`
	for name, test := range map[string]struct {
		apply      func(*testing.T, string) error
		body, item string
		most       int
	}{
		"channels":                        {applyIntegration, `{"channels":{%s}}`, `{"messages":{}}`, 10},
		"message types":                   {applyIntegration, `{"channels":{"c":{"messages":{%s}}}}`, schema, 20},
		"configurations":                  {applyIntegration, `{"configurations":{%s}}`, `{}`, 50},
		"states":                          {applyIntegration, `{"states":{%s}}`, state, 20},
		"events":                          {applyIntegration, `{"events":{%s}}`, schema, 20},
		"actions":                         {applyIntegration, `{"actions":{%s}}`, action, 200},
		"entities":                        {applyIntegration, `{"entities":{%s}}`, schema, 100},
		"interfaces":                      {applyIntegration, `{"interfaces":{%s}}`, `{"id":"i@1.0.0"}`, 50},
		"tags of users":                   {applyIntegration, `{"user":{"tags":{%s}}}`, `{}`, 50},
		"tags of conversations":           {applyIntegration, `{"channels":{"c":{"messages":{},"conversation":{"tags":{%s}}}}}`, `{}`, 50},
		"tags of messages":                {applyIntegration, `{"channels":{"c":{"messages":{},"message":{"tags":{%s}}}}}`, `{}`, 50},
		"attributes of an event":          {applyIntegration, `{"events":{"e":{"schema":{},"attributes":{%s}}}}`, `"v"`, 50},
		"counterparts":                    {applyIntegration, `{"interfaces":{"i":{"id":"i@1.0.0","channels":{%s}}}}`, `{"name":"n"}`, 10},
		"channels of an interface":        {applyInterface, `{"channels":{%s}}`, `{"messages":{}}`, 10},
		"message types of an interface":   {applyInterface, `{"channels":{"c":{"messages":{%s}}}}`, schema, 20},
		"entities of an interface":        {applyInterface, `{"entities":{%s}}`, schema, 100},
		"events of an interface":          {applyInterface, `{"events":{%s}}`, schema, 20},
		"actions of an interface":         {applyInterface, `{"actions":{%s}}`, action, 200},
		"states of a plugin":              {applyPlugin, `{"states":{%s}}`, state, 20},
		"events of a plugin":              {applyPlugin, `{"events":{%s}}`, schema, 20},
		"actions of a plugin":             {applyPlugin, `{"actions":{%s}}`, action, 200},
		"tags of a plugin":                {applyPlugin, `{"message":{"tags":{%s}}}`, `{}`, 50},
		"interfaces that a plugin needs":  {applyPlugin, `{"dependencies":{"interfaces":{%s}}}`, `{"id":"i@1.0.0"}`, 50},
		"packages that a plugin needs":    {applyPlugin, `{"dependencies":{"integrations":{%s}}}`, `{"id":"i@1.0.0"}`, 50},
		"attributes of a plugin's action": {applyPlugin, `{"actions":{"a":{"input":{"schema":{}},"output":{"schema":{}},"attributes":{%s}}}}`, `"v"`, 50},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.apply(t, fmt.Sprintf(test.body, entries(test.most, test.item))); err != nil {
				t.Error(err)
			}
			err := test.apply(t, fmt.Sprintf(test.body, entries(test.most+1, test.item)))
			if !fault.Is(err, fault.LimitExceeded) || !strings.Contains(err.Error(), fmt.Sprint(test.most)) {
				t.Errorf("one more: %v", err)
			}
		})
	}
}

// What a patch refers to is looked up, so a patch of too many references is refused
// before the first lookup.
func TestTooManyReferencesAreNotLookedUp(t *testing.T) {
	lookups := 0
	find := func(r Reference) (Reference, error) {
		lookups++
		return found(r)
	}
	references := entries(51, `{"id":"i@1.0.0"}`)
	for name, apply := range map[string]func() error{
		"interfaces": func() error {
			_, err := EmptyIntegration().Apply(parse[IntegrationPatch](t, `{"interfaces":{`+references+`}}`), find)
			return err
		},
		"interface dependencies": func() error {
			_, err := EmptyPlugin().Apply(parse[PluginPatch](t, `{"dependencies":{"interfaces":{`+references+`}}}`), find, find)
			return err
		},
		"integration dependencies": func() error {
			_, err := EmptyPlugin().Apply(parse[PluginPatch](t, `{"dependencies":{"integrations":{`+references+`}}}`), find, find)
			return err
		},
	} {
		if err := apply(); !fault.Is(err, fault.LimitExceeded) || !strings.Contains(err.Error(), "50 "+name) {
			t.Errorf("51 %s: %v", name, err)
		}
	}
	if lookups > 0 {
		t.Errorf("there were %d lookups", lookups)
	}
}

func TestPackageCheck(t *testing.T) {
	checkIntegration := func(t *testing.T, text string) error { return parse[IntegrationPatch](t, text).Check() }
	checkInterface := func(t *testing.T, text string) error { return parse[InterfacePatch](t, text).Check() }
	checkPlugin := func(t *testing.T, text string) error { return parse[PluginPatch](t, text).Check() }
	bad := `{"type":3}`
	large := `{"description":"` + strings.Repeat("x", maxSchema) + `"}`
	for name, test := range map[string]struct {
		check func(*testing.T, string) error
		patch string
		kind  fault.Type
		part  string
	}{
		"configuration":            {checkIntegration, `{"configuration":{"schema":` + bad + `}}`, fault.InvalidJSONSchema, "configuration.schema is not a JSON schema"},
		"named configuration":      {checkIntegration, `{"configurations":{"c":{"schema":` + bad + `}}}`, fault.InvalidJSONSchema, "configurations.c.schema"},
		"message":                  {checkIntegration, `{"channels":{"c":{"messages":{"m":{"schema":` + bad + `}}}}}`, fault.InvalidJSONSchema, "channels.c.messages.m.schema"},
		"entity":                   {checkIntegration, `{"entities":{"e":{"schema":` + bad + `}}}`, fault.InvalidJSONSchema, "entities.e.schema"},
		"state":                    {checkIntegration, `{"states":{"s":{"type":"user","schema":` + bad + `}}}`, fault.InvalidJSONSchema, "states.s.schema"},
		"large schema":             {checkIntegration, `{"actions":{"a":{"input":{"schema":` + large + `},"output":{"schema":{}}}}}`, fault.LimitExceeded, "actions.a.input.schema is"},
		"empty channel":            {checkIntegration, `{"channels":{"":{}}}`, fault.InvalidPayload, "channels has an empty key"},
		"empty tag":                {checkIntegration, `{"channels":{"c":{"conversation":{"tags":{"":{}}}}}}`, fault.InvalidPayload, "channels.c.conversation.tags has an empty key"},
		"empty required tag":       {checkIntegration, `{"user":{"creation":{"enabled":true,"requiredTags":[""]}}}`, fault.InvalidPayload, "user.creation.requiredTags has an empty key"},
		"many required tags":       {checkIntegration, `{"user":{"creation":{"enabled":true,"requiredTags":["x"` + strings.Repeat(`,"x"`, 50) + `]}}}`, fault.LimitExceeded, "has 51 tags"},
		"empty counterpart":        {checkIntegration, `{"interfaces":{"i":{"id":"i","actions":{"":{"name":"x"}}}}}`, fault.InvalidPayload, "interfaces.i.actions has an empty key"},
		"empty attribute":          {checkIntegration, `{"attributes":{"":"x"}}`, fault.InvalidPayload, "attributes has an empty key"},
		"interface's message":      {checkInterface, `{"channels":{"c":{"messages":{"m":{"schema":` + bad + `}}}}}`, fault.InvalidJSONSchema, "channels.c.messages.m.schema"},
		"interface's entity":       {checkInterface, `{"entities":{"e":{"schema":` + bad + `}}}`, fault.InvalidJSONSchema, "entities.e.schema"},
		"plugin's configuration":   {checkPlugin, `{"configuration":{"schema":` + bad + `}}`, fault.InvalidJSONSchema, "configuration.schema"},
		"plugin's nameless need":   {checkPlugin, `{"dependencies":{"integrations":{"z":{"version":"1.0.0"}}}}`, fault.InvalidPayload, "dependencies.integrations.z has neither the id nor the name"},
		"references are not read":  {checkPlugin, `{"actions":{"a":{"input":{"schema":{"$ref":"interface:hitl/entities/x"}},"output":{"schema":{"$ref":"item"}}}}}`, "", ""},
		"null needs no valid name": {checkIntegration, `{"channels":{"":null},"entities":{"":null},"interfaces":{"":null}}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.check(t, test.patch)
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

// FuzzIntegrationPatch holds patches of integrations to the laws of patches.
func FuzzIntegrationPatch(f *testing.F) {
	f.Add(integrationBase, `{"channels":{"dm":null},"identifier":{"extractScript":null}}`)
	f.Add(`{"configurations":{"c":{"schema":`+odd+`}}}`, `{"configurations":{"c":{},"d":{"identifier":{"required":true}}},"configuration":{"schema":{}}}`)
	f.Add(`{"user":{"tags":{"t":{"title":"\ud800"}}}}`, `{"user":{"creation":{"enabled":true,"requiredTags":["t"]}},"interfaces":{"i":{"id":"i@1"}}}`)
	f.Fuzz(func(t *testing.T, base, patch string) {
		var n NewIntegration
		var p IntegrationPatch
		if wire.ParseJSON([]byte(base), &n) != nil || wire.ParseJSON([]byte(patch), &p) != nil {
			return
		}
		first := n.Patch()
		if first.Check() != nil || p.Check() != nil {
			return
		}
		anything := func(r Reference) (Reference, error) { return Reference{ID: r.ID, Name: "n", Version: "1.0.0"}, nil }
		i, err := EmptyIntegration().Apply(first, anything)
		if err != nil {
			return
		}
		before := definitionOf(t, i)
		once, err := i.Apply(p, anything)
		if err != nil {
			return
		}
		twice, err := once.Apply(p, anything)
		if err != nil {
			t.Fatal(err)
		}
		stored := definitionOf(t, once)
		back, err := ParseIntegration([]byte(stored))
		if err != nil {
			t.Fatal(err)
		}
		for what, text := range map[string]string{"applied twice": definitionOf(t, twice), "stored and read": definitionOf(t, back)} {
			if diff := cmp.Diff(stored, text); diff != "" {
				t.Fatalf("%s: %s", what, diff)
			}
		}
		if diff := cmp.Diff(before, definitionOf(t, i)); diff != "" {
			t.Fatalf("the patch changed what it was applied to: %s", diff)
		}
		if changes := BreakingIntegration(once, twice); len(changes) > 0 {
			t.Fatalf("the same integration breaks itself: %v", changes)
		}
	})
}
