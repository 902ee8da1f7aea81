package billing_test

import (
	"maps"
	"slices"
	"time"

	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// ledger is what a workspace has, owes and has paid, kept by hand beside the service, by
// the rules as docs/decisions 0044 to 0057 have them. It shares nothing with the service
// but the catalogue, and goes about it in the most naive way.
type ledger struct {
	c        *plan.Catalog
	plan     plan.ID
	term     plan.Interval
	until    time.Time // what is paid for of the plan, and the month for a free one
	next     plan.ID   // from then on; empty stays
	nextTerm plan.Interval
	canceled bool
	addons   map[string][2]int64 // now, and from the next month on
	resumed  map[string]int64    // from then on, if a cancellation is taken back
	lots     []lot
	coupons  []coupon
	redeemed map[string]bool
	balance  plan.Cents
	takeBack plan.Cents

	papers  []*paper // every invoice that was issued
	grants  []grant
	spent   map[time.Time]plan.Nano // for AI, by month
	allowed plan.Nano               // of it, set by the operator; 0 is nothing set
	late    *closed                 // the month that was closed last
	waived  map[time.Time]plan.Cents
	card    string
	cardSet time.Time

	tries     plan.ID // in a trial
	trialEnds time.Time
	trialFrom time.Time
	tried     map[plan.ID]time.Duration
	messages  map[time.Time]int64
	recharges bool
}

// lot is a plan or a number of one add-on that is paid for.
type lot struct {
	what        string
	term        plan.Interval // of a plan; empty is an add-on
	n           int64
	net         plan.Cents // what it cost, discounts taken off
	from, until time.Time
	by          *paper
}

type coupon struct {
	plan.Coupon
	from, until time.Time // until is zero for ever
	month       time.Time // that an amount was taken off in last
}

type grant struct {
	month time.Time
	nano  plan.Nano
	by    *paper
}

// closed is what a month was closed with.
type closed struct {
	month       time.Time
	free, limit plan.Nano
	billed      plan.Cents
}

// paper is an invoice.
type paper struct {
	id          id.Invoice
	kind        string
	created     time.Time
	due         time.Time
	lines       int
	total       plan.Cents
	fromBalance plan.Cents
	ai          plan.Cents // of credit for AI, before discounts
	credits     []credited
	credited    plan.Cents // by the operator
	state       string     // open, paid, void
	tries       int64      // that were refused
	declined    int64      // of them by a bank: without a card none is asked
	action      bool       // the bank wanted the payer at the last try
	first       time.Time  // when it was refused first
	begun       time.Time  // when the try began whose outcome is not known yet
	tried       time.Time  // when the last try began
	triedBy     string     // and by which card
	next        time.Time  // when it is tried again
	money       plan.Cents
}

// credited is what a paper gives back of another.
type credited struct {
	of     *paper
	amount plan.Cents
}

func newLedger(c *plan.Catalog, at time.Time) *ledger {
	return &ledger{
		c: c, plan: plan.Managed, term: plan.Month, until: first(at, 1), addons: map[string][2]int64{}, resumed: map[string]int64{}, redeemed: map[string]bool{},
		spent: map[time.Time]plan.Nano{}, waived: map[time.Time]plan.Cents{}, tried: map[plan.ID]time.Duration{}, messages: map[time.Time]int64{},
	}
}

// copy is a ledger to try something on. Papers that were issued are shared.
func (l *ledger) copy() *ledger {
	c := *l
	c.addons, c.resumed, c.redeemed = maps.Clone(l.addons), maps.Clone(l.resumed), maps.Clone(l.redeemed)
	c.lots, c.coupons, c.papers, c.grants = slices.Clone(l.lots), slices.Clone(l.coupons), slices.Clone(l.papers), slices.Clone(l.grants)
	return &c
}

// first is the first of a month.
func first(at time.Time, later int) time.Time {
	return time.Date(at.Year(), at.Month()+time.Month(later), 1, 0, 0, 0, 0, time.UTC)
}

// share is a part of an amount, halves away from zero.
func share(amount plan.Cents, part, whole int64) plan.Cents {
	if amount < 0 {
		return -share(-amount, part, whole)
	}
	return plan.Cents((int64(amount)*part*2 + whole) / (2 * whole))
}

func seconds(from, until time.Time) int64 { return int64(until.Sub(from) / time.Second) }

func (l *ledger) price(p plan.ID, t plan.Interval) (plan.Cents, bool) {
	of, _ := l.c.Plan(p)
	if t == plan.Year {
		if of.Year == nil {
			return 0, false
		}
		return *of.Year, true
	}
	if of.Month == nil {
		return 0, false
	}
	return *of.Month, true
}

func (l *ledger) isCredit(addon string) bool {
	of, _ := l.c.Addon(addon)
	return of.Increments[plan.IntegrationSpend] > 0
}

// wish is what is asked of a ledger.
type wish struct {
	plan     plan.ID
	term     plan.Interval
	addons   map[string]int64
	coupon   string
	grant    plan.Nano
	recharge string
	operator bool
}

var order = map[plan.ID]int{plan.Community: 0, plan.Plus: 1, plan.Team: 2, plan.Enterprise: 3, plan.Managed: 4}

// ask does what is asked, without a charge; false when it is not for sale.
func (l *ledger) ask(w wish, at time.Time) bool {
	was, moved := l.plan, false
	if w.plan != "" {
		price, sold := l.price(w.plan, w.term)
		term := w.term
		if !sold || price == 0 {
			term = plan.Month
		}
		switch {
		case w.plan == l.plan && term == l.term:
			l.next, l.canceled = "", false
			for name, n := range l.resumed {
				if !w.operator {
					l.addons[name] = [2]int64{l.addons[name][0], n}
				}
			}
			clear(l.resumed)
		case !sold && !w.operator:
			return false
		case w.operator || l.plan == plan.Managed || order[w.plan] > order[l.plan] || w.plan == l.plan && term == plan.Year:
			l.plan, l.term, l.next, l.canceled, moved = w.plan, term, "", false, true
			if l.until = first(at, 1); term == plan.Year {
				l.until = first(at, 12)
			}
			clear(l.resumed)
		default:
			l.next, l.nextTerm, l.canceled = w.plan, term, false
			clear(l.resumed)
		}
	}
	for name, n := range w.addons {
		had, there := l.addons[name]
		if n > 0 || there {
			l.addons[name] = [2]int64{max(had[0], n), n}
		}
		delete(l.resumed, name)
	}
	if w.recharge != "" {
		had := l.addons[w.recharge]
		l.addons[w.recharge] = [2]int64{had[0] + 1, had[1]} // for this month alone
	}
	if moved {
		l.lower(was, w.addons)
	}
	if w.coupon != "" {
		k, _ := l.c.Coupon(w.coupon)
		taken := coupon{Coupon: k, from: at}
		if k.Duration == plan.Repeating {
			// The same day of a later month, or its last.
			month := first(at, k.Months)
			day := min(at.Day(), first(month, 1).AddDate(0, 0, -1).Day())
			taken.until = month.AddDate(0, 0, day-1).Add(at.Sub(time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)))
		}
		l.coupons, l.redeemed[w.coupon] = append(l.coupons, taken), true
	}
	return true
}

