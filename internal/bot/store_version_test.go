package bot

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/internal/wire"
	"github.com/botyard/botyard/test/engines"
	"github.com/botyard/botyard/test/explain"
)

// withVersions are two bots of the home workspace and one of another, with n
// versions each, every third of which a person saved.
func withVersions(t *testing.T, d *db.DB, s *Service, n int) (bots []Bot, versions []Version) {
	t.Helper()
	engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
		bots, versions = nil, nil
		for i, w := range []id.Workspace{home, home, "wkspace_other"} {
			b := sample(t, w, int64(i))
			b.SigningSecret = s.sealSigningSecret(b.ID, "s")
			if err := insertBot(ctx, tx, b); err != nil {
				return err
			}
			bots = append(bots, b)
			for m := range n {
				at := time.UnixMilli(int64(1000 * m)).UTC()
				v := Version{
					ID: id.NewBotVersion(at), Bot: b.ID, Name: fmt.Sprint("v", m), Automatic: m%3 != 0, CreatedAt: at,
					Content: blob.Of([]byte(fmt.Sprint("content", m))),
				}
				if m%2 == 0 {
					v.Description, v.Code, v.CreatedBy = "about", blob.Of([]byte(fmt.Sprint("code", m))), id.Account("a")
				}
				sealed, err := s.sealSettings(v, savedSettings{Plugins: map[string]savedPlugin{"p": {wire.Object(fmt.Sprintf(`{"n":%d}`, m))}}})
				if err != nil {
					return err
				}
				if err := insertVersion(ctx, tx, v, sealed); err != nil {
					return err
				}
				if i == 0 {
					versions = append(versions, v)
				}
			}
		}
		return nil
	})
	return bots, versions
}

func TestStoreVersions(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		s := New(Options{DB: d, Clock: clock.System(), Keys: secret.New()})
		bots, versions := withVersions(t, d, s, 30)
		q := d.Reader(t.Context())
		listed, err := selectVersions(t.Context(), q, home, bots[0].ID)
		if err != nil || len(listed) != 30 || listed[0].ID != versions[29].ID || listed[0].Name != "v29" || listed[1].Description != "about" {
			t.Errorf("%d are listed, the first is %+v (%v)", len(listed), listed[0], err)
		}
		got, _, found, err := selectVersion(t.Context(), q, home, bots[0].ID, versions[4].ID)
		if diff := cmp.Diff(versions[4], got); diff != "" || !found || err != nil {
			t.Errorf("%v %v %s", found, err, diff)
		}
		if newest, _, _, err := selectNewestVersion(t.Context(), q, home, bots[0].ID); err != nil || newest.ID != versions[29].ID {
			t.Errorf("the newest is %v (%v)", newest, err)
		}
		for name, ask := range map[string]struct {
			w       id.Workspace
			bot     id.Bot
			version id.BotVersion
		}{
			"another workspace": {"wkspace_other", bots[0].ID, versions[0].ID},
			"another bot":       {home, bots[1].ID, versions[0].ID},
			"no version":        {home, bots[0].ID, "botver_none"},
		} {
			if _, _, found, err := selectVersion(t.Context(), q, ask.w, ask.bot, ask.version); found || err != nil {
				t.Errorf("%s: found %v (%v)", name, found, err)
			}
		}
		if listed, err := selectVersions(t.Context(), q, "wkspace_other", bots[0].ID); err != nil || len(listed) != 0 {
			t.Errorf("another workspace lists %v (%v)", listed, err)
		}
		if n, err := countSaved(t.Context(), q, bots[0].ID); err != nil || n != 10 {
			t.Errorf("people saved %d (%v), want 10", n, err)
		}

		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			return deleteOldestAutomatic(ctx, tx, bots[0].ID, 5)
		})
		var names []string
		listed, err = selectVersions(t.Context(), q, home, bots[0].ID)
		for _, v := range listed {
			names = append(names, v.Name)
		}
		want := []string{"v29", "v28", "v27", "v26", "v25", "v24", "v23", "v21", "v18", "v15", "v12", "v9", "v6", "v3", "v0"}
		if diff := cmp.Diff(want, names); diff != "" || err != nil {
			t.Errorf("left are others (%v): %s", err, diff)
		}

		for _, b := range bots[:2] {
			engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error { return deleteBot(ctx, tx, home, b.ID) })
		}
		uses := func(content string) bool {
			used, err := s.UsesBlob(t.Context(), blob.Of([]byte(content)))
			if err != nil {
				t.Fatal(err)
			}
			return used
		}
		if !uses("content3") || !uses("code4") || uses("code5") {
			t.Error("the blobs of the other workspace's versions are not the ones that are used")
		}
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error { return deleteBotsOf(ctx, tx, "wkspace_other") })
		if uses("content3") || uses("code4") {
			t.Error("blobs are used that no version has any more")
		}
	})
}

func TestVersionsUseTheirIndexes(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		s := New(Options{DB: d, Clock: clock.System(), Keys: secret.New()})
		bots, versions := withVersions(t, d, s, 30)
		bot := string(bots[0].ID)
		for name, test := range map[string]struct {
			query string
			args  []any
		}{
			"list":   {versionsQuery, []any{bot, string(home)}},
			"one":    {versionQuery, []any{bot, string(home), string(versions[0].ID)}},
			"newest": {newestVersionQuery, []any{bot, string(home)}},
			"uses":   {usesQuery, []any{string(versions[0].Content)}},
		} {
			plan := explain.Statement(t, d, test.query, test.args).Text
			for line := range strings.Lines(plan) {
				line = strings.TrimSpace(line)
				if strings.Contains(line, "Seq Scan") || strings.HasPrefix(line, "SCAN ") && line != "SCAN CONSTANT ROW" || strings.Contains(line, "TEMP B-TREE") {
					t.Errorf("%s: %s\n%s", name, line, plan)
				}
			}
		}
	})
}

func TestResealVersions(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		s := New(Options{DB: d, Clock: clock.System(), Keys: secret.New()})
		_, versions := withVersions(t, d, s, 4)
		s.Keys = s.Keys.Rotate()
		if n, err := s.Reseal(t.Context()); err != nil || n != 3+12 {
			t.Errorf("%d values were sealed anew, want 15 (%v)", n, err)
		}
		s.Keys = s.Keys.Retire()
		for n, v := range versions {
			_, settings, err := s.readVersion(t.Context(), home, v.Bot, v.ID)
			if want := fmt.Sprintf(`{"n":%d}`, n); err != nil || string(settings.Plugins["p"].Configuration) != want {
				t.Errorf("%s: %v (%v)", v.Name, settings, err)
			}
		}
	})
}
