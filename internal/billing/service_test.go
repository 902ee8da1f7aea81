package billing_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/app"
	"github.com/botyard/botyard/internal/billing"
	"github.com/botyard/botyard/internal/clock"
	"github.com/botyard/botyard/internal/config"
	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/jobs"
	"github.com/botyard/botyard/internal/meter"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/secret"
	"github.com/botyard/botyard/test/engines"
	"github.com/botyard/botyard/test/postgres"
)

func TestMain(m *testing.M) { postgres.Main(m) }

// installation is an open installation with a workspace on the plan community.
type installation struct {
	*app.App
	w id.Workspace
}

// onBoth runs a test on both engines, from the beginning of a month.
func onBoth(t *testing.T, test func(t *testing.T, open func() installation)) {
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			c := config.Installation{Data: t.TempDir(), Dev: true, SQLiteSynchronous: "NORMAL"}
			if engine == db.PostgreSQL {
				c.DatabaseURL = secret.Value(engines.PostgreSQL(t))
			}
			var first id.Workspace
			test(t, func() installation {
				a, err := app.Open(t.Context(), c, slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = a.Close() })
				if first == "" {
					made, err := a.CreateAccount(t.Context(), "ada@example.com", "Ada")
					if err != nil {
						t.Fatal(err)
					}
					first = made.Workspace
					// At the end of a month the rest of it costs nothing.
					installation{App: a}.toMonth(t, 1)
					must(t, func() error { _, err := a.Billing.AssignPlan(t.Context(), first, plan.Community); return err })
				}
				return installation{a, first}
			})
		})
	}
}

func must(t *testing.T, do func() error) {
	t.Helper()
	if err := do(); err != nil {
		t.Fatal(err)
	}
}

func (i installation) invoices(t *testing.T, w id.Workspace) []billing.Invoice {
	t.Helper()
	list, _, err := i.Billing.Invoices(t.Context(), w, db.Page{})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// toMonth moves the clock to the first second of a month to come.
func (i installation) toMonth(t *testing.T, months int) {
	t.Helper()
	now := i.Clock.Now()
	first := time.Date(now.Year(), now.Month()+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	must(t, func() error { _, err := i.Clock.(*clock.Development).Advance(first.Sub(now)); return err })
}

// use counts a use of the workspace.
func (i installation) use(t *testing.T, of plan.Type, n int64) {
	t.Helper()
	must(t, func() error {
		return i.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			return i.Meter.Add(ctx, tx, []plan.Usage{{Workspace: i.w, Type: of, Value: n, At: i.Clock.Now()}})
		})
	})
}

// bank stands for a method of payment: it is outside, and answers what it is told to.
type bank struct {
	answer  func(call int) error
	calls   atomic.Int64
	charged sync.Map // what was taken, by invoice
}

func (b *bank) ChargesFirst(context.Context, db.Querier, id.Workspace) (bool, error) {
	return true, nil
}

func (b *bank) Charge(_ context.Context, i billing.Invoice) error {
	if err := b.answer(int(b.calls.Add(1))); err != nil {
		return err
	}
	b.charged.Store(i.ID, i.Total)
	return nil
}

func (b *bank) Issued(context.Context, *db.Tx, billing.Invoice) error { return nil }

func (b *bank) Paid(context.Context, *db.Tx, billing.Invoice) error { return nil }

func (b *bank) taken() (total plan.Cents) {
	b.charged.Range(func(_, amount any) bool { total += amount.(plan.Cents); return true })
	return total
}

var declined = fault.New(fault.PaymentRequired, "The card was declined.")

