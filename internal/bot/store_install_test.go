package bot

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/test/engines"
	"github.com/botyard/botyard/test/explain"
)

// publish writes as much of versions of integrations and plugins as views read.
func publish(ctx context.Context, tx *db.Tx, names ...string) error {
	for n, name := range names {
		if _, err := tx.Exec(ctx, `
			INSERT INTO integrations (id, workspace_id, name, name_key, version, dev, visibility, lifecycle_status, verification_status,
				title, description, created_at, updated_at, installs, views, icon_hash, signing_secret, attributes, layers,
				extra_operations, secret_names, parts)
			VALUES ($1, 'w', $2, $3, '1.0.0', FALSE, 'public', 'published', 'approved', 'Title', 'Description', 11, 12, 0, 0, 'icon', '', '{}', '[]', '{}', '[]', '')`,
			fmt.Sprint("intver_", n), name, []byte(name)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO plugins (id, workspace_id, name, version, visibility, lifecycle_status, title, description, created_at, updated_at,
				icon_hash, readme_hash, node_code_hash, browser_code_hash, attributes, definition)
			VALUES ($1, 'w', $2, '1.0.0', 'unlisted', 'deprecated', 'Title', 'Description', 11, 12, 'icon', 'readme', '', '', '{}', '{}')`,
			fmt.Sprint("plugver_", n), name); err != nil {
			return err
		}
	}
	return nil
}

func TestInstalled(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		bots := []Bot{sample(t, home, 1), sample(t, home, 2), sample(t, other, 3)}
		of := Package{
			Name: "one", Version: "1.0.0", Title: "Title", Description: "Description", Visibility: "public", Verification: "approved", Lifecycle: "published",
			Icon: "icon", CreatedAt: db.Moment(11), UpdatedAt: db.Moment(12),
		}
		full := Instance{
			Alias: "a", Integration: "intver_0", Enabled: true, ConfigurationType: ptr("oauth"), DisabledChannels: `["c"]`, Webhook: id.NewWebhook(),
			Identifier: "known", Status: Pending, StatusReason: "because", CreatedAt: db.Moment(1), UpdatedAt: db.Moment(2), Sealed: "sealed", Of: of,
		}
		least := Instance{Alias: "b", Integration: "intver_0", DisabledChannels: `[]`, Webhook: id.NewWebhook(), Status: Unregistered, CreatedAt: db.Moment(1), UpdatedAt: db.Moment(1), Of: of}
		plugin := PluginInstance{
			Alias: "a", Plugin: "plugver_1", Enabled: true, CreatedAt: db.Moment(1), UpdatedAt: db.Moment(2), Sealed: "sealed",
			Interfaces:   map[string]PluginInterface{"i": {"intver_0", "a", "x", "ifver_0"}},
			Integrations: map[string]PluginIntegration{},
			Of:           of,
		}
		plugin.Of.Name, plugin.Of.Visibility, plugin.Of.Verification, plugin.Of.Lifecycle, plugin.Of.Readme = "two", "unlisted", "", "deprecated", "readme"
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			if err := publish(ctx, tx, "one", "two"); err != nil {
				return err
			}
			for _, b := range bots {
				if err := insertBot(ctx, tx, b); err != nil {
					return err
				}
				for _, i := range []Instance{full, least} {
					i.Webhook = id.NewWebhook()
					if err := upsertInstance(ctx, tx, b.ID, i); err != nil {
						return err
					}
				}
				if err := upsertPlugin(ctx, tx, b.ID, plugin); err != nil {
					return err
				}
			}
			for _, i := range []Instance{full, least} { // over what is there
				if err := upsertInstance(ctx, tx, bots[0].ID, i); err != nil {
					return err
				}
			}
			return nil
		})
		check := func(bot id.Bot, wantIntegrations []Instance, wantPlugins []PluginInstance) {
			t.Helper()
			integrations, plugins, err := selectPackages(t.Context(), d.Reader(t.Context()), bot)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wantIntegrations, integrations); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(wantPlugins, plugins); diff != "" {
				t.Error(diff)
			}
		}
		check(bots[0].ID, []Instance{full, least}, []PluginInstance{plugin})

		r := d.Reader(t.Context())
		own, others, err := selectIntegrationUsers(t.Context(), r, home, "intver_0", "")
		if err != nil || !cmp.Equal(own, []string{"bot 1", "bot 2"}) || others != 1 {
			t.Errorf("%v, %d others (%v)", own, others, err)
		}
		own, others, err = selectPluginUsers(t.Context(), r, other, "plugver_1", "")
		if err != nil || !cmp.Equal(own, []string{"bot 3"}) || others != 2 {
			t.Errorf("%v, %d others (%v)", own, others, err)
		}
		own, others, err = selectPluginUsers(t.Context(), r, home, "plugver_0", "")
		if err != nil || own != nil || others != 0 {
			t.Errorf("%v, %d others (%v)", own, others, err)
		}
		one, err := selectInstalled(t.Context(), r, bots[0].ID)
		if err != nil || !cmp.Equal(one, map[id.Integration]int64{"intver_0": 1}) {
			t.Error(one, err)
		}
		all, err := selectInstalledOf(t.Context(), r, home)
		if err != nil || !cmp.Equal(all, map[id.Integration]int64{"intver_0": 2}) {
			t.Error(all, err)
		}

		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			if err := deleteInstance(ctx, tx, bots[0].ID, "a"); err != nil {
				return err
			}
			if err := deletePlugin(ctx, tx, bots[0].ID, "a"); err != nil {
				return err
			}
			return deleteBot(ctx, tx, home, bots[1].ID)
		})
		check(bots[0].ID, []Instance{least}, nil)
		check(bots[1].ID, nil, nil)
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error { return deleteBotsOf(ctx, tx, home) })
		check(bots[0].ID, nil, nil)
		if integrations, plugins, _ := selectPackages(t.Context(), r, bots[2].ID); len(integrations) != 2 || len(plugins) != 1 {
			t.Errorf("another workspace's bot has %v and %v", integrations, plugins)
		}
	})
}

func TestOwnDefinition(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		b := sample(t, home, 1)
		for _, own := range []JSON{`{"own":1}`, ""} {
			b.Own, b.Packages = own, len(own)
			engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
				if _, found, err := selectBot(ctx, tx, home, b.ID); err != nil || found {
					return firstError(err, updateBot(ctx, tx, b))
				}
				return firstError(insertBot(ctx, tx, b), updateBot(ctx, tx, b))
			})
			got, err := selectOwnDefinition(t.Context(), d.Reader(t.Context()), b.ID)
			if err != nil || got != own {
				t.Errorf("%s, want %s (%v)", got, own, err)
			}
			read, _, err := selectBot(t.Context(), d.Reader(t.Context()), home, b.ID)
			if err != nil || read.Packages != len(own) {
				t.Errorf("%d packages (%v)", read.Packages, err)
			}
		}
	})
}

func TestListByWhatIsInstalled(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			if err := publish(ctx, tx, "one", "two", "three"); err != nil {
				return err
			}
			for n := range int64(3) {
				b := sample(t, home, n)
				if err := insertBot(ctx, tx, b); err != nil {
					return err
				}
				for alias := range 2 {
					i := Instance{Alias: fmt.Sprint(alias), Integration: id.Integration(fmt.Sprint("intver_", n)), DisabledChannels: "[]", Webhook: id.NewWebhook(), CreatedAt: time.Now(), UpdatedAt: time.Now()}
					if err := upsertInstance(ctx, tx, b.ID, i); err != nil {
						return err
					}
				}
				if err := upsertPlugin(ctx, tx, b.ID, PluginInstance{Plugin: id.Plugin(fmt.Sprint("plugver_", (n+1)%3)), CreatedAt: time.Now(), UpdatedAt: time.Now()}); err != nil {
					return err
				}
			}
			return nil
		})
		for name, test := range map[string]struct {
			integrations, plugins []string
			want                  string
		}{
			"all":             {nil, nil, "bot 2 bot 1 bot 0"},
			"one integration": {[]string{"one"}, nil, "bot 0"},
			"either":          {[]string{"one", "three", "none"}, nil, "bot 2 bot 0"},
			"a plugin":        {nil, []string{"one"}, "bot 2"},
			"both":            {[]string{"one", "two"}, []string{"three"}, "bot 1"},
			"neither":         {[]string{"one"}, []string{"one"}, ""},
			"no text":         {[]string{"one", "\xff"}, nil, "bot 0"},
		} {
			bots, err := selectBots(t.Context(), d.Reader(t.Context()), home, Filter{IntegrationNames: test.integrations, PluginNames: test.plugins}, db.Page{Size: 10})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, b := range bots {
				names = append(names, b.Name)
			}
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("%s: %s, want %s", name, got, test.want)
			}
		}
	})
}

// What a bot has installed, and who has something, is found by indexes.
func TestInstalledUsesItsIndexes(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		byIntegration := listQuery("w", Filter{IntegrationNames: []string{"a", "b"}}, db.Page{Size: 20})
		byPlugin := listQuery("w", Filter{PluginNames: []string{"a", "b"}, Sort: ByUpdate}, db.Page{Size: 20, After: &db.Key{At: 1, ID: "id"}})
		for name, test := range map[string]struct {
			query string
			args  []any
		}{
			"packages":            {packageQuery, []any{"b"}},
			"integration users":   {ownIntegrationUsers, []any{"i", "w"}},
			"integration others":  {otherIntegrationUsers, []any{"i", "w"}},
			"installs":            {installsQuery, []any{"i", "b", "a", 500}},
			"uncalled":            {uncalledQuery, []any{"i", "b", "a", "c", "a", string(Pending), notCalled}},
			"plugin users":        {ownPluginUsers, []any{"p", "w"}},
			"plugin others":       {otherPluginUsers, []any{"p", "w"}},
			"list by integration": {byIntegration.Text(), byIntegration.Args()},
			"list by plugin":      {byPlugin.Text(), byPlugin.Args()},
		} {
			plan := explain.Statement(t, d, test.query, test.args).Text
			t.Logf("%s\n%s", name, plan)
			for line := range strings.Lines(plan) {
				line = strings.TrimSpace(line)
				if strings.Contains(line, "Seq Scan") || strings.HasPrefix(line, "SCAN ") && !strings.HasPrefix(line, "SCAN bot_packages") {
					t.Errorf("%s: %s\n%s", name, line, plan)
				}
			}
		}
	})
}

func TestResealConfigurations(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		s := New(Options{DB: d, Clock: clock.System(), Keys: secret.New()})
		b := sample(t, home, 1)
		b.SigningSecret = s.sealSigningSecret(b.ID, "s")
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			if err := publish(ctx, tx, "one"); err != nil {
				return err
			}
			if err := insertBot(ctx, tx, b); err != nil {
				return err
			}
			for _, alias := range []string{"a", "b/c"} {
				plain := []byte(`{"of":"` + alias + `"}`)
				i := Instance{Alias: alias, Integration: "intver_0", DisabledChannels: "[]", Webhook: id.NewWebhook(), CreatedAt: b.CreatedAt, UpdatedAt: b.CreatedAt}
				i.Sealed = s.sealConfiguration(integrationConfigurationColumn, b.ID, alias, plain, nil, "")
				if err := upsertInstance(ctx, tx, b.ID, i); err != nil {
					return err
				}
				p := PluginInstance{Alias: alias, Plugin: "plugver_0", CreatedAt: b.CreatedAt, UpdatedAt: b.CreatedAt}
				p.Sealed = s.sealConfiguration(pluginConfigurationColumn, b.ID, alias, plain, nil, "")
				if err := upsertPlugin(ctx, tx, b.ID, p); err != nil {
					return err
				}
			}
			return nil
		})
		s.Keys = s.Keys.Rotate()
		if n, err := s.Reseal(t.Context()); err != nil || n != 5 {
			t.Errorf("%d values were sealed anew, want 5 (%v)", n, err)
		}
		s.Keys = s.Keys.Retire()
		b.Packages = 4
		got, err := s.withPackages(t.Context(), d.Reader(t.Context()), b)
		if err != nil {
			t.Fatal(err)
		}
		for n, alias := range []string{"a", "b/c"} {
			want := `{"of":"` + alias + `"}`
			if string(got.Integrations[n].Configuration) != want || string(got.Plugins[n].Configuration) != want {
				t.Errorf("%s: %s and %s", alias, got.Integrations[n].Configuration, got.Plugins[n].Configuration)
			}
		}
	})
}
