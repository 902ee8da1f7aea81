package id_test

import (
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/id"
)

var now = time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC)

func TestForms(t *testing.T) {
	const ulid, uuid = `[0-7][0-9A-HJKMNP-TV-Z]{25}$`, `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`
	for _, tt := range []struct{ form, got string }{
		{"^wkspace_" + ulid, string(id.NewWorkspace(now))},
		{"^devbot_" + ulid, string(id.NewBot(true, now))},
		{"^" + uuid, string(id.NewBot(false, now))},
		{"^" + uuid, string(id.NewAccount())},
		{"^" + uuid, string(id.NewMember())},
		{"^" + uuid, string(id.NewWebhook())},
		{"^intver_" + ulid, string(id.NewIntegration(false, now))},
		{"^devint_" + ulid, string(id.NewIntegration(true, now))},
		{"^ifver_" + ulid, string(id.NewInterface(now))},
		{"^plugver_" + ulid, string(id.NewPlugin(now))},
		{"^pat_" + ulid, string(id.NewToken("pat", now))},
		{"^bak_" + ulid, string(id.NewToken("bak", now))},
		{"^audit_" + ulid, string(id.NewAudit(now))},
		{"^job_" + ulid, string(id.NewJob(now))},
		{"^req_" + ulid, id.NewRequest(now)},
		{"^err_20260203040506x[0-9A-F]{8}$", id.NewError(now)},
	} {
		if !regexp.MustCompile(tt.form).MatchString(tt.got) {
			t.Errorf("%s is not of the form %s", tt.got, tt.form)
		}
	}
}

// TestErrorIsUTC: the id of an error reads in UTC wherever the server stands.
func TestErrorIsUTC(t *testing.T) {
	elsewhere := now.In(time.FixedZone("elsewhere", 5*3600))
	if got := id.NewError(elsewhere)[:18]; got != "err_20260203040506" {
		t.Errorf("the id of an error begins with %s", got)
	}
}

// TestOrder: ids of one process ascend within a millisecond and with the clock.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := now
		var made []string
		for range rapid.IntRange(2, 50).Draw(t, "ids") {
			at = at.Add(time.Duration(rapid.Int64Range(0, 2).Draw(t, "step")) * time.Millisecond)
			made = append(made, string(id.NewWorkspace(at)))
		}
		if !slices.IsSorted(made) || len(slices.Compact(slices.Clone(made))) != len(made) {
			t.Fatalf("ids made one after the other are not in order: %v", made)
		}
	})
}

// TestOrderOfOverlapping: ids ascend within a millisecond although ids of other kinds
// and of earlier milliseconds are made between them.
func TestOrderOfOverlapping(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		made := map[time.Time][]string{}
		for range rapid.IntRange(2, 50).Draw(t, "ids") {
			at := now.Add(-time.Duration(rapid.Int64Range(0, 3).Draw(t, "ago")) * time.Millisecond)
			made[at] = append(made[at], string(id.NewAudit(at)))
			id.NewRequest(now.Add(-time.Duration(rapid.Int64Range(0, 100).Draw(t, "ago of another kind")) * time.Millisecond))
		}
		for at, ids := range made {
			if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
				t.Fatalf("ids made one after the other at %s are not in order: %v", at, ids)
			}
		}
	})
}

func TestUnique(t *testing.T) {
	const each, makers = 2000, 8
	made := make([][]string, makers)
	var wg sync.WaitGroup
	for i := range made {
		wg.Go(func() {
			for range each {
				made[i] = append(made[i], string(id.NewAudit(now)))
			}
		})
	}
	wg.Wait()
	all := slices.Concat(made...)
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != each*makers {
		t.Errorf("%d ids of %d are different", n, each*makers)
	}
}

func TestJitter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := time.Duration(rapid.Int64().Draw(t, "limit"))
		got := id.Jitter(limit)
		if got < 0 || limit > 0 && got >= limit || limit <= 0 && got != 0 {
			t.Fatalf("Jitter(%s) is %s", limit, got)
		}
	})
	// Both halves are met: the chance of a miss is 2^-63.
	low, high := false, false
	for range 64 {
		if id.Jitter(time.Second) < time.Second/2 {
			low = true
		} else {
			high = true
		}
	}
	if !low || !high {
		t.Error("waits lie in one half of the range only")
	}
}

func TestIssueEventOf(t *testing.T) {
	later := now.Add(time.Millisecond)
	ids := []string{
		string(id.IssueEventOf(now, 1)), string(id.IssueEventOf(now, 2)), string(id.IssueEventOf(now, 1<<40)),
		string(id.IssueEventOf(later, 1)),
	}
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Errorf("the events are not in order: %v", ids)
	}
	for _, made := range append(ids, string(id.NewIssueEvent(now))) {
		if !regexp.MustCompile(`^issevt_[0-7][0-9A-HJKMNP-TV-Z]{25}$`).MatchString(made) {
			t.Errorf("%s is not the id of an issue's event", made)
		}
	}
	if first, again := id.IssueEventOf(now, 1), id.IssueEventOf(now, 1); first != again {
		t.Error("one record has two events")
	}
}

func TestDevelopmentIntegrations(t *testing.T) {
	now := time.Now()
	for i, want := range map[id.Integration]bool{id.NewIntegration(true, now): true, id.NewIntegration(false, now): false, "": false, "devintegration": false} {
		if i.Dev() != want {
			t.Errorf("%q is a development integration: %t, want %t", i, i.Dev(), want)
		}
	}
}
