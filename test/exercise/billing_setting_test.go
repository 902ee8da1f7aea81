package exercise_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/workspace"
	"github.com/botyard/botyard/test/harness"
)

// withRole is another person, in the actor's workspace with a role.
func withRole(t *testing.T, s *harness.Server, a *harness.Actor, role string) *harness.Actor {
	t.Helper()
	other := s.Person(t)
	addMember(t, a, other.Email, role)
	return other.In(a.Workspace)
}

// TestCatalogueOfPlans: each of the list is what it is by its id, and what is not in it
// is not there, however it is spelt.
func TestCatalogueOfPlans(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t).In("")
		for list, least := range map[string]int{billingPath + "/plans": 4, billingPath + "/addons": 5} {
			var all []object
			a.Do(t, "GET", list, nil, &all)
			if len(all) < least {
				t.Errorf("%s has %d", list, len(all))
			}
			for _, of := range all {
				var one object
				a.Do(t, "GET", list+"/"+of["id"].(string), nil, &one)
				if diff := cmp.Diff(of, one); diff != "" {
					t.Errorf("%s by its id is another (-list +one):\n%s", of["id"], diff)
				}
			}
			first := all[0]["id"].(string)
			for _, wrong := range []string{"gold", strings.ToUpper(first), first + " ", "..", "é\n", long(3000)} {
				a.Refused(t, fault.ResourceNotFound, []string{"There is no "}, "GET", list+"/"+url.PathEscape(wrong), nil)
			}
		}
	})
}

// TestBillingAddress: an address replaces the one before as a whole, is the
// workspace's own, and is refused as a whole too.
func TestBillingAddress(t *testing.T) {
	const path = billingPath + "/address"
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, stranger := s.Person(t), s.Person(t)
		of := func(who *harness.Actor) any {
			var out struct{ Address any }
			who.Do(t, "GET", path, nil, &out)
			return out.Address
		}
		if of(a) != nil {
			t.Fatalf("a new workspace has the address %v", of(a))
		}
		a.Do(t, "PUT", path, object{"lineOne": "  Λεωφόρος 1 ", "lineTwo": "2. Stock", "city": "Αθήνα", "state": "Αττική", "postalCode": "105 57", "country": "gr"}, nil)
		want := object{"lineOne": "Λεωφόρος 1", "lineTwo": "2. Stock", "city": "Αθήνα", "state": "Αττική", "postalCode": "105 57", "country": "GR"}
		if diff := cmp.Diff(any(want), of(a)); diff != "" {
			t.Errorf("the address (-want +got):\n%s", diff)
		}
		if of(stranger) != nil {
			t.Errorf("another workspace has it too: %v", of(stranger))
		}
		short := object{"lineOne": "1 Main St", "city": "Town", "postalCode": "1", "country": "US"}
		a.Do(t, "PUT", path, short, nil)
		if diff := cmp.Diff(any(short), of(a)); diff != "" {
			t.Errorf("something of the address before is left (-want +got):\n%s", diff)
		}
		without := func(member string, value any) object {
			changed := object{}
			for k, v := range short {
				changed[k] = v
			}
			if changed[member] = value; value == nil {
				delete(changed, member)
			}
			return changed
		}
		refuses(t, a, "PUT", path, []refusal{
			{"nothing", object{}, fault.InvalidPayload, []string{"lineOne"}},
			{"no city", without("city", nil), fault.InvalidPayload, []string{"city"}},
			{"an empty line", without("lineOne", ""), fault.InvalidPayload, []string{"lineOne"}},
			{"a line of spaces", without("lineOne", " \t "), fault.InvalidPayload, []string{"lineOne"}},
			{"a long line", without("lineTwo", long(201)), fault.InvalidPayload, []string{"lineTwo", "201"}},
			{"a country by name", without("country", "France"), fault.InvalidPayload, []string{"country"}},
			{"a number", without("postalCode", 75001), fault.InvalidPayload, []string{"postalCode"}},
			{"no object", "[]", fault.InvalidPayload, nil},
		})
		if diff := cmp.Diff(any(short), of(a)); diff != "" {
			t.Errorf("a refused address changed something (-want +got):\n%s", diff)
		}
		viewer := withRole(t, s, a, "viewer")
		viewer.Refused(t, fault.Forbidden, []string{"viewer"}, "GET", path, nil)
		viewer.Refused(t, fault.Forbidden, []string{"viewer"}, "PUT", path, short)
	})
}

