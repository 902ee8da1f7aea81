package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/test/engines"
	"github.com/botyard/botyard/test/explain"
	"github.com/botyard/botyard/test/postgres"
)

func TestMain(m *testing.M) { postgres.Main(m) }

const home, other = id.Workspace("wkspace_home"), id.Workspace("wkspace_other")

// sample is a bot with every column filled; n orders it.
func sample(t *testing.T, w id.Workspace, n int64) Bot {
	t.Helper()
	b, err := emptyBot()
	if err != nil {
		t.Fatal(err)
	}
	b.ID, b.Workspace, b.Name = id.NewBot(false, time.Now()), w, fmt.Sprint("bot ", n)
	b.CreatedAt, b.UpdatedAt, b.DeployedAt = db.Moment(1000+n), db.Moment(9000-n), db.Moment(5000)
	b.Type, b.Status, b.Description, b.URL, b.Authentication = ADK, Active, ptr(""), "https://example.com", "iam"
	b.Blocked, b.AlwaysAlive, b.MaxExecutionTime, b.CreatedBy = true, true, 7, id.NewAccount()
	b.SigningSecret, b.CodeHash, b.Tags, b.SecretNames, b.Layers = "sealed", "hash", `{"a":"1"}`, `["A"]`, `["l"]`
	return b
}

func TestStore(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		full := sample(t, home, 1)
		least, err := emptyBot()
		if err != nil {
			t.Fatal(err)
		}
		least.ID, least.Workspace, least.Dev, least.Type, least.Status = id.NewBot(true, time.Now()), home, true, Studio, Active
		least.CreatedAt, least.UpdatedAt = db.Moment(1), db.Moment(1)
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			if err := insertBot(ctx, tx, full); err != nil {
				return err
			}
			return insertBot(ctx, tx, least)
		})
		read := func(w id.Workspace, bot id.Bot) (Bot, bool) {
			b, found, err := selectBot(t.Context(), d.Reader(t.Context()), w, bot)
			if err != nil {
				t.Fatal(err)
			}
			return b, found
		}
		for _, want := range []Bot{full, least} {
			got, _ := read(home, want.ID)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if _, found := read(other, want.ID); found {
				t.Error("another workspace reads the bot")
			}
		}

		changed := least
		changed.ID, changed.Dev, changed.CreatedAt, changed.CreatedBy, changed.SigningSecret = full.ID, full.Dev, full.CreatedAt, full.CreatedBy, full.SigningSecret
		foreign := changed
		foreign.Workspace, foreign.Name = other, "taken over"
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			if err := updateBot(ctx, tx, changed); err != nil {
				return err
			}
			return updateBot(ctx, tx, foreign)
		})
		if got, _ := read(home, full.ID); !cmp.Equal(changed, got) {
			t.Error(cmp.Diff(changed, got))
		}

		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error { return deleteBot(ctx, tx, home, full.ID) })
		if _, found := read(home, full.ID); found {
			t.Error("the bot is still there")
		}
		if _, found := read(home, least.ID); !found {
			t.Error("another bot is gone too")
		}
	})
}

