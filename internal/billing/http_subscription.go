package billing

import (
	"context"
	"net/http"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/wire"
)

// CurrentPlan is the current plan of a subscription.
type CurrentPlan struct {
	Status            string   `json:"status" enum:"active,canceled,past_due,action_required,incomplete,grace_period" doc:"The status of the subscription."`
	PlanID            string   `json:"planId" doc:"The plan."`
	Interval          string   `json:"interval" enum:"month,year" doc:"The billing interval."`
	Price             float64  `json:"price" doc:"The price of one period, in US dollars."`
	ProratedPrice     *float64 `json:"proratedPrice,omitempty" doc:"The prorated price charged when the plan began within a period."`
	CancelAtPeriodEnd bool     `json:"cancelAtPeriodEnd" doc:"Whether the subscription ends with the period."`
	PeriodEnd         string   `json:"periodEnd" doc:"When the period ends."`
}

// NextPlan is the plan from the end of the period on.
type NextPlan struct {
	PlanID        string                 `json:"planId" doc:"The plan."`
	Interval      string                 `json:"interval" enum:"month,year" doc:"The billing interval."`
	Price         wire.Nullable[float64] `json:"price" doc:"The price of one period, in US dollars; null when the plan is not for sale."`
	EffectiveDate string                 `json:"effectiveDate" doc:"When it takes effect."`
}

// SubscribedPlan is the plan of a subscription.
type SubscribedPlan struct {
	Current CurrentPlan             `json:"current" doc:"The current plan."`
	Next    wire.Nullable[NextPlan] `json:"next" doc:"The plan from the end of the period on; null when it does not change."`
}

// CurrentAddon is the current quantity of an add-on.
type CurrentAddon struct {
	Quantity      float64  `json:"quantity" doc:"The quantity."`
	Price         float64  `json:"price" doc:"The price of all of them for a month, in US dollars."`
	ProratedPrice *float64 `json:"proratedPrice,omitempty" doc:"The prorated price charged for add-ons that were bought within the month."`
}

// NextAddon is the quantity of an add-on from the next cycle on.
type NextAddon struct {
	Quantity      float64 `json:"quantity" doc:"The quantity."`
	Price         float64 `json:"price" doc:"The price of all of them for a month, in US dollars."`
	EffectiveDate string  `json:"effectiveDate" doc:"When it takes effect."`
}

// SubscribedAddon is an add-on of a subscription.
type SubscribedAddon struct {
	Current CurrentAddon             `json:"current" doc:"The current quantities."`
	Next    wire.Nullable[NextAddon] `json:"next" doc:"The quantities from the next cycle on; null when they do not change."`
}

// DiscountDetails is a discount of a subscription.
type DiscountDetails struct {
	ID               string                 `json:"id" doc:"The discount's id."`
	CouponID         string                 `json:"couponId" doc:"The coupon that the discount comes from."`
	PromotionCode    wire.Nullable[string]  `json:"promotionCode" doc:"The code that was redeemed."`
	Name             wire.Nullable[string]  `json:"name" doc:"The coupon's name."`
	PercentOff       wire.Nullable[float64] `json:"percentOff" doc:"The discount in percent; null when it is an amount."`
	AmountOff        wire.Nullable[float64] `json:"amountOff" doc:"The monthly discount in US dollars; null when it is a percentage."`
	Currency         wire.Nullable[string]  `json:"currency" doc:"The currency of amountOff."`
	Duration         string                 `json:"duration" enum:"forever,once,repeating" doc:"How long the discount lasts."`
	DurationInMonths wire.Nullable[float64] `json:"durationInMonths" doc:"The number of months that a repeating discount lasts."`
	Start            string                 `json:"start" doc:"When the discount starts."`
	End              wire.Nullable[string]  `json:"end" doc:"When the discount ends; null when it does not."`
}

// SubscriptionDetails is what a workspace pays for.
type SubscriptionDetails struct {
	Plan      SubscribedPlan             `json:"plan" doc:"The plan."`
	Addons    map[string]SubscribedAddon `json:"addons" doc:"The add-ons, by id."`
	Discounts []DiscountDetails          `json:"discounts" doc:"The discounts in effect."`
}

// SetPlanBody is the body of setPlan.
type SetPlanBody struct {
	PlanID            string   `json:"planId" doc:"The requested plan."`
	Interval          string   `json:"interval" enum:"month,year" doc:"The requested billing interval."`
	TestReferenceTime *float64 `json:"testReferenceTime,omitempty" doc:"Has no effect: move the clock of a --dev installation instead."`
	CouponCode        string   `json:"couponCode,omitempty" doc:"The code of a coupon to redeem."`
}