// TestReadonlyBilling: what the operator has said that members may not change, they
// are told of and cannot change.
func TestReadonlyBilling(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		says := func() (out struct{ PlanReadonly, AddonsReadonly bool }) {
			a.Do(t, "GET", billingPath+"/readonly", nil, &out)
			return out
		}
		setPlan(t, s, a, workspace.Plus)
		if got := says(); got.PlanReadonly || got.AddonsReadonly {
			t.Errorf("a new workspace: %+v", got)
		}
		yes := true
		if _, err := s.Billing.SetReadonly(t.Context(), workspaceID(a), &yes, &yes); err != nil {
			t.Fatal(err)
		}
		if got := says(); !got.PlanReadonly || !got.AddonsReadonly {
			t.Errorf("after the operator: %+v", got)
		}
		a.Refused(t, fault.Forbidden, nil, "PUT", billingPath+"/plans", object{"planId": "team", "interval": "month"})
		a.Refused(t, fault.Forbidden, nil, "PATCH", billingPath+"/addons", object{"addons": object{"bot_addon": 1}})
	})
}

// TestAutoRechargeSettings: those that are not named are kept, and a request with one
// wrong setting changes none.
func TestAutoRechargeSettings(t *testing.T) {
	const path = billingPath + "/auto-recharge/settings"
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, stranger := s.Person(t), s.Person(t)
		setPlan(t, s, a, workspace.Plus)
		type settings struct {
			Settings map[string]struct {
				Enabled   bool
				Threshold *int
			}
		}
		of := func(who *harness.Actor) string {
			var out settings
			who.Do(t, "GET", path, nil, &out)
			text, err := json.Marshal(out.Settings)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		if got := of(a); got != "{}" {
			t.Errorf("a new workspace has %s", got)
		}
		a.Do(t, "PUT", path, object{"settings": object{"ai_credits_addon": object{"enabled": true, "threshold": 1}}}, nil)
		a.Do(t, "PUT", path, object{"settings": object{"bot_addon": object{"enabled": true}}}, nil)
		a.Do(t, "PUT", path, object{"settings": object{}}, nil)
		want := `{"ai_credits_addon":{"Enabled":true,"Threshold":1},"bot_addon":{"Enabled":true,"Threshold":null}}`
		if got := of(a); got != want {
			t.Errorf("it has %s, want %s", got, want)
		}
		on := func(name string, threshold any) object {
			return object{"settings": object{"ai_credits_addon": object{"enabled": false}, name: object{"enabled": true, "threshold": threshold}}}
		}
		many := object{}
		for i := range 101 {
			many[long(i+1)] = object{"enabled": true}
		}
		refuses(t, a, "PUT", path, []refusal{
			{"an add-on that is none", on("gold_addon", 50), fault.ReferenceNotFound, []string{"gold_addon"}},
			{"no percent", on("bot_addon", 0), fault.InvalidPayload, []string{"threshold"}},
			{"more than all", on("bot_addon", 101), fault.InvalidPayload, []string{"threshold"}},
			{"a part of a percent", on("bot_addon", 1.5), fault.InvalidPayload, []string{"threshold"}},
			{"a word", on("bot_addon", "half"), fault.InvalidPayload, []string{"threshold"}},
			{"a hundred and one", object{"settings": many}, fault.InvalidPayload, []string{"101"}},
			{"nothing", object{}, fault.InvalidPayload, []string{"settings"}},
		})
		if got := of(a); got != want {
			t.Errorf("a refused setting changed it to %s", got)
		}
		if got := of(stranger); got != "{}" {
			t.Errorf("another workspace has %s", got)
		}
		withRole(t, s, a, "developer").Refused(t, fault.Forbidden, []string{"developer"}, "PUT", path, on("bot_addon", 50))
	})
}