// TestPaidBeforeHad: where a card can be charged, a plan is had when it is paid, and
// not when it is declined.
func TestPaidBeforeHad(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		b := &bank{answer: func(call int) error {
			if call == 1 {
				return declined
			}
			return nil
		}}
		it.Billing.Collect = b
		to := billing.Change{Plan: plan.Plus, Term: plan.Month}
		if _, err := it.Billing.SetPlan(t.Context(), it.w, to, ""); !fault.Is(err, fault.PaymentRequired) {
			t.Fatalf("with a declined card SetPlan answers %v", err)
		}
		sub, err := it.Billing.Subscription(t.Context(), it.w)
		if err != nil || sub.Plan != plan.Community || sub.Held != "" || len(it.invoices(t, it.w)) != 0 {
			t.Fatalf("after it the subscription is %+v (%v)", sub, err)
		}
		if sub, err = it.Billing.SetPlan(t.Context(), it.w, to, ""); err != nil || sub.Plan != plan.Plus || sub.Held != "" {
			t.Fatalf("with a good card the subscription is %+v (%v)", sub, err)
		}
		list := it.invoices(t, it.w)
		if len(list) != 1 || list[0].Status != billing.Paid || list[0].Number != 1 || list[0].Total != b.taken() {
			t.Errorf("the invoices are %+v, taken were %s", list, b.taken())
		}
		w, err := it.Workspaces.Get(t.Context(), it.w)
		if err != nil || w.Plan != plan.Plus {
			t.Errorf("the workspace is on %s (%v)", w.Plan, err)
		}
	})
}

// TestBrokenOffWhilePaying: when nobody knows whether the payment was made, the
// purchase waits, nothing else is changed, the month is not closed over it, and the
// job ends it with one charge.
func TestBrokenOffWhilePaying(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		b := &bank{answer: func(call int) error {
			if call == 1 {
				return errors.New("the connection was lost")
			}
			return nil
		}}
		it.Billing.Collect = b
		if _, err := it.Billing.SetAddons(t.Context(), it.w, map[string]int64{"bot_addon": 2}, ""); err == nil {
			t.Fatal("a purchase of unknown outcome succeeds")
		}
		if _, err := it.Billing.SetAddons(t.Context(), it.w, map[string]int64{"bot_addon": 3}, ""); !fault.Is(err, fault.ResourceLockedConflict) {
			t.Errorf("a second purchase answers %v, want ResourceLockedConflict", err)
		}
		it.toMonth(t, 1)
		must(t, func() error { _, err := it.Billing.CloseMonths(t.Context()); return err })
		sub, err := it.Billing.Subscription(t.Context(), it.w)
		if err != nil || sub.Held == "" || sub.CycleEnd.After(it.Clock.Now()) {
			t.Fatalf("while it waits the subscription is %+v (%v)", sub, err)
		}
		// Another process finds the job that was left.
		again := open()
		again.Billing.Collect = b
		queue := jobs.New(again.DB, again.Clock, again.Log)
		queue.Handle(billing.SettleJob, again.Billing.Settle, jobs.Policy{})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- queue.Run(ctx) }()
		for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
			if sub, err = it.Billing.Subscription(t.Context(), it.w); err != nil || sub.Held == "" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the job does not end the purchase")
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		must(t, func() error { _, err := it.Billing.CloseMonths(t.Context()); return err })
		list := it.invoices(t, it.w)
		if b.calls.Load() != 2 || len(list) != 2 {
			t.Fatalf("there were %d charges and %d invoices, want two of each", b.calls.Load(), len(list))
		}
		// That of the month, 20.00 for two, comes behind that of the purchase.
		if list[0].Kind != billing.CycleInvoice || list[0].Total != 2_000 || list[1].Status != billing.Paid || list[1].Total != b.taken() {
			t.Errorf("the invoices are %+v, taken were %s", list, b.taken())
		}
	})
}