// lower takes add-ons away from the next month on, one by one, as long as plan and
// add-ons allow no less than before.
func (l *ledger) lower(was plan.ID, asked map[string]int64) {
	spare := map[plan.Feature]int64{}
	for _, a := range l.c.Addons {
		for f := range a.Increments {
			before, now := l.c.Allows(was, f), l.c.Allows(l.plan, f)
			if before >= 0 && now > before {
				spare[f] = now - before
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.addons)) {
		if _, named := asked[name]; named {
			continue
		}
		of, _ := l.c.Addon(name)
		for f, n := range of.Increments { // each has one
			for had := l.addons[name]; had[1] > 0 && spare[f] >= n; spare[f] -= n {
				had[1]--
				l.addons[name] = had
			}
		}
	}
}

// charge makes the paper of what the ledger has and has not paid for.
func (l *ledger) charge(kind string, at, created time.Time, bought plan.Nano, spends []plan.Cents) *paper {
	p := &paper{kind: kind, created: created, due: created.AddDate(0, 0, l.c.DueDays), state: "open"}
	sum := plan.Cents(0)
	line := func(amount plan.Cents) { p.lines, sum = p.lines+1, sum+amount }
	paying := l.plan != plan.Managed
	// What is no longer had is given back by the second, but credit for AI.
	var kept []lot
	for _, o := range l.lots {
		had := paying && (o.term == "" && l.addons[o.what][0] > 0 || o.what == string(l.plan) && o.term == l.term && o.until.Equal(l.until))
		switch {
		case !o.until.After(at):
		case had:
			kept = append(kept, o)
		case o.term != "" || !l.isCredit(o.what):
			from := o.from
			if at.After(from) {
				from = at
			}
			if back := share(o.net, seconds(from, o.until), seconds(o.from, o.until)); back > 0 {
				line(-back)
				p.credits = append(p.credits, credited{o.by, back})
			}
		}
	}
	l.lots = kept
	var fresh []lot
	buy := func(what string, term plan.Interval, n int64, price plan.Cents, start, end time.Time) {
		for _, o := range l.lots {
			if o.what == what && o.term == term {
				n -= o.n
			}
		}
		if n <= 0 || price == 0 {
			return
		}
		from, cost := start, price*plan.Cents(n)
		if at.After(from) {
			from = at
		}
		if term == "" && l.isCredit(what) {
			p.ai += cost
		} else {
			cost = share(cost, seconds(from, end), seconds(start, end))
		}
		line(cost)
		fresh = append(fresh, lot{what, term, n, cost, from, end, p})
	}
	if _, blocked := l.standing(); paying && !blocked {
		price, _ := l.price(l.plan, l.term)
		start := first(l.until, -1)
		if l.term == plan.Year {
			start = first(l.until, -12)
		}
		buy(string(l.plan), l.term, 1, price, start, l.until)
		for _, name := range slices.Sorted(maps.Keys(l.addons)) {
			of, _ := l.c.Addon(name)
			buy(name, "", l.addons[name][0], *of.Month, first(at, 0), first(at, 1))
		}
	}
	l.discount(fresh, at, line)
	l.lots = append(l.lots, fresh...)
	if paying && l.takeBack != 0 {
		line(l.takeBack)
		l.takeBack = 0
	}
	for _, s := range spends {
		if s > 0 && paying {
			line(s)
		}
	}
	if bought > 0 {
		cost := plan.Cents((bought + 9_999_999) / 10_000_000)
		if !paying {
			cost = 0
		}
		line(cost)
		p.ai += cost
		l.grants = append(l.grants, grant{first(at, 0), bought, p})
	}
	if tax := share(sum, l.c.Tax.BasisPoints, 10_000); tax != 0 {
		line(tax)
	}
	switch used := min(sum, l.balance); {
	case sum < 0:
		l.balance -= sum
		line(-sum)
	case used > 0:
		l.balance -= used
		p.fromBalance = used
		line(-used)
	}
	if p.total = sum; sum == 0 {
		p.state = "paid"
	}
	return p
}

func (l *ledger) discount(fresh []lot, at time.Time, line func(plan.Cents)) {
	var left []coupon
	for _, c := range l.coupons {
		over := !c.until.IsZero() && !at.Before(c.until)
		off := plan.Cents(0)
		for i := range fresh {
			take := share(fresh[i].net, c.PercentOff, 100)
			if c.AmountOff > 0 {
				take = min(fresh[i].net, c.AmountOff-off)
			}
			if over || c.AmountOff > 0 && c.month.Equal(first(at, 0)) {
				take = 0
			}
			fresh[i].net -= take
			off += take
		}
		if off > 0 {
			line(-off)
			c.month = first(at, 0)
		}
		if !over && !(c.Duration == plan.Once && off > 0) {
			left = append(left, c)
		}
	}
	l.coupons = left
}

// closeMonth bills the month that begins and the AI spend of the one that ends; nil when
// there is nothing to bill.
func (l *ledger) closeMonth(at, now time.Time) *paper {
	var spends []plan.Cents
	month := first(at, -1)
	var late *closed
	if l.plan != plan.Managed {
		if l.late != nil {
			spends = append(spends, cost(l.spent[l.late.month], l.late.free, l.late.limit)-l.late.billed)
		}
		late = &closed{month: month, free: 5_000_000_000}
		for name, n := range l.addons {
			of, _ := l.c.Addon(name)
			late.free += plan.Nano(of.Increments[plan.IntegrationSpend] * n[0])
		}
		for _, g := range l.grants {
			if g.month.Equal(month) {
				late.free += g.nano
			}
		}
		late.limit = max(l.allowed-late.free, 0)
		late.billed = cost(l.spent[month], late.free, late.limit)
		spends = append(spends, late.billed)
	}
	l.late = late
	if !l.until.After(at) {
		if l.next != "" {
			l.plan, l.term = l.next, l.nextTerm
		}
		l.next, l.canceled = "", false
		if l.until = first(at, 1); l.term == plan.Year {
			l.until = first(at, 12)
		}
	}
	clear(l.resumed)
	for name, n := range l.addons {
		if n[1] == 0 {
			delete(l.addons, name)
			continue
		}
		l.addons[name] = [2]int64{n[1], n[1]}
	}
	return l.charge("cycle", at, now, 0, spends)
}

// cost is what a month's AI spend costs: what is beyond what is free, up to a limit.
func cost(spent, free, limit plan.Nano) plan.Cents {
	beyond := min(spent-free, limit)
	if beyond <= 0 {
		return 0
	}
	return plan.Cents((beyond + 5_000_000) / 10_000_000)
}

// cancel has everything end with what is paid for.
func (l *ledger) cancel() {
	if l.plan == plan.Managed {
		return
	}
	for name, n := range l.addons {
		if n[1] > 0 {
			l.addons[name], l.resumed[name] = [2]int64{n[0], 0}, n[1]
		}
	}
	if l.canceled {
		return
	}
	if l.plan == plan.Community {
		l.canceled = len(l.addons) > 0
		return
	}
	l.next, l.nextTerm, l.canceled = plan.Community, plan.Month, true
}

// void makes a paper void.
func (l *ledger) void(p *paper) {
	p.state = "void"
	l.balance += p.fromBalance
	for i := range l.lots {
		if l.lots[i].by == p {
			l.lots[i].net = 0
		}
	}
	for _, other := range l.papers {
		for _, c := range other.credits {
			if c.of == p && other.state != "void" {
				l.takeBack += c.amount
			}
		}
	}
	for _, c := range p.credits {
		if c.of.state == "void" {
			l.takeBack -= c.amount
		}
	}
	l.grants = slices.DeleteFunc(l.grants, func(g grant) bool { return g.by == p })
}

// creditable is how much of a paper may be credited yet.
func (l *ledger) creditable(p *paper) plan.Cents {
	rest := p.total + p.fromBalance - p.credited
	for _, other := range l.papers {
		for _, c := range other.credits {
			if c.of == p && other.state != "void" {
				rest -= c.amount + share(c.amount, l.c.Tax.BasisPoints, 10_000)
			}
		}
	}
	return max(rest, 0)
}

// credit credits a part of a paper that was paid, with a paper of its own.
func (l *ledger) credit(p *paper, amount plan.Cents, at time.Time) *paper {
	rest := l.creditable(p)
	for i := range l.lots {
		if o := &l.lots[i]; o.by == p {
			o.net -= share(o.net, int64(amount), int64(rest))
		}
	}
	l.balance += amount
	p.credited += amount
	return &paper{kind: "credit", created: at, lines: 2, state: "paid"}
}

// try charges a paper; what becomes of it is the card's.
func (l *ledger) try(p *paper, at time.Time) {
	if p.tried, p.triedBy = at, l.card; !p.begun.IsZero() {
		p.tried, p.begun = p.begun, time.Time{}
	}
	switch {
	case p.state != "open":
	case p.total < 50: // it is less than the provider charges
		p.state, p.next = "paid", time.Time{}
		l.waived[first(at, 0)] += p.total
	case l.card == goodCard:
		p.state, p.money, p.next = "paid", p.total, time.Time{}
	default:
		p.tries, p.action = p.tries+1, l.card == shyCard
		if l.card != "" {
			p.declined++
		}
		if p.first.IsZero() {
			p.first = at
		}
		p.next = time.Time{}
		for _, days := range []int{7, 5, 3, 1} {
			if again := p.first.AddDate(0, 0, days); again.After(at) {
				p.next = again
			}
		}
	}
}

// open are the papers that are to be paid, the oldest first.
func (l *ledger) open() (list []*paper) {
	for _, p := range l.papers {
		if p.state == "open" {
			list = append(list, p)
		}
	}
	return list
}

// standing is how the subscription stands by what is not paid.
func (l *ledger) standing() (status string, blocked bool) {
	status = "active"
	for _, p := range l.open() {
		switch {
		case p.tries > 0 && p.next.IsZero():
			return "canceled", true
		case p.tries > 0 && p.action:
			status = "action_required"
		case p.tries > 0 && status == "active":
			status = "past_due"
		}
	}
	return status, false
}

// bought is what was bought in a month.
func (l *ledger) bought(month time.Time) (total plan.Cents) {
	for _, p := range l.papers {
		if (p.kind == "change" || p.kind == "grant") && p.state != "void" && first(p.created, 0).Equal(month) {
			total += p.total
		}
	}
	return total
}

// usedUp says that nine tenths of the messages of a month are used.
func (l *ledger) usedUp(at time.Time) bool {
	held := l.plan
	if l.tries != "" {
		held = l.tries
	}
	allowed := l.c.Allows(held, plan.Messages)
	if allowed < 0 {
		return false
	}
	allowed += 5_000 * l.addons["messages_events_addon"][0]
	return l.messages[first(at, 0)]*100 >= allowed*90
}
