package catalog

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/test/engines"
	"github.com/botyard/botyard/test/explain"
	"github.com/botyard/botyard/test/postgres"
)

func TestMain(m *testing.M) { postgres.Main(m) }

const home, abroad = id.Workspace("wkspace_home"), id.Workspace("wkspace_abroad")

func sampleInterface(w id.Workspace, name, version string, public bool, at int64) Interface {
	now := time.UnixMilli(at).UTC()
	return Interface{
		ID: id.NewInterface(now), Workspace: w, Name: name, Version: version, Public: public, Title: "T", Description: "d",
		CreatedAt: now, UpdatedAt: now, Attributes: "{}", Definition: `{"entities":{}}`,
	}
}

func samplePlugin(w id.Workspace, name, version string, v Visibility, at int64) Plugin {
	now := time.UnixMilli(at).UTC()
	return Plugin{
		ID: id.NewPlugin(now), Workspace: w, Name: name, Version: version, Visibility: v, Lifecycle: Published, Title: "T", Description: "d",
		CreatedAt: now, UpdatedAt: now, NodeCode: "n", BrowserCode: "b", Attributes: "{}", Definition: `{"actions":{}}`,
	}
}

func TestInterfaceRoundTrip(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		least := sampleInterface(home, "least", "1.0.0", false, 1)
		full := sampleInterface(home, "full", "1.0.0", true, 2)
		full.CreatedBy, full.Icon, full.Readme, full.SDKVersion = id.NewAccount(), "icon", "readme", "7"
		full.Attributes, full.Definition = `{"a":"b"}`, `{"entities":{"e":{"schema":{"n":1.0}}}}`
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			for _, i := range []Interface{least, full} {
				if err := insertInterface(ctx, tx, i); err != nil {
					return err
				}
			}
			return nil
		})
		q := d.Reader(t.Context())
		for _, want := range []Interface{least, full} {
			got, found, err := selectInterface(t.Context(), q, home, want.ID)
			if diff := cmp.Diff(want, got); diff != "" || !found || err != nil {
				t.Errorf("%v %v %s", found, err, diff)
			}
			named, _, err := selectInterfaceNamed(t.Context(), q, home, want.Name, want.Version)
			if diff := cmp.Diff(want, named); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
			for _, w := range []id.Workspace{abroad, ""} {
				_, found, err := selectInterface(t.Context(), q, w, want.ID)
				if seen := w == "" && want.Public; found != seen || err != nil {
					t.Errorf("from %q: found %v, %v", w, found, err)
				}
				_, found, err = selectInterfaceNamed(t.Context(), q, w, want.Name, want.Version)
				if seen := w == "" && want.Public; found != seen || err != nil {
					t.Errorf("from %q by name: found %v, %v", w, found, err)
				}
			}
		}
		for hash, want := range map[blob.Hash]bool{"icon": true, "readme": true, "other": false} {
			if used, err := selectInterfaceUses(t.Context(), q, hash); used != want || err != nil {
				t.Errorf("%s is used: %v, %v", hash, used, err)
			}
		}
		after := full
		after.Public, after.Title, after.Description, after.Readme, after.SDKVersion = false, "U", "e", "", "8"
		after.UpdatedAt, after.Attributes, after.Definition = full.UpdatedAt.Add(time.Hour), `{}`, `{"entities":{}}`
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error { return updateInterface(ctx, tx, after) })
		got, _, err := selectInterface(t.Context(), q, home, full.ID)
		if diff := cmp.Diff(after, got); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error { return deleteInterface(ctx, tx, abroad, full.ID) })
		if _, found, _ := selectInterface(t.Context(), q, home, full.ID); !found {
			t.Error("another workspace deleted it")
		}
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error { return deleteInterface(ctx, tx, home, full.ID) })
		if _, found, _ := selectInterface(t.Context(), q, home, full.ID); found {
			t.Error("it was not deleted")
		}
	})
}

