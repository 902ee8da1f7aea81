package exercise_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/workspace"
	"github.com/botyard/botyard/test/harness"
)

const billingPath = "/v2/billing"

type invoice struct {
	ID                     string
	Amount                 float64
	Status                 string
	PeriodStart, PeriodEnd string
	CreatedAt, DueDate     string
}

func invoices(t *testing.T, a *harness.Actor) []invoice {
	t.Helper()
	var out struct{ Invoices []invoice }
	a.Do(t, "GET", billingPath+"/invoices?pageSize=100", nil, &out)
	return out.Invoices
}

type subscription struct {
	Plan struct {
		Current struct {
			PlanID, Interval, PeriodEnd, Status string
			CancelAtPeriodEnd                   bool
		}
		Next *struct{ PlanID, Interval, EffectiveDate string }
	}
	Addons map[string]struct {
		Current struct{ Quantity, Price float64 }
		Next    *struct{ Quantity float64 }
	}
	Discounts []struct {
		CouponID string
		End      *string
	}
}

// withPlans is a server of its own whose catalogue has coupons and a tax.
func withPlans(t *testing.T) []string {
	t.Helper()
	text := strings.Replace(plan.Published(), "coupons: []", `coupons:
  - {id: half, code: HALF, name: Launch, percent_off: 50, duration: once}
  - {id: ten, code: TEN, amount_off: 10, duration: repeating, months: 2}`, 1)
	text = strings.Replace(text, `name: "", basis_points: 0`, "name: VAT, basis_points: 1000", 1)
	path := filepath.Join(t.TempDir(), "plans.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--plans", path}
}

// toMonth moves the clock of a server to just after the first of a month to come.
func toMonth(t *testing.T, s *harness.Server, months int) {
	t.Helper()
	now := s.Clock.Now()
	first := time.Date(now.Year(), now.Month()+time.Month(months), 1, 0, 0, 1, 0, time.UTC)
	if _, err := development(s).Advance(first.Sub(now)); err != nil {
		t.Fatal(err)
	}
}

func inCents(dollars float64) int64 { return int64(math.Round(dollars * 100)) }

// TestMonthsAreClosed: after three months without a server to notice, each has its
// invoice, in order, by the job alone; a reduction has taken effect, the balance and
// the coupon were used, the tax is on it, and nothing is billed again.
func TestMonthsAreClosed(t *testing.T) {
	harness.RunAlone(t, withPlans(t), func(t *testing.T, s *harness.Server) {
		a, bystander := s.Person(t), s.Person(t)
		setPlan(t, s, a, workspace.Community)
		toMonth(t, s, 1)
		var sub subscription
		a.Do(t, "PUT", billingPath+"/plans", object{"planId": "plus", "interval": "month", "couponCode": "ten"}, &sub)
		a.Do(t, "PATCH", billingPath+"/addons", object{"addons": object{"bot_addon": 3}}, nil)
		a.Do(t, "PATCH", billingPath+"/addons", object{"addons": object{"bot_addon": 1}}, &sub)
		if len(sub.Discounts) != 1 || sub.Addons["bot_addon"].Current.Quantity != 3 || sub.Addons["bot_addon"].Next.Quantity != 1 {
			t.Fatalf("the subscription is %+v", sub)
		}
		var upcoming struct{ Total float64 }
		a.Do(t, "GET", workspacesPath+"/"+a.Workspace+"/billing/upcoming-invoice", nil, &upcoming)
		if inCents(upcoming.Total) != 9_790 { // (89 + 10 − 10) and a tenth
			t.Errorf("the next month is to cost %v, want 97.90", upcoming.Total)
		}
		before := invoices(t, a)
		toMonth(t, s, 3)
		harness.Eventually(t, "three invoices", func() bool { return len(invoices(t, a)) == len(before)+3 })
		list := invoices(t, a)
		// The coupon lasts two months, from the first second of one: it is off the
		// second month and the third, which begins before it ends.
		var amounts []int64
		var periods []string
		for _, i := range list[:3] {
			amounts, periods = append(amounts, inCents(i.Amount)), append(periods, i.PeriodStart[:10])
			if i.Status != "open" || i.DueDate <= i.CreatedAt {
				t.Errorf("the invoice is %+v", i)
			}
		}
		if diff := cmp.Diff([]int64{10_890, 9_790, 9_790}, amounts); diff != "" {
			t.Errorf("the three months, the newest first (-want +got):\n%s", diff)
		}
		if !(periods[0] > periods[1] && periods[1] > periods[2]) {
			t.Errorf("the months are %v", periods)
		}
		if n, err := s.Billing.CloseMonths(t.Context()); err != nil || n != 0 {
			t.Errorf("%d workspaces were closed again (%v)", n, err)
		}
		if again := invoices(t, a); len(again) != len(list) {
			t.Errorf("there are %d invoices, were %d", len(again), len(list))
		}
		if n := len(invoices(t, bystander)); n != 0 {
			t.Errorf("a workspace that pays for nothing has %d invoices", n)
		}
	})
}