// TestTrialIsRemoved: a trial that a member ends is listed as it was, and its days
// count.
func TestTrialIsRemoved(t *testing.T) {
	const path = billingPath + "/trials"
	harness.RunAlone(t, nil, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		setPlan(t, s, a, workspace.Community)
		a.Refused(t, fault.ResourceNotFound, nil, "DELETE", path, nil)
		refuses(t, a, "POST", path, []refusal{
			{"no days", object{"plan": "team", "lengthInDays": 0}, fault.InvalidPayload, []string{"lengthInDays"}},
			{"a part of a day", object{"plan": "team", "lengthInDays": 0.5}, fault.InvalidPayload, []string{"lengthInDays"}},
			{"more days than there are", object{"plan": "team", "lengthInDays": int64(1) << 60}, fault.Forbidden, []string{"30 days"}},
			{"no such plan", object{"plan": "gold", "lengthInDays": 7}, fault.ReferenceNotFound, []string{"gold"}},
			{"the plan that it has", object{"plan": "community", "lengthInDays": 7}, fault.Forbidden, nil},
		})
		a.Do(t, "POST", path, object{"plan": "team", "lengthInDays": 20}, nil)
		if _, err := development(s).Advance(12 * 24 * time.Hour); err != nil {
			t.Fatal(err)
		}
		a.Do(t, "DELETE", path, nil, nil)
		a.Refused(t, fault.ResourceNotFound, nil, "DELETE", path, nil)
		a.Refused(t, fault.Forbidden, []string{"30 days", "19 are requested"}, "POST", path, object{"plan": "team", "lengthInDays": 19})
		a.Do(t, "POST", path, object{"plan": "plus", "lengthInDays": 3}, nil)
		var out struct {
			Trials []struct {
				TrialPlan, FromPlan string
				IsActive            bool
				EndsAt              time.Time
			}
		}
		a.Do(t, "GET", path, nil, &out)
		if len(out.Trials) != 2 || out.Trials[0].TrialPlan != "team" || out.Trials[0].IsActive || out.Trials[1].TrialPlan != "plus" || !out.Trials[1].IsActive {
			t.Fatalf("the trials are %+v", out.Trials)
		}
		if now := s.Clock.Now(); out.Trials[0].EndsAt.After(now) || out.Trials[1].EndsAt.Sub(now) > 3*24*time.Hour {
			t.Errorf("they end at %v and %v, and it is %v", out.Trials[0].EndsAt, out.Trials[1].EndsAt, now)
		}
		s.Person(t).In(a.Workspace).Refused(t, fault.ResourceNotFound, nil, "GET", path, nil)
	})
}