func TestPluginRoundTrip(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		all := map[Visibility]Plugin{}
		for n, v := range []Visibility{Private, Public, Unlisted} {
			p := samplePlugin(home, "p-"+string(v), "1.0.0", v, int64(n))
			p.CreatedBy, p.Icon, p.Readme, p.SDKVersion = id.NewAccount(), "icon", "readme", "7"
			p.NodeCode, p.BrowserCode = blob.Hash("node-"+v), blob.Hash("browser-"+v)
			all[v] = p
		}
		needs := definition.Dependencies{
			Interfaces:   map[string]definition.Reference{"a": {ID: "ifver_1"}, "b": {ID: "ifver_2"}},
			Integrations: map[string]definition.Reference{"a": {ID: "intver_1"}},
		}
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			for _, p := range all {
				if err := insertPlugin(ctx, tx, p); err != nil {
					return err
				}
				if err := writeDependencies(ctx, tx, p.ID, needs); err != nil {
					return err
				}
			}
			return nil
		})
		q := d.Reader(t.Context())
		for v, want := range all {
			got, found, err := selectPlugin(t.Context(), q, home, want.ID)
			if diff := cmp.Diff(want, got); diff != "" || !found || err != nil {
				t.Errorf("%v %v %s", found, err, diff)
			}
			for _, w := range []id.Workspace{home, abroad, ""} {
				seen := w == home || w == "" && v.open()
				if _, found, err := selectPlugin(t.Context(), q, w, want.ID); found != seen || err != nil {
					t.Errorf("%s from %q: found %v, %v", v, w, found, err)
				}
				if _, found, err := selectPluginNamed(t.Context(), q, w, want.Name, want.Version); found != seen || err != nil {
					t.Errorf("%s from %q by name: found %v, %v", v, w, found, err)
				}
				if versions, err := selectVersions(t.Context(), q, PluginKind, w, want.Name); len(versions) == 1 != seen || err != nil {
					t.Errorf("%s from %q: %v, %v", v, w, versions, err)
				}
			}
			for _, hash := range []blob.Hash{"icon", "readme", want.NodeCode, want.BrowserCode} {
				if used, err := selectPluginUses(t.Context(), q, hash); !used || err != nil {
					t.Errorf("%s is used: %v, %v", hash, used, err)
				}
			}
		}
		built, err := selectDependents(t.Context(), q, home, "ifver_1")
		if diff := cmp.Diff([]string{"plugin p-private@1.0.0", "plugin p-public@1.0.0", "plugin p-unlisted@1.0.0"}, built.own); diff != "" || built.others != 0 || err != nil {
			t.Errorf("%v %d %s", err, built.others, diff)
		}
		built, err = selectDependents(t.Context(), q, abroad, "intver_1")
		if built.own != nil || built.others != 3 || err != nil {
			t.Errorf("%v %v", built, err)
		}
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error { return deletePlugin(ctx, tx, home, all[Private].ID) })
		if built, err = selectDependents(t.Context(), q, abroad, "ifver_2"); built.others != 2 || err != nil {
			t.Errorf("%v %v", built, err)
		}
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error { return deletePluginsOf(ctx, tx, home) })
		if built, err = selectDependents(t.Context(), q, abroad, "ifver_2"); built.others != 0 || err != nil {
			t.Errorf("%v %v", built, err)
		}
	})
}

// A name and version is one in a workspace, and one among those that are open.
func TestVersionsAreUnique(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		insert := func(i Interface, p Plugin) (errs [2]error) {
			errs[0] = d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error { return db.Convert(insertInterface(ctx, tx, i)) })
			errs[1] = d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error { return db.Convert(insertPlugin(ctx, tx, p)) })
			return errs
		}
		for n, step := range []struct {
			w     id.Workspace
			v     Visibility
			taken bool
		}{
			{home, Private, false},
			{home, Private, true},
			{home, Public, true},
			{abroad, Public, false},
			{"wkspace_third", Public, true},
			{"wkspace_third", Private, false},
		} {
			errs := insert(sampleInterface(step.w, "h/x", "1.0.0", step.v == Public, int64(n)), samplePlugin(step.w, "h/x", "1.0.0", step.v, int64(n)))
			for _, err := range errs {
				if fault.Is(err, fault.AlreadyExists) != step.taken || !step.taken && err != nil {
					t.Errorf("step %d: %v", n, err)
				}
			}
		}
	})
}