// TestTwoServersCloseOnce: two servers that close the same months at the same time
// issue one invoice for each, and the numbers have no gap.
func TestTwoServersCloseOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		one := open()
		all := []id.Workspace{one.w}
		for _, email := range []string{"b@example.com", "c@example.com", "d@example.com"} {
			made, err := one.CreateAccount(t.Context(), email, "")
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, made.Workspace)
		}
		for _, w := range all {
			must(t, func() error { _, err := one.Billing.AssignPlan(t.Context(), w, plan.Plus); return err })
		}
		one.toMonth(t, 3)
		two := open()
		var group sync.WaitGroup
		for _, server := range []installation{one, two, one, two} {
			group.Go(func() {
				if _, err := server.Billing.CloseMonths(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		numbers := map[int64]bool{}
		for _, w := range all {
			list := one.invoices(t, w)
			if len(list) != 4 {
				t.Errorf("workspace %s has %d invoices, want that of the purchase and three months'", w, len(list))
			}
			for _, i := range list {
				numbers[i.Number] = true
			}
		}
		for n := int64(1); n <= int64(4*len(all)); n++ {
			if !numbers[n] {
				t.Errorf("the number %d is missing among %d", n, len(numbers))
			}
		}
	})
}

// TestSpendInArrears: what is used for AI beyond what is free and was bought is
// billed with the month, up to the limit that the workspace has set itself.
func TestSpendInArrears(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		it.toMonth(t, 1)
		must(t, func() error { _, err := it.Billing.CloseMonths(t.Context()); return err })
		credit, err := it.Billing.BuyCredit(t.Context(), it.w, 2_000_000_000, "request 1")
		if err != nil {
			t.Fatal(err)
		}
		if again, err := it.Billing.BuyCredit(t.Context(), it.w, 2_000_000_000, "request 1"); err != nil || again.ID != credit.ID {
			t.Fatalf("a repeat buys %+v (%v), want %s again", again, err, credit.ID)
		}
		use := func(name string, nano int64, at time.Time) {
			t.Helper()
			must(t, func() error {
				return it.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
					return it.Meter.Add(ctx, tx, []plan.Usage{{ID: name, Workspace: it.w, Type: plan.AISpend, Value: nano, At: at}})
				})
			})
		}
		month := it.Clock.Now()
		use("one", 6_500_000_000, month) // 5 are free, 2 were bought
		upcoming := func() (total plan.Cents) {
			_, lines, err := it.Billing.Upcoming(t.Context(), it.w)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lines {
				total += l.Amount
			}
			return total
		}
		if got := upcoming(); got != 0 {
			t.Errorf("within what is free and was bought, %s are upcoming", got)
		}
		use("two", 4_000_000_000, month) // 3.50 beyond, for which no limit was set
		if got := upcoming(); got != 0 {
			t.Errorf("beyond what the workspace agreed to, %s are upcoming", got)
		}
		twenty := int64(20_000_000_000)
		must(t, func() error { return it.Meter.SetQuota(t.Context(), it.w, plan.AISpend, &twenty) })
		if got := upcoming(); got != 350 {
			t.Errorf("%s are upcoming, want 3.50", got)
		}
		it.toMonth(t, 1)
		must(t, func() error { _, err := it.Billing.CloseMonths(t.Context()); return err })
		use("late", 1_000_000_000, month)
		it.toMonth(t, 1)
		must(t, func() error { _, err := it.Billing.CloseMonths(t.Context()); return err })
		it.toMonth(t, 1)
		must(t, func() error { _, err := it.Billing.CloseMonths(t.Context()); return err })
		list := it.invoices(t, it.w)
		if len(list) != 3 || list[1].Total != 350 || list[0].Total != 100 || list[2].ID != credit.Invoice || list[2].Total != 200 {
			t.Errorf("the invoices are %+v, want the credit, the month, and what was told late", list)
		}
	})
}

