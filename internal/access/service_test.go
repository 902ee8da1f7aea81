package access

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/test/engines"
	"github.com/botyard/botyard/test/postgres"
)

func TestMain(m *testing.M) { postgres.Main(m) }

// fixture is a migrated database with two accounts, the first of them a developer
// of workspace w.
type fixture struct {
	*Service
	clock       *clock.Development
	mine, other id.Account
}

const w = id.Workspace("wkspace_1")

// onBoth runs a behaviour on both engines.
func onBoth(t *testing.T, behaviour func(*testing.T, fixture)) {
	engines.Each(t, func(t *testing.T, d *db.DB) { behaviour(t, prepare(t, d)) })
}

func prepare(t *testing.T, d *db.DB) fixture {
	t.Helper()
	c, err := clock.NewDevelopment(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := fixture{New(d, c, slog.New(slog.DiscardHandler)), c, id.NewAccount(), id.NewAccount()}
	f.tx(t, func(ctx context.Context, tx *db.Tx) error {
		for email, account := range map[string]id.Account{"mine@example.com": f.mine, "other@example.com": f.other} {
			if _, err := tx.Exec(ctx, `INSERT INTO accounts (id, email, email_key, email_verified, created_at) VALUES ($1, $2, $2, TRUE, 0)`, string(account), email); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `INSERT INTO members (id, workspace_id, account_id, email, email_key, role, created_at) VALUES ('m1', $1, $2, 'mine@example.com', 'mine@example.com', 'developer', 0)`, string(w), string(f.mine))
		return err
	})
	return f
}

func (f fixture) tx(t *testing.T, fn func(context.Context, *db.Tx) error) {
	t.Helper()
	if err := f.db.Tx(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func (f fixture) pat(t *testing.T, account id.Account, expires time.Time) (token Token, value string) {
	t.Helper()
	f.tx(t, func(ctx context.Context, tx *db.Tx) (err error) {
		token, value, err = f.CreatePAT(ctx, tx, account, "a note", expires)
		return err
	})
	return token, value
}

// refused fails unless err is a fault of the type whose message says the text.
func refused(t *testing.T, err error, kind fault.Type, says string) {
	t.Helper()
	if !fault.Is(err, kind) || !strings.Contains(err.Error(), says) {
		t.Errorf("error %v, want %s that says %q", err, kind, says)
	}
}

func TestAuthenticate(t *testing.T) {
	onBoth(t, func(t *testing.T, f fixture) {
		ctx := t.Context()
		token, value := f.pat(t, f.mine, time.Time{})
		_, strangers := f.pat(t, f.other, time.Time{})

		a, err := f.Authenticate(ctx, value, "")
		if err != nil || a.Kind != KindAccount || a.Account != f.mine || a.Email != "mine@example.com" || a.Token != token.ID || a.Workspace != "" || a.Role != "" {
			t.Errorf("outside workspaces: %+v, %v", a, err)
		}
		if a, err = f.Authenticate(ctx, value, w); err != nil || a.Workspace != w || a.Role != Developer || a.Account != f.mine {
			t.Errorf("in a workspace: %+v, %v", a, err)
		}
		a, foreign := f.Authenticate(ctx, strangers, w)
		refused(t, foreign, fault.ResourceNotFound, string(w))
		if a.Workspace != "" || a.Role != "" {
			t.Errorf("a stranger became %+v", a)
		}
		_, missing := f.Authenticate(ctx, strangers, "wkspace_2")
		if strings.ReplaceAll(missing.Error(), "wkspace_2", string(w)) != foreign.Error() {
			t.Errorf("a missing workspace says %q, a foreign one %q", missing, foreign)
		}
		for _, garbage := range []string{"", "garbage", value + "x", strings.ToUpper(value)} {
			_, err := f.Authenticate(ctx, garbage, w)
			refused(t, err, fault.Unauthorized, "bp_pat_")
		}
		_, err = f.Authenticate(ctx, NewTokenValue(PAT), w)
		refused(t, err, fault.Unauthorized, "not known")
	})
}

func TestDeletedAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, f fixture) {
		ctx := t.Context()
		token, value := f.pat(t, f.mine, time.Time{})
		if _, err := f.Authenticate(ctx, value, w); err != nil {
			t.Fatal(err)
		}
		refused(t, f.DeletePAT(ctx, f.other, token.ID), fault.ResourceNotFound, string(token.ID))
		if err := f.DeletePAT(ctx, f.mine, token.ID); err != nil {
			t.Fatal(err)
		}
		_, err := f.Authenticate(ctx, value, w)
		refused(t, err, fault.Unauthorized, "deleted")
		refused(t, f.DeletePAT(ctx, f.mine, token.ID), fault.ResourceNotFound, string(token.ID))
	})
}

