package bot

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// syncer depends on an interface and on an integration.
func syncer() definition.InstallablePlugin {
	return definition.InstallablePlugin{ID: "plugver_1", Name: "syncer", Version: "1.0.0", Plugin: definition.Plugin{Dependencies: definition.Dependencies{
		Interfaces:   map[string]definition.Reference{"source": {ID: "ifver_1", Name: "readable", Version: "1.0.0"}},
		Integrations: map[string]definition.Reference{"mail": {ID: "intver_9", Name: "mail", Version: "1.0.0"}},
	}}}
}

var shelf = map[id.Integration]definition.InstallableIntegration{
	"intver_1": {ID: "intver_1", Name: "drive", Version: "1.0.0", Integration: definition.Integration{Interfaces: map[string]definition.Implementation{
		"list": {Reference: definition.Reference{ID: "ifver_2", Name: "listable"}},
		"read": {Reference: definition.Reference{ID: "ifver_1", Name: "readable"}},
	}}},
	"intver_2": {ID: "intver_2", Name: "drive", Version: "2.0.0", Integration: definition.Integration{Interfaces: map[string]definition.Implementation{
		"reading": {Reference: definition.Reference{ID: "ifver_3", Name: "readable"}},
	}}},
	"intver_3": {ID: "intver_3", Name: "drive", Version: "3.0.0"},
	"intver_8": {ID: "intver_8", Name: "mail", Version: "2.0.0"},
}

func bound() instances {
	at := time.UnixMilli
	return instances{
		"mine":  {Alias: "mine", Integration: "intver_1", CreatedAt: at(2)},
		"older": {Alias: "older", Integration: "intver_1", CreatedAt: at(1)},
		"new":   {Alias: "new", Integration: "intver_2", CreatedAt: at(3)},
		"bare":  {Alias: "bare", Integration: "intver_3", CreatedAt: at(3)},
		"post":  {Alias: "post", Integration: "intver_8", CreatedAt: at(3)},
	}
}

func bind(s PluginSetup, kept PluginInstance, all instances) (PluginInstance, map[string]backing, error) {
	kept.Alias, kept.Enabled = "p", true
	kept, err := kept.setUp("plugins.p", s, syncer(), newChecker(), time.UnixMilli(1))
	if err != nil {
		return kept, nil, err
	}
	return kept.bind(syncer(), binder{path: "plugins.p", setup: s, all: all, load: func(i id.Integration) (definition.InstallableIntegration, error) {
		return shelf[i], nil
	}})
}