// SetAddonsBody is the body of setAddons.
type SetAddonsBody struct {
	Addons     map[string]float64 `json:"addons" doc:"The new quantities by id; 0 removes an add-on. Add-ons that are not named keep their quantity."`
	CouponCode string             `json:"couponCode,omitempty" doc:"The code of a coupon to redeem."`
}

// WantedPlan is the plan that a preview is of.
type WantedPlan struct {
	PlanID   string `json:"planId" doc:"The plan."`
	Interval string `json:"interval" enum:"month,year" doc:"The requested billing interval."`
}

// PreviewBody is the body of previewSubscriptionUpdate.
type PreviewBody struct {
	Plan       WantedPlan         `json:"plan" doc:"The requested plan."`
	Addons     map[string]float64 `json:"addons,omitempty" doc:"The new quantities by id. Add-ons that are not named keep their quantity."`
	CouponCode string             `json:"couponCode,omitempty" doc:"The code of a coupon to redeem."`
}

// PreviewedPlan is the plan after the change.
type PreviewedPlan struct {
	PlanID        string                `json:"planId" doc:"The plan."`
	Interval      string                `json:"interval" enum:"month,year" doc:"The billing interval."`
	EffectiveDate wire.Nullable[string] `json:"effectiveDate" doc:"When it takes effect; null for immediately."`
}

// PreviewedAddon is the quantity of an add-on after the change.
type PreviewedAddon struct {
	Quantity      float64               `json:"quantity" doc:"The quantity."`
	EffectiveDate wire.Nullable[string] `json:"effectiveDate" doc:"When it takes effect; null for immediately."`
	AutoAdjusted  bool                  `json:"autoAdjusted,omitempty" doc:"Whether the quantity was reduced because the new plan includes as much."`
}

// PreviewedSubscription is the subscription after the change.
type PreviewedSubscription struct {
	Plan   PreviewedPlan             `json:"plan" doc:"The plan."`
	Addons map[string]PreviewedAddon `json:"addons" doc:"The add-ons, by id."`
}

// PreviewLine is a line of what would be charged.
type PreviewLine struct {
	Type        string   `json:"type" enum:"plan,addon,proration_credit,proration_charge,discount" doc:"The kind of line."`
	ID          string   `json:"id" doc:"The plan, add-on or coupon that the line is for."`
	Description string   `json:"description" doc:"The text shown on the invoice."`
	Amount      float64  `json:"amount" doc:"The amount in US dollars; negative for a deduction."`
	Quantity    *float64 `json:"quantity,omitempty" doc:"The quantity."`
}

// ImmediateCost is what would be charged at once.
type ImmediateCost struct {
	Total          float64       `json:"total" doc:"The sum of the line items."`
	AccountBalance float64       `json:"accountBalance" doc:"What the account balance covers, as a negative number."`
	AmountDue      float64       `json:"amountDue" doc:"The amount due."`
	LineItems      []PreviewLine `json:"lineItems" doc:"The line items."`
}

// CycleCost is what the next cycle would cost.
type CycleCost struct {
	Total     float64       `json:"total" doc:"The sum of the line items."`
	LineItems []PreviewLine `json:"lineItems" doc:"The line items."`
}

// PreviewCosts are the costs of a change.
type PreviewCosts struct {
	Immediate ImmediateCost `json:"immediate" doc:"What would be charged immediately."`
	NextCycle CycleCost     `json:"nextCycle" doc:"What the next cycle would cost, without AI spend."`
}

// PreviewDetails is the answer of previewSubscriptionUpdate.
type PreviewDetails struct {
	Subscription    PreviewedSubscription `json:"subscription" doc:"The resulting subscription."`
	ChangeType      string                `json:"changeType" enum:"upgrade,downgrade,same" doc:"The kind of change."`
	Costs           PreviewCosts          `json:"costs" doc:"The resulting costs."`
	Discounts       []DiscountDetails     `json:"discounts,omitempty" doc:"The discounts that would be in effect."`
	NextBillingDate string                `json:"nextBillingDate" doc:"When the next charge is made."`
}

type (
	subscriptionOutput struct{ Body SubscriptionDetails }
	setPlanInput       struct{ Body SetPlanBody }
	setAddonsInput     struct{ Body SetAddonsBody }
	previewInput       struct{ Body PreviewBody }
	previewOutput      struct{ Body PreviewDetails }
)

