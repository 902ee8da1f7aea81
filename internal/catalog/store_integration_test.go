package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/test/engines"
	"github.com/botyard/botyard/test/explain"
)

func sampleIntegration(w id.Workspace, name, version string, v Visibility, at int64) Integration {
	now := time.UnixMilli(at).UTC()
	return Integration{
		ID: id.NewIntegration(false, now), Workspace: w, Name: name, Version: version, Visibility: v, Lifecycle: Published, Verification: Unapproved,
		Title: "T", Description: "d", CreatedAt: now, UpdatedAt: now, SigningSecret: "sealed",
		Attributes: "{}", Layers: "[]", ExtraOperations: "{}", SecretNames: "[]", Parts: noParts, Definition: `{"actions":{}}`,
	}
}

// publish writes integrations with their words, as the service does.
func publish(t *testing.T, d *db.DB, all ...Integration) {
	t.Helper()
	engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
		for _, i := range all {
			words, err := i.words()
			if err != nil {
				return err
			}
			if err := insertIntegration(ctx, tx, i); err != nil {
				return err
			}
			if err := writeWords(ctx, tx, i, words); err != nil {
				return err
			}
		}
		return nil
	})
}

// publishers makes the workspaces of samples known.
func publishers(t *testing.T, d *db.DB) {
	t.Helper()
	engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
		for _, w := range []id.Workspace{home, abroad} {
			_, err := tx.Exec(ctx, `
				INSERT INTO workspaces (id, name, owner_id, handle, plan, billing_version, blocked, spending_limit, about,
					profile_picture, contact_email, website, social_accounts, is_public, created_at, updated_at)
				VALUES ($1, 'W', '', $2, 'managed', 'v1', FALSE, 0, '', '', '', '', '[]', FALSE, 0, 0)`, string(w), strings.TrimPrefix(string(w), "wkspace_"))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func TestIntegrationRoundTrip(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		publishers(t, d)
		least := sampleIntegration(home, "least", "1.0.0", Private, 1)
		full := sampleIntegration(home, "home/full", "2.0.0", Unlisted, 2)
		full.CreatedBy, full.Icon, full.Readme, full.Code, full.URL, full.SDKVersion = id.NewAccount(), "icon", "readme", "code", "https://x", "7"
		full.MaxExecutionTime, full.Attributes, full.Layers, full.SecretNames = 5, `{"a":"b"}`, `["l"]`, `["S"]`
		full.ExtraOperations, full.Parts = `{"ping":{"enabled":true}}`, `{"actions":["a"],"interfaces":[]}`
		publish(t, d, least, full)
		q := d.Reader(t.Context())
		for _, want := range []Integration{least, full} {
			got, found, err := selectIntegration(t.Context(), q, home, want.ID)
			if err != nil || !found {
				t.Fatal(found, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if _, found, err := selectIntegration(t.Context(), q, abroad, want.ID); found || err != nil {
				t.Errorf("%s is seen from abroad (%v)", want.Name, err)
			}
		}
		got, by, found, err := selectOpenIntegration(t.Context(), q, full.ID)
		if err != nil || !found || !cmp.Equal(got, full) || by != (Publisher{home, "home", "W"}) {
			t.Errorf("%v %v %v %v", got, by, found, err)
		}
		if _, _, found, err := selectOpenIntegration(t.Context(), q, least.ID); found || err != nil {
			t.Errorf("a private integration is open to all (%v)", err)
		}
		changed := full
		changed.Title, changed.URL, changed.Code, changed.Visibility, changed.SecretNames = "Other", "", "", Private, "[]"
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			if err := updateIntegrationDefinition(ctx, tx, full.ID, `{"x":1}`); err != nil {
				return err
			}
			return updateIntegration(ctx, tx, changed)
		})
		changed.Definition = `{"x":1}`
		if got, _, err := selectIntegration(t.Context(), q, home, full.ID); err != nil || !cmp.Equal(got, changed) {
			t.Error(cmp.Diff(changed, got), err)
		}
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error { return deleteIntegration(ctx, tx, home, full.ID) })
		if _, found, err := selectIntegration(t.Context(), q, home, full.ID); found || err != nil {
			t.Error("deleted and still there", err)
		}
	})
}

