package access

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
)

var update = flag.Bool("update", false, "rewrite testdata/permissions.golden")

// TestPermissionTable keeps the table as a readable file: a change of rights is a
// diff that a reviewer sees.
func TestPermissionTable(t *testing.T) {
	const golden = "testdata/permissions.golden"
	got := table()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("rights changed; if that is meant, run: go test ./internal/access -update\n%s", diff)
	}
}

func table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-18s", "")
	for _, r := range Roles {
		fmt.Fprintf(&b, " %-13s", r)
	}
	for _, p := range permissions() {
		fmt.Fprintf(&b, "\n%-18s", p)
		for _, r := range Roles {
			mark := "-"
			if r.Allows(p) {
				mark = "yes"
			}
			fmt.Fprintf(&b, " %-13s", mark)
		}
	}
	lines := strings.Split(b.String(), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

func permissions() []Permission {
	return append([]Permission{Self}, slices.Sorted(maps.Keys(granted))...)
}

// TestLadder: of viewer, developer, manager, administrator and owner each may all
// that the one before it may; billing may read its workspace.
func TestLadder(t *testing.T) {
	ladder := []Role{Viewer, Developer, Manager, Administrator, Owner}
	for _, p := range permissions() {
		for i, weaker := range ladder[:len(ladder)-1] {
			if stronger := ladder[i+1]; weaker.Allows(p) && !stronger.Allows(p) {
				t.Errorf("%s may %s and %s may not", weaker, p, stronger)
			}
		}
		if !Owner.Allows(p) {
			t.Errorf("the owner may not %s", p)
		}
	}
	if !Billing.Allows(WorkspaceRead) {
		t.Error("billing may not see its workspace")
	}
}

func TestNobodysRights(t *testing.T) {
	for _, r := range []Role{"", "Owner", "root"} {
		for _, p := range permissions() {
			if p != Self && r.Allows(p) {
				t.Errorf("role %q may %s", r, p)
			}
		}
	}
	for _, r := range Roles {
		if r.Allows("bot.paint") {
			t.Errorf("%s may what is no permission", r)
		}
	}
}

func TestRequire(t *testing.T) {
	if err := (Actor{Role: Developer}).Require(BotWrite); err != nil {
		t.Errorf("a developer may not write bots: %v", err)
	}
	err := Actor{Role: Viewer}.Require(BotWrite)
	if !fault.Is(err, fault.Forbidden) || !strings.Contains(err.Error(), `"viewer"`) || !strings.Contains(err.Error(), "bot.write") {
		t.Errorf("error %v, want Forbidden that names role and permission", err)
	}
}

func TestActorID(t *testing.T) {
	for _, tt := range []struct {
		actor Actor
		want  string
	}{
		{Actor{Kind: KindAccount, Account: "a1", Subject: "no"}, "a1"},
		{Actor{Kind: KindBot, Subject: "b1"}, "bot:b1"},
		{Actor{Kind: KindIntegration, Subject: "i1"}, "integration:i1"},
	} {
		if got := tt.actor.ID(); got != tt.want {
			t.Errorf("%+v is %q, want %q", tt.actor, got, tt.want)
		}
	}
}
