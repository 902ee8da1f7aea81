package billing

import (
	"flag"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// histories is how many random histories TestHistories lives through. Ten thousand
// take some minutes.
var histories = flag.Int("histories", 150, "how many random histories of 24 months to bill")

// oracle is what a history should have cost, reckoned in the most naive way: every
// single thing is a lot of its own, with an exact price, bought for a time; it is
// given back by the exact part that is left. It shares nothing with rate but the
// catalogue.
type oracle struct {
	catalogue *plan.Catalog
	lots      []*lot
	plan      plan.ID
	term      plan.Interval
	until     time.Time // of the plan
	next      *Change
	addons    map[string]*[2]int64 // now, and from the next month on
	coupons   []coupon
	redeemed  map[string]bool
	// cost is what was charged but for AI and tax, less what was given back.
	cost *big.Rat
	// rounded counts what was rounded: each is wrong by a cent at most, and what is
	// given back of it once more.
	rounded int
	// spend is what each month's AI spend is to be billed with, in all.
	spend map[time.Time]plan.Cents
}

type lot struct {
	what        string
	price       *big.Rat
	from, until time.Time
}

type coupon struct {
	of    plan.Coupon
	start time.Time
	month time.Time // in which an amount was taken off last
}

func (o *oracle) price(p plan.ID, i plan.Interval) plan.Cents {
	of, _ := o.catalogue.Plan(p)
	price, _ := of.Price(i)
	return price
}

func firstOf(at time.Time, later int) time.Time {
	return time.Date(at.Year(), at.Month()+time.Month(later), 1, 0, 0, 0, 0, time.UTC)
}

// part is how much of a period is left at a moment.
func part(at, start, end time.Time) *big.Rat {
	if at.Before(start) {
		at = start
	}
	return big.NewRat(int64(end.Sub(at)/time.Second), int64(end.Sub(start)/time.Second))
}

// charge buys lots for what is had and has no lot, and gives back those of what is
// no longer had.
func (o *oracle) charge(at time.Time) {
	var fresh []*lot
	managed := o.plan == plan.Managed
	keep := func(l *lot) bool {
		if !l.until.After(at) {
			return false
		}
		had := l.what == "plan "+string(o.plan)+" "+string(o.term) && l.until.Equal(o.until)
		if !managed && (had || o.addons[l.what] != nil) {
			return true
		}
		o.cost.Sub(o.cost, new(big.Rat).Mul(l.price, part(at, l.from, l.until)))
		o.rounded++
		return false
	}
	var kept []*lot
	for _, l := range o.lots {
		if keep(l) {
			kept = append(kept, l)
		}
	}
	o.lots = kept
	buy := func(what string, price plan.Cents, start, end time.Time, had int64) {
		for _, l := range o.lots {
			if l.what == what {
				had--
			}
		}
		for ; had > 0 && price > 0; had-- {
			from := start
			if at.After(from) {
				from = at
			}
			l := &lot{what, new(big.Rat).Mul(new(big.Rat).SetInt64(int64(price)), part(at, start, end)), from, end}
			fresh, o.rounded = append(fresh, l), o.rounded+1
		}
	}
	if !managed {
		start := firstOf(o.until, -1)
		if o.term == plan.Year {
			start = firstOf(o.until, -12)
		}
		buy("plan "+string(o.plan)+" "+string(o.term), o.price(o.plan, o.term), start, o.until, 1)
		for _, a := range o.catalogue.Addons {
			if had := o.addons[a.ID]; had != nil && a.Month != nil {
				buy(a.ID, *a.Month, firstOf(at, 0), firstOf(at, 1), had[0])
			}
		}
	}
	o.discount(at, fresh)
	for _, l := range fresh {
		o.cost.Add(o.cost, l.price)
	}
	o.lots = append(o.lots, fresh...)
}

func (o *oracle) discount(at time.Time, fresh []*lot) {
	// Things of a kind are one line, and lines are in the order of their names.
	slices.SortStableFunc(fresh, func(a, b *lot) int {
		if (a.what[:4] == "plan") != (b.what[:4] == "plan") {
			if a.what[:4] == "plan" {
				return -1
			}
			return 1
		}
		if a.what < b.what {
			return -1
		} else if a.what > b.what {
			return 1
		}
		return 0
	})
	var left []coupon
	for _, c := range o.coupons {
		over := c.of.Duration == plan.Repeating && !at.Before(c.start.AddDate(0, c.of.Months, 0))
		off := new(big.Rat)
		if !over && !(c.of.AmountOff > 0 && c.month.Equal(firstOf(at, 0))) {
			rest := new(big.Rat).SetInt64(int64(c.of.AmountOff))
			for _, l := range fresh {
				take := new(big.Rat).Mul(l.price, big.NewRat(c.of.PercentOff, 100))
				if c.of.AmountOff > 0 {
					take.Set(l.price)
					if rest.Cmp(take) < 0 {
						take.Set(rest)
					}
					rest.Sub(rest, take)
				}
				l.price = new(big.Rat).Sub(l.price, take)
				off.Add(off, take)
				o.rounded++
			}
		}
		// What rounds to nothing is not taken off, and the coupon is not used up.
		used := off.Cmp(big.NewRat(1, 2)) >= 0
		if used {
			c.month = firstOf(at, 0)
		}
		if !over && !(used && c.of.Duration == plan.Once) {
			left = append(left, c)
		}
	}
	o.coupons = left
}

// life is one history: a subscription beside its oracle.
type life struct {
	t        *testing.T
	r        *rand.Rand
	c        *plan.Catalog
	sub      Subscription
	o        *oracle
	invoices []bill
	used     map[time.Time]plan.Nano
	numbers  int
}

func (l *life) invoice(b bill) {
	l.t.Helper()
	total := plan.Cents(0)
	for _, line := range b.Lines {
		total += line.Amount
	}
	if total != b.Total || b.Total < 0 {
		l.t.Fatalf("the lines add up to %s, the total is %s", total, b.Total)
	}
	if b.Subscription.Balance < 0 {
		l.t.Fatalf("the balance is %s", b.Subscription.Balance)
	}
	// What is covered is covered once.
	covered := map[string]int64{}
	for _, c := range b.Subscription.Coverages {
		if c.Net < 0 {
			l.t.Fatalf("%+v cost less than nothing", c)
		}
		covered[c.ID] += c.Quantity
	}
	for what, n := range covered {
		most := int64(1)
		if a := b.Subscription.addon(what); a != nil {
			most = a.Quantity
		}
		if n > most {
			l.t.Fatalf("%d of %s are covered, and %d had", n, what, most)
		}
	}
	l.sub, l.invoices = b.Subscription, append(l.invoices, b)
}

func (l *life) newID() id.Invoice {
	l.numbers++
	return id.Invoice("invoice_" + string(rune('a'+l.numbers%26)) + time.Duration(l.numbers).String())
}

// same holds that two bills have the same lines and leave the same.
func (l *life) same(what string, a, b bill) {
	l.t.Helper()
	options := cmp.Options{cmpopts.IgnoreUnexported(Subscription{}), cmpopts.IgnoreFields(Coverage{}, "Invoice"), cmpopts.IgnoreFields(Discount{}, "ID"), cmpopts.EquateEmpty()}
	if diff := cmp.Diff(a, b, options); diff != "" {
		l.t.Fatalf("%s:\n%s", what, diff)
	}
}

func (l *life) spends() ([]Spend, *Arrears) {
	month := monthOf(l.sub.CycleEnd.Add(-time.Second))
	if l.sub.Plan == plan.Managed {
		return nil, nil
	}
	var spends []Spend
	if late := l.sub.Arrears; late != nil {
		spends = append(spends, Spend{monthOf(late.Month), l.used[late.Month], late.Free, late.Limit, late.Billed})
	}
	now := Spend{Month: month, Used: l.used[month.Start], Free: 5_000_000_000, Limit: 50_000_000_000}
	return append(spends, now), &Arrears{month.Start, now.Free, now.Limit, max(now.cost(), 0)}
}

func (l *life) closeMonth() {
	at := l.sub.CycleEnd
	// Some of the month before is told only now.
	if l.sub.Arrears != nil && l.r.IntN(3) == 0 {
		l.used[l.sub.Arrears.Month] += plan.Nano(l.r.Int64N(9_000_000_000))
	}
	spends, arrears := l.spends()
	upcoming := rate(rating{Catalog: l.c, Subscription: l.sub.closing(l.c), At: at, Spends: spends})
	issued := rate(rating{Catalog: l.c, Subscription: l.sub.closing(l.c), At: at, Invoice: l.newID(), Spends: spends})
	l.same("the upcoming invoice is not the issued one", upcoming, issued)
	// On managed nothing costs anything; what was billed before stays billed.
	for _, spend := range spends {
		l.o.spend[spend.Month.Start] = over(l.used[spend.Month.Start])
	}
	issued.Subscription.Arrears = arrears
	l.invoice(issued)

	o := l.o
	if !o.until.After(at) {
		if o.next != nil {
			o.plan, o.term, o.next = o.next.Plan, o.next.Term, nil
		}
		if o.until = firstOf(at, 1); o.term == plan.Year {
			o.until = firstOf(at, 12)
		}
	}
	for name, n := range o.addons {
		if n[0] = n[1]; n[0] == 0 {
			delete(o.addons, name)
		}
	}
	o.charge(at)
}

// over is what a month's AI spend costs.
func over(used plan.Nano) plan.Cents {
	beyond := min(used-5_000_000_000, 50_000_000_000)
	if beyond <= 0 {
		return 0
	}
	cents := new(big.Int).Div(big.NewInt(int64(beyond)+5_000_000), big.NewInt(10_000_000))
	return plan.Cents(cents.Int64())
}

var tiers = map[plan.ID]int{plan.Community: 0, plan.Plus: 1, plan.Team: 2, plan.Enterprise: 3, plan.Managed: 4}

// act does one random thing at a moment, to the subscription and to the oracle.
func (l *life) act(at time.Time) {
	p := Purchase{At: at}
	if l.r.IntN(2) == 0 {
		ids := []plan.ID{plan.Community, plan.Plus, plan.Plus, plan.Team}
		p.Change = &Change{ids[l.r.IntN(len(ids))], []plan.Interval{plan.Month, plan.Year}[l.r.IntN(2)]}
		if l.r.IntN(12) == 0 {
			p.Operator, p.Change = true, &Change{plan.IDs[l.r.IntN(len(plan.IDs))], plan.Month}
		}
	}
	if l.r.IntN(2) == 0 {
		names := []string{"bot_addon", "collaborator_addon", "table_rows_addon", "messages_events_addon"}
		p.Addons = map[string]int64{}
		for range 1 + l.r.IntN(2) {
			p.Addons[names[l.r.IntN(len(names))]] = l.r.Int64N(5)
		}
	}
	if codes := []string{"HALF", "TEN", "FIFTH", "FREE"}; l.r.IntN(8) == 0 {
		if code := codes[l.r.IntN(len(codes))]; !l.o.redeemed[code] {
			p.Coupon = code
		}
	}
	o, err := l.sub.ask(l.c, p)
	if err != nil {
		return // what is refused changes nothing; a test of its own says what is
	}
	v, err := preview(l.c, l.sub, p)
	if err != nil {
		l.t.Fatal(err)
	}
	charged := o.rate(l.c, p, l.newID())
	l.same("the preview is not what is charged", v.Now, charged)
	// The next cycle is what the preview said, when nothing else happens until then.
	next := charged.Subscription
	for next.CycleEnd.Before(v.At) {
		next = rate(rating{Catalog: l.c, Subscription: next.closing(l.c), At: next.CycleEnd}).Subscription
	}
	next.Balance = 0
	if b := rate(rating{Catalog: l.c, Subscription: next.closing(l.c), At: v.At}); len(next.Discounts) == len(charged.Subscription.Discounts) {
		if diff := cmp.Diff(b.Lines, v.Next.Lines); diff != "" {
			l.t.Fatalf("the next cycle is not as previewed:\n%s", diff)
		}
	}
	adjusted := o.Adjusted
	l.invoice(charged)
	l.follow(p, adjusted)
}

// follow has the oracle do the same by the rules as they are written down.
func (l *life) follow(p Purchase, adjusted map[string]bool) {
	o := l.o
	if p.Change != nil {
		to := *p.Change
		if o.price(to.Plan, to.Term) == 0 {
			to.Term = plan.Month
		}
		switch {
		case to.Plan == o.plan && to.Term == o.term:
			o.next = nil
		case p.Operator || o.plan == plan.Managed || tiers[to.Plan] > tiers[o.plan] || to.Plan == o.plan && to.Term == plan.Year:
			o.plan, o.term, o.next = to.Plan, to.Term, nil
			if o.until = firstOf(p.At, 1); to.Term == plan.Year {
				o.until = firstOf(p.At, 12)
			}
		default:
			o.next = &to
		}
	}
	for name, n := range p.Addons {
		had := o.addons[name]
		if had == nil {
			had = &[2]int64{}
			if n > 0 {
				o.addons[name] = had
			}
		}
		if had[1] = n; n > had[0] {
			had[0] = n
		}
	}
	// Which add-ons a plan makes needless is held by a test of its own.
	for name := range adjusted {
		o.addons[name][1] = l.sub.addon(name).next()
	}
	if p.Coupon != "" {
		k, _ := o.catalogue.Coupon(p.Coupon)
		o.coupons = append(o.coupons, coupon{of: k, start: p.At})
		o.redeemed[p.Coupon] = true
	}
	o.charge(p.At)
}

func (l *life) live() {
	begin := time.Date(2026, 1+time.Month(l.r.IntN(12)), 1+l.r.IntN(28), l.r.IntN(24), l.r.IntN(60), l.r.IntN(60), 0, time.UTC)
	l.sub = newSubscription("wkspace_1", plan.Community, begin)
	l.o = &oracle{catalogue: l.c, plan: plan.Community, term: plan.Month, until: firstOf(begin, 1), addons: map[string]*[2]int64{}, redeemed: map[string]bool{}, cost: new(big.Rat), spend: map[time.Time]plan.Cents{}}
	end := firstOf(begin, 24)
	for now := begin; now.Before(end); {
		now = now.Add(time.Duration(1+l.r.Int64N(20*86_400)) * time.Second)
		for !l.sub.CycleEnd.After(now) {
			month := monthOf(l.sub.CycleEnd.Add(-time.Second)).Start
			l.used[month] += plan.Nano(l.r.Int64N(80_000_000_000))
			l.closeMonth()
		}
		if now.Before(end) {
			l.act(now)
		}
	}
}

// reckon compares what all invoices came to with what the oracle says.
func (l *life) reckon() {
	var cost, balance plan.Cents
	billed := map[time.Time]plan.Cents{}
	for _, b := range l.invoices {
		for _, line := range b.Lines {
			switch line.Kind {
			case SpendLine:
				billed[line.From] += line.Amount
			case BalanceLine:
				balance += line.Amount
			case TaxLine:
			default:
				cost += line.Amount
			}
		}
	}
	if balance != l.sub.Balance {
		l.t.Fatalf("the balance is %s, the invoices credited %s", l.sub.Balance, balance)
	}
	difference := new(big.Rat).Sub(new(big.Rat).SetInt64(int64(cost)), l.o.cost)
	if difference.Abs(difference).Cmp(big.NewRat(int64(l.o.rounded), 1)) > 0 {
		l.t.Fatalf("the invoices come to %s, the oracle to %s cents, which is more than %d roundings apart", cost, l.o.cost.FloatString(2), l.o.rounded)
	}
	// Every month's AI spend is billed whole, and once.
	for month, want := range l.o.spend {
		if billed[month] != want {
			l.t.Fatalf("the AI spend of %s was billed with %s, it is %s", month, billed[month], want)
		}
	}
}

// TestHistories: whatever a workspace does in two years, the lines of its invoices add
// up, what was previewed is charged, what was upcoming is issued, nothing is billed
// twice or never, and the balance is never negative.
func TestHistories(t *testing.T) {
	for seed := range *histories {
		l := &life{t: t, r: rand.New(rand.NewPCG(7, uint64(seed))), c: own(t, int64(seed%3)*1_000), used: map[time.Time]plan.Nano{}}
		l.live()
		l.reckon()
		if t.Failed() {
			t.Fatalf("history %d", seed)
		}
	}
}