// TestRecharge: an add-on that is used up is bought by itself, for the month when it
// is there anew every month, and up to the spending limit.
func TestRecharge(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		it.toMonth(t, 1)
		must(t, func() error {
			_, err := it.Billing.SetRecharges(t.Context(), it.w, map[string]billing.Recharge{"messages_events_addon": {Enabled: true, Threshold: 80}})
			return err
		})
		use := func(name string, n int64) {
			t.Helper()
			must(t, func() error {
				return it.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
					return it.Meter.Add(ctx, tx, []plan.Usage{{ID: name, Workspace: it.w, Type: plan.InvocationCalls, Value: n, At: it.Clock.Now()}})
				})
			})
			must(t, func() error { return it.Billing.RechargeAddons(t.Context()) })
		}
		quantity := func() int64 {
			t.Helper()
			sub, err := it.Billing.Subscription(t.Context(), it.w)
			if err != nil {
				t.Fatal(err)
			}
			if len(sub.Addons) == 0 {
				return 0
			}
			if next := *sub.Addons[0].Next; next != 0 {
				t.Errorf("the next month has %d", next)
			}
			return sub.Addons[0].Quantity
		}
		use("one", 399) // of 500
		if n := quantity(); n != 0 {
			t.Errorf("before four fifths are used %d are bought", n)
		}
		use("two", 1)
		if n := quantity(); n != 1 {
			t.Errorf("%d are bought, want one", n)
		}
		must(t, func() error { return it.Billing.RechargeAddons(t.Context()) })
		if n := quantity(); n != 1 {
			t.Errorf("without more use %d are had, want one", n)
		}
		for i := range 10 {
			use("more"+string(rune('a'+i)), 5_000)
		}
		// 20.00 each, up to 100.00.
		if n := quantity(); n != 5 {
			t.Errorf("%d are bought, want 5: the spending limit is 100.00", n)
		}
		settings, err := it.Billing.Recharges(t.Context(), it.w)
		if r := settings["messages_events_addon"]; err != nil || r.Enabled || r.DisabledReason == "" {
			t.Errorf("the setting is %+v (%v), want it off with a reason", r, err)
		}
	})
}

// TestRechargeOfFixedQuota: where the operator or the members have set a quota, an add-on
// raises nothing. None is bought, and the setting says why.
func TestRechargeOfFixedQuota(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		few := int64(10)
		must(t, func() error { return it.Meter.SetQuota(t.Context(), it.w, plan.InvocationCalls, &few) })
		must(t, func() error { return it.Meter.SetSpending(t.Context(), it.w, 10_00) })
		must(t, func() error {
			_, err := it.Billing.SetRecharges(t.Context(), it.w, map[string]billing.Recharge{"messages_events_addon": {Enabled: true}, "ai_credits_addon": {Enabled: true}})
			return err
		})
		must(t, func() error {
			return it.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				return it.Meter.Add(ctx, tx, []plan.Usage{
					{Workspace: it.w, Type: plan.InvocationCalls, Value: 10, At: it.Clock.Now()},
					{Workspace: it.w, Type: plan.AISpend, Value: 10_000_000_000, At: it.Clock.Now()},
				})
			})
		})
		must(t, func() error { return it.Billing.RechargeAddons(t.Context()) })
		if list := it.invoices(t, it.w); len(list) != 0 {
			t.Errorf("what would not have raised the quota was bought: %+v", list)
		}
		settings, err := it.Billing.Recharges(t.Context(), it.w)
		for name, r := range settings {
			if r.Enabled || !strings.Contains(r.DisabledReason, "would not raise it") {
				t.Errorf("%s is %+v (%v), want it off with a reason", name, r, err)
			}
		}
	})
}

// TestRechargeSetMeanwhile: a setting of auto-recharge that is changed while a recharge fails
// is not switched off for the failure of the one before.
func TestRechargeSetMeanwhile(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		few := int64(10)
		must(t, func() error { return it.Meter.SetQuota(t.Context(), it.w, plan.InvocationCalls, &few) })
		it.use(t, plan.InvocationCalls, 10)
		set := func(threshold int) {
			must(t, func() error {
				_, err := it.Billing.SetRecharges(t.Context(), it.w, map[string]billing.Recharge{"messages_events_addon": {Enabled: true, Threshold: threshold}})
				return err
			})
		}
		set(50)
		it.Billing.Usage = &watched{it.Meter, sync.OnceFunc(func() { set(60) })}
		for _, enabled := range []bool{true, false} {
			must(t, func() error { return it.Billing.RechargeAddons(t.Context()) })
			settings, err := it.Billing.Recharges(t.Context(), it.w)
			if r := settings["messages_events_addon"]; err != nil || r.Enabled != enabled || r.Threshold != 60 {
				t.Errorf("the setting is %+v (%v), want it enabled %t, at 60", r, err, enabled)
			}
		}
	})
}

