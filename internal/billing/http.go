package billing

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/plan"
	"github.com/botyard/botyard/internal/wire"
)

// Price is what something costs.
type Price struct {
	Amount   float64 `json:"amount" doc:"The amount, in US dollars."`
	Currency string  `json:"currency" doc:"The currency, such as usd."`
}

// PlanPrices are the prices of a plan. An interval that is absent is not for sale.
type PlanPrices struct {
	Month *Price `json:"month,omitempty" doc:"The monthly price."`
	Year  *Price `json:"year,omitempty" doc:"The yearly price."`
}

// PlanDetails is a plan of the catalogue.
type PlanDetails struct {
	ID          string             `json:"id" doc:"The plan."`
	Name        string             `json:"name" doc:"The name."`
	Description string             `json:"description" doc:"What it is for."`
	Prices      PlanPrices         `json:"prices" doc:"The prices by interval."`
	Features    map[string]float64 `json:"features" doc:"The limits by feature; a feature that is absent is unlimited."`
	Metadata    map[string]string  `json:"metadata,omitempty" doc:"tierIndex: the plan's rank; a higher rank is an upgrade."`
}

// AddonPrice is what an add-on costs.
type AddonPrice struct {
	Amount   float64 `json:"amount" doc:"The amount, in US dollars."`
	Currency string  `json:"currency" doc:"The currency, such as usd."`
	Interval string  `json:"interval" enum:"month,year" doc:"The billing interval."`
}

// AddonDetails is an add-on of the catalogue.
type AddonDetails struct {
	ID          string                `json:"id" doc:"The add-on."`
	Name        string                `json:"name" doc:"The name."`
	Description string                `json:"description" doc:"What the add-on provides."`
	Prices      map[string]AddonPrice `json:"prices" doc:"The unit price by interval; empty when it is not for sale."`
	Increments  map[string]float64    `json:"increments" doc:"What one unit adds to the plan, by feature."`
	Metadata    map[string]string     `json:"metadata,omitempty" doc:"Additional information."`
}

// BillingReadonly is the answer of getBillingReadonly.
type BillingReadonly struct {
	PlanReadonly   bool `json:"planReadonly" doc:"Whether only the operator can change the plan."`
	AddonsReadonly bool `json:"addonsReadonly" doc:"Whether only the operator can change the add-ons."`
}

// BillingAddress is the address on invoices.
type BillingAddress struct {
	LineOne    string `json:"lineOne" minLength:"1" doc:"Street and number: at most 200 characters."`
	LineTwo    string `json:"lineTwo,omitempty" doc:"The second line of the street address."`
	City       string `json:"city" minLength:"1" doc:"The city."`
	State      string `json:"state,omitempty" doc:"The state or province."`
	PostalCode string `json:"postalCode" minLength:"1" doc:"The postal code."`
	Country    string `json:"country" pattern:"^[A-Za-z]{2}$" doc:"The country, as a two-letter code."`
}

// BillingAddressAnswer is the answer of getBillingAddress.
type BillingAddressAnswer struct {
	Address wire.Nullable[BillingAddress] `json:"address" doc:"The address; null when none is set."`
}

type (
	planInput struct {
		PlanID string `path:"planId" doc:"The plan."`
	}
	addonInput struct {
		AddonID string `path:"addonId" doc:"The add-on."`
	}
	planOutput       struct{ Body PlanDetails }
	plansOutput      struct{ Body []PlanDetails }
	addonOutput      struct{ Body AddonDetails }
	addonsOutput     struct{ Body []AddonDetails }
	readonlyOutput   struct{ Body BillingReadonly }
	addressInput     struct{ Body BillingAddress }
	addressOutput    struct{ Body BillingAddressAnswer }
	noInput          struct{}
	emptyInput       struct{ Body *wire.Empty }
	workspaceIDInput struct {
		ID string `path:"id" doc:"The workspace's id."`
	}
)

const billingPath = "/v2/billing"

// Mount registers the operations of billing.
func Mount(m *wire.Mux, s *Service) {
	mountCatalogue(m, s)
	mountAccount(m, s)
	mountSubscription(m, s)
	mountTrials(m, s)
	mountCredit(m, s)
	mountInvoices(m, s)
	mountPayments(m, s)
}

func mountCatalogue(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "listPlans", Method: http.MethodGet, Path: billingPath + "/plans", Area: "billing",
		Summary: "List plans", Detail: "Smallest first. A plan without prices can be assigned only by the operator.",
		Scope: wire.Outside, Permission: access.Self,
	}, func(context.Context, *noInput) (*plansOutput, error) {
		out := &plansOutput{Body: []PlanDetails{}}
		for _, p := range s.Plans.Plans {
			out.Body = append(out.Body, planDetails(s.Plans.Currency, p))
		}
		return out, nil
	})
	wire.Register(m, wire.Operation{
		ID: "getPlan", Method: http.MethodGet, Path: billingPath + "/plans/{planId}", Area: "billing",
		Summary: "Get a plan", Scope: wire.Outside, Permission: access.Self,
	}, func(_ context.Context, in *planInput) (*planOutput, error) {
		p, found := s.Plans.Plan(plan.ID(in.PlanID))
		if !found {
			return nil, fault.New(fault.ResourceNotFound, "There is no plan %q; listPlans lists them.", fault.Bounded(in.PlanID))
		}
		return &planOutput{planDetails(s.Plans.Currency, p)}, nil
	})
	wire.Register(m, wire.Operation{
		ID: "listAddons", Method: http.MethodGet, Path: billingPath + "/addons", Area: "billing",
		Summary: "List add-ons", Scope: wire.Outside, Permission: access.Self,
	}, func(context.Context, *noInput) (*addonsOutput, error) {
		out := &addonsOutput{Body: []AddonDetails{}}
		for _, a := range s.Plans.Addons {
			out.Body = append(out.Body, addonDetails(s.Plans.Currency, a))
		}
		return out, nil
	})
	wire.Register(m, wire.Operation{
		ID: "getAddon", Method: http.MethodGet, Path: billingPath + "/addons/{addonId}", Area: "billing",
		Summary: "Get an add-on", Scope: wire.Outside, Permission: access.Self,
	}, func(_ context.Context, in *addonInput) (*addonOutput, error) {
		a, found := s.Plans.Addon(in.AddonID)
		if !found {
			return nil, fault.New(fault.ResourceNotFound, "There is no add-on %q; listAddons lists them.", fault.Bounded(in.AddonID))
		}
		return &addonOutput{addonDetails(s.Plans.Currency, a)}, nil
	})
}