// TestCreditGrant: credit is bought once, however often the same request comes, for
// whole cents, up to the end of the month.
func TestCreditGrant(t *testing.T) {
	const path = billingPath + "/credit-grants"
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		setPlan(t, s, a, workspace.Plus)
		before := len(invoices(t, a))
		refuses(t, a, "POST", path, []refusal{
			{"nothing", object{"amount": 0, "feature": "ai_spend"}, fault.InvalidPayload, []string{"amount"}},
			{"less", object{"amount": -1, "feature": "ai_spend"}, fault.InvalidPayload, []string{"amount"}},
			{"a part of a nano-dollar", object{"amount": 0.5, "feature": "ai_spend"}, fault.InvalidPayload, []string{"amount"}},
			{"more than a number holds", `{"amount":9223372036854775808,"feature":"ai_spend"}`, fault.InvalidPayload, []string{"amount"}},
			{"another feature", object{"amount": 1, "feature": "bot_count"}, fault.InvalidPayload, []string{"feature"}},
		})
		if n := len(invoices(t, a)); n != before {
			t.Fatalf("refused purchases made %d invoices", n-before)
		}
		type grant struct {
			ID, Invoice_id, Workspace_id, Feature string
			Amount                                float64
			Period_start, Period_end              time.Time
		}
		var first, again grant
		body := object{"amount": 1_000_000_001, "feature": "integration_spend"}
		a.Do(t, "POST", path, body, &first, "Idempotency-Key", "grant "+a.Account)
		a.Do(t, "POST", path, body, &again, "Idempotency-Key", "grant "+a.Account)
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("the repeat was answered otherwise (-first +again):\n%s", diff)
		}
		end := first.Period_end
		if first.Workspace_id != a.Workspace || first.Feature != "integration_spend" || end.Day() != 1 || end.Hour() != 0 || end.Sub(first.Period_start) > 31*24*time.Hour {
			t.Errorf("the grant is %+v", first)
		}
		list := invoices(t, a)
		if len(list) != before+1 || list[0].ID != first.Invoice_id || inCents(list[0].Amount) != 101 {
			t.Errorf("a dollar and a part of a cent made the invoices %+v", list)
		}
		withRole(t, s, a, "viewer").Refused(t, fault.Forbidden, []string{"viewer"}, "POST", path, body)
	})
}

// TestPreviewChangesNothing: a preview is answered as the change then is, and leaves
// everything as it was.
func TestPreviewChangesNothing(t *testing.T) {
	const path = billingPath + "/subscriptions/preview"
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		setPlan(t, s, a, workspace.Community)
		state := func() string {
			var sub json.RawMessage
			a.Do(t, "GET", billingPath+"/subscriptions", nil, &sub)
			return a.State(t) + string(sub)
		}
		before := state()
		body := object{"plan": object{"planId": "team", "interval": "year"}, "addons": object{"bot_addon": 3}}
		var preview struct {
			ChangeType string
			Costs      struct {
				Immediate struct{ Total, AmountDue float64 }
			}
		}
		a.Do(t, "POST", path, body, &preview)
		if preview.ChangeType != "upgrade" || preview.Costs.Immediate.Total <= 0 || preview.Costs.Immediate.AmountDue != preview.Costs.Immediate.Total {
			t.Errorf("the preview is %+v", preview)
		}
		for _, r := range []refusal{
			{"no such plan", object{"plan": object{"planId": "gold", "interval": "month"}}, fault.ReferenceNotFound, []string{"gold"}},
			{"no such interval", object{"plan": object{"planId": "team", "interval": "week"}}, fault.InvalidPayload, []string{"interval"}},
			{"a part of an add-on", object{"plan": object{"planId": "team", "interval": "month"}, "addons": object{"bot_addon": 0.5}}, fault.InvalidPayload, []string{"0.5"}},
			{"less than none", object{"plan": object{"planId": "team", "interval": "month"}, "addons": object{"bot_addon": -1}}, fault.InvalidPayload, []string{"-1"}},
			{"a coupon that is none", object{"plan": object{"planId": "team", "interval": "month"}, "couponCode": "NONE"}, fault.ReferenceNotFound, []string{"NONE"}},
			{"no plan", object{}, fault.InvalidPayload, []string{"plan"}},
		} {
			a.Refused(t, r.kind, r.words, "POST", path, r.body)
		}
		if after := state(); after != before {
			t.Errorf("a preview changed something:\n%s\nwas\n%s", after, before)
		}
		a.Do(t, "PUT", billingPath+"/plans", body["plan"], nil)
		a.Do(t, "PATCH", billingPath+"/addons", object{"addons": body["addons"]}, nil)
		var charged int64
		for _, i := range invoices(t, a) {
			charged += inCents(i.Amount)
		}
		// Some seconds have passed, of which a month has two million.
		if want := inCents(preview.Costs.Immediate.Total); charged > want || charged < want-want/1000 {
			t.Errorf("%d cents were charged, %d previewed", charged, want)
		}
	})
}
