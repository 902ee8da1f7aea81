package billing_test

import (
	"time"

	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/plan"
)

// act does one random thing.
func (w *world) act(m *member) {
	w.Helper()
	if len(m.papers) == 0 && m.plan == plan.Managed {
		w.buy(m, wish{plan: plan.Community, term: plan.Month, operator: true})
		return
	}
	all := 0
	for _, n := range deeds {
		all += n
	}
	what, n := "", w.r.IntN(all)
	for _, name := range deedNames {
		if what, n = name, n-deeds[name]; n < 0 {
			break
		}
	}
	if _, blocked := m.standing(); blocked {
		switch what {
		case "plan", "addons", "credit", "trial", "recharge":
			return // all of it is refused before it comes here
		}
	}
	w.did[what]++
	w.note(m, "%s; on %s %s, %d add-ons, card %q, balance %s", what, m.plan, m.term, len(m.addons), m.card, m.balance)
	w.deed(m, what)
}

var (
	forSale   = []plan.ID{plan.Community, plan.Plus, plan.Plus, plan.Team, plan.Enterprise}
	intervals = []plan.Interval{plan.Month, plan.Year}
	some      = []string{"bot_addon", "collaborator_addon", "table_rows_addon", "messages_events_addon", "ai_credits_addon"}
	cards     = []string{goodCard, goodCard, goodCard, goodCard, goodCard, badCard, shyCard}
	codes     = []string{"HALF", "TEN", "FIFTH", "FREE"}
	troubles  = []trouble{none, none, none, none, lostBefore, lostAfter, slow}
)

func pick[T any](w *world, list []T) T { return list[w.r.IntN(len(list))] }

func (w *world) deed(m *member, what string) {
	w.Helper()
	ctx, code := w.Context(), ""
	if c := pick(w, codes); w.r.IntN(4) == 0 && !m.redeemed[c] {
		code = c
	}
	switch what {
	case "plan":
		w.bank.trouble = pick(w, troubles)
		w.buy(m, wish{plan: pick(w, forSale), term: pick(w, intervals), coupon: code})
	case "addons":
		w.bank.trouble = pick(w, troubles)
		asked := map[string]int64{}
		for range 1 + w.r.IntN(2) {
			asked[pick(w, some)] = w.r.Int64N(5)
		}
		w.buy(m, wish{addons: asked, coupon: code})
	case "credit":
		w.bank.trouble = pick(w, troubles)
		w.buy(m, wish{grant: 1 + plan.Nano(w.r.Int64N(pick(w, []int64{700_000_000, 30_000_000_000})))})
	case "assign":
		w.buy(m, wish{plan: pick(w, plan.IDs), term: plan.Month, operator: true})
	case "cancel":
		m.cancel()
		w.must(w.only(w.Billing.Cancel(ctx, m.w)))
	case "trial":
		w.try(m, pick(w, []plan.ID{plan.Plus, plan.Team}), 1+w.r.IntN(20))
	case "stop trial":
		want := fault.Type("")
		if m.tries == "" {
			want = fault.ResourceNotFound
		}
		w.refused(m, w.Billing.StopTrial(ctx, m.w), want)
		m.endTrial(w.now)
	case "card":
		m.card, m.cardSet = pick(w, cards), w.now
		if len(m.open()) == 1 {
			w.bank.trouble = pick(w, troubles)
		}
		w.must(w.only(w.Billing.SetPaymentMethod(ctx, m.w, m.card)))
	case "spend":
		w.use(m, plan.AISpend, w.r.Int64N(40_000_000_000), w.now)
	case "talk":
		w.use(m, plan.InvocationCalls, w.r.Int64N(3_000), w.now)
	case "limit":
		limit := int64(55_000_000_000)
		m.allowed = plan.Nano(limit)
		w.must(w.Meter.SetQuota(ctx, m.w, plan.AISpend, &limit))
	case "recharge":
		m.recharges = true
		w.must(w.only(w.Billing.SetRecharges(ctx, m.w, map[string]billing.Recharge{"messages_events_addon": {Enabled: true}})))
	default:
		w.settleUp(m, what)
	}
}

