package bot

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

func ptr[T any](v T) *T { return &v }

func TestDraft(t *testing.T) {
	u := Draft{}.update("0b0e9c6e-4a2f-4c11-9a3c-5e8f1d7a2b3c")
	if err := u.check(); err != nil {
		t.Fatal(err)
	}
	empty, err := emptyBot()
	if err != nil {
		t.Fatal(err)
	}
	now := time.UnixMilli(1_700_000_000_000)
	b, err := empty.apply(u, now)
	if err != nil {
		t.Fatal(err)
	}
	want := empty
	want.Name, want.Type, want.UpdatedAt = "Bot 7a2b3c", Studio, now
	if diff := cmp.Diff(want, b); diff != "" {
		t.Error(diff)
	}
}

func TestUpdate(t *testing.T) {
	before, err := emptyBot()
	if err != nil {
		t.Fatal(err)
	}
	before.Name, before.Type, before.URL, before.Description = "old", Studio, "https://example.com", ptr("d")
	before.Tags, before.SecretNames, before.MaxExecutionTime = `{"a":"1","b":"2"}`, `["A","B"]`, 5
	now := time.UnixMilli(1_700_000_000_000)
	for name, test := range map[string]struct {
		update Update
		change func(*Bot)
		action string
	}{
		"nothing":         {Update{}, func(*Bot) {}, "UPDATE_BOT"},
		"name":            {Update{Name: ptr("new")}, func(b *Bot) { b.Name = "new" }, "UPDATE_BOT"},
		"no description":  {Update{Description: ptr("")}, func(b *Bot) { b.Description = ptr("") }, "UPDATE_BOT"},
		"type":            {Update{Type: ptr(ADK)}, func(b *Bot) { b.Type = ADK }, "UPDATE_BOT"},
		"url":             {Update{URL: wire.Set("http://localhost:1/x")}, func(b *Bot) { b.URL = "http://localhost:1/x" }, "UPDATE_BOT"},
		"no url":          {Update{URL: wire.Clear[string]()}, func(b *Bot) { b.URL = "" }, "UPDATE_BOT"},
		"switches":        {Update{Blocked: ptr(true), AlwaysAlive: ptr(true)}, func(b *Bot) { b.Blocked, b.AlwaysAlive = true, true }, "UPDATE_BOT"},
		"authentication":  {Update{Authentication: ptr("iam")}, func(b *Bot) { b.Authentication = "iam" }, "UPDATE_BOT"},
		"time":            {Update{MaxExecutionTime: ptr(int64(9))}, func(b *Bot) { b.MaxExecutionTime = 9 }, "UPDATE_BOT"},
		"layers":          {Update{Layers: []string{"l"}}, func(b *Bot) { b.Layers = `["l"]` }, "UPDATE_BOT"},
		"tags":            {Update{Tags: map[string]string{"a": "", "c": "3", "none": ""}}, func(b *Bot) { b.Tags = `{"b":"2","c":"3"}` }, "UPDATE_BOT"},
		"secrets":         {Update{Secrets: map[string]*string{"B": nil, "A": ptr("x"), "0": ptr("y"), "none": nil}}, func(b *Bot) { b.SecretNames = `["0","A"]` }, "UPDATE_BOT"},
		"code":            {Update{Code: ptr("c")}, func(*Bot) {}, "DEPLOY_BOT"},
		"nothing removed": {Update{Integrations: map[string]wire.Patch[IntegrationSetup]{}}, func(*Bot) {}, "UPDATE_BOT"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.update.check(); err != nil {
				t.Fatal(err)
			}
			after, err := before.apply(test.update, now)
			if err != nil {
				t.Fatal(err)
			}
			want := before
			want.UpdatedAt = now
			test.change(&want)
			if diff := cmp.Diff(want, after); diff != "" {
				t.Error(diff)
			}
			if got := test.update.action(); got != test.action {
				t.Errorf("the audit trail calls it %s, want %s", got, test.action)
			}
		})
	}
}

func TestUpdateNeverMovesTimeBack(t *testing.T) {
	before, err := emptyBot()
	if err != nil {
		t.Fatal(err)
	}
	before.UpdatedAt = time.UnixMilli(2000)
	after, err := before.apply(Update{}, time.UnixMilli(1999))
	if err != nil || !after.UpdatedAt.Equal(before.UpdatedAt) {
		t.Errorf("%v (%v)", after.UpdatedAt, err)
	}
}

func TestConfigurationIsItsOwnAction(t *testing.T) {
	var body UpdateBotBody
	if err := wire.ParseJSON([]byte(`{"configuration":{"data":{}}}`), &body); err != nil {
		t.Fatal(err)
	}
	if got := body.update().action(); got != "UPDATE_BOT_CONFIG" {
		t.Error(got)
	}
	body.Name = ptr("and a name")
	if got := body.update().action(); got != "UPDATE_BOT" {
		t.Error(got)
	}
}