// TestIntegrationVersionsAreUnique holds which versions may stand beside each other: a private
// one is nobody else's concern, an open one is the only one of its name.
func TestIntegrationVersionsAreUnique(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		publish(t, d, sampleIntegration(home, "home/a", "1.0.0", Private, 1), sampleIntegration(home, "home/b", "1.0.0", Public, 2))
		for name, test := range map[string]struct {
			i     Integration
			taken bool
		}{
			"same":                    {sampleIntegration(home, "home/a", "1.0.0", Private, 3), true},
			"same as open":            {sampleIntegration(home, "home/a", "1.0.0", Public, 3), true},
			"other version":           {sampleIntegration(home, "home/a", "1.0.1", Private, 3), false},
			"private elsewhere":       {sampleIntegration(abroad, "home/a", "1.0.0", Private, 3), false},
			"private beside an open":  {sampleIntegration(abroad, "home/b", "1.0.0", Private, 3), false},
			"open beside an open":     {sampleIntegration(abroad, "home/b", "1.0.0", Public, 3), true},
			"unlisted beside an open": {sampleIntegration(abroad, "home/b", "1.0.0", Unlisted, 3), true},
		} {
			err := d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error { return insertIntegration(ctx, tx, test.i) })
			if taken := fault.Is(db.Convert(err), fault.AlreadyExists); taken != test.taken || err != nil && !taken {
				t.Errorf("%s: %v", name, err)
			}
		}
		for range 2 {
			dev := sampleIntegration(home, "home/a", "1.0.0", Private, 4)
			dev.Dev = true
			publish(t, d, dev)
		}
	})
}

// TestIntegrationLists compares every sort and filter with the same done by hand,
// page by page.
func TestIntegrationLists(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		publishers(t, d)
		var all []Integration
		for n := range 60 {
			i := sampleIntegration(home, fmt.Sprintf("home/Mail-%c%d", 'a'+n%7, n%3), fmt.Sprintf("1.%d.0", n), Public, int64(1000+n))
			i.UpdatedAt = time.UnixMilli(int64(5000 - n*n%37)).UTC()
			if n%4 == 0 {
				i.Visibility = Private
			}
			if n%5 == 0 {
				i.Workspace = abroad
			}
			if n%3 == 0 {
				i.Verification = Approved
			}
			i.Title, i.Description = fmt.Sprintf("Title %d", n%6), "Sends things over wires"
			if n%11 == 0 {
				i.Description = "Rare ünïcode 中文"
			}
			i.Parts = JSON(fmt.Sprintf(`{"actions":["sendMessage%d"],"interfaces":["hitl"]}`, n%2))
			all = append(all, i)
		}
		publish(t, d, all...)
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			for n, i := range all {
				all[n].Installs, all[n].Views = int64(n%4), int64(n%5)
				if err := addInstalls(ctx, tx, i.ID, all[n].Installs); err != nil {
					return err
				}
				if err := addViews(ctx, tx, i.ID, all[n].Views); err != nil {
					return err
				}
				if n%6 == 0 {
					if err := writeImplementations(ctx, tx, i.ID, map[string]definition.Implementation{
						"one": {Reference: definition.Reference{ID: "iface"}}, "two": {Reference: definition.Reference{ID: "iface"}},
					}); err != nil {
						return err
					}
				}
			}
			return insertInterface(ctx, tx, Interface{ID: "iface", Workspace: home, Name: "hitl", Version: "1.0.0", Attributes: "{}", Definition: "{}"})
		})
		less := map[Sort]func(a, b Integration) int{
			ByCreation:   func(a, b Integration) int { return a.CreatedAt.Compare(b.CreatedAt) },
			ByUpdate:     func(a, b Integration) int { return a.UpdatedAt.Compare(b.UpdatedAt) },
			ByName:       func(a, b Integration) int { return strings.Compare(a.Name, b.Name) },
			ByInstalls:   func(a, b Integration) int { return int(a.Installs - b.Installs) },
			ByPopularity: func(a, b Integration) int { return int(a.Installs - b.Installs) },
		}
		filters := map[string]struct {
			f    IntegrationFilter
			keep func(n int, i Integration) bool
		}{
			"all":           {IntegrationFilter{}, func(int, Integration) bool { return true }},
			"name":          {IntegrationFilter{Name: "home/Mail-b1"}, func(_ int, i Integration) bool { return i.Name == "home/Mail-b1" }},
			"version":       {IntegrationFilter{Version: "1.7.0"}, func(n int, _ Integration) bool { return n == 7 }},
			"verification":  {IntegrationFilter{Verification: Approved}, func(n int, _ Integration) bool { return n%3 == 0 }},
			"interface":     {IntegrationFilter{InterfaceID: "iface"}, func(n int, _ Integration) bool { return n%6 == 0 }},
			"interfaceName": {IntegrationFilter{InterfaceName: "hitl"}, func(n int, _ Integration) bool { return n%6 == 0 }},
			"both":          {IntegrationFilter{InterfaceID: "iface", InterfaceName: "hitl", Search: "title 0"}, func(n int, _ Integration) bool { return n%6 == 0 }},
			"no interface":  {IntegrationFilter{InterfaceID: "other"}, func(int, Integration) bool { return false }},
			"search":        {IntegrationFilter{Search: "SEND wir"}, func(n int, _ Integration) bool { return n%11 != 0 }},
			"camel":         {IntegrationFilter{Search: "message1"}, func(n int, _ Integration) bool { return n%2 == 1 }},
			"unicode":       {IntegrationFilter{Search: "Ünï 中"}, func(n int, _ Integration) bool { return n%11 == 0 }},
			"nothing":       {IntegrationFilter{Search: "zzz"}, func(int, Integration) bool { return false }},
			"punctuation":   {IntegrationFilter{Search: " - !"}, func(int, Integration) bool { return true }},
		}
		for _, rareToo := range []bool{true, false} {
			for name, filter := range filters {
				for sort, compare := range less {
					for _, ascending := range []bool{true, false} {
						for _, w := range []id.Workspace{"", home} {
							f := filter.f
							f.Workspace, f.Sort, f.Ascending = w, sort, ascending
							var want []id.Integration
							kept := []Integration{}
							for n, i := range all {
								if filter.keep(n, i) && (w == "" && i.Visibility == Public || i.Workspace == w) {
									kept = append(kept, i)
								}
							}
							slices.SortFunc(kept, func(a, b Integration) int {
								c := compare(a, b)
								if c == 0 {
									c = strings.Compare(string(a.ID), string(b.ID))
								}
								if !ascending {
									c = -c
								}
								return c
							})
							for _, i := range kept {
								want = append(want, i.ID)
							}
							got := pages(t, d, f, rareToo)
							if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
								t.Fatalf("%s by %s, ascending %v, workspace %q, rare words first %v: %s", name, sort, ascending, w, rareToo, diff)
							}
						}
					}
				}
			}
		}
	})
}

