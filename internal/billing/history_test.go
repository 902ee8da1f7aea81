package billing_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/test/engines"
)

var (
	histories = flag.Int("histories", 300, "how many random histories of 24 months to live through; beyond 100 on SQLite alone")
	since     = flag.Int("first", 0, "the history to begin with, a multiple of 100: what failed is lived again alone")
	seed      = flag.Uint64("seed", 1, "what the histories are drawn from")
)

// inOneWorld is how many workspaces live in one installation.
var inOneWorld = map[db.Engine]int{db.SQLite: 100, db.PostgreSQL: 25}

// TestHistories: whatever happens to workspaces in two years, purchases, coupons, usage,
// trials, cards that are declined, payments that nobody knows the outcome of, the
// operator's decisions: every invoice is over what the ledger says, to the cent, with
// numbers that have no gap; what was previewed is charged, what was upcoming is issued;
// the money that the provider really took is what the ledger says was paid, once; and
// who is past due or blocked is so from the moment that the ledger says.
func TestHistories(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			most, size := *histories, inOneWorld[engine]
			if engine == db.PostgreSQL {
				most = min(most, 100)
			}
			for n := *since; n < *since+most; n += size {
				t.Run(fmt.Sprint(n), func(t *testing.T) {
					t.Parallel()
					live(t, engine, n/size, min(size, *since+most-n))
				})
			}
		})
	}
}

// hand is a clock that is moved by hand.
type hand struct{ now time.Time }

func (h *hand) Now() time.Time { return h.now }

// world is an installation whose time is moved day by day.
type world struct {
	*testing.T
	installation
	*hand
	r       *rand.Rand
	bank    *till
	members []*member
	papers  map[id.Invoice]*member
	unknown []*paper // whose payment has no outcome yet
	uses    int
	did     map[string]int
}

// member is a workspace and its ledger.
type member struct {
	*ledger
	w id.Workspace
	// log is what happened, for whoever has to find out what went wrong.
	log []string
}

// live lives the histories of the n-th world.
func live(t *testing.T, engine db.Engine, n, size int) {
	c := config.Installation{Data: t.TempDir(), Dev: true, SQLiteSynchronous: "NORMAL"}
	if engine == db.PostgreSQL {
		c.DatabaseURL = secret.Value(engines.PostgreSQL(t))
	}
	a, err := app.Open(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	w := &world{
		T: t, installation: installation{App: a}, r: rand.New(rand.NewPCG(*seed, uint64(n))), bank: newTill(), papers: map[id.Invoice]*member{}, did: map[string]int{},
		hand: &hand{time.Date(2026, time.Month(1+n%12), 10, 0, 0, 0, 0, time.UTC)},
	}
	w.bank.demands = n%2 == 0
	catalogue := *plan.Default()
	catalogue.Tax = plan.Tax{Name: "VAT", BasisPoints: int64(n % 3 * 975)}
	catalogue.Coupons = []plan.Coupon{
		{ID: "half", Code: "HALF", PercentOff: 50, Duration: plan.Once},
		{ID: "ten", Code: "TEN", AmountOff: 1_000, Duration: plan.Repeating, Months: 3},
		{ID: "fifth", Code: "FIFTH", PercentOff: 20, Duration: plan.Forever},
		{ID: "free", Code: "FREE", PercentOff: 100, Duration: plan.Repeating, Months: 1},
	}
	a.Billing.Plans, a.Billing.Provider = &catalogue, w.bank
	a.Billing.Clock, a.Meter.Clock, a.Workspaces.Clock = w.hand, w.hand, w.hand
	a.Billing.Queue = jobs.New(a.DB, w.hand, a.Log)
	for i := range size {
		made, err := a.CreateAccount(t.Context(), fmt.Sprintf("member%d@example.com", i), "")
		if err != nil {
			t.Fatal(err)
		}
		w.members = append(w.members, &member{ledger: newLedger(&catalogue, w.now), w: made.Workspace})
	}
	slices.SortFunc(w.members, func(a, b *member) int { return len(a.w) - len(b.w) + compare(a.w, b.w) })
	for end := first(w.now, 24); w.now.Before(end); {
		w.day(w.now.AddDate(0, 0, 1))
	}
	w.reckon()
	t.Log(w.did)
}

func compare(a, b id.Workspace) int {
	if a < b {
		return -1
	}
	return 1
}

// day lives a day up to its end, midnight.
func (w *world) day(midnight time.Time) {
	var acts []int64
	for range w.members {
		if w.r.IntN(24) == 0 {
			acts = append(acts, w.r.Int64N(86_400-600))
		}
	}
	slices.Sort(acts)
	for _, second := range acts {
		if at := midnight.Add(time.Duration(second-86_400) * time.Second); at.After(w.now) {
			w.now = at
		}
		m := w.members[w.r.IntN(len(w.members))]
		w.act(m)
		w.run()
		w.resolve()
		w.check(m)
	}
	if midnight.Day() == 1 {
		w.closeMonths(midnight)
	}
	w.now = midnight
	for _, m := range w.members {
		if m.tries != "" && !m.trialEnds.After(w.now) {
			m.endTrial(w.now)
		}
	}
	w.must(w.only(w.Billing.EndTrials(w.Context())))
	w.run()
	for _, m := range w.members {
		for _, p := range m.open() {
			if !p.next.IsZero() && !p.next.After(w.now) {
				w.fail(m, "the invoice %s was to be tried at %s", p.id, p.next)
			}
		}
	}
	if midnight.Day()%5 == 0 {
		w.recharge()
		w.run()
	}
}

func (w *world) only(_ any, err error) error { return err }

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(w.now, err)
	}
}