func TestCheck(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, test := range map[string]struct {
		update Update
		kind   fault.Type
		part   string
	}{
		"empty name":       {Update{Name: ptr("")}, fault.InvalidPayload, "1 to 1000"},
		"long name":        {Update{Name: ptr(long(1001))}, fault.InvalidPayload, "1001 characters"},
		"no host":          {Update{URL: wire.Set("http://")}, fault.InvalidPayload, "must look like https://"},
		"other scheme":     {Update{URL: wire.Set("file:///etc/passwd")}, fault.InvalidPayload, "must look like https://"},
		"long url":         {Update{URL: wire.Set("https://" + long(2000))}, fault.InvalidPayload, "2008 characters"},
		"time":             {Update{MaxExecutionTime: ptr(int64(0))}, fault.InvalidPayload, "must be 1 to 900 seconds"},
		"code":             {Update{Code: ptr(long(maxCode + 1))}, fault.LimitExceeded, "52428801 bytes; a bot's code may have at most 52428800"},
		"layers":           {Update{Layers: make([]string, 101)}, fault.LimitExceeded, "100 layers"},
		"layer":            {Update{Layers: []string{long(201)}}, fault.InvalidPayload, "layers[0]"},
		"empty tag":        {Update{Tags: map[string]string{"": "x"}}, fault.InvalidPayload, "empty key"},
		"long tag":         {Update{Tags: map[string]string{long(201): "x"}}, fault.InvalidPayload, "201 characters"},
		"empty secret":     {Update{Secrets: map[string]*string{"": ptr("x")}}, fault.InvalidPayload, "1 to 200"},
		"long secret":      {Update{Secrets: map[string]*string{long(201): ptr("x")}}, fault.InvalidPayload, "201 characters"},
		"long value":       {Update{Secrets: map[string]*string{"A": ptr(long(20_001))}}, fault.InvalidPayload, "20001 characters"},
		"empty alias":      {Update{Integrations: map[string]wire.Patch[IntegrationSetup]{"": wire.Set(IntegrationSetup{})}}, fault.InvalidPayload, "integrations has an empty key"},
		"plugin alias":     {Update{Plugins: map[string]wire.Patch[PluginSetup]{"a#b": wire.Set(PluginSetup{})}}, fault.InvalidPayload, "#"},
		"no alias at all":  {Update{Plugins: map[string]wire.Patch[PluginSetup]{"a#b": wire.Clear[PluginSetup]()}}, "", ""},
		"removing is free": {Update{Tags: map[string]string{"": ""}, Secrets: map[string]*string{"": nil}}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.update.check()
			if test.kind == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !fault.Is(err, test.kind) || !strings.Contains(err.Error(), test.part) {
				t.Errorf("%v, want %s with %q", err, test.kind, test.part)
			}
			if strings.Contains(err.Error(), long(300)) {
				t.Error("the message holds what the caller sent, unbounded")
			}
		})
	}
}

func TestCounts(t *testing.T) {
	before, err := emptyBot()
	if err != nil {
		t.Fatal(err)
	}
	update := func(n int) Update {
		u := Update{Tags: map[string]string{}, Secrets: map[string]*string{}}
		for i := range n {
			u.Tags[fmt.Sprint(i)] = "v"
			if i < n/2 {
				u.Secrets[fmt.Sprint(i)] = ptr("v")
			}
		}
		return u
	}
	full, err := before.apply(update(50), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for what, u := range map[string]Update{
		"50 tags and would have 51":    {Tags: map[string]string{"more": "v"}},
		"25 secrets and would have 26": {Secrets: map[string]*string{"more": ptr("v")}},
	} {
		if _, err := full.apply(u, time.Now()); !fault.Is(err, fault.LimitExceeded) || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want %q", err, what)
		}
	}
	swap := Update{Tags: map[string]string{"0": "", "more": "v"}, Secrets: map[string]*string{"0": nil, "more": ptr("v")}}
	if _, err := full.apply(swap, time.Now()); err != nil {
		t.Errorf("one for another: %v", err)
	}
}

func TestTagsAndSecretNamesAreIdempotent(t *testing.T) {
	keys := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	rapid.Check(t, func(rt *rapid.T) {
		tags := JSON(`{"a":"1","b":"2"}`)
		patch := rapid.MapOf(keys, rapid.SampledFrom([]string{"", "x"})).Draw(rt, "tags")
		once, err := mergeTags(tags, patch)
		if err != nil {
			rt.Fatal(err)
		}
		twice, err := mergeTags(once, patch)
		if err != nil || once != twice {
			rt.Fatalf("%s, then %s (%v)", once, twice, err)
		}
		secrets := rapid.MapOf(keys, rapid.Ptr(rapid.String(), true)).Draw(rt, "secrets")
		first, err := mergeSecretNames(`["a","c"]`, secrets)
		if err != nil {
			rt.Fatal(err)
		}
		second, err := mergeSecretNames(first, secrets)
		if err != nil || first != second {
			rt.Fatalf("%s, then %s (%v)", first, second, err)
		}
	})
}

// However many removals a body holds, what is not there costs no statement.
func TestWithoutAbsent(t *testing.T) {
	b := Bot{Tags: `{"a":"1","b":"2"}`, SecretNames: `["A","B"]`}
	tags := map[string]string{"a": "", "b": "3", "c": "4"}
	secrets := map[string]*string{"A": nil, "B": ptr("b"), "C": ptr("c")}
	wantTags, wantSecrets := maps.Clone(tags), maps.Clone(secrets)
	for n := range 10_000 {
		tags[fmt.Sprint("never", n)], secrets[fmt.Sprint("NEVER", n)] = "", nil
	}
	gotTags, gotSecrets, err := b.withoutAbsent(tags, secrets)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantTags, gotTags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantSecrets, gotSecrets); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	if len(tags) != 10_003 || len(secrets) != 10_003 {
		t.Error("the patches were changed")
	}
}