func mountSubscription(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "getSubscription", Method: http.MethodGet, Path: billingPath + "/subscriptions", Area: "billing",
		Summary: "Get the subscription", Scope: wire.InHeader, Permission: access.BillingRead,
	}, func(ctx context.Context, _ *noInput) (*subscriptionOutput, error) {
		return s.answer(s.Subscription(ctx, access.From(ctx).Workspace))
	})
	wire.Register(m, wire.Operation{
		ID: "setPlan", Method: http.MethodPut, Path: billingPath + "/plans", Area: "billing",
		Summary: "Set the plan",
		Detail:  "An upgrade takes effect immediately, with the rest of the period prorated to the second; a downgrade takes effect at the end of the period. Setting the present plan cancels a scheduled change. If the workspace has a payment method that can be charged, the charge has to succeed first.",
		Scope:   wire.InHeader, Permission: access.BillingWrite,
	}, func(ctx context.Context, in *setPlanInput) (*subscriptionOutput, error) {
		return s.answer(s.SetPlan(ctx, access.From(ctx).Workspace, Change{plan.ID(in.Body.PlanID), plan.Interval(in.Body.Interval)}, in.Body.CouponCode))
	})
	wire.Register(m, wire.Operation{
		ID: "setAddons", Method: http.MethodPatch, Path: billingPath + "/addons", Area: "billing",
		Summary: "Set the quantities of add-ons",
		Detail:  "Increases take effect immediately, with the rest of the month prorated to the second; reductions take effect next month.",
		Scope:   wire.InHeader, Permission: access.BillingWrite,
	}, func(ctx context.Context, in *setAddonsInput) (*subscriptionOutput, error) {
		quantities, err := quantitiesOf(in.Body.Addons)
		if err != nil {
			return nil, err
		}
		return s.answer(s.SetAddons(ctx, access.From(ctx).Workspace, quantities, in.Body.CouponCode))
	})
	wire.Register(m, wire.Operation{
		ID: "previewSubscriptionUpdate", Method: http.MethodPost, Path: billingPath + "/subscriptions/preview", Area: "billing",
		Summary: "Preview a change of the subscription", Detail: "Changes nothing. The change itself, made in the same second, charges the same amount.",
		Scope: wire.InHeader, Permission: access.BillingRead, Harmless: true,
	}, func(ctx context.Context, in *previewInput) (*previewOutput, error) {
		quantities, err := quantitiesOf(in.Body.Addons)
		if err != nil {
			return nil, err
		}
		v, err := s.Preview(ctx, access.From(ctx).Workspace, Change{plan.ID(in.Body.Plan.PlanID), plan.Interval(in.Body.Plan.Interval)}, quantities, in.Body.CouponCode)
		if err != nil {
			return nil, err
		}
		return &previewOutput{s.previewDetails(v)}, nil
	})
	wire.Register(m, wire.Operation{
		ID: "setCancelAtPeriodEnd", Method: http.MethodPost, Path: billingPath + "/subscriptions/cancel", Area: "billing",
		Summary: "Cancel the subscription at the end of the period", Detail: "The plan and the add-ons remain until the end of the paid period. setPlan with the present plan undoes the cancellation.",
		Scope: wire.InHeader, Permission: access.BillingWrite, WhileBlocked: true,
	}, func(ctx context.Context, _ *emptyInput) (*subscriptionOutput, error) {
		return s.answer(s.Cancel(ctx, access.From(ctx).Workspace))
	})
}

func (s *Service) answer(sub Subscription, err error) (*subscriptionOutput, error) {
	if err != nil {
		return nil, err
	}
	return &subscriptionOutput{s.details(sub)}, nil
}

func (s *Service) details(sub Subscription) SubscriptionDetails {
	of, _ := s.Plans.Plan(sub.Plan)
	price, _ := of.Price(sub.Term)
	d := SubscriptionDetails{
		Plan: SubscribedPlan{Current: CurrentPlan{
			Status: string(sub.Status), PlanID: string(sub.Plan), Interval: string(sub.Term), Price: price.Dollars(),
			ProratedPrice: sub.prorated(PlanLine, string(sub.Plan)), CancelAtPeriodEnd: sub.Canceled, PeriodEnd: text(sub.Period.End),
		}},
		Addons: map[string]SubscribedAddon{}, Discounts: s.discountsOf(sub),
	}
	if sub.Next != nil {
		next, _ := s.Plans.Plan(sub.Next.Plan)
		price, forSale := next.Price(sub.Next.Term)
		d.Plan.Next = wire.Nullable[NextPlan]{Valid: true, Value: NextPlan{
			string(sub.Next.Plan), string(sub.Next.Term), wire.Nullable[float64]{Value: price.Dollars(), Valid: forSale}, text(sub.Period.End),
		}}
	}
	for _, a := range sub.Addons {
		one := s.priceOf(sub, a.ID)
		item := SubscribedAddon{Current: CurrentAddon{
			float64(a.Quantity), (one * plan.Cents(a.Quantity)).Dollars(), sub.prorated(AddonLine, a.ID),
		}}
		if n := a.next(); n != a.Quantity {
			item.Next = wire.Nullable[NextAddon]{Valid: true, Value: NextAddon{float64(n), (one * plan.Cents(n)).Dollars(), text(sub.CycleEnd)}}
		}
		d.Addons[a.ID] = item
	}
	return d
}