// refused holds what an act was answered against what the ledger expects; an empty kind
// is success.
func (w *world) refused(m *member, err error, want fault.Type) {
	w.Helper()
	if want == "" && err == nil || want != "" && fault.Is(err, want) {
		return
	}
	w.fail(m, "it was answered %v, want %q", err, want)
}

func (w *world) fail(m *member, format string, args ...any) {
	w.Helper()
	for _, line := range m.log {
		w.T.Log(line)
	}
	w.Fatalf("%s, workspace %s: %s", w.now, m.w, fmt.Sprintf(format, args...))
}

func (w *world) note(m *member, format string, args ...any) {
	m.log = append(m.log, w.now.Format(time.DateTime)+" "+fmt.Sprintf(format, args...))
}

// closeMonths has the months closed, and the ledger close its own.
func (w *world) closeMonths(at time.Time) {
	w.now = at.Add(-time.Second)
	upcoming := map[*member][]billing.Line{}
	for _, m := range w.members {
		_, lines, err := w.Billing.Upcoming(w.Context(), m.w)
		w.must(err)
		upcoming[m] = lines
	}
	w.now = at.Add(3 * time.Second)
	w.must(w.only(w.Billing.CloseMonths(w.Context())))
	for _, m := range w.members {
		p := m.closeMonth(at, w.now)
		w.note(m, "closed: %d lines, %s", p.lines, p.total)
		issued := w.issued(m, p)
		if diff := differ(upcoming[m], issued.Lines); diff != "" {
			w.fail(m, "upcoming was not what was issued: %s", diff)
		}
		if w.r.IntN(6) == 0 && m.late != nil { // some of it is told only now
			w.use(m, plan.AISpend, w.r.Int64N(9_000_000_000), m.late.month)
		}
	}
	w.run()
	for _, m := range w.members {
		w.check(m)
	}
}

func differ(a, b []billing.Line) string {
	short := func(lines []billing.Line) (text string) {
		for _, l := range lines {
			text += fmt.Sprintf("[%s %s %s %d]", l.Kind, l.ID, l.Amount, l.Quantity)
		}
		return text
	}
	if short(a) == short(b) {
		return ""
	}
	return short(a) + " became " + short(b)
}

// issued takes a paper into the ledger, and holds the newest invoice against it.
func (w *world) issued(m *member, p *paper) (i billing.Invoice) {
	w.Helper()
	if p.lines == 0 {
		return i
	}
	list, _, err := w.Billing.Invoices(w.Context(), m.w, db.Page{Size: 1})
	w.must(err)
	if len(list) == 0 || w.papers[list[0].ID] != nil {
		w.fail(m, "the invoice over %s was not issued", p.total)
	}
	i = list[0]
	sum := plan.Cents(0)
	for _, l := range i.Lines {
		sum += l.Amount
	}
	if i.Total != p.total || sum != i.Total || i.Total < 0 || string(i.Kind) != p.kind || len(i.Lines) != p.lines {
		w.fail(m, "the invoice %s is over %s, want %s by %d lines: %+v", i.Kind, i.Total, p.total, p.lines, i.Lines)
	}
	if p.state == "open" {
		if p.next = p.due; m.card != "" {
			p.next = w.now
		}
	}
	p.id = i.ID
	w.papers[i.ID], m.papers = m, append(m.papers, p)
	return i
}

func (w *world) paper(which id.Invoice) (*member, *paper) {
	m := w.papers[which]
	if m == nil {
		return nil, nil
	}
	return m, m.papers[slices.IndexFunc(m.papers, func(p *paper) bool { return p.id == which })]
}