func TestExpiry(t *testing.T) {
	onBoth(t, func(t *testing.T, f fixture) {
		_, value := f.pat(t, f.mine, f.clock.Now().Add(time.Hour))
		if _, err := f.Authenticate(t.Context(), value, w); err != nil {
			t.Fatal(err)
		}
		if _, err := f.clock.Advance(time.Hour); err != nil {
			t.Fatal(err)
		}
		for _, in := range []id.Workspace{"", w, "wkspace_2"} {
			_, err := f.Authenticate(t.Context(), value, in)
			refused(t, err, fault.Unauthorized, "expired at ")
		}
	})
}

func TestKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, f fixture) {
		ctx := t.Context()
		values := map[TokenKind]string{}
		f.tx(t, func(ctx context.Context, tx *db.Tx) (err error) {
			for kind, subject := range map[TokenKind]string{BAK: "bot1", IAK: "int1"} {
				if _, values[kind], err = f.CreateKey(ctx, tx, kind, w, subject, "key"); err != nil {
					return err
				}
			}
			return nil
		})
		for kind, want := range map[TokenKind]Actor{BAK: {Kind: KindBot, Subject: "bot1"}, IAK: {Kind: KindIntegration, Subject: "int1"}} {
			a, err := f.Authenticate(ctx, values[kind], "wkspace_2")
			if err != nil || a.Kind != want.Kind || a.Subject != want.Subject || a.Workspace != w || a.Role != "" {
				t.Errorf("%s is %+v, %v", kind, a, err)
			}
		}
		f.tx(t, func(ctx context.Context, tx *db.Tx) error { return f.DeleteSubject(ctx, tx, w, "bot1") })
		_, err := f.Authenticate(ctx, values[BAK], "")
		refused(t, err, fault.Unauthorized, "deleted")
		f.tx(t, func(ctx context.Context, tx *db.Tx) error { return f.DeleteWorkspace(ctx, tx, w) })
		_, err = f.Authenticate(ctx, values[IAK], "")
		refused(t, err, fault.Unauthorized, "deleted")
	})
}

func TestTokenValueIsNotKept(t *testing.T) {
	onBoth(t, func(t *testing.T, f fixture) {
		_, value := f.pat(t, f.mine, time.Time{})
		var hash, everything string
		row := f.db.Reader(t.Context()).QueryRow(t.Context(), `SELECT hash, id || hash || kind || note FROM tokens`)
		if err := row.Scan(&hash, &everything); err != nil {
			t.Fatal(err)
		}
		if hash != hashOf(value) || strings.Contains(everything, value) || strings.Contains(everything, value[7:]) {
			t.Errorf("kept is %s", everything)
		}
	})
}

func TestLastUse(t *testing.T) {
	onBoth(t, func(t *testing.T, f fixture) {
		ctx := t.Context()
		_, value := f.pat(t, f.mine, time.Time{})
		use := func() time.Time {
			t.Helper()
			if _, err := f.Authenticate(ctx, value, w); err != nil {
				t.Fatal(err)
			}
			f.Flush(ctx)
			tokens, err := f.PATs(ctx, f.mine)
			if err != nil || len(tokens) != 1 {
				t.Fatalf("%v, %v", tokens, err)
			}
			return tokens[0].LastUsed
		}
		first := use()
		if first.IsZero() {
			t.Fatal("the first use is not kept")
		}
		if again := use(); !again.Equal(first) {
			t.Errorf("a use within the minute was written: %s after %s", again, first)
		}
		if _, err := f.clock.Advance(2 * time.Minute); err != nil {
			t.Fatal(err)
		}
		if later := use(); later.Sub(first) < 2*time.Minute {
			t.Errorf("the use after two minutes is kept as %s, the first was %s", later, first)
		}
	})
}