func TestEntries(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		bots := []Bot{sample(t, home, 1), sample(t, home, 2), sample(t, other, 3)}
		many := map[string]string{}
		secrets := map[string]*string{}
		for i := range 2*maxKeys + 3 {
			many[fmt.Sprint("k", i)], secrets[fmt.Sprint("K", i)] = "v", ptr("sealed")
		}
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			for _, b := range bots {
				if err := insertBot(ctx, tx, b); err != nil {
					return err
				}
				if err := writeTags(ctx, tx, b.ID, many); err != nil {
					return err
				}
				if err := writeSecrets(ctx, tx, b.ID, secrets); err != nil {
					return err
				}
			}
			return nil
		})
		count := func(query string, args ...any) (n int) {
			if err := d.Reader(t.Context()).QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		const tags, values = `SELECT COUNT(*) FROM bot_tags WHERE bot_id = $1`, `SELECT COUNT(*) FROM bot_secrets WHERE bot_id = $1`
		if a, b := count(tags, string(bots[0].ID)), count(values, string(bots[0].ID)); a != 103 || b != 103 {
			t.Errorf("%d tags and %d secrets, want 103", a, b)
		}

		patch := map[string]string{"k0": "new", "fresh": "v"}
		gone := map[string]*string{"K0": ptr("resealed")}
		for i := 1; i < 2*maxKeys+3; i++ {
			patch[fmt.Sprint("k", i)], gone[fmt.Sprint("K", i)] = "", nil
		}
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			if err := writeTags(ctx, tx, bots[0].ID, patch); err != nil {
				return err
			}
			return writeSecrets(ctx, tx, bots[0].ID, gone)
		})
		if n := count(`SELECT COUNT(*) FROM bot_tags WHERE bot_id = $1 AND (key = 'k0' AND value = 'new' OR key = 'fresh')`, string(bots[0].ID)); n != 2 || count(tags, string(bots[0].ID)) != 2 {
			t.Errorf("%d of the tags that should stand, of %d", n, count(tags, string(bots[0].ID)))
		}
		if n := count(`SELECT COUNT(*) FROM bot_secrets WHERE bot_id = $1 AND value = 'resealed'`, string(bots[0].ID)); n != 1 || count(values, string(bots[0].ID)) != 1 {
			t.Errorf("%d of the secrets that should stand, of %d", n, count(values, string(bots[0].ID)))
		}

		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error { return deleteBotsOf(ctx, tx, home) })
		for table, want := range map[string]int{"bots": 1, "bot_tags": 103, "bot_secrets": 103} {
			if n := count(`SELECT COUNT(*) FROM ` + table); n != want {
				t.Errorf("%s: %d rows are left, want %d", table, n, want)
			}
		}
	})
}

func TestList(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		names := map[id.Bot]string{}
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			clear(names)
			for n := range int64(7) {
				b := sample(t, home, n/2) // two at a time
				b.Name = fmt.Sprint(n)
				b.Dev = n == 6
				tags := map[string]string{"parity": fmt.Sprint(n % 2), "all": "x"}
				names[b.ID] = b.Name
				if err := insertBot(ctx, tx, b); err != nil {
					return err
				}
				if err := writeTags(ctx, tx, b.ID, tags); err != nil {
					return err
				}
			}
			return insertBot(ctx, tx, sample(t, other, 1))
		})
		for name, test := range map[string]struct {
			filter Filter
			want   []string // the bots of one moment together
		}{
			"newest first":      {Filter{}, []string{"45", "23", "01"}},
			"oldest first":      {Filter{Ascending: true}, []string{"01", "23", "45"}},
			"last updated":      {Filter{Sort: ByUpdate}, []string{"01", "23", "45"}},
			"longest untouched": {Filter{Sort: ByUpdate, Ascending: true}, []string{"45", "23", "01"}},
			"development":       {Filter{Dev: true}, []string{"6"}},
			"tags":              {Filter{Tags: map[string]string{"parity": "1", "all": "x"}}, []string{"5", "3", "1"}},
			"no such tags":      {Filter{Tags: map[string]string{"parity": "1", "all": "y"}}, nil},
		} {
			t.Run(name, func(t *testing.T) {
				page := db.Page{Size: 1}
				var got []Bot
				for range 10 {
					bots, err := selectBots(t.Context(), d.Reader(t.Context()), home, test.filter, page)
					if err != nil {
						t.Fatal(err)
					}
					bots, next := db.Cut(bots, page, func(b Bot) db.Key { return db.Key{At: test.filter.Sort.of(b).UnixMilli(), ID: string(b.ID)} })
					got = append(got, bots...)
					if next == nil {
						break
					}
					page.After = next
				}
				var order []string // the bots of one moment together
				var last time.Time
				for _, b := range got {
					if at := test.filter.Sort.of(b); len(order) == 0 || !at.Equal(last) {
						order, last = append(order, ""), at
					}
					group := strings.Split(order[len(order)-1]+names[b.ID], "")
					slices.Sort(group)
					order[len(order)-1] = strings.Join(group, "")
				}
				if diff := cmp.Diff(test.want, order); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

// Every list walks an index in its order: nothing is sorted, nothing is read that
// the page does not hold. PostgreSQL must not scan although the table is small.
func TestListUsesItsIndexes(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		for _, after := range []*db.Key{nil, {At: 1, ID: "id"}} {
			for sort, index := range map[Sort]string{ByCreation: "bots_by_creation", ByUpdate: "bots_by_update"} {
				for _, ascending := range []bool{false, true} {
					for _, tags := range []map[string]string{nil, {"a": "1", "b": "2"}} {
						f := Filter{Sort: sort, Ascending: ascending, Tags: tags}
						if ascending == (after != nil) {
							f.letIn = "account"
						}
						list := listQuery("w", f, db.Page{Size: 20, After: after})
						plan := explain.Statement(t, d, list.Text(), list.Args()).Text
						if !strings.Contains(plan, index) || strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "Sort") || strings.Contains(plan, "SCAN") || strings.Contains(plan, "Seq Scan") {
							t.Errorf("%s\n%s", list.Text(), plan)
						}
					}
				}
			}
		}
	})
}