// TestDowngradeAtTheEnd: what was paid for is had to its end.
func TestDowngradeAtTheEnd(t *testing.T) {
	harness.RunAlone(t, nil, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		setPlan(t, s, a, workspace.Team)
		createBot(t, a, object{})
		createBot(t, a, object{})
		var sub subscription
		a.Do(t, "POST", billingPath+"/subscriptions/cancel", object{}, &sub)
		if !sub.Plan.Current.CancelAtPeriodEnd || sub.Plan.Next == nil || sub.Plan.Next.PlanID != "community" {
			t.Fatalf("the subscription is %+v", sub)
		}
		createBot(t, a, object{}) // team allows three
		toMonth(t, s, 1)
		harness.Eventually(t, "the plan community", func() bool {
			var w struct{ Plan string }
			a.Do(t, "GET", workspacesPath+"/"+a.Workspace, nil, &w)
			return w.Plan == "community"
		})
		a.Refused(t, fault.QuotaExceeded, []string{"community"}, "POST", botsPath, object{})
		a.Do(t, "GET", billingPath+"/subscriptions", nil, &sub)
		if sub.Plan.Current.PlanID != "community" || sub.Plan.Next != nil || sub.Plan.Current.CancelAtPeriodEnd {
			t.Errorf("the subscription is %+v", sub)
		}
	})
}

// TestTrialEnds: a trial ends by itself, and by a change of the plan.
func TestTrialEnds(t *testing.T) {
	harness.RunAlone(t, nil, func(t *testing.T, s *harness.Server) {
		planOf := func(a *harness.Actor) (plan string, trial any) {
			var w object
			a.Do(t, "GET", workspacesPath+"/"+a.Workspace, nil, &w)
			return w["plan"].(string), w["activeTrialId"]
		}
		ends, buys := s.Person(t), s.Person(t)
		for _, a := range []*harness.Actor{ends, buys} {
			setPlan(t, s, a, workspace.Community)
			a.Do(t, "POST", billingPath+"/trials", object{"plan": "team", "lengthInDays": 7}, nil)
			a.Do(t, "PATCH", billingPath+"/addons", object{"addons": object{"bot_addon": 1}}, nil)
			if plan, trial := planOf(a); plan != "team" || trial == nil {
				t.Fatalf("in a trial the plan is %s, trial %v", plan, trial)
			}
		}
		buys.Do(t, "PUT", billingPath+"/plans", object{"planId": "plus", "interval": "month"}, nil)
		if plan, trial := planOf(buys); plan != "plus" || trial != nil {
			t.Errorf("after buying the plan is %s, trial %v", plan, trial)
		}
		if _, err := development(s).Advance(7*24*time.Hour + time.Second); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "the end of the trial", func() bool { plan, trial := planOf(ends); return plan == "community" && trial == nil })
		if plan, _ := planOf(buys); plan != "plus" {
			t.Errorf("the one that bought is on %s", plan)
		}
		ends.Refused(t, fault.Forbidden, []string{"30", "23"}, "POST", billingPath+"/trials", object{"plan": "team", "lengthInDays": 24})
		ends.Do(t, "POST", billingPath+"/trials", object{"plan": "team", "lengthInDays": 23}, nil)
	})
}