// TestInstallsBesideWords holds that what is listed has its installs beside its words,
// whichever of the two was there first, and what is not has none.
func TestInstallsBesideWords(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		listed, hidden := sampleIntegration(home, "home/listed", "1.0.0", Public, 1), sampleIntegration(home, "home/hidden", "1.0.0", Private, 2)
		publish(t, d, listed, hidden)
		beside := func(when string, want map[id.Integration]int64) {
			t.Helper()
			for i, installs := range want {
				var least, most int64
				if err := d.Reader(t.Context()).QueryRow(t.Context(), `SELECT MIN(installs), MAX(installs) FROM integration_words WHERE integration_id = $1`,
					string(i)).Scan(&least, &most); err != nil {
					t.Fatal(err)
				}
				if least != installs || most != installs {
					t.Errorf("%s: %d to %d installs beside the words of %s, want %d", when, least, most, i, installs)
				}
			}
		}
		change := func(do func(ctx context.Context, tx *db.Tx) error) { t.Helper(); engines.InTx(t, d, do) }
		install := func(n int64) {
			change(func(ctx context.Context, tx *db.Tx) error {
				if err := addInstalls(ctx, tx, listed.ID, n); err != nil {
					return err
				}
				return addInstalls(ctx, tx, hidden.ID, n)
			})
		}
		install(3)
		install(-1)
		beside("installed", map[id.Integration]int64{listed.ID: 2, hidden.ID: 0})
		listed.Installs, hidden.Installs, hidden.Visibility, listed.Visibility = 2, 2, Public, Private
		change(func(ctx context.Context, tx *db.Tx) error {
			if err := updateListed(ctx, tx, hidden); err != nil {
				return err
			}
			return updateListed(ctx, tx, listed)
		})
		beside("published and hidden", map[id.Integration]int64{listed.ID: 0, hidden.ID: 2})
		install(1)
		beside("installed again", map[id.Integration]int64{listed.ID: 0, hidden.ID: 3})
		hidden.Installs = 3
		change(func(ctx context.Context, tx *db.Tx) error {
			return writeWords(ctx, tx, hidden, []string{"other", "words"})
		})
		beside("described anew", map[id.Integration]int64{hidden.ID: 3})
	})
}