// settleUp is what members and the operator do about invoices.
func (w *world) settleUp(m *member, what string) {
	w.Helper()
	ctx, open := w.Context(), m.open()
	_, blocked := m.standing()
	switch what {
	case "pay all":
		_, _, err := w.Billing.ChargeUnpaid(ctx, m.w, nil, "")
		w.must(err)
		for _, p := range open {
			w.tried(m, p)
		}
		return
	case "credit invoice":
		w.creditSome(m)
		return
	}
	if len(open) == 0 {
		return
	}
	p := pick(w, open)
	switch what {
	case "pay":
		if m.card != "" && p.total >= 50 {
			w.bank.trouble = pick(w, troubles)
		}
		troubled := w.bank.trouble != none
		_, err := w.Billing.Pay(ctx, m.w, p.id, "")
		if troubled {
			w.refused(m, err, fault.ResourceLockedConflict)
			w.refused(m, w.only(w.Billing.VoidInvoice(ctx, p.id, "it is being paid")), fault.ResourceLockedConflict)
			w.refused(m, w.only(w.Billing.MarkInvoicePaid(ctx, p.id)), fault.ResourceLockedConflict)
			p.begun, w.unknown = w.now, append(w.unknown, p)
			return
		}
		w.tried(m, p)
		if p.state == "paid" {
			w.refused(m, err, "")
		} else {
			w.refused(m, err, fault.PaymentRequired)
		}
	case "mark paid":
		p.state = "paid"
		w.must(w.only(w.Billing.MarkInvoicePaid(ctx, p.id)))
		w.lifted(m, blocked)
		w.refused(m, w.only(w.Billing.VoidInvoice(ctx, p.id, "in error")), fault.InvalidPayload)
	case "void":
		m.void(p)
		w.must(w.only(w.Billing.VoidInvoice(ctx, p.id, "in error")))
		w.lifted(m, blocked)
		w.refused(m, w.only(w.Billing.Pay(ctx, m.w, p.id, "")), fault.InvalidPayload)
	}
}

func (w *world) creditSome(m *member) {
	w.Helper()
	p := pick(w, append([]*paper{nil}, m.papers...))
	if p == nil {
		return
	}
	amount := plan.Cents(1 + w.r.Int64N(int64(p.total)+2))
	_, err := w.Billing.CreditInvoice(w.Context(), p.id, amount, "was down")
	if p.state != "paid" || amount > m.creditable(p) {
		w.refused(m, err, fault.InvalidPayload)
		return
	}
	w.refused(m, err, "")
	w.issued(m, m.credit(p, amount, w.now))
}

// try starts a trial.
func (w *world) try(m *member, p plan.ID, days int) {
	w.Helper()
	want, left := fault.Type(""), int((30*24*time.Hour-m.tried[p])/(24*time.Hour))
	switch {
	case m.tries != "":
		want = fault.AlreadyExists
	case m.plan != plan.Managed && order[m.plan] >= order[p]:
		want = fault.InvalidPayload
	case days > left:
		want = fault.Forbidden
	}
	_, err := w.Billing.StartTrial(w.Context(), m.w, p, days)
	w.refused(m, err, want)
	if want == "" {
		m.tries, m.trialFrom, m.trialEnds = p, w.now, w.now.Add(time.Duration(days)*24*time.Hour)
	}
}