// stray fails about an invoice that the ledger knows nothing of.
func (w *world) stray(which id.Invoice) {
	w.Helper()
	for _, m := range w.members {
		if i, err := w.Billing.Invoice(w.Context(), m.w, which); err == nil {
			w.fail(m, "the ledger has no invoice %+v", i)
		}
	}
	w.Fatalf("there is no invoice %s", which)
}

// run does the jobs that are due, and has the ledger try what they are to try.
func (w *world) run() {
	w.Helper()
	for {
		due := w.due(w.T, w.now)
		if len(due) == 0 {
			return
		}
		// A job is gone before it is done, so that one for the same invoice can be enqueued.
		w.must(w.DB.Tx(w.Context(), func(ctx context.Context, tx *db.Tx) error {
			for _, job := range due {
				if _, err := tx.Exec(ctx, `DELETE FROM jobs WHERE id = $1`, string(job.ID)); err != nil {
					return err
				}
			}
			return nil
		}))
		for _, job := range due {
			var of struct {
				Invoice id.Invoice `json:"invoice"`
				Request string     `json:"request"`
				Payment id.Payment `json:"payment"`
			}
			w.must(json.Unmarshal(job.Payload, &of))
			troubled := w.bank.trouble != none
			w.must(w.Billing.Do(w.Context(), job))
			if job.Kind == "conclude-payment" {
				w.concluded(of.Payment)
			}
			if job.Kind != "collect-invoice" {
				continue
			}
			m, p := w.paper(of.Invoice)
			if p == nil {
				w.stray(of.Invoice)
			}
			if p.state != "open" || of.Request == "" && (p.next.IsZero() || p.next.After(w.now)) {
				continue
			}
			if n := slices.Index(w.unknown, p); n >= 0 {
				// One try is under way at a time: this one joins it, and is none of its own.
				// It hears how that ended, unless the bank has not decided yet.
				w.did["joined"]++
				if w.bank.undecided(p.id) {
					continue
				}
				w.unknown = slices.Delete(w.unknown, n, n+1)
				w.note(m, "joined the try of %s that was under way", p.id)
			} else if of.Request != "" && p.triedBy == m.card && !p.tried.Before(m.cardSet) {
				w.did["tried already"]++
				continue // by the card that was set, since it was set
			}
			if troubled && p.total >= 50 && m.card != "" {
				p.begun, w.unknown = w.now, append(w.unknown, p)
				continue
			}
			w.tried(m, p)
			w.note(m, "tried %s of %s by the card %q: %s, %d tries, next %s", p.id, p.total, m.card, p.state, p.tries, p.next)
		}
	}
}

// concluded has the ledger try what a job has found out about.
func (w *world) concluded(which id.Payment) {
	w.Helper()
	var of id.Invoice
	var state billing.AttemptState
	w.must(w.DB.Reader(w.Context()).QueryRow(w.Context(), `SELECT invoice_id, state FROM payment_attempts WHERE id = $1`, string(which)).Scan(&of, &state))
	m, p := w.paper(of)
	n := slices.Index(w.unknown, p)
	if p == nil || n < 0 || state == billing.AttemptPending {
		return
	}
	w.unknown = slices.Delete(w.unknown, n, n+1)
	w.tried(m, p)
	w.note(m, "found out about %s: %s", p.id, p.state)
}

// resolve has the outcomes found out that are not known.
func (w *world) resolve() {
	w.Helper()
	w.bank.trouble = none
	if len(w.unknown) == 0 {
		return
	}
	w.bank.decide()
	w.now = w.now.Add(3 * time.Minute)
	w.run()
	if len(w.unknown) > 0 {
		w.Fatalf("%s: what became of %+v is not found out", w.now, w.unknown)
	}
}

// tried has the ledger try a paper.
func (w *world) tried(m *member, p *paper) {
	w.Helper()
	_, blocked := m.standing()
	m.try(p, w.now)
	w.lifted(m, blocked)
}

// lifted has the ledger charge again what is had, when a block has ended.
func (w *world) lifted(m *member, blocked bool) {
	w.Helper()
	if _, still := m.standing(); !blocked || still {
		return
	}
	p := m.charge("change", w.now, w.now, 0, nil)
	w.note(m, "not blocked any more: %d lines, %s", p.lines, p.total)
	w.did["lifted"]++
	if p.total > 0 {
		w.did["charged again"]++
	}
	w.issued(m, p)
}

