package catalog

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// finder finds what has a name, under an id that is made of it.
func finder(prefix string) definition.Find {
	return func(r definition.Reference) (definition.Reference, error) {
		if r.ID == "" {
			r.ID = prefix + "_" + r.Name
		}
		if strings.HasSuffix(r.ID, "missing") {
			return r, errDependencyNotFound(InterfaceKind, r)
		}
		return definition.Reference{ID: r.ID, Name: strings.TrimPrefix(r.ID, prefix+"_"), Version: "1.0.0"}, nil
	}
}

func draftedPlugin(t *testing.T, body string) Plugin {
	t.Helper()
	var b CreatePluginBody
	if err := wire.ParseJSON([]byte(body), &b); err != nil {
		t.Fatal(err)
	}
	none, err := definition.EmptyPlugin().JSON()
	if err != nil {
		t.Fatal(err)
	}
	u := b.draft().update()
	if err := u.check(); err != nil {
		t.Fatal(err)
	}
	now := time.UnixMilli(1_700_000_000_000)
	p, err := Plugin{
		ID: id.NewPlugin(now), Workspace: home, Name: b.Name, Version: b.Version, Visibility: Private, Lifecycle: Published,
		CreatedAt: now, Attributes: "{}", Definition: JSON(none),
	}.apply(u, finder("ifver"), finder("intver"), now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const fullPlugin = `{"name":"h/full","version":"1.2.3","title":"Full","description":"d","visibility":"unlisted","sdkVersion":"7",
	"code":{"node":"n","browser":"b"},
	"configuration":{"title":"C","schema":{"type":"object","n":1.00}},
	"states":{"s":{"type":"user","schema":{}}},
	"events":{"v":{"schema":{"$ref":"interface:i/entities/e"}}},
	"actions":{"act":{"input":{"schema":{}},"output":{"schema":{}}}},
	"user":{"tags":{"u":{}}},"conversation":{"tags":{"c":{}}},"message":{"tags":{"m":{"title":"M"}}},
	"dependencies":{"interfaces":{"i":{"name":"0000000000000000000000hitl","type":"interface","definition":{"x":1}}},"integrations":{"j":{"id":"intver_00000000000000000000slack"}}},
	"attributes":{"k":"v"}}`

func TestPluginAnswer(t *testing.T) {
	s := answering()
	least := fits[PluginAnswer](t, s.appendPlugin(nil, draftedPlugin(t, `{"name":"h/least","version":"1.0.0","code":{"node":"","browser":""}}`)), "plugin", 21)
	if least["title"] != "least" || least["visibility"] != "private" || least["public"] != false || least["lifecycleStatus"] != "published" {
		t.Errorf("%v", least)
	}
	p := draftedPlugin(t, fullPlugin)
	full := fits[PluginAnswer](t, s.appendPlugin(nil, p), "plugin", 21)
	want := map[string]any{
		"interfaces":   map[string]any{"i": map[string]any{"id": "ifver_0000000000000000000000hitl", "name": "0000000000000000000000hitl", "version": "1.0.0"}},
		"integrations": map[string]any{"j": map[string]any{"id": "intver_00000000000000000000slack", "name": "00000000000000000000slack", "version": "1.0.0"}},
	}
	if diff := cmp.Diff(any(want), full["dependencies"]); diff != "" {
		t.Error(diff)
	}
	if full["visibility"] != "unlisted" || full["public"] != false {
		t.Errorf("%v", full)
	}
	if text := string(s.appendPlugin(nil, p)); !strings.Contains(text, `{"type":"object","n":1.00}`) || !strings.Contains(text, `{"$ref":"interface:i/entities/e"}`) {
		t.Errorf("the schemas were not kept: %s", text)
	}
}

func TestPluginUpdate(t *testing.T) {
	before := draftedPlugin(t, fullPlugin)
	for name, test := range map[string]struct {
		body  string
		parts []string
		v     Visibility
		typ   fault.Type
	}{
		"nothing":         {`{}`, nil, Unlisted, ""},
		"the same":        {`{"title":"Full","message":{"tags":{"m":{"title":"M"}}},"dependencies":{"interfaces":{"i":{"name":"0000000000000000000000hitl"}}}}`, nil, Unlisted, ""},
		"visibility":      {`{"visibility":"private"}`, nil, Private, ""},
		"public":          {`{"public":true}`, nil, Public, ""},
		"not public":      {`{"public":false}`, nil, Unlisted, ""},
		"visibility wins": {`{"public":true,"visibility":"private"}`, nil, Private, ""},
		"text":            {`{"title":"T","description":"D","sdkVersion":"8","attributes":{"k":null}}`, []string{"title", "description", "sdkVersion", "attributes"}, Unlisted, ""},
		"tags merge":      {`{"user":{"tags":{"more":{}}}}`, []string{"user"}, Unlisted, ""},
		"configuration":   {`{"configuration":null}`, []string{"configuration"}, Unlisted, ""},
		"dependency":      {`{"dependencies":{"integrations":{"j":null}}}`, []string{"dependencies"}, Unlisted, ""},
		"items":           {`{"states":{"s":null},"events":{"v":null},"actions":{"act":null}}`, []string{"actions", "events", "states"}, Unlisted, ""},
		"title":           {`{"title":""}`, nil, "", fault.InvalidPayload},
		"no reference":    {`{"dependencies":{"interfaces":{"i":{"version":"1.0.0"}}}}`, nil, "", fault.InvalidPayload},
		"code":            {`{"code":{"node":"` + strings.Repeat("x", maxCode+1) + `"}}`, nil, "", fault.LimitExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			var body UpdatePluginBody
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
			after, err := before.apply(u, finder("ifver"), finder("intver"), before.UpdatedAt.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			parts, err := before.contentChanges(after)
			if diff := cmp.Diff(test.parts, parts); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
			if after.Visibility != test.v {
				t.Errorf("it is %s, want %s", after.Visibility, test.v)
			}
		})
	}
	var body UpdatePluginBody
	if err := wire.ParseJSON([]byte(`{"dependencies":{"interfaces":{"x":{"name":"missing"}}}}`), &body); err != nil {
		t.Fatal(err)
	}
	_, err := before.apply(body.update(), finder("ifver"), finder("intver"), before.UpdatedAt)
	if !fault.Is(err, fault.ReferenceNotFound) || !strings.Contains(err.Error(), `"missing@latest"`) && !strings.Contains(err.Error(), "missing") {
		t.Error(err)
	}
}
