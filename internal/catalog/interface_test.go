package catalog

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/internal/wire"
)

func answering() *Service {
	return New(Options{Keys: secret.New(), PublicURL: func() string { return "https://example.com" }})
}

// fits holds an answer that is written by hand against the type that documents it,
// and gives its one member. One without unknown members and with all required ones
// fits the other.
func fits[T any](t *testing.T, answer []byte, member string, members int) map[string]any {
	t.Helper()
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schema := registry.Schema(reflect.TypeFor[T](), true, "")
	var v any
	if err := json.Unmarshal(answer, &v); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	path, result := huma.NewPathBuffer(nil, 0), huma.ValidateResult{}
	huma.Validate(registry, schema, path, huma.ModeReadFromServer, v, &result)
	for _, err := range result.Errors {
		t.Error(err)
	}
	inner := v.(map[string]any)[member].(map[string]any)
	if len(inner) != members {
		t.Errorf("%d members, want %d: %s", len(inner), members, answer)
	}
	return inner
}

func drafted(t *testing.T, body string) Interface {
	t.Helper()
	d, err := ReadInterface([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	none, err := definition.Interface{}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	u := d.update()
	if err := u.check(); err != nil {
		t.Fatal(err)
	}
	now := time.UnixMilli(1_700_000_000_000)
	i, err := Interface{
		ID: id.NewInterface(now), Workspace: home, Name: d.Name, Version: d.Version, CreatedAt: now, Attributes: "{}", Definition: JSON(none),
	}.apply(u, now)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

const fullInterface = `{"name":"h/full","version":"1.2.3","title":"Full \"\u2028","description":"line\nline","public":true,"sdkVersion":"7",
	"entities":{"e":{"title":"E","schema":{"type":"object","n":1.00}}},
	"events":{"v":{"schema":{"$ref":"e"},"attributes":{"a":"b"}}},
	"actions":{"act":{"input":{"schema":{}},"output":{"schema":{"$ref":"e"}},"billable":true}},
	"channels":{"c":{"title":"C","messages":{"text":{"schema":{}}}}},
	"nameTemplate":{"script":"{{name}}","language":"mustache"},
	"attributes":{"k":"v"}}`

func TestInterfaceAnswer(t *testing.T) {
	s := answering()
	least := fits[InterfaceAnswer](t, s.appendInterface(nil, drafted(t, `{"name":"h/least","version":"1.0.0"}`)), "interface", 15)
	if least["title"] != "least" || least["description"] != "" || least["public"] != false {
		t.Errorf("%v", least)
	}
	i := drafted(t, fullInterface)
	full := fits[InterfaceAnswer](t, s.appendInterface(nil, i), "interface", 16)
	if full["title"] != "Full \"\u2028" || full["createdAt"] != "2023-11-14T22:13:20.000Z" || full["iconUrl"] != "https://example.com/v1/assets/icon.svg" {
		t.Errorf("%v", full)
	}
	if text := string(s.appendInterface(nil, i)); !strings.Contains(text, `{"type":"object","n":1.00}`) {
		t.Errorf("the schema was not kept: %s", text)
	}
}

func TestInterfaceUpdate(t *testing.T) {
	before := drafted(t, fullInterface)
	for name, test := range map[string]struct {
		body  string
		parts []string
		typ   fault.Type
	}{
		"nothing":     {`{}`, nil, ""},
		"the same":    {`{"title":"Full \"\u2028","actions":{"act":{"input":{"schema":{}},"output":{"schema":{"$ref":"e"}},"billable":true}},"attributes":{"k":"v"}}`, nil, ""},
		"visibility":  {`{"public":false}`, nil, ""},
		"title":       {`{"title":"T","description":"D"}`, []string{"title", "description"}, ""},
		"sdk":         {`{"sdkVersion":"8"}`, []string{"sdkVersion"}, ""},
		"attributes":  {`{"attributes":{"k":null}}`, []string{"attributes"}, ""},
		"definition":  {`{"actions":{"act":null},"channels":{"c":{"messages":{"text":null}}},"nameTemplate":null}`, []string{"actions", "channels", "nameTemplate"}, ""},
		"nulls":       {`{"actions":{"none":null},"entities":{"none":null}}`, nil, ""},
		"long title":  {`{"title":"` + strings.Repeat("x", 65) + `"}`, nil, fault.InvalidPayload},
		"empty title": {`{"title":""}`, nil, fault.InvalidPayload},
		"schema":      {`{"events":{"v":{"schema":{"type":3}}}}`, nil, fault.InvalidJSONSchema},
		"icon":        {`{"icon":"%"}`, nil, fault.InvalidPayload},
	} {
		t.Run(name, func(t *testing.T) {
			var body UpdateInterfaceBody
			if err := wire.ParseJSON([]byte(test.body), &body); err != nil {
				t.Fatal(err)
			}
			u := body.update()
			err := u.check()
			if test.typ != "" {
				if !fault.Is(err, test.typ) {
					t.Errorf("%v, want %s", err, test.typ)
				}
				return
			}
			after, err := before.apply(u, before.UpdatedAt.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			parts, err := before.contentChanges(after)
			if diff := cmp.Diff(test.parts, parts); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
			if !after.UpdatedAt.After(before.UpdatedAt) {
				t.Error("updatedAt stayed")
			}
			again, err := after.apply(u, after.UpdatedAt)
			if diff := cmp.Diff(after, again); diff != "" || err != nil {
				t.Errorf("the second time: %v %s", err, diff)
			}
		})
	}
}

func TestNeeded(t *testing.T) {
	if err := checkNoDependents(release{kind: InterfaceKind, name: "i", version: "1.0.0"}, dependents{}); err != nil {
		t.Error(err)
	}
	err := checkNoDependents(release{kind: InterfaceKind, name: "i", version: "1.0.0"}, dependents{own: []string{"plugin a@1.0.0"}, others: 2})
	if !fault.Is(err, fault.ReferenceConstraint) || !strings.Contains(err.Error(), "interface i@1.0.0") || !strings.Contains(err.Error(), "plugin a@1.0.0, 2 packages of other workspaces") {
		t.Error(err)
	}
	many := make([]string, maxNamed+1)
	if err := checkNoDependents(release{kind: InterfaceKind, name: "i", version: "1.0.0"}, dependents{own: many}); !strings.Contains(err.Error(), "more of this workspace") {
		t.Error(err)
	}
}
