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

func TestKeysOfIntegrations(t *testing.T) {
	at := time.UnixMilli
	all := instances{
		"second": {Alias: "second", Integration: "intver_1", CreatedAt: at(2)},
		"first":  {Alias: "first", Integration: "intver_1", CreatedAt: at(1)},
		"other":  {Alias: "other", Integration: "intver_2", CreatedAt: at(1)},
		"twin":   {Alias: "twin", Integration: "intver_2", CreatedAt: at(1)},
	}
	for key, test := range map[string]struct {
		integration, wantOf id.Integration
		wantAlias           string
	}{
		"new":      {"intver_1", "intver_1", "new"},
		"second":   {"intver_2", "intver_2", "second"}, // another version under the alias
		"first":    {"", "intver_1", "first"},
		"intver_1": {"", "intver_1", "first"},
		"intver_2": {"", "intver_2", "other"},
		"intver_3": {"", "intver_3", "intver_3"},
	} {
		if alias, of := all.named(key, test.integration); alias != test.wantAlias || of != test.wantOf {
			t.Errorf("%s: %s of %s, want %s of %s", key, alias, of, test.wantAlias, test.wantOf)
		}
	}
	for key, want := range map[string][]string{
		"first":    {"other", "second", "twin"},
		"intver_1": {"other", "twin"},
		"intver_3": {"first", "other", "second", "twin"},
	} {
		left := maps.Clone(all)
		left.remove(key)
		if got := slices.Sorted(maps.Keys(left)); !slices.Equal(got, want) {
			t.Errorf("without %s: %v, want %v", key, got, want)
		}
	}
}

const tokenSchema = `{"type":"object","properties":{"token":{"type":"string"}},"required":["token"]}`

func telegram() definition.InstallableIntegration {
	return definition.InstallableIntegration{ID: "intver_1", Name: "telegram", Version: "1.0.0", URL: "https://example.com", Integration: definition.Integration{
		Configuration:  definition.IntegrationConfiguration{Schema: wire.Object(tokenSchema)},
		Configurations: map[string]definition.IntegrationConfiguration{"oauth": {Identifier: definition.ConfigurationIdentifier{Required: true}}},
		Channels:       map[string]definition.Channel{"dm": {}, "group": {}},
	}}
}