// TestBillingRefuses: what a member may get wrong changes nothing.
func TestBillingRefuses(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		setPlan(t, s, a, workspace.Plus)
		requests := int64(100_000) // this test asks more often than the plan allows
		if err := s.Meter.SetQuota(t.Context(), workspaceID(a), plan.WorkspaceRatelimit, &requests); err != nil {
			t.Fatal(err)
		}
		before := invoices(t, a)
		refuses(t, a, "PUT", billingPath+"/plans", []refusal{
			{"nothing", object{}, fault.InvalidPayload, []string{"planId"}},
			{"no plan", object{"planId": "gold", "interval": "month"}, fault.ReferenceNotFound, []string{"gold"}},
			{"no interval", object{"planId": "plus", "interval": "week"}, fault.InvalidPayload, []string{"interval"}},
			{"not for sale", object{"planId": "enterprise", "interval": "month"}, fault.Forbidden, []string{"enterprise", "operator"}},
			{"for nothing", object{"planId": "managed", "interval": "month"}, fault.Forbidden, []string{"managed"}},
			{"a number", object{"planId": 1, "interval": "month"}, fault.InvalidPayload, []string{"planId"}},
			{"no coupon", object{"planId": "team", "interval": "month", "couponCode": "é" + long(300)}, fault.ReferenceNotFound, []string{"coupon"}},
		})
		refuses(t, a, "PATCH", billingPath+"/addons", []refusal{
			{"nothing", object{}, fault.InvalidPayload, []string{"addons"}},
			{"a part", object{"addons": object{"bot_addon": 0.5}}, fault.InvalidPayload, []string{"0.5"}},
			{"less than none", object{"addons": object{"bot_addon": -1}}, fault.InvalidPayload, []string{"-1"}},
			{"too many", object{"addons": object{"bot_addon": 10_001}}, fault.InvalidPayload, []string{"10001"}},
			{"beyond numbers", `{"addons":{"bot_addon":1e300}}`, fault.InvalidPayload, []string{"bot_addon"}},
			{"not for sale", object{"addons": object{"enterprise_ai_token": 1}}, fault.Forbidden, []string{"enterprise_ai_token"}},
			{"one wrong of two", object{"addons": object{"bot_addon": 1, "zzz": 1}}, fault.ReferenceNotFound, []string{"zzz"}},
			{"text", object{"addons": object{"bot_addon": "1"}}, fault.InvalidPayload, []string{"bot_addon"}},
		})
		refuses(t, a, "PUT", billingPath+"/address", []refusal{
			{"blank", object{"lineOne": "  ", "city": "c", "postalCode": "p", "country": "CA"}, fault.InvalidPayload, []string{"lineOne"}},
			{"long", object{"lineOne": long(201), "city": "c", "postalCode": "p", "country": "CA"}, fault.InvalidPayload, []string{"lineOne"}},
			{"no country", object{"lineOne": "l", "city": "c", "postalCode": "p", "country": "C4"}, fault.InvalidPayload, []string{"country"}},
		})
		refuses(t, a, "POST", billingPath+"/credit-grants", []refusal{
			{"none", object{"amount": 0, "feature": "ai_spend"}, fault.InvalidPayload, []string{"amount"}},
			{"too much", object{"amount": 10_000_000_000_001, "feature": "ai_spend"}, fault.InvalidPayload, []string{"amount"}},
			{"another feature", object{"amount": 5, "feature": "bot_count"}, fault.InvalidPayload, []string{"feature"}},
		})
		refuses(t, a, "POST", billingPath+"/trials", []refusal{
			{"no days", object{"plan": "team", "lengthInDays": 0}, fault.InvalidPayload, []string{"lengthInDays"}},
			{"for ever", object{"plan": "team", "lengthInDays": math.MaxInt32}, fault.Forbidden, []string{"30"}},
			{"what it has", object{"plan": "plus", "lengthInDays": 7}, fault.InvalidPayload, []string{"plus"}},
			{"no plan", object{"plan": "gold", "lengthInDays": 7}, fault.ReferenceNotFound, []string{"gold"}},
		})
		refuses(t, a, "PUT", billingPath+"/auto-recharge/settings", []refusal{
			{"too late", object{"settings": object{"bot_addon": object{"enabled": true, "threshold": 101}}}, fault.InvalidPayload, []string{"threshold"}},
			{"not for sale", object{"settings": object{"enterprise_ai_token": object{"enabled": true}}}, fault.Forbidden, []string{"enterprise_ai_token"}},
		})
		if diff := cmp.Diff(before, invoices(t, a)); diff != "" {
			t.Errorf("refused requests left invoices:\n%s", diff)
		}
	})
}