func TestBind(t *testing.T) {
	mail := map[string]PluginIntegration{"mail": {IntegrationID: "intver_8", IntegrationAlias: "post"}}
	source := func(integration, alias, implemented string) PluginSetup {
		return PluginSetup{Integrations: mail, Interfaces: map[string]PluginInterface{"source": {IntegrationID: integration, IntegrationAlias: alias, IntegrationInterfaceAlias: implemented}}}
	}
	for name, test := range map[string]struct {
		setup       PluginSetup
		alias, impl string
	}{
		"by alias":           {source("intver_1", "mine", "read"), "mine", "read"},
		"first of its kind":  {source("intver_1", "", "read"), "older", "read"},
		"interface found":    {source("intver_1", "mine", ""), "mine", "read"},
		"another version":    {source("intver_2", "new", ""), "new", "reading"},
		"named, other one":   {source("intver_2", "", "reading"), "new", "reading"},
		"nothing but its id": {source("intver_2", "", ""), "new", "reading"},
	} {
		t.Run(name, func(t *testing.T) {
			p, backings, err := bind(test.setup, PluginInstance{}, bound())
			if err != nil {
				t.Fatal(err)
			}
			want := PluginInterface{
				IntegrationID: test.setup.Interfaces["source"].IntegrationID, IntegrationAlias: test.alias,
				IntegrationInterfaceAlias: test.impl, InterfaceID: "ifver_1",
			}
			if diff := cmp.Diff(want, p.Interfaces["source"]); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(mail, p.Integrations); diff != "" {
				t.Error(diff)
			}
			if got := backings["source"]; got.Alias != test.alias || string(got.of.ID) != want.IntegrationID {
				t.Errorf("backed by %s of %s", got.Alias, got.of.ID)
			}
			// Sent again without its choices, it keeps them.
			again, _, err := bind(PluginSetup{}, p, bound())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(p.Interfaces, again.Interfaces); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("refuses", func(t *testing.T) {
		for name, test := range map[string]struct {
			setup PluginSetup
			kind  fault.Type
			words []string
		}{
			"lacks the interface":   {PluginSetup{Integrations: mail}, fault.InvalidPayload, []string{"plugins.p.interfaces", `"source"`, "readable"}},
			"lacks the integration": {PluginSetup{Interfaces: source("intver_1", "", "").Interfaces}, fault.InvalidPayload, []string{"plugins.p.integrations", `"mail"`}},
			"unknown dependency":    {PluginSetup{Interfaces: map[string]PluginInterface{"target": {}}}, fault.InvalidPayload, []string{`"target"`, `"source"`}},
			"not installed":         {source("intver_7", "", ""), fault.ReferenceNotFound, []string{"plugins.p.interfaces.source", "intver_7"}},
			"no such alias":         {source("intver_1", "none", ""), fault.ReferenceNotFound, []string{`"none"`}},
			"another's alias":       {source("intver_1", "new", ""), fault.ReferenceNotFound, []string{`"intver_2"`, `"new"`}},
			"does not implement":    {source("intver_3", "bare", ""), fault.ReferenceNotFound, []string{"readable", "drive 3.0.0"}},
			"not that interface":    {source("intver_1", "mine", "list"), fault.ReferenceNotFound, []string{"readable", `"list", "read"`}},
			"wrong integration": {PluginSetup{Interfaces: source("intver_1", "", "").Interfaces, Integrations: map[string]PluginIntegration{"mail": {IntegrationID: "intver_1", IntegrationAlias: "mine"}}},
				fault.ReferenceNotFound, []string{"plugins.p.integrations.mail", "drive"}},
		} {
			_, _, err := bind(test.setup, PluginInstance{}, bound())
			if !fault.Is(err, test.kind) {
				t.Errorf("%s: %v, want %s", name, err, test.kind)
				continue
			}
			for _, word := range test.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%s: %q does not say %s", name, err, word)
				}
			}
		}
	})
	t.Run("afterwards", func(t *testing.T) {
		p, _, err := bind(source("intver_1", "mine", "read"), PluginInstance{}, bound())
		if err != nil {
			t.Fatal(err)
		}
		without := bound()
		delete(without, "mine")
		if _, _, err := bind(PluginSetup{}, p, without); !fault.Is(err, fault.ReferenceConstraint) || !strings.Contains(err.Error(), `"mine"`) {
			t.Errorf("removed: %v", err)
		}
		bare := bound()
		bare["mine"] = Instance{Alias: "mine", Integration: "intver_3"}
		if _, _, err := bind(PluginSetup{}, p, bare); !fault.Is(err, fault.ReferenceConstraint) {
			t.Errorf("a version that does not implement it: %v", err)
		}
		p.Interfaces["source"] = PluginInterface{IntegrationID: "intver_1", IntegrationAlias: "mine"}
		upgraded := bound()
		upgraded["mine"] = Instance{Alias: "mine", Integration: "intver_2"}
		p, _, err = bind(PluginSetup{}, p, upgraded)
		if err != nil || p.Interfaces["source"].IntegrationID != "intver_2" {
			t.Errorf("another version that does: %v %v", p.Interfaces, err)
		}
	})
}

func TestSwitchedOffPluginMayLack(t *testing.T) {
	p, _, err := bind(PluginSetup{Enabled: ptr(false)}, PluginInstance{}, bound())
	if err != nil || len(p.Interfaces) != 0 {
		t.Errorf("%v %v", p.Interfaces, err)
	}
}

func TestNamesThatPluginsOwn(t *testing.T) {
	var body UpdateBotBody
	const event = `{"schema":{}}`
	if err := wire.ParseJSON([]byte(`{"events":{"p#a":`+event+`,"q#a":`+event+`,"a":`+event+`,"p#b":null},"actions":{"p#x":null}}`), &body); err != nil {
		t.Fatal(err)
	}
	patch := withoutOwned(body.BotPatch, map[string]PluginInstance{"p": {}})
	if got := slices.Sorted(maps.Keys(patch.Events)); !slices.Equal(got, []string{"a", "p#b", "q#a"}) {
		t.Error(got)
	}
	if len(patch.Actions) != 1 || len(body.Events) != 4 {
		t.Errorf("%v %v", patch.Actions, body.Events)
	}
}
