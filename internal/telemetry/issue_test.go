package telemetry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/test/engines"
)

func TestGroup(t *testing.T) {
	data := map[string]IssueDatum{"name": {Raw: "acme"}, "code": {Raw: "131", Pretty: "Not allowed"}}
	key := func(code string, data map[string]IssueDatum, groupBy ...string) string {
		k, _ := groupOf(code, data, groupBy)
		return k
	}
	same := key("failed", data, "name", "code")
	for what, other := range map[string]string{
		"the order of groupBy":    key("failed", data, "code", "name"),
		"an entry that repeats":   key("failed", data, "code", "name", "code"),
		"data that does not tell": key("failed", map[string]IssueDatum{"name": {Raw: "acme"}, "code": {Raw: "131"}, "more": {Raw: "x"}}, "name", "code"),
	} {
		if other != same {
			t.Errorf("%s makes another group", what)
		}
	}
	for what, other := range map[string]string{
		"another code":            key("broken", data, "name", "code"),
		"another value":           key("failed", map[string]IssueDatum{"name": {Raw: "apex"}, "code": {Raw: "131"}}, "name", "code"),
		"less to group by":        key("failed", data, "name"),
		"nothing to group by":     key("failed", data),
		"a literal":               key("failed", data, "name", "code", "expired"),
		"literals for the values": key("failed", nil, "name", "code"),
		"values that run together": key("failed", map[string]IssueDatum{"name": {Raw: "acmecode"}, "code": {Raw: "131"}},
			"name", "code"),
	} {
		if other == same {
			t.Errorf("%s makes the same group", what)
		}
	}
	_, grouped := groupOf("failed", data, []string{"code", "access_token_expired"})
	want := map[string]IssueDatum{"code": {Raw: "131", Pretty: "Not allowed"}, "access_token_expired": {Raw: "access_token_expired"}}
	if diff := cmp.Diff(want, grouped); diff != "" {
		t.Error(diff)
	}
}

// issueOf is a record of an issue; its text tells its number.
func issueOf(bot id.Bot, sequence int64, at time.Time, code, name string, groupBy ...string) Record {
	return Record{Kind: KindIssue, Bot: bot, Sequence: sequence, At: at.UnixMilli(), Body: &Issue{
		Code: code, Category: "other", Title: fmt.Sprint("title ", sequence), Description: fmt.Sprint("description ", sequence),
		Data: map[string]IssueDatum{"name": {Raw: name}, "n": {Raw: strconv.FormatInt(sequence, 10)}}, GroupBy: groupBy,
	}}
}

// TestIssueModel rolls random issues up, in any order, by two servers at once: count,
// first and last, the texts of the newest, and the newest events must be those of a
// naive count.
func TestIssueModel(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		const w = id.Workspace("wkspace_issues")
		servers := []*Service{over(d), over(d)}
		for seed := range uint64(60) {
			random := rand.New(rand.NewPCG(seed, 11))
			bot := id.Bot(fmt.Sprint("bot", seed))
			addBot(t, d, w, bot)
			var records []Record
			for i := range 150 {
				groupBy := [][]string{nil, {"name"}, {"literal"}}[random.IntN(3)]
				records = append(records, issueOf(bot, int64(i+1), midnight.Add(time.Duration(random.IntN(1000))*time.Second),
					"code"+strconv.Itoa(random.IntN(2)), "name"+strconv.Itoa(random.IntN(2)), groupBy...))
			}
			var both sync.WaitGroup
			for i, part := range [][]Record{records[:70], records[70:]} {
				sizes := rand.New(rand.NewPCG(seed, uint64(i)))
				both.Go(func() {
					for len(part) > 0 {
						n := 1 + sizes.IntN(len(part))
						if err := d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error { return servers[i].rollUpIssues(ctx, tx, part[:n]) }); err != nil {
							t.Error(err)
							return
						}
						part = part[n:]
					}
				})
			}
			both.Wait()

			groups := map[string][]Record{}
			for _, r := range records {
				b := r.Body.(*Issue)
				key := b.Code + " by " + fmt.Sprint(b.GroupBy)
				if slices.Equal(b.GroupBy, []string{"name"}) {
					key += " is " + b.Data["name"].Raw
				}
				groups[key] = append(groups[key], r)
			}
			issues, next, err := servers[0].Issues(t.Context(), w, bot, db.Page{Size: 50})
			if err != nil || next != nil || len(issues) != len(groups) {
				t.Fatalf("%d issues (%v), want %d", len(issues), err, len(groups))
			}
			for key, group := range groups {
				slices.SortFunc(group, func(a, b Record) int {
					if a.At != b.At {
						return int(a.At - b.At)
					}
					return int(a.Sequence - b.Sequence)
				})
				first, last := group[0], group[len(group)-1]
				newest := last.Body.(*Issue)
				_, grouped := groupOf(newest.Code, newest.Data, newest.GroupBy)
				at := slices.IndexFunc(issues, func(i OpenIssue) bool {
					return i.Title == newest.Title && i.Code == newest.Code
				})
				if at < 0 {
					t.Fatalf("history %d: there is no issue of %s with the title of its newest event", seed, key)
				}
				want := OpenIssue{
					Code: newest.Code, Title: newest.Title, Description: newest.Description, Category: fault.Other,
					GroupedData: grouped, EventsCount: int64(len(group)), FirstSeen: first.Time(), LastSeen: last.Time(),
				}
				if diff := cmp.Diff(want, issues[at], cmpopts.IgnoreFields(OpenIssue{}, "ID")); diff != "" {
					t.Fatalf("history %d, %s:\n%s", seed, key, diff)
				}
				events, err := servers[1].IssueEvents(t.Context(), w, bot, issues[at].ID)
				if err != nil {
					t.Fatal(err)
				}
				kept := group[max(0, len(group)-maxIssueEvents):]
				if len(events) != len(kept) {
					t.Fatalf("history %d, %s: %d events are kept of %d", seed, key, len(events), len(group))
				}
				for i, e := range events {
					r := kept[len(kept)-1-i]
					if diff := cmp.Diff(r.Body.(*Issue).Data, e.Data); diff != "" || !e.CreatedAt.Equal(r.Time()) {
						t.Fatalf("history %d, %s, event %d: %s", seed, key, i, diff)
					}
				}
			}
		}
	})
}

