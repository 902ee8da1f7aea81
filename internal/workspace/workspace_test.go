package workspace

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

func to[T any](v T) *T { return &v }

func TestApply(t *testing.T) {
	before := Workspace{Name: "Acme", SpendingLimit: 10_000, ContactEmail: "a@example.com", SocialAccounts: []string{"x"}, Handle: "acme"}
	for name, test := range map[string]struct {
		update Update
		want   func(*Workspace)
		did    changes
	}{
		"nothing given":         {Update{}, func(*Workspace) {}, changes{}},
		"the same values":       {Update{Name: to("Acme"), SpendingLimit: to(100.0), Handle: to("acme"), SocialAccounts: &[]string{"x"}, Public: to(false)}, func(*Workspace) {}, changes{}},
		"a name is trimmed":     {Update{Name: to("  New  ")}, func(w *Workspace) { w.Name = "New" }, changes{fields: []string{"name"}}},
		"name and limit":        {Update{Name: to("New"), SpendingLimit: to(12.34)}, func(w *Workspace) { w.Name, w.SpendingLimit = "New", 1234 }, changes{fields: []string{"name"}, spending: true}},
		"texts":                 {Update{About: to("a"), Website: to("w"), ProfilePicture: to("p")}, func(w *Workspace) { w.About, w.Website, w.ProfilePicture = "a", "w", "p" }, changes{fields: []string{"about", "profilePicture", "website"}}},
		"no contact any more":   {Update{ContactEmail: to("")}, func(w *Workspace) { w.ContactEmail = "" }, changes{fields: []string{"contactEmail"}}},
		"a contact is trimmed":  {Update{ContactEmail: to(" a@example.com ")}, func(*Workspace) {}, changes{}},
		"accounts are replaced": {Update{SocialAccounts: &[]string{}}, func(w *Workspace) { w.SocialAccounts = []string{} }, changes{fields: []string{"socialAccounts"}}},
		"public with a handle":  {Update{Public: to(true), Handle: to("acme-2")}, func(w *Workspace) { w.Public, w.Handle = true, "acme-2" }, changes{fields: []string{"isPublic", "handle"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, want := before, before
			did, err := got.apply(test.update)
			if err != nil {
				t.Fatal(err)
			}
			test.want(&want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("workspace (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.did, did, cmp.AllowUnexported(changes{})); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	long := strings.Repeat("é", maxText+1)
	for name, update := range map[string]Update{
		"an empty name":           {Name: to("")},
		"a blank name":            {Name: to(" \t")},
		"a long name":             {Name: to(strings.Repeat("é", maxName+1))},
		"a long text":             {About: &long},
		"a long picture":          {ProfilePicture: &long},
		"a long website":          {Website: &long},
		"no e-mail address":       {ContactEmail: to("nobody")},
		"a named e-mail address":  {ContactEmail: to("Bo <bo@example.com>")},
		"six accounts":            {SocialAccounts: to(make([]string, maxAccounts+1))},
		"a long account":          {SocialAccounts: &[]string{long}},
		"a limit too low":         {SpendingLimit: to(4.99)},
		"a limit too high":        {SpendingLimit: to(1000.01)},
		"a part of a cent":        {SpendingLimit: to(10.005)},
		"a limit that is none":    {SpendingLimit: to(math.NaN())},
		"a handle with a capital": {Handle: to("Acme")},
	} {
		t.Run(name, func(t *testing.T) {
			before := Workspace{Name: "Acme", SpendingLimit: 10_000}
			got := before
			update.Public = to(true)
			if _, err := got.apply(update); !fault.Is(err, fault.InvalidPayload) {
				t.Errorf("apply answers %v, want InvalidPayload", err)
			}
			if diff := cmp.Diff(before, got); diff != "" {
				t.Errorf("a refused update changed the workspace:\n%s", diff)
			}
		})
	}
}

// The operation lets in whoever may change anything; each member of the body then
// asks for its own right.
func TestUpdateNeeds(t *testing.T) {
	billing, rest := Update{SpendingLimit: to(10.0)}, Update{About: to("x")}
	both := Update{SpendingLimit: billing.SpendingLimit, Handle: to("acme")}
	for _, role := range access.Roles {
		administers := role == access.Administrator || role == access.Owner
		pays := administers || role == access.Manager || role == access.Billing
		actor := access.Actor{Role: role}
		for name, test := range map[string]struct {
			update Update
			want   bool
		}{
			"nothing": {Update{}, true}, "the limit": {billing, pays}, "a text": {rest, administers}, "both": {both, administers},
		} {
			allowed := true
			for _, p := range test.update.permissions() {
				allowed = allowed && actor.Require(p) == nil
			}
			if allowed != test.want {
				t.Errorf("role %s changes %s: %v, want %v", role, name, allowed, test.want)
			}
		}
	}
}

func TestSpendingRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cents := Cents(rapid.Int64Range(int64(minSpending), int64(maxSpending)).Draw(t, "cents"))
		got, err := checkSpending(cents.Dollars())
		if err != nil || got != cents {
			t.Fatalf("%s dollars are read as %d cents (%v), want %d", cents, got, err, cents)
		}
	})
}

func TestPublicFilter(t *testing.T) {
	w := Workspace{Name: "Élan Vital", Handle: "elan-2"}
	for search, want := range map[string]bool{"": true, "éLAN": true, "ELAN-": true, "vital": true, "other": false} {
		if got := (PublicFilter{Search: search}).matches(w); got != want {
			t.Errorf("search %q matches: %v, want %v", search, got, want)
		}
	}
}

func TestPlans(t *testing.T) {
	for _, plan := range Plans {
		if err := checkPlan(plan); err != nil {
			t.Errorf("plan %s: %v", plan, err)
		}
	}
	if err := checkPlan("gold"); !fault.Is(err, fault.InvalidPayload) {
		t.Errorf("plan gold answers %v, want InvalidPayload", err)
	}
}

func TestInListHoldsEveryValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,5}`), 1, maxIDs).Draw(t, "values")
		before := []any{"first", id.Workspace("second")}
		list, args := inList(before, values)
		added := args[len(before):]
		if strings.Count(list, "$") != len(added) || len(added) < len(values) {
			t.Fatalf("%d values became %d in the list %s", len(values), len(added), list)
		}
		for i, value := range added {
			if value != values[min(i, len(values)-1)] {
				t.Fatalf("value %d is %v, want %s", i, value, values[min(i, len(values)-1)])
			}
		}
		if !strings.HasPrefix(list, "($3") {
			t.Fatalf("the list %s does not go on after 2 arguments", list)
		}
	})
}