func pages(t *testing.T, d *db.DB, f IntegrationFilter, rareToo bool) (all []id.Integration) {
	t.Helper()
	q, page := d.Reader(t.Context()), db.Page{Size: 7}
	var err error
	if f.words, err = searched(f.Search); err != nil {
		t.Fatal(err)
	}
	if f.Workspace == "" && rareToo {
		if f.rareWord, err = selectRareWord(t.Context(), q, f); err != nil {
			t.Fatal(err)
		}
	}
	for {
		list, err := selectIntegrations(t.Context(), q, f, page)
		if err != nil {
			t.Fatal(err)
		}
		list, next := db.Cut(list, page, func(l Listed) db.Key { return f.Sort.order().key(l.Integration) })
		for _, l := range list {
			all = append(all, l.ID)
		}
		if next == nil {
			return all
		}
		page.After = next
	}
}

// TestIntegrationListPlans holds that lists walk an index in their order, and that
// those of a filter that few meet start from it.
func TestIntegrationListPlans(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		key := &db.Key{At: 1, ID: "1\nintver_x"}
		for name, test := range map[string]struct {
			f    IntegrationFilter
			want string
		}{
			"hub":                 {IntegrationFilter{}, "integrations_in_hub"},
			"hub by update":       {IntegrationFilter{Sort: ByUpdate}, "integrations_in_hub_by_update"},
			"hub by name":         {IntegrationFilter{Sort: ByName, Ascending: true}, "integrations_in_hub_by_name"},
			"hub by installs":     {IntegrationFilter{Sort: ByInstalls}, "integrations_in_hub_by_installs"},
			"hub of a name":       {IntegrationFilter{Name: "a/b"}, "integrations_in_hub_by_name"},
			"workspace":           {IntegrationFilter{Workspace: home}, "integrations_of_workspace"},
			"workspace by update": {IntegrationFilter{Workspace: home, Sort: ByUpdate}, "integrations_of_workspace_by_update"},
			"workspace by name":   {IntegrationFilter{Workspace: home, Sort: ByName}, "integrations_of_workspace_by_name"},
			"popular workspace":   {IntegrationFilter{Workspace: home, Sort: ByPopularity}, "integrations_of_workspace_by_installs"},
			"rare word":           {IntegrationFilter{words: []string{"ma"}, rareWord: "ma"}, "integration_words_in_hub"},
			"rare word popular":   {IntegrationFilter{words: []string{"ma"}, rareWord: "ma", Sort: ByPopularity}, "integration_words_in_hub"},
			"rare word by name":   {IntegrationFilter{words: []string{"ma"}, rareWord: "ma", Sort: ByName}, "integrations_sorted"},
			"rare word by update": {IntegrationFilter{words: []string{"ma"}, rareWord: "ma", Sort: ByUpdate}, "integrations_sorted"},
			"rare of two words":   {IntegrationFilter{words: []string{"ma", "x"}, rareWord: "ma"}, "integration_words_in_hub"},
			"interface":           {IntegrationFilter{InterfaceID: "i"}, "integration_interfaces_by_interface"},
		} {
			query := integrationList(test.f, db.Page{Size: 20, After: key})
			plan := explain.Statement(t, d, query.Text(), query.Args()).Text
			used := false
			for line := range strings.Lines(plan) {
				for word := range strings.FieldsSeq(line) {
					used = used || word == test.want
				}
			}
			if !used && !(test.f.rareWord != "" && d.Engine() == db.PostgreSQL) { // PostgreSQL joins empty tables otherwise
				t.Errorf("%s does not use %s:\n%s\n%s", name, test.want, query.Text(), plan)
			}
			if test.f.rareWord == "" && test.f.InterfaceID == "" && test.f.Name == "" && (strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "Sort")) {
				t.Errorf("%s sorts:\n%s", name, plan)
			}
		}
	})
}
