package billing

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/plan"
)

func at(t testing.TB, text string) time.Time {
	t.Helper()
	when, err := time.Parse(time.DateTime, text)
	if err != nil {
		t.Fatal(err)
	}
	return when.UTC()
}

// own is a catalogue with coupons and, when it has basis points, a tax.
func own(t testing.TB, basisPoints int64) *plan.Catalog {
	t.Helper()
	c := *plan.Default()
	c.Coupons = []plan.Coupon{
		{ID: "half", Code: "HALF", PercentOff: 50, Duration: plan.Once},
		{ID: "ten", Code: "TEN", AmountOff: 1_000, Duration: plan.Repeating, Months: 3},
		{ID: "fifth", Code: "FIFTH", PercentOff: 20, Duration: plan.Forever},
		{ID: "free", Code: "FREE", PercentOff: 100, Duration: plan.Repeating, Months: 1},
	}
	if basisPoints > 0 {
		c.Tax = plan.Tax{Name: "VAT", BasisPoints: basisPoints}
	}
	return &c
}

type shortLine struct {
	Kind   LineKind
	ID     string
	Amount plan.Cents
}

func short(lines []Line) (list []shortLine) {
	for _, l := range lines {
		list = append(list, shortLine{l.Kind, l.ID, l.Amount})
	}
	return list
}

func bought(t *testing.T, c *plan.Catalog, s Subscription, p Purchase) bill {
	t.Helper()
	o, err := s.propose(c, p)
	if err != nil {
		t.Fatal(err)
	}
	return o.rate(c, p, "")
}

