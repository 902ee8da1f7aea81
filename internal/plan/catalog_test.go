package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/plan"
)

// TestPublished holds the published numbers, read from the pages and constants of
// the cloud and not from the catalogue.
func TestPublished(t *testing.T) {
	c := plan.Default()
	for id, want := range map[plan.ID][]int64{
		plan.Community:  {0, 0, 500, 1, 1, 1_000, 100_000_000, 100_000_000, 0, 3, 100, 5_000_000_000},
		plan.Plus:       {8_900, 94_800, 5_000, 2, 2, 100_000, 10_000_000_000, 1_000_000_000, 1, 50, 100, 5_000_000_000},
		plan.Team:       {49_500, 534_600, 50_000, 3, 3, 100_000, 10_000_000_000, 2_000_000_000, 3, 100, 1_000, 5_000_000_000},
		plan.Enterprise: {-1, -1, 1_000_000, 100, 100, 10_000_000, 1_000_000_000_000, 500_000_000_000, 50, 1_000, 10_000, 5_000_000_000},
		plan.Managed:    {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
	} {
		p, found := c.Plan(id)
		if !found {
			t.Fatalf("there is no plan %s", id)
		}
		var got []int64
		for _, interval := range []plan.Interval{plan.Month, plan.Year} {
			price, ok := p.Price(interval)
			if !ok {
				price = -1
			}
			got = append(got, int64(price))
		}
		for _, f := range []plan.Feature{plan.Messages, plan.Bots, plan.Collaborators, plan.TableRows, plan.FileStorage, plan.VectorDBStorage, plan.AlwaysAliveBots, plan.SavedVersions, plan.Ratelimit, plan.IntegrationSpend} {
			got = append(got, c.Allows(id, f))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("plan %s (-published +ours):\n%s", id, diff)
		}
	}
	if a, found := c.Addon("collaborator_addon"); !found || *a.Month != 2_500 || a.Increments[plan.Collaborators] != 1 {
		t.Errorf("collaborator_addon is %+v", a)
	}
	if c.Plans[0].ID != plan.Community || c.Plans[len(c.Plans)-1].ID != plan.Managed {
		t.Error("the plans are not in the order of their tiers")
	}
}

func TestLimits(t *testing.T) {
	c := plan.Default()
	for _, typ := range plan.Types {
		if typ.Feature() == "" {
			t.Errorf("type %s has no feature", typ)
		}
		if got := c.Limit(plan.Managed, typ); got != plan.Unlimited {
			t.Errorf("managed limits %s to %d", typ, got)
		}
		if got := c.Limit(plan.Community, typ); got < 0 {
			t.Errorf("community does not limit %s", typ)
		}
	}
	if got := c.Limit("gone", plan.BotCount); got != plan.Unlimited {
		t.Errorf("an unknown plan allows %d bots, want no limit", got)
	}
	if got := c.Limit(plan.Community, plan.AlwaysAlive); got != 0 {
		t.Errorf("community allows %d bots that are always alive, want 0", got)
	}
}

func TestReadRefuses(t *testing.T) {
	good := plan.Published()
	replace := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the catalogue has no %q", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, test := range map[string]struct{ text, want string }{
		"nothing":             {"", "no documents"},
		"no YAML":             {"plans: [", "cannot be read"},
		"an unknown key":      {replace("due_days", "due_day"), "due_day"},
		"another currency":    {replace("currency: usd", "currency: eur"), `"eur"`},
		"an unknown plan":     {replace("id: plus", "id: gold"), `"gold"`},
		"a plan twice":        {replace("id: plus", "id: team"), "team"},
		"a tier twice":        {replace("tier: 1", "tier: 2"), "tier 2"},
		"no community":        {replace("id: community", "id: managed"), "community"},
		"a community to pay":  {replace("month: 0\n", "month: 1\n"), "community"},
		"a third of a cent":   {replace("month: 89\n", "month: 89.333\n"), "89.333"},
		"a negative price":    {replace("month: 89\n", "month: -89\n"), "-89"},
		"an unknown feature":  {replace("bot_count: 1\n", "robots: 1\n"), "robots"},
		"a negative feature":  {replace("bot_count: 1\n", "bot_count: -1\n"), "bot_count is -1"},
		"an add-on twice":     {replace("id: bot_addon", "id: ai_credits_addon"), "ai_credits_addon"},
		"an add-on of naught": {replace("{bot_count: 1}", "{}"), "bot_addon adds nothing"},
		"a limited managed":   {good + "\nplanss: 1", "planss"},
		"a coupon of both":    {replace("coupons: []", "coupons: [{id: a, code: A, percent_off: 5, amount_off: 1, duration: once}]"), "coupon a"},
		"a coupon of neither": {replace("coupons: []", "coupons: [{id: a, code: A, duration: once}]"), "coupon a"},
		"a coupon of 101 %":   {replace("coupons: []", "coupons: [{id: a, code: A, percent_off: 101, duration: once}]"), "coupon a"},
		"a code twice":        {replace("coupons: []", "coupons: [{id: a, code: A, percent_off: 5, duration: once}, {id: b, code: a, percent_off: 5, duration: once}]"), `"b"`},
		"an endless repeat":   {replace("coupons: []", "coupons: [{id: a, code: A, percent_off: 5, duration: repeating}]"), "0 months"},
		"months of once":      {replace("coupons: []", "coupons: [{id: a, code: A, percent_off: 5, duration: once, months: 3}]"), "only a repeating one"},
		"an unknown duration": {replace("coupons: []", "coupons: [{id: a, code: A, percent_off: 5, duration: twice}]"), `"twice"`},
		"a nameless tax":      {replace(`name: "", basis_points: 0`, `name: "", basis_points: 2000`), "tax"},
		"a tax above all":     {replace(`name: "", basis_points: 0`, `name: VAT, basis_points: 10001`), "tax"},
		"a negative trial":    {replace("most_days: 30", "most_days: -1"), "trials"},
		"a due day in years":  {replace("due_days: 14", "due_days: 400"), "due_days is 400"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := plan.Read([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %s", err, test.want)
			}
		})
	}
}