// expect is what becomes of a wish: the ledger with it, the paper, how it is refused, and
// whether its outcome waits for a charge.
func (w *world) expect(m *member, ask wish) (after *ledger, p *paper, refused fault.Type, charged bool) {
	after = m.copy()
	if !after.ask(ask, w.now) {
		return nil, nil, fault.Forbidden, false
	}
	kind, month := "change", first(w.now, 0)
	if ask.grant > 0 {
		kind = "grant"
	}
	p = after.charge(kind, w.now, w.now, ask.grant, nil)
	if ask.recharge != "" && m.bought(month)+p.total > 10_000 {
		return after, p, fault.LimitExceeded, false
	}
	if p.total == 0 || ask.operator {
		return after, p, "", false
	}
	if !w.bank.demands && m.card == "" {
		owed := p.ai
		for _, o := range m.open() {
			owed += o.ai
			if p.ai > 0 && (o.due.Before(w.now) || o.tries > 0) {
				refused = fault.PaymentRequired
			}
		}
		if p.ai > 0 && owed > 10_000 {
			refused = fault.PaymentRequired
		}
		return after, p, refused, false
	}
	switch {
	case p.total < 50 && m.waived[month]+p.total >= 50:
		return after, p, fault.InvalidPayload, false
	case p.total < 50:
		p.state = "paid"
	case m.card != goodCard:
		return after, p, fault.PaymentRequired, m.card != ""
	default:
		p.state, p.money = "paid", p.total
		charged = true
	}
	return after, p, "", charged
}

// buy asks for something, and has the ledger follow.
func (w *world) buy(m *member, ask wish) {
	w.Helper()
	ctx := w.Context()
	after, p, refused, charged := w.expect(m, ask)
	if !ask.operator && ask.grant == 0 {
		to := billing.Change{Plan: ask.plan, Term: ask.term}
		if ask.plan == "" {
			to = billing.Change{Plan: m.plan, Term: m.term}
		}
		v, err := w.Billing.Preview(ctx, m.w, to, ask.addons, ask.coupon)
		if refused == fault.Forbidden {
			w.refused(m, err, refused)
		} else if err != nil || v.Now.Total != p.total {
			if ask.plan != "" || m.plan != plan.Managed && m.plan != plan.Enterprise {
				w.fail(m, "the preview is %s (%v), want %s for %+v", v.Now.Total, err, p.total, ask)
			}
		}
	}
	troubled := charged && w.bank.trouble != none
	err := w.order(m, ask)
	if p != nil {
		w.note(m, "%+v: %s, %d lines, refused %q, troubled %t: %v", ask, p.total, p.lines, refused, troubled, err)
	}
	if troubled {
		w.refused(m, err, fault.ResourceLockedConflict)
		w.refused(m, w.order(m, wish{addons: map[string]int64{"bot_addon": 4}}), fault.ResourceLockedConflict)
		w.bank.decide()
		w.now = w.now.Add(3 * time.Minute)
		w.run()
	} else {
		w.refused(m, err, refused)
	}
	w.had(m, after, p, refused)
}

// had takes what was bought into the ledger.
func (w *world) had(m *member, after *ledger, p *paper, refused fault.Type) {
	w.Helper()
	if refused != "" {
		return
	}
	if after.plan != m.plan {
		after.endTrial(w.now)
	}
	if p.total > 0 && p.total < 50 && p.state == "paid" {
		after.waived[first(p.created, 0)] += p.total
	}
	m.ledger = after
	w.issued(m, p)
}

func (w *world) order(m *member, ask wish) (err error) {
	ctx := w.Context()
	switch {
	case ask.operator:
		_, err = w.Billing.AssignPlan(ctx, m.w, ask.plan)
	case ask.grant > 0:
		_, err = w.Billing.BuyCredit(ctx, m.w, ask.grant, "")
	case ask.plan != "":
		_, err = w.Billing.SetPlan(ctx, m.w, billing.Change{Plan: ask.plan, Term: ask.term}, ask.coupon)
	default:
		_, err = w.Billing.SetAddons(ctx, m.w, ask.addons, ask.coupon)
	}
	return err
}

// recharge has bought by itself what is used up.
func (w *world) recharge() {
	w.Helper()
	w.must(w.Billing.RechargeAddons(w.Context()))
	for _, m := range w.members {
		_, blocked := m.standing()
		if !m.recharges || blocked || !m.usedUp(w.now) {
			continue
		}
		after, p, refused, _ := w.expect(m, wish{recharge: "messages_events_addon"})
		w.note(m, "recharged: %s, refused %q", p.total, refused)
		w.did["recharged"]++
		if refused != "" {
			m.recharges = false
		}
		w.had(m, after, p, refused)
		w.check(m)
	}
}