// priceOf is the monthly price of one of an add-on for the workspace.
func (s *Service) priceOf(sub Subscription, addon string) plan.Cents {
	of, _ := s.Plans.Addon(addon)
	if of.Month == nil || sub.Plan == plan.Managed {
		return 0
	}
	return *of.Month
}

// prorated is what was charged for an item, when a part of it began within its period.
func (s *Subscription) prorated(kind LineKind, of string) *float64 {
	var net plan.Cents
	within := false
	for _, c := range s.Coverages {
		if c.Kind == kind && c.ID == of {
			net += c.Net
			within = within || c.From.After(monthOf(c.From).Start)
		}
	}
	if !within {
		return nil
	}
	dollars := net.Dollars()
	return &dollars
}

func (s *Service) discountsOf(sub Subscription) []DiscountDetails {
	list := []DiscountDetails{}
	for _, d := range sub.Discounts {
		if !d.End.IsZero() && !s.Clock.Now().Before(d.End) {
			continue
		}
		details := DiscountDetails{
			ID: d.ID, CouponID: d.Coupon, PromotionCode: wordOr(d.Code), Name: wordOr(d.Name),
			PercentOff: numberOr(float64(d.Percent)), AmountOff: numberOr(d.Amount.Dollars()),
			Duration: string(d.Duration), DurationInMonths: numberOr(float64(d.Months)), Start: text(d.Start), End: textOr(d.End),
		}
		if d.Amount > 0 {
			details.Currency = wordOr(s.Plans.Currency)
		}
		list = append(list, details)
	}
	return list
}

func (s *Service) previewDetails(v Preview) PreviewDetails {
	after := v.Proposal.Subscription
	d := PreviewDetails{
		Subscription: PreviewedSubscription{
			Plan: PreviewedPlan{PlanID: string(after.Plan), Interval: string(after.Term)}, Addons: map[string]PreviewedAddon{},
		},
		ChangeType: string(v.Proposal.Direction), Discounts: s.discountsOf(v.Now.Subscription), NextBillingDate: text(v.At),
	}
	if after.Next != nil {
		d.Subscription.Plan = PreviewedPlan{string(after.Next.Plan), string(after.Next.Term), textOr(after.Period.End)}
	}
	for _, a := range after.Addons {
		item := PreviewedAddon{Quantity: float64(a.next()), AutoAdjusted: v.Proposal.Adjusted[a.ID]}
		if a.next() != a.Quantity {
			item.EffectiveDate = textOr(after.CycleEnd)
		}
		d.Subscription.Addons[a.ID] = item
	}
	now := &d.Costs.Immediate
	now.LineItems, now.Total = previewLines(v.Now.Lines)
	now.AmountDue = v.Now.Total.Dollars()
	if used := v.Before.Balance - v.Now.Subscription.Balance; used > 0 {
		now.AccountBalance = -used.Dollars()
	}
	d.Costs.NextCycle.LineItems, d.Costs.NextCycle.Total = previewLines(v.Next.Lines)
	return d
}

// previewLines are the lines of a bill but for the balance, and their sum. The
// contract has no word for tax: it stands as an add-on with the id tax.
func previewLines(lines []Line) ([]PreviewLine, float64) {
	list, total := []PreviewLine{}, plan.Cents(0)
	for _, l := range lines {
		if l.Kind == BalanceLine {
			continue
		}
		kind := l.Kind
		if kind == TaxLine {
			kind = AddonLine
		}
		item := PreviewLine{Type: string(kind), ID: l.ID, Description: l.Description, Amount: l.Amount.Dollars()}
		if l.Quantity > 0 {
			n := float64(l.Quantity)
			item.Quantity = &n
		}
		list, total = append(list, item), total+l.Amount
	}
	return list, total.Dollars()
}