// check holds a workspace against its ledger.
func (w *world) check(m *member) {
	w.Helper()
	var got, want struct {
		plan, held, term, status string
		balance                  plan.Cents
		waits                    string
		blocked                  bool
		invoices, open           int
		total                    plan.Cents
	}
	err := w.DB.Reader(w.Context()).QueryRow(w.Context(), `
		SELECT s.plan, w.plan, s.term, s.status, s.balance, COALESCE(s.held_invoice, ''), w.blocked,
			COUNT(i.number), COALESCE(SUM(CASE WHEN i.status = 'open' THEN 1 ELSE 0 END), 0), COALESCE(SUM(i.total), 0)
		FROM workspaces w JOIN subscriptions s ON s.workspace_id = w.id LEFT JOIN invoices i ON i.workspace_id = w.id
		WHERE w.id = $1 GROUP BY s.plan, w.plan, s.term, s.status, s.balance, s.held_invoice, w.blocked`, string(m.w)).
		Scan(&got.plan, &got.held, &got.term, &got.status, &got.balance, &got.waits, &got.blocked, &got.invoices, &got.open, &got.total)
	if err != nil && len(m.papers) == 0 {
		return // it was never billed
	}
	w.must(err)
	want.plan, want.held, want.term, want.balance = string(m.plan), string(m.plan), string(m.term), m.balance
	if m.tries != "" {
		want.held = string(m.tries)
	}
	want.status, want.blocked = m.standing()
	want.invoices, want.open = len(m.papers), len(m.open())
	for _, p := range m.papers {
		want.total += p.total
	}
	if got != want || got.balance < 0 {
		w.fail(m, "it is %+v, want %+v", got, want)
	}
}

// use uses something.
func (w *world) use(m *member, of plan.Type, n int64, at time.Time) {
	w.uses++
	w.must(w.DB.Tx(w.Context(), func(ctx context.Context, tx *db.Tx) error {
		return w.Meter.Add(ctx, tx, []plan.Usage{{ID: fmt.Sprint(w.uses), Workspace: m.w, Type: of, Value: n, At: at}})
	}))
	if of == plan.AISpend {
		m.spent[first(at, 0)] += plan.Nano(n)
	} else {
		m.messages[first(at, 0)] += n
	}
}

func (l *ledger) endTrial(at time.Time) {
	if l.tries == "" {
		return
	}
	if at.After(l.trialEnds) {
		at = l.trialEnds
	}
	l.tried[l.tries] += at.Sub(l.trialFrom)
	l.tries = ""
}

// reckon holds all that was ever issued and taken against the ledgers.
func (w *world) reckon() {
	numbers, taken, declined := map[int64]bool{}, map[id.Invoice]plan.Cents{}, map[id.Invoice]int64{}
	for _, c := range w.bank.all() {
		if c.times > 1 || c.refunded || c.times == 1 && taken[c.Invoice] != 0 {
			w.Fatalf("the charge of %s was taken %d times, refunded %t", c.Invoice, c.times, c.refunded)
		}
		if c.times == 1 {
			taken[c.Invoice] = c.Amount
		}
		if c.outcome == billing.AttemptDeclined || c.outcome == billing.AttemptActionRequired {
			declined[c.Invoice]++
		}
	}
	for _, m := range w.members {
		list, _, err := w.Billing.Invoices(w.Context(), m.w, db.Page{})
		w.must(err)
		slices.Reverse(list)
		balance := plan.Cents(0)
		for n, i := range list {
			p := m.papers[n]
			if i.ID != p.id || numbers[i.Number] || string(i.Status) != p.state || i.Attempts != p.tries || !i.NextAttempt.Equal(p.next) && p.state == "open" {
				w.fail(m, "the invoice is %+v, want %+v", i, p)
			}
			if taken[i.ID] != p.money {
				w.fail(m, "%s were taken for the invoice %s over %s, want %s", taken[i.ID], i.ID, i.Total, p.money)
			}
			if declined[i.ID] != p.declined {
				w.fail(m, "the banks declined the invoice %s %d times, want %d", i.ID, declined[i.ID], p.declined)
			}
			numbers[i.Number] = true
			delete(taken, i.ID)
			for _, l := range i.Lines {
				if l.Kind == billing.BalanceLine && i.Status != billing.Void {
					balance += l.Amount
				}
			}
		}
		if balance != m.balance {
			w.fail(m, "the invoices leave a balance of %s, it is %s", balance, m.balance)
		}
	}
	for which, amount := range taken {
		w.Fatalf("%s were taken for %s, which is no invoice", amount, which)
	}
	for n := int64(1); n <= int64(len(numbers)); n++ {
		if !numbers[n] {
			w.Fatalf("the number %d is missing among %d", n, len(numbers))
		}
	}
}

var deeds = map[string]int{
	"plan": 6, "addons": 6, "cancel": 1, "credit": 2, "trial": 2, "stop trial": 1, "card": 5, "pay": 2, "pay all": 1, "spend": 5, "talk": 4,
	"recharge": 1, "assign": 2, "mark paid": 1, "void": 1, "credit invoice": 1, "limit": 1,
}

var deedNames = slices.Sorted(maps.Keys(deeds))