func TestMembership(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		b, account := sample(t, home, 1), id.NewAccount()
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			if err := insertBot(ctx, tx, b); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `INSERT INTO members (id, workspace_id, account_id, email, email_key, role, created_at)
				VALUES ('m', $1, $2, 'e', 'e', 'viewer', 1)`, string(home), string(account))
			return err
		})
		for name, test := range map[string]struct {
			account id.Account
			bot     id.Bot
			found   bool
		}{
			"member":   {account, b.ID, true},
			"stranger": {id.NewAccount(), b.ID, false},
			"no bot":   {account, "missing", false},
		} {
			w, role, found, err := selectMembership(t.Context(), d.Reader(t.Context()), test.account, test.bot)
			if err != nil || found != test.found || found && (w != home || role != access.Viewer) {
				t.Errorf("%s: %s %s %v %v", name, w, role, found, err)
			}
		}
	})
}

func TestReseal(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		s := New(Options{DB: d, Clock: clock.System(), Keys: secret.New()})
		bots := make([]Bot, 205)
		for i := range bots {
			bots[i] = sample(t, home, int64(i))
			bots[i].SigningSecret = s.sealSigningSecret(bots[i].ID, "signing "+string(bots[i].ID))
		}
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			for _, b := range bots {
				if err := insertBot(ctx, tx, b); err != nil {
					return err
				}
				if err := writeSecrets(ctx, tx, b.ID, s.sealSecrets(b.ID, map[string]*string{"A": ptr("a " + string(b.ID)), "B": ptr("")})); err != nil {
					return err
				}
			}
			return nil
		})
		reseal := func() int {
			t.Helper()
			n, err := s.Reseal(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := reseal(); n != 0 {
			t.Errorf("%d values were sealed anew without a new key", n)
		}
		s.Keys = s.Keys.Rotate()
		if n := reseal(); n != 3*len(bots) {
			t.Errorf("%d values were sealed anew, want %d", n, 3*len(bots))
		}
		s.Keys = s.Keys.Retire()
		for _, b := range bots {
			got, _, err := selectBot(t.Context(), d.Reader(t.Context()), home, b.ID)
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := signingSecretColumn.Open(s.Keys, got.SigningSecret, string(b.ID)); err != nil || string(plain) != "signing "+string(b.ID) {
				t.Fatalf("%s: %v", plain, err)
			}
			got.SigningSecret = b.SigningSecret
			if diff := cmp.Diff(b, got); diff != "" {
				t.Fatal(diff)
			}
		}
		if n := reseal(); n != 0 {
			t.Errorf("%d values were sealed anew a second time", n)
		}
	})
}