// TestBuyingAtOnce: many members buying at the same time pay for what is had, once
// each, and the numbers of the invoices have no gap.
func TestBuyingAtOnce(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, b := s.Person(t), s.Person(t)
		for _, who := range []*harness.Actor{a, b} {
			setPlan(t, s, who, workspace.Community)
		}
		const buyers = 24
		harness.Together(t, buyers, func(i int) error {
			who := []*harness.Actor{a, b}[i%2]
			_, err := try(t, who, "PATCH", billingPath+"/addons", object{"addons": object{"bot_addon": 12}}, 200)
			return err
		})
		numbers := map[int64]bool{}
		for _, who := range []*harness.Actor{a, b} {
			list, _, err := s.Billing.Invoices(t.Context(), id.Workspace(who.Workspace), db.Page{Size: 100})
			if err != nil || len(list) != 1 {
				t.Fatalf("there are %d invoices (%v), want one", len(list), err)
			}
			if list[0].Lines[0].Quantity != 12 {
				t.Errorf("the invoice is for %+v", list[0].Lines)
			}
			numbers[list[0].Number] = true
		}
		if len(numbers) != 2 {
			t.Errorf("the numbers are %v", numbers)
		}
	})
}

// TestInvoicesOutliveTheirWorkspace: the operator's books keep them, nobody else
// reads them any more.
func TestInvoicesOutliveTheirWorkspace(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		a.Do(t, "PUT", billingPath+"/address", object{"lineOne": "1 Main Street", "city": "Montréal", "postalCode": "H2X", "country": "ca"}, nil)
		setPlan(t, s, a, workspace.Plus)
		list := invoices(t, a)
		if len(list) != 1 {
			t.Fatalf("there are %d invoices, want one", len(list))
		}
		a.Do(t, "DELETE", workspacesPath+"/"+a.Workspace, nil, nil)
		kept, err := s.Billing.Invoice(t.Context(), id.Workspace(a.Workspace), id.Invoice(list[0].ID))
		if err != nil || kept.BillTo.Address == nil || kept.BillTo.Address.Country != "CA" || kept.BillTo.Email != a.Email {
			t.Errorf("the invoice is %+v (%v)", kept, err)
		}
		a.Refused(t, fault.ResourceNotFound, nil, "GET", billingPath+"/invoices", nil)
	})
}

// TestForeignBilling: another's workspace answers as one that is not there.
func TestForeignBilling(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, b := s.Person(t), s.Person(t)
		setPlan(t, s, b, workspace.Plus)
		for _, path := range []string{"/subscriptions", "/invoices", "/address", "/readonly", "/trials", "/auto-recharge/settings"} {
			foreign := a.In(b.Workspace).Ask(t, "GET", billingPath+path, nil)
			missing := a.In("wkspace_01J00000000000000000000000").Ask(t, "GET", billingPath+path, nil)
			same := strings.ReplaceAll(foreign.WithoutID(), b.Workspace, "W") == strings.ReplaceAll(missing.WithoutID(), "wkspace_01J00000000000000000000000", "W")
			if foreign.Status != 404 || !same {
				t.Errorf("%s: foreign %s, missing %s", path, foreign.Body, missing.Body)
			}
		}
		var out json.RawMessage
		a.Do(t, "GET", billingPath+"/invoices", nil, &out)
		if want := `{"invoices":[],"meta":{}}`; string(out) != want {
			t.Errorf("no invoices are %s, want %s", out, want)
		}
	})
}