func TestTokenList(t *testing.T) {
	onBoth(t, func(t *testing.T, f fixture) {
		one, _ := f.pat(t, f.mine, time.Time{})
		two, _ := f.pat(t, f.mine, f.clock.Now().Add(time.Hour))
		f.pat(t, f.other, time.Time{})
		got, err := f.PATs(t.Context(), f.mine)
		if err != nil || len(got) != 2 || got[0] != two || got[1] != one {
			t.Errorf("listed %+v, %v; want %+v and %+v", got, err, two, one)
		}
		f.tx(t, func(ctx context.Context, tx *db.Tx) error { return f.DeleteAccount(ctx, tx, f.mine) })
		if got, err := f.PATs(t.Context(), f.mine); err != nil || len(got) != 0 {
			t.Errorf("after the account: %v, %v", got, err)
		}
		if got, err := f.PATs(t.Context(), f.other); err != nil || len(got) != 1 {
			t.Errorf("another account's: %v, %v", got, err)
		}
	})
}

func TestAddPAT(t *testing.T) {
	onBoth(t, func(t *testing.T, f fixture) {
		add := func(account id.Account, value string) error {
			return f.db.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				_, err := f.AddPAT(ctx, tx, account, "chosen", time.Time{}, value)
				return err
			})
		}
		chosen := "bp_pat_" + strings.Repeat("x", 36) // without a checksum
		if err := add(f.mine, chosen); err != nil {
			t.Fatal(err)
		}
		if a, err := f.Authenticate(t.Context(), chosen, w); err != nil || a.Account != f.mine {
			t.Errorf("%+v, %v", a, err)
		}
		refused(t, add(f.other, chosen), fault.AlreadyExists, "")
		for _, value := range []string{"", "hunter2", "bp_bak_" + strings.Repeat("x", 36)} {
			refused(t, add(f.mine, value), fault.InvalidPayload, "bp_pat_")
		}
	})
}

func TestMostTokens(t *testing.T) {
	f := prepare(t, engines.Open(t, db.SQLite))
	err := f.db.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		for range maxTokensPerAccount {
			if _, _, err := f.CreatePAT(ctx, tx, f.mine, "", time.Time{}); err != nil {
				return err
			}
		}
		_, _, err := f.CreatePAT(ctx, tx, f.mine, "", time.Time{})
		refused(t, err, fault.LimitExceeded, "1000")
		_, _, err = f.CreatePAT(ctx, tx, f.other, "", time.Time{})
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Whoever acts in a blocked workspace is told to pay: its members and its keys.
func TestBlocked(t *testing.T) {
	onBoth(t, func(t *testing.T, f fixture) {
		_, value := f.pat(t, f.mine, time.Time{})
		var key string
		f.tx(t, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `
				INSERT INTO workspaces (id, name, owner_id, plan, billing_version, blocked, spending_limit, about, profile_picture,
					contact_email, website, social_accounts, is_public, created_at, updated_at)
				VALUES ($1, 'W', $2, 'plus', 'v4', FALSE, 0, '', '', '', '', '[]', FALSE, 0, 0)`, string(w), string(f.mine))
			if err == nil {
				_, key, err = f.CreateKey(ctx, tx, BAK, w, "bot", "")
			}
			return err
		})
		for _, blocked := range []bool{false, true, false} {
			f.tx(t, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, `UPDATE workspaces SET blocked = $1`, blocked)
				return err
			})
			for token, in := range map[string]id.Workspace{value: w, key: ""} {
				a, err := f.Authenticate(t.Context(), token, in)
				if err != nil {
					t.Fatal(err)
				}
				if paid := a.Paid(); fault.Is(paid, fault.PaymentRequired) != blocked || (paid == nil) == blocked {
					t.Errorf("a %s of a workspace that is blocked (%t) is told %v", a.Kind, blocked, paid)
				} else if blocked && !strings.Contains(paid.Error(), string(w)) {
					t.Errorf("%v does not name the workspace", paid)
				}
			}
			if a, err := f.Authenticate(t.Context(), value, ""); err != nil || a.Paid() != nil {
				t.Errorf("outside the blocked workspace: %v, %v", a.Paid(), err)
			}
		}
	})
}