// watched has something happen when usage is first looked at.
type watched struct {
	*meter.Service
	looked func()
}

func (w *watched) Used(ctx context.Context, q db.Querier, of id.Workspace, t plan.Type, month time.Time) (int64, error) {
	w.looked()
	return w.Service.Used(ctx, q, of, t, month)
}

// TestRechargeOfSmallQuota: of a quota of one, nine tenths are one.
func TestRechargeOfSmallQuota(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		must(t, func() error {
			_, err := it.Billing.SetRecharges(t.Context(), it.w, map[string]billing.Recharge{"bot_addon": {Enabled: true}})
			return err
		})
		for used, want := range []int64{0, 1} {
			must(t, func() error {
				return it.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error { return it.Meter.Bots(ctx, tx, it.w, int64(used)) })
			})
			for range 2 {
				must(t, func() error { return it.Billing.RechargeAddons(t.Context()) })
			}
			sub, err := it.Billing.Subscription(t.Context(), it.w)
			if got := sub.Addons; err != nil || len(got) != int(want) || want > 0 && got[0].Quantity != want {
				t.Errorf("with %d bots of one the add-ons are %+v (%v), want %d", used, got, err, want)
			}
		}
	})
}

// TestRechargeAtOnce: servers that see at once that an add-on is used up buy one.
func TestRechargeAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		it.toMonth(t, 1)
		must(t, func() error {
			_, err := it.Billing.SetRecharges(t.Context(), it.w, map[string]billing.Recharge{"messages_events_addon": {Enabled: true}})
			return err
		})
		must(t, func() error {
			return it.DB.Tx(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				return it.Meter.Add(ctx, tx, []plan.Usage{{Workspace: it.w, Type: plan.InvocationCalls, Value: 500, At: it.Clock.Now()}})
			})
		})
		var servers sync.WaitGroup
		for range 6 {
			servers.Go(func() {
				if err := it.Billing.RechargeAddons(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		servers.Wait()
		sub, err := it.Billing.Subscription(t.Context(), it.w)
		if err != nil || len(sub.Addons) != 1 || sub.Addons[0].Quantity != 1 || len(it.invoices(t, it.w)) != 1 {
			t.Errorf("the add-ons are %+v with %d invoices (%v), want one of each", sub.Addons, len(it.invoices(t, it.w)), err)
		}
	})
}

// TestVoid: a void invoice gives back what it took from the balance, and what it was
// for is not paid out later.
func TestVoid(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() installation) {
		it := open()
		it.toMonth(t, 1)
		must(t, func() error { _, err := it.Billing.AssignPlan(t.Context(), it.w, plan.Team); return err })
		invoice := it.invoices(t, it.w)[0]
		void := func() error { _, err := it.Billing.VoidInvoice(t.Context(), invoice.ID, "in error"); return err }
		must(t, void)
		if err := void(); !fault.Is(err, fault.InvalidPayload) {
			t.Errorf("a second time it answers %v", err)
		}
		_, err := it.Billing.MarkInvoicePaid(t.Context(), invoice.ID)
		if !fault.Is(err, fault.InvalidPayload) {
			t.Errorf("to pay a void invoice answers %v", err)
		}
		sub, err := it.Billing.AssignPlan(t.Context(), it.w, plan.Managed)
		if err != nil || sub.Balance != 0 {
			t.Errorf("what was never paid is paid out: the balance is %s (%v)", sub.Balance, err)
		}
		kept, err := it.Billing.Invoice(t.Context(), it.w, invoice.ID)
		if err != nil || kept.Status != billing.Void || kept.Total != invoice.Total || len(kept.Lines) != len(invoice.Lines) {
			t.Errorf("the void invoice is %+v (%v)", kept, err)
		}
	})
}