func TestSetUpIntegration(t *testing.T) {
	token := wire.Object(`{"token":"t"}`)
	now, then := time.UnixMilli(2000), time.UnixMilli(1000)
	old := Instance{
		Alias: "a", Integration: "intver_1", Enabled: true, Configuration: token, DisabledChannels: `["dm"]`,
		Webhook: "hook", Status: "registered", CreatedAt: then, UpdatedAt: then, Of: Package{Name: "telegram", UpdatedAt: then},
	}
	off, failed, stale, identified := old, old, old, old
	off.Enabled, off.Status, off.StatusReason = false, UnregistrationFailed, "because"
	failed.Status, failed.StatusReason = RegistrationFailed, "because"
	stale.Of.UpdatedAt = now
	identified.Identifier = "known"
	runnable, upgraded, other := telegram(), telegram(), telegram()
	other.ID, other.Name, other.Channels = "intver_3", "slack", nil
	idle := telegram()
	idle.URL = ""
	upgraded.ID, upgraded.Channels = "intver_2", nil
	developed, inDevelopment := telegram(), identified
	developed.ID, developed.Dev, inDevelopment.Integration = "devint_1", true, "devint_1"
	for name, test := range map[string]struct {
		before  Instance
		setup   IntegrationSetup
		version definition.InstallableIntegration
		want    func(*Instance) // of before
	}{
		"new": {Instance{}, IntegrationSetup{Configuration: token}, runnable, func(i *Instance) {
			i.Due = true
			i.Enabled, i.Configuration, i.DisabledChannels, i.CreatedAt, i.Status, i.StatusReason = true, token, "[]", now, Pending, "The integration was not called yet."
		}},
		"new, switched off and incomplete": {Instance{}, IntegrationSetup{Enabled: ptr(false)}, runnable, func(i *Instance) {
			i.Configuration, i.DisabledChannels, i.CreatedAt, i.Status = wire.Object(`{}`), "[]", now, Unregistered
		}},
		"nothing runs it": {Instance{}, IntegrationSetup{Configuration: token}, idle, func(i *Instance) {
			i.Enabled, i.Configuration, i.DisabledChannels, i.CreatedAt, i.Status = true, token, "[]", now, Pending
			i.StatusReason = "Nothing runs this integration: it has no url, and this server does not run code. It is registered when the integration is deployed with a url."
		}},
		"nothing said": {old, IntegrationSetup{}, runnable, func(*Instance) {}},
		"the same":     {old, IntegrationSetup{Configuration: token, Enabled: ptr(true)}, runnable, func(*Instance) {}},
		"channels": {old, IntegrationSetup{DisabledChannels: []string{"group", "dm", "group"}}, runnable, func(i *Instance) {
			i.DisabledChannels = `["dm","group"]`
		}},
		"no channels": {old, IntegrationSetup{DisabledChannels: []string{}}, runnable, func(i *Instance) { i.DisabledChannels = "[]" }},
		"configured anew": {old, IntegrationSetup{Configuration: wire.Object(`{"token":"u"}`)}, runnable, func(i *Instance) {
			i.Configuration, i.Status, i.StatusReason, i.Due = wire.Object(`{"token":"u"}`), Pending, "The integration was not called yet.", true
		}},
		"authorised elsewhere": {old, IntegrationSetup{ConfigurationType: wire.Set("oauth")}, runnable, func(i *Instance) {
			i.ConfigurationType, i.Status, i.StatusReason = ptr("oauth"), Pending, "The integration has to be authorised first: its configuration needs an identifier."
		}},
		"switched off": {old, IntegrationSetup{Enabled: ptr(false)}, runnable, func(i *Instance) {
			i.Enabled, i.Status, i.StatusReason, i.Due = false, UnregisterPending, "The integration was not called yet.", true
		}},
		"switched off when nothing runs it": {old, IntegrationSetup{Enabled: ptr(false)}, idle, func(i *Instance) { i.Enabled, i.Status = false, Unregistered }},
		"switched off already":              {off, IntegrationSetup{DisabledChannels: []string{}}, runnable, func(i *Instance) { i.DisabledChannels = "[]" }},
		"switched on again": {off, IntegrationSetup{Enabled: ptr(true)}, runnable, func(i *Instance) {
			i.Enabled, i.Status, i.StatusReason, i.Due = true, Pending, "The integration was not called yet.", true
		}},
		"failed before": {failed, IntegrationSetup{}, runnable, func(i *Instance) {
			i.Status, i.StatusReason, i.Due = Pending, "The integration was not called yet.", true
		}},
		"deployed since": {stale, IntegrationSetup{}, runnable, func(i *Instance) {
			i.Status, i.StatusReason, i.Due = Pending, "The integration was not called yet.", true
		}},
		"another integration": {identified, IntegrationSetup{}, other, func(i *Instance) {
			i.Identifier, i.DisabledChannels, i.Status, i.StatusReason, i.Due = "", "[]", Pending, "The integration was not called yet.", true
		}},
		"another version keeps the identifier": {identified, IntegrationSetup{}, upgraded, func(i *Instance) {
			i.DisabledChannels, i.Status, i.StatusReason, i.Due = "[]", Pending, "The integration was not called yet.", true
		}},
		"the development version of the same name": {identified, IntegrationSetup{}, developed, func(i *Instance) {
			i.Identifier, i.Status, i.StatusReason, i.Due = "", Pending, "The integration was not called yet.", true
		}},
		"the development version changed": {inDevelopment, IntegrationSetup{}, developed, func(i *Instance) {}},
		"the release of the same name": {inDevelopment, IntegrationSetup{}, runnable, func(i *Instance) {
			i.Identifier, i.Status, i.StatusReason, i.Due = "", Pending, "The integration was not called yet.", true
		}},
		"another version": {old, IntegrationSetup{}, upgraded, func(i *Instance) {
			i.Integration, i.DisabledChannels, i.Status, i.StatusReason, i.Due = "intver_2", "[]", Pending, "The integration was not called yet.", true
		}},
	} {
		t.Run(name, func(t *testing.T) {
			want := test.before
			want.UpdatedAt, want.Integration = now, test.version.ID
			want.Of.Name, want.Of.Version = test.version.Name, test.version.Version
			test.want(&want)
			got, err := test.before.setUp("integrations.a", test.setup, test.version, newChecker(), now)
			if err != nil {
				t.Fatal(err)
			}
			if test.before.Webhook == "" {
				if len(got.Webhook) != 36 {
					t.Errorf("the webhook is %q", got.Webhook)
				}
				got.Webhook = ""
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSetUpIntegrationRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		setup IntegrationSetup
		kind  fault.Type
		words []string
	}{
		"incomplete":       {IntegrationSetup{}, fault.InvalidDataFormat, []string{"integrations.a.configuration", `"token"`}},
		"wrong":            {IntegrationSetup{Configuration: wire.Object(`{"token":1}`), Enabled: ptr(false)}, fault.InvalidDataFormat, []string{"integrations.a.configuration.token"}},
		"no such channel":  {IntegrationSetup{Configuration: wire.Object(`{"token":"t"}`), DisabledChannels: []string{"sms"}}, fault.InvalidPayload, []string{`"sms"`, `"dm", "group"`}},
		"no such type":     {IntegrationSetup{ConfigurationType: wire.Set("basic")}, fault.InvalidPayload, []string{`"basic"`, `"oauth"`}},
		"too many":         {IntegrationSetup{Enabled: ptr(false), DisabledChannels: make([]string, 101)}, fault.LimitExceeded, []string{"101"}},
		"too large":        {IntegrationSetup{Configuration: wire.Object(`{"token":"` + strings.Repeat("x", maxConfiguration) + `"}`)}, fault.LimitExceeded, []string{"20480"}},
		"too large anyway": {IntegrationSetup{Enabled: ptr(false), Configuration: wire.Object(`{"token":"` + strings.Repeat("x", maxConfiguration) + `"}`)}, fault.LimitExceeded, []string{"20480"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Instance{Alias: "a"}.setUp("integrations.a", test.setup, telegram(), newChecker(), time.Now())
			if !fault.Is(err, test.kind) {
				t.Fatalf("%v, want %s", err, test.kind)
			}
			for _, word := range test.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %s", err, word)
				}
			}
		})
	}
}