func TestIssueOpensAnew(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		const w, bot = id.Workspace("wkspace_anew"), id.Bot("bot")
		addBot(t, d, w, bot)
		addBot(t, d, "wkspace_other", "other bot")
		s := over(d)
		report := func(i fault.Issue) {
			t.Helper()
			engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error { return s.Report(ctx, tx, w, bot, i) })
		}
		one := func() OpenIssue {
			t.Helper()
			issues, _, err := s.Issues(t.Context(), w, bot, db.Page{Size: 5})
			if err != nil || len(issues) != 1 {
				t.Fatalf("%d issues (%v), want one", len(issues), err)
			}
			return issues[0]
		}
		failed := fault.Issue{
			Code: "registration_failed", Category: fault.Configuration, Title: "t", Description: "d", Data: map[string]string{"integration": "x"},
			GroupBy: []string{"integration"}, ResolutionLink: "https://example.com/",
		}
		report(failed)
		report(failed)
		before := one()
		if before.EventsCount != 2 || before.ResolutionLink != failed.ResolutionLink || before.Category != fault.Configuration {
			t.Errorf("the issue is %+v", before)
		}
		// Nobody deletes by another workspace or another bot.
		for _, as := range []struct {
			w   id.Workspace
			bot id.Bot
		}{{"wkspace_other", bot}, {"wkspace_other", "other bot"}, {w, "other bot"}, {w, "none"}} {
			if err := s.DeleteIssue(t.Context(), as.w, as.bot, before.ID); !fault.Is(err, fault.ResourceNotFound) {
				t.Errorf("%v: %v", as, err)
			}
			if _, err := s.IssueEvents(t.Context(), as.w, as.bot, before.ID); !fault.Is(err, fault.ResourceNotFound) {
				t.Errorf("%v: %v", as, err)
			}
		}
		if err := s.DeleteIssue(t.Context(), w, bot, before.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteIssue(t.Context(), w, bot, before.ID); !fault.Is(err, fault.ResourceNotFound) {
			t.Errorf("deleted twice: %v", err)
		}
		report(failed)
		if after := one(); after.ID == before.ID || after.EventsCount != 1 {
			t.Errorf("after the deletion the issue is %+v", after)
		}
		// A report to a bot of another workspace, or to none, is told to nobody.
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error {
			return errors.Join(s.Report(ctx, tx, "wkspace_other", bot, failed), s.Report(ctx, tx, w, "none", failed))
		})
		if after := one(); after.EventsCount != 1 {
			t.Errorf("the issue is %+v", after)
		}
		if err := d.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			return s.Report(ctx, tx, w, bot, fault.Issue{Code: "c", Category: "mine"})
		}); err == nil {
			t.Error("an issue of a category that is none was reported")
		}

		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error { return deleteInsight(ctx, tx, bot) })
		for _, table := range append(slices.Clone(insightTables), "issue_events") {
			var n int
			if err := d.Reader(t.Context()).QueryRow(t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n); err != nil || n != 0 {
				t.Errorf("%s has %d rows of a bot that is gone (%v)", table, n, err)
			}
		}
	})
}

func TestIssuePages(t *testing.T) {
	engines.Each(t, func(t *testing.T, d *db.DB) {
		const w, bot = id.Workspace("wkspace_pages"), id.Bot("bot")
		addBot(t, d, w, bot)
		s := over(d)
		var want []string
		for batch := range 3 {
			var records []Record
			for i := range 7 {
				code := fmt.Sprint("code ", batch, " ", i)
				records = append(records, issueOf(bot, int64(len(want)+1), midnight, code, "n"))
				want = append([]string{code}, want...)
			}
			engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error { return s.rollUpIssues(ctx, tx, records) })
		}
		var got []string
		page := db.Page{Size: 3}
		for {
			issues, next, err := s.Issues(t.Context(), w, bot, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range issues {
				got = append(got, i.Code)
			}
			if next == nil {
				break
			}
			page.After = next
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		engines.InTx(t, d, func(ctx context.Context, tx *db.Tx) error { return deleteInsightOf(ctx, tx, w) })
		if issues, _, err := s.Issues(t.Context(), w, bot, db.Page{Size: 3}); err != nil || len(issues) != 0 {
			t.Errorf("%d issues are left (%v)", len(issues), err)
		}
	})
}