func mountAccount(m *wire.Mux, s *Service) {
	wire.Register(m, wire.Operation{
		ID: "getBillingReadonly", Method: http.MethodGet, Path: billingPath + "/readonly", Area: "billing",
		Summary: "Get what only the operator can change", Scope: wire.InHeader, Permission: access.BillingRead,
	}, func(ctx context.Context, _ *noInput) (*readonlyOutput, error) {
		sub, err := s.Subscription(ctx, access.From(ctx).Workspace)
		return &readonlyOutput{BillingReadonly{sub.PlanReadonly, sub.AddonsReadonly}}, err
	})
	wire.Register(m, wire.Operation{
		ID: "getBillingAddress", Method: http.MethodGet, Path: billingPath + "/address", Area: "billing",
		Summary: "Get the billing address", Scope: wire.InHeader, Permission: access.BillingRead,
	}, func(ctx context.Context, _ *noInput) (*addressOutput, error) {
		sub, err := s.Subscription(ctx, access.From(ctx).Workspace)
		if err != nil || sub.Address == nil {
			return &addressOutput{}, err
		}
		a := sub.Address
		return &addressOutput{BillingAddressAnswer{wire.Nullable[BillingAddress]{Valid: true, Value: BillingAddress{
			LineOne: a.LineOne, LineTwo: a.LineTwo, City: a.City, State: a.State, PostalCode: a.PostalCode, Country: a.Country,
		}}}}, nil
	})
	wire.Register(m, wire.Operation{
		ID: "setBillingAddress", Method: http.MethodPut, Path: billingPath + "/address", Area: "billing",
		Summary: "Set the billing address", Detail: "Replaces the present address. Issued invoices keep theirs.",
		Scope: wire.InHeader, Permission: access.BillingWrite, WhileBlocked: true,
	}, func(ctx context.Context, in *addressInput) (*wire.Nothing, error) {
		b := in.Body
		return &wire.Nothing{}, s.SetAddress(ctx, access.From(ctx).Workspace, Address{
			LineOne: b.LineOne, LineTwo: b.LineTwo, City: b.City, State: b.State, PostalCode: b.PostalCode, Country: b.Country,
		})
	})
}

func planDetails(currency string, p plan.Plan) PlanDetails {
	d := PlanDetails{
		ID: string(p.ID), Name: p.Name, Description: p.Description, Features: map[string]float64{"tierIndex": float64(p.Tier)},
	}
	for f, n := range p.Features {
		d.Features[string(f)] = float64(n)
	}
	if p.Month != nil {
		d.Prices.Month = &Price{p.Month.Dollars(), currency}
	}
	if p.Year != nil {
		d.Prices.Year = &Price{p.Year.Dollars(), currency}
	}
	return d
}

func addonDetails(currency string, a plan.Addon) AddonDetails {
	d := AddonDetails{ID: a.ID, Name: a.Name, Description: a.Description, Prices: map[string]AddonPrice{}, Increments: map[string]float64{}}
	if a.Month != nil {
		d.Prices[string(plan.Month)] = AddonPrice{a.Month.Dollars(), currency, string(plan.Month)}
	}
	for f, n := range a.Increments {
		d.Increments[string(f)] = float64(n)
	}
	return d
}

// quantitiesOf converts the quantities of a request, which are numbers, and refuses
// fractions.
func quantitiesOf(in map[string]float64) (map[string]int64, error) {
	if len(in) > maxKinds {
		return nil, fault.New(fault.InvalidPayload, "addons names %d add-ons; at most %d are allowed.", len(in), maxKinds)
	}
	quantities := map[string]int64{}
	for name, n := range in {
		if n != math.Trunc(n) || math.Abs(n) > 1<<53 {
			return nil, fault.New(fault.InvalidPayload, "The quantity of %s is %v; it must be a whole number.", fault.Bounded(name), n)
		}
		quantities[name] = int64(n)
	}
	return quantities, nil
}

// maxKinds bounds how many different add-ons one request names.
const maxKinds = 100

func text(t time.Time) string { return wire.TimeOf(t).String() }

// textOr is a time, or null when there is none.
func textOr(t time.Time) wire.Nullable[string] {
	if t.IsZero() {
		return wire.Nullable[string]{}
	}
	return wire.Nullable[string]{Value: text(t), Valid: true}
}

func wordOr(word string) wire.Nullable[string] {
	return wire.Nullable[string]{Value: word, Valid: word != ""}
}

func numberOr(n float64) wire.Nullable[float64] {
	return wire.Nullable[float64]{Value: n, Valid: n != 0}
}