// Every list goes by an index in its order, and by-name lookups by one too.
func TestListsUseIndexes(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		for table, columns := range map[string]string{"interfaces": interfaceColumns, "plugins": pluginColumns} {
			for _, hub := range []bool{false, true} {
				narrow, of := "workspace_id", any(string(home))
				switch {
				case hub && table == "interfaces":
					narrow, of = "public", true
				case hub:
					narrow, of = "visibility", string(Public)
				}
				for _, f := range []Filter{{}, {Name: "n"}, {Name: "n", Version: "1.0.0"}, {Version: "1.0.0"}} {
					for _, after := range []*db.Key{nil, {At: 5, ID: "x"}} {
						list := listQuery(table, columns, narrow, of, f, db.Page{Size: 20, After: after})
						plan := explain.Statement(t, d, list.Text(), list.Args()).Text
						// Few rows have one name: they may be sorted.
						sorted := strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "Sort")
						if !strings.Contains(plan, table+"_") || sorted && f.Name == "" || strings.Contains(plan, "SCAN") || strings.Contains(plan, "Seq Scan") {
							t.Errorf("%s\n%s", list.Text(), plan)
						}
					}
				}
			}
		}
	})
}

// Lookups by name go by an index of names, whoever looks. PostgreSQL takes any index
// as long as a table is empty.
func TestLookupsUseIndexes(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		for table, open := range map[string]string{"interfaces": "public", "plugins": "visibility <> 'private'"} {
			for index, query := range map[string]string{
				table + "_versions":      `SELECT version FROM ` + table + ` WHERE name = $1 AND workspace_id = $2`,
				table + "_open_versions": `SELECT version FROM ` + table + ` WHERE name = $1 AND ` + open,
			} {
				args := []any{"n", "w"}[:strings.Count(query, "$")]
				if d.Engine() == db.PostgreSQL {
					index = table + "_"
				}
				if plan := explain.Statement(t, d, query, args).Text; !strings.Contains(plan, index) {
					t.Errorf("%s\n%s", query, plan)
				}
			}
		}
	})
}

func TestListPages(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		const n = 25
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			for i := range n {
				// Several are made in one millisecond.
				if err := insertInterface(ctx, tx, sampleInterface(home, "h/x", fmt.Sprintf("1.0.%d", i), i%2 == 0, int64(i/4))); err != nil {
					return err
				}
				if err := insertPlugin(ctx, tx, samplePlugin(home, "h/x", fmt.Sprintf("1.0.%d", i), []Visibility{Public, Private, Unlisted}[i%3], int64(i/4))); err != nil {
					return err
				}
			}
			return nil
		})
		for name, test := range map[string]struct {
			filter              Filter
			interfaces, plugins int
		}{
			"own":     {Filter{Workspace: home}, 25, 25},
			"foreign": {Filter{Workspace: abroad}, 0, 0},
			"hub":     {Filter{Hub: true}, 13, 9},
			"name":    {Filter{Workspace: home, Name: "h/x"}, 25, 25},
			"no name": {Filter{Workspace: home, Name: "h"}, 0, 0},
			"version": {Filter{Workspace: home, Name: "h/x", Version: "1.0.3"}, 1, 1},
			"in hub":  {Filter{Hub: true, Name: "h/x", Version: "1.0.0"}, 1, 1},
			"hidden":  {Filter{Hub: true, Name: "h/x", Version: "1.0.1"}, 0, 0},
		} {
			s := New(Options{DB: d})
			interfaces := walk(t, func(page db.Page) ([]string, *db.Key, error) {
				list, next, err := s.ListInterfaces(t.Context(), test.filter, page)
				return mapped(list, func(i Interface) string { return fmt.Sprintf("%013d %s", i.CreatedAt.UnixMilli(), i.ID) }), next, err
			})
			plugins := walk(t, func(page db.Page) ([]string, *db.Key, error) {
				list, next, err := s.ListPlugins(t.Context(), test.filter, page)
				return mapped(list, func(p Plugin) string { return fmt.Sprintf("%013d %s", p.CreatedAt.UnixMilli(), p.ID) }), next, err
			})
			if interfaces != test.interfaces || plugins != test.plugins {
				t.Errorf("%s: %d interfaces and %d plugins, want %d and %d", name, interfaces, plugins, test.interfaces, test.plugins)
			}
		}
	})
}

// walk reads every page of a list and counts its items, which must descend.
func walk(t *testing.T, list func(db.Page) ([]string, *db.Key, error)) (n int) {
	t.Helper()
	last := "~"
	for page := (db.Page{Size: 7}); ; {
		items, next, err := list(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			if item >= last {
				t.Errorf("%s comes after %s", item, last)
			}
			last = item
		}
		n += len(items)
		if next == nil {
			return n
		}
		page.After = next
	}
}

func mapped[T, U any](list []T, f func(T) U) []U {
	out := make([]U, len(list))
	for i, item := range list {
		out[i] = f(item)
	}
	return out
}