func check(t *testing.T, b bill, total plan.Cents, want ...shortLine) {
	t.Helper()
	if diff := cmp.Diff(want, short(b.Lines)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if b.Total != total {
		t.Errorf("the total is %s, want %s", b.Total, total)
	}
}

func to(p plan.ID, i plan.Interval) *Change { return &Change{p, i} }

// TestProration: half of April is charged by half, a later upgrade gives back what is
// unused of what was paid, and the next month is charged whole.
func TestProration(t *testing.T) {
	c := own(t, 0)
	s := newSubscription("w", plan.Community, at(t, "2026-04-03 10:00:00"))
	first := bought(t, c, s, Purchase{At: at(t, "2026-04-16 00:00:00"), Change: to(plan.Plus, plan.Month), Addons: map[string]int64{"bot_addon": 2}})
	check(t, first, 4_450+1_000, shortLine{ProrationCharge, "plus", 4_450}, shortLine{ProrationCharge, "bot_addon", 1_000})

	// A third of April is left: two thirds of what was paid for plus are unused.
	second := bought(t, c, first.Subscription, Purchase{At: at(t, "2026-04-21 00:00:00"), Change: to(plan.Team, plan.Month)})
	check(t, second, 16_500-2_967, shortLine{ProrationCredit, "plus", -2_967}, shortLine{ProrationCharge, "team", 16_500})
	// Team has a bot more than plus: one of the two add-ons is needless from May on.
	if a := second.Subscription.addon("bot_addon"); a.Quantity != 2 || a.next() != 1 {
		t.Errorf("the add-on is %+v, want 2 now and 1 in May", a)
	}

	may := rate(rating{Catalog: c, Subscription: second.Subscription.nextCycle(c), At: at(t, "2026-05-01 00:00:00")})
	check(t, may, 49_500+1_000, shortLine{PlanLine, "team", 49_500}, shortLine{AddonLine, "bot_addon", 1_000})
	again := rate(rating{Catalog: c, Subscription: may.Subscription, At: at(t, "2026-05-01 00:00:00")})
	check(t, again, 0)
}

// TestToTheSecond: a month of 30 days has 2 592 000 seconds.
func TestToTheSecond(t *testing.T) {
	c := own(t, 0)
	s := newSubscription("w", plan.Community, at(t, "2026-06-01 00:00:00"))
	for text, want := range map[string]plan.Cents{
		"2026-06-01 00:00:00": 49_500, "2026-06-01 00:00:01": 49_500, "2026-06-01 00:01:00": 49_499,
		"2026-06-30 23:59:59": 0, "2026-06-30 23:59:00": 1, "2026-06-16 00:00:00": 24_750,
	} {
		b := bought(t, c, s, Purchase{At: at(t, text), Change: to(plan.Team, plan.Month)})
		if b.Total != want {
			t.Errorf("at %s the rest of June costs %s, want %s", text, b.Total, want)
		}
	}
}

// TestYear: a year begins with the month it is bought in, by the day; what a yearly
// plan has left pays a higher one, and the rest goes to the balance.
func TestYear(t *testing.T) {
	c := own(t, 0)
	s := newSubscription("w", plan.Community, at(t, "2026-01-01 00:00:00"))
	year := bought(t, c, s, Purchase{At: at(t, "2026-01-01 00:00:00"), Change: to(plan.Team, plan.Year)})
	check(t, year, 534_600, shortLine{PlanLine, "team", 534_600})
	if want := (Period{at(t, "2026-01-01 00:00:00"), at(t, "2027-01-01 00:00:00")}); year.Subscription.Period != want {
		t.Errorf("the period is %v, want %v", year.Subscription.Period, want)
	}
	// To pay by the month instead is less, and waits for the end of the year.
	monthly := bought(t, c, year.Subscription, Purchase{At: at(t, "2026-03-01 00:00:00"), Change: to(plan.Team, plan.Month)})
	check(t, monthly, 0)
	if s := monthly.Subscription; s.Term != plan.Year || s.Next == nil || *s.Next != *to(plan.Team, plan.Month) {
		t.Errorf("the subscription is %s, next %v", s.Term, s.Next)
	}
	february := rate(rating{Catalog: c, Subscription: year.Subscription.nextCycle(c), At: at(t, "2026-02-01 00:00:00")})
	check(t, february, 0)

	// The operator gives a contract: the unused half of the year goes to the balance.
	half := bought(t, c, year.Subscription, Purchase{At: at(t, "2026-07-02 12:00:00"), Change: to(plan.Enterprise, plan.Month), Operator: true})
	check(t, half, 0, shortLine{ProrationCredit, "team", -267_300}, shortLine{BalanceLine, "balance", 267_300})
	if half.Subscription.Balance != 267_300 {
		t.Errorf("the balance is %s", half.Subscription.Balance)
	}
	// The balance is used before anything is charged.
	back := bought(t, c, half.Subscription, Purchase{At: at(t, "2026-08-01 00:00:00"), Change: to(plan.Plus, plan.Month), Operator: true})
	check(t, back, 0, shortLine{PlanLine, "plus", 8_900}, shortLine{BalanceLine, "balance", -8_900})
}

func TestDiscounts(t *testing.T) {
	c := own(t, 0)
	s := newSubscription("w", plan.Community, at(t, "2026-04-01 00:00:00"))
	b := bought(t, c, s, Purchase{At: at(t, "2026-04-01 00:00:00"), Change: to(plan.Plus, plan.Month), Coupon: "half"})
	check(t, b, 4_450, shortLine{PlanLine, "plus", 8_900}, shortLine{DiscountLine, "half", -4_450})
	// Once is once; what was paid half is given back half.
	upgrade := bought(t, c, b.Subscription, Purchase{At: at(t, "2026-04-16 00:00:00"), Change: to(plan.Team, plan.Month), Coupon: "TEN"})
	check(t, upgrade, 24_750-1_000-2_225,
		shortLine{ProrationCredit, "plus", -2_225}, shortLine{ProrationCharge, "team", 24_750}, shortLine{DiscountLine, "ten", -1_000})
	// An amount is taken off once a month.
	more := bought(t, c, upgrade.Subscription, Purchase{At: at(t, "2026-04-16 00:00:00"), Addons: map[string]int64{"bot_addon": 1}})
	check(t, more, 500, shortLine{ProrationCharge, "bot_addon", 500})
	after := more.Subscription
	for i, off := range []plan.Cents{1_000, 1_000, 1_000, 0} { // May, June, July; over on 16 July
		at := after.CycleEnd
		b := rate(rating{Catalog: c, Subscription: after.nextCycle(c), At: at})
		if want := plan.Cents(50_500) - off; b.Total != want {
			t.Errorf("month %d costs %s, want %s", i, b.Total, want)
		}
		after = b.Subscription
	}
	if len(after.Discounts) != 0 {
		t.Errorf("%d discounts are left", len(after.Discounts))
	}
	if _, err := after.propose(c, Purchase{At: after.CycleEnd, Coupon: "TEN"}); err == nil {
		t.Error("a coupon is redeemed twice")
	}
	if _, err := after.propose(c, Purchase{At: after.CycleEnd, Coupon: "NONE"}); err == nil {
		t.Error("a coupon that there is not is redeemed")
	}
}

// TestFreeIsNotPaidOut: what was had for nothing is not given back as money.
func TestFreeIsNotPaidOut(t *testing.T) {
	c := own(t, 0)
	s := newSubscription("w", plan.Community, at(t, "2026-04-01 00:00:00"))
	free := bought(t, c, s, Purchase{At: at(t, "2026-04-01 00:00:00"), Change: to(plan.Team, plan.Month), Coupon: "FREE"})
	check(t, free, 0, shortLine{PlanLine, "team", 49_500}, shortLine{DiscountLine, "free", -49_500})
	gone := bought(t, c, free.Subscription, Purchase{At: at(t, "2026-04-02 00:00:00"), Change: to(plan.Managed, plan.Month), Operator: true})
	check(t, gone, 0)
	if gone.Subscription.Balance != 0 {
		t.Errorf("the balance is %s, want nothing", gone.Subscription.Balance)
	}
}

func TestTaxAndSpend(t *testing.T) {
	c := own(t, 1_950)
	s := newSubscription("w", plan.Plus, at(t, "2026-04-01 00:00:00"))
	s.Balance = 500
	april := monthOf(at(t, "2026-04-05 00:00:00"))
	b := rate(rating{Catalog: c, Subscription: s.nextCycle(c), At: at(t, "2026-05-01 00:00:00"), Spends: []Spend{
		{Month: april, Used: 7_123_456_789, Free: 5_000_000_000, Limit: 100_000_000_000},
		{Month: april, Used: 90_000_000_000, Free: 5_000_000_000, Limit: 10_000_000_000, Billed: 400},
		{Month: april, Used: 4_000_000_000, Free: 5_000_000_000, Limit: 10_000_000_000},
	}})
	// 89.00 + 2.12 + 6.00 = 97.12; 19.5 % are 18.94; 5.00 are used.
	check(t, b, 9_712+1_894-500, shortLine{PlanLine, "plus", 8_900}, shortLine{SpendLine, "ai_spend", 212},
		shortLine{SpendLine, "ai_spend", 600}, shortLine{TaxLine, "tax", 1_894}, shortLine{BalanceLine, "balance", -500})
	managed := newSubscription("w", plan.Managed, at(t, "2026-04-01 00:00:00"))
	managed.Addons = []Addon{{ID: "bot_addon", Quantity: 5}}
	check(t, rate(rating{Catalog: c, Subscription: managed.nextCycle(c), At: at(t, "2026-05-01 00:00:00"), Spends: []Spend{{Month: april, Used: 1 << 60, Limit: 1 << 60}}}), 0)
}

// TestCouponOnThe31st: a month from the 31st of January ends in February.
func TestCouponOnThe31st(t *testing.T) {
	c := own(t, 0)
	for text, want := range map[string]string{
		"2026-01-31 12:00:00": "2026-02-28 12:00:00", "2028-01-31 12:00:00": "2028-02-29 12:00:00",
		"2026-01-28 12:00:00": "2026-02-28 12:00:00", "2026-12-31 00:00:00": "2027-01-31 00:00:00",
	} {
		s := newSubscription("w", plan.Community, at(t, text))
		b := bought(t, c, s, Purchase{At: at(t, text), Change: to(plan.Plus, plan.Month), Coupon: "FREE"})
		if got := b.Subscription.Discounts[0].End; !got.Equal(at(t, want)) {
			t.Errorf("a month from %s ends %s, want %s", text, got, want)
		}
	}
}

// TestLeapYear: February of a leap year has a day more, and so has its year.
func TestLeapYear(t *testing.T) {
	c := own(t, 0)
	s := newSubscription("w", plan.Community, at(t, "2028-02-01 00:00:00"))
	check(t, bought(t, c, s, Purchase{At: at(t, "2028-02-29 00:00:00"), Change: to(plan.Plus, plan.Month)}), 307, shortLine{ProrationCharge, "plus", 307})
	check(t, bought(t, c, s, Purchase{At: at(t, "2028-02-29 00:00:00"), Change: to(plan.Plus, plan.Year)}), 87_548, shortLine{ProrationCharge, "plus", 87_548})
}

// TestCreditIsNotCut: an add-on of credit costs what it is worth on the last second of a
// month, and is not given back, because it may be spent.
func TestCreditIsNotCut(t *testing.T) {
	c := own(t, 0)
	s := newSubscription("w", plan.Community, at(t, "2026-04-03 00:00:00"))
	b := bought(t, c, s, Purchase{At: at(t, "2026-04-30 23:59:59"), Addons: map[string]int64{"ai_credits_addon": 3, "bot_addon": 1}})
	check(t, b, 7_500, shortLine{AddonLine, "ai_credits_addon", 7_500}, shortLine{ProrationCharge, "bot_addon", 0})
	b = bought(t, c, s, Purchase{At: at(t, "2026-04-16 00:00:00"), Addons: map[string]int64{"ai_credits_addon": 3, "bot_addon": 1}})
	gone := bought(t, c, b.Subscription, Purchase{At: at(t, "2026-04-16 00:00:00"), Change: to(plan.Managed, plan.Month), Operator: true})
	check(t, gone, 0, shortLine{ProrationCredit, "bot_addon", -500}, shortLine{BalanceLine, "balance", 500})
}

// TestReplacedCatalogue: what is paid for stays paid for; from the next charge on the new
// price counts. A year that is sold no more goes on by the month, and not for nothing.
func TestReplacedCatalogue(t *testing.T) {
	old, dearer := own(t, 0), own(t, 0)
	s := newSubscription("w", plan.Community, at(t, "2026-04-01 00:00:00"))
	b := bought(t, old, s, Purchase{At: at(t, "2026-04-01 00:00:00"), Change: to(plan.Plus, plan.Year), Addons: map[string]int64{"bot_addon": 1}})
	dearer.Plans, dearer.Addons = slices.Clone(dearer.Plans), slices.Clone(dearer.Addons)
	double := plan.Cents(2_000)
	dearer.Addons[slices.IndexFunc(dearer.Addons, func(a plan.Addon) bool { return a.ID == "bot_addon" })].Month = &double
	dearer.Plans[slices.IndexFunc(dearer.Plans, func(p plan.Plan) bool { return p.ID == plan.Plus })].Year = nil
	check(t, rate(rating{Catalog: dearer, Subscription: b.Subscription, At: at(t, "2026-04-20 00:00:00")}), 0)
	last := b.Subscription
	for last.CycleEnd.Before(last.Period.End) {
		b := rate(rating{Catalog: dearer, Subscription: last.nextCycle(dearer), At: last.CycleEnd})
		check(t, b, 2_000, shortLine{AddonLine, "bot_addon", 2_000})
		last = b.Subscription
	}
	check(t, rate(rating{Catalog: dearer, Subscription: last.nextCycle(dearer), At: last.CycleEnd}), 10_900,
		shortLine{PlanLine, "plus", 8_900}, shortLine{AddonLine, "bot_addon", 2_000})
}

// TestClockSetBack: what is bought while a clock stands in a month that was closed is of
// the open one.
func TestClockSetBack(t *testing.T) {
	s := newSubscription("w", plan.Community, at(t, "2026-05-01 00:00:00"))
	for text, want := range map[string]string{
		"2026-03-30 12:00:00": "2026-05-01 00:00:00", "2026-05-01 00:00:00": "2026-05-01 00:00:00", "2026-05-09 10:00:00": "2026-05-09 10:00:00",
	} {
		if got := s.billedAt(at(t, text)); !got.Equal(at(t, want)) {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

// TestMostOfAll: the dearest catalogue and the most of everything stay within int64.
func TestMostOfAll(t *testing.T) {
	c := own(t, 10_000)
	price := plan.Cents(100_000_000)
	c.Addons = nil
	s := newSubscription("w", plan.Team, at(t, "2026-05-01 00:00:00"))
	asked := map[string]int64{}
	for i := range 1_000 {
		name := "a" + strconv.Itoa(i)
		c.Addons = append(c.Addons, plan.Addon{ID: name, Name: name, Month: &price, Increments: map[plan.Feature]int64{plan.FileStorage: 100_000_000_000_000}})
		asked[name] = maxQuantity
	}
	b := bought(t, c, s, Purchase{At: at(t, "2026-05-01 00:00:00"), Addons: asked, Grant: maxGrant})
	if want := 2 * (1_000*maxQuantity*price + 49_500 + maxGrant.Cents()); b.Total != want {
		t.Errorf("it costs %s, want %s", b.Total, want)
	}
	if extra := b.Subscription.extras(c)[plan.StorageCount]; extra != maxExtra {
		t.Errorf("it adds %d bytes", extra)
	}
}