func TestManagedIsAlwaysThere(t *testing.T) {
	text, _, _ := strings.Cut(plan.Published(), "  - id: plus")
	c, err := plan.Read([]byte(text + "\naddons: []\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, found := c.Plan(plan.Managed); !found || len(c.Plans) != 2 {
		t.Errorf("the plans are %+v, want community and managed", c.Plans)
	}
}

func TestCents(t *testing.T) {
	for text, want := range map[string]plan.Cents{"0": 0, "89": 8900, "0.5": 50, "948.00": 94800, "0.01": 1, "007.10": 710} {
		if got, err := plan.ParseCents(text); err != nil || got != want {
			t.Errorf("%q is %d cents (%v), want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", ".", ".5", "1.", "1.234", "-1", "+1", "1e3", "0x10", "1_000", "1.-1", "92233720368547758.08", "nine"} {
		if got, err := plan.ParseCents(text); err == nil {
			t.Errorf("%q is read as %d cents, want an error", text, got)
		}
	}
	for c, want := range map[plan.Cents]string{0: "0.00", 5: "0.05", -5: "-0.05", 123456: "1234.56", -100: "-1.00"} {
		if got := c.String(); got != want {
			t.Errorf("%d cents are %q, want %q", int64(c), got, want)
		}
	}
	for n, want := range map[plan.Nano][2]plan.Cents{0: {0, 0}, 1: {0, 1}, 4_999_999: {0, 1}, 5_000_000: {1, 1}, 10_000_000: {1, 1}, 14_999_999: {1, 2}, 25_000_000_000: {2500, 2500}} {
		if got := [2]plan.Cents{n.Cents(), n.CentsUp()}; got != want {
			t.Errorf("%d nano-dollars are %d cents, want %d", int64(n), got, want)
		}
	}
}

// TestShare: the shares of a whole that is cut in two differ from it by a cent at
// most, a share is never more than the whole, and the sign does not matter.
func TestShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := plan.Cents(rapid.Int64Range(0, 1<<40).Draw(t, "cents"))
		whole := rapid.Int64Range(1, 366*86400).Draw(t, "whole")
		part := rapid.Int64Range(0, whole).Draw(t, "part")
		one, rest := c.Share(part, whole), c.Share(whole-part, whole)
		if one < 0 || one > c || one+rest-c < 0 || one+rest-c > 1 {
			t.Fatalf("%d of %d parts of %d are %d, the rest %d", part, whole, c, one, rest)
		}
		if (-c).Share(part, whole) != -one {
			t.Fatalf("the share of %d is not minus that of %d", -c, c)
		}
		if c.Share(whole, whole) != c || c.Share(0, whole) != 0 {
			t.Fatalf("all and nothing of %d are %d and %d", c, c.Share(whole, whole), c.Share(0, whole))
		}
	})
}

func FuzzParseCents(f *testing.F) {
	for _, seed := range []string{"89", "0.01", "-1", "1.", "1e5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := plan.ParseCents(text)
		if err != nil {
			return
		}
		again, err := plan.ParseCents(c.String())
		if err != nil || again != c || c < 0 {
			t.Errorf("%q is %d cents, which read again are %d (%v)", text, c, again, err)
		}
	})
}
