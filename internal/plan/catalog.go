package plan

import (
	_ "embed" // the published catalogue
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// ID names a plan. The public API knows these five and no other.
type ID string

// The plans.
const (
	Community  ID = "community"
	Plus       ID = "plus"
	Team       ID = "team"
	Enterprise ID = "enterprise"
	// Managed limits nothing and costs nothing. It is the plan of workspaces that are not
	// billed.
	Managed ID = "managed"
)

// IDs lists the plans, the smallest first.
var IDs = []ID{Community, Plus, Team, Enterprise, Managed}

// Unlimited stands for no limit.
const Unlimited = int64(-1)

// Plan is what a workspace may use, and its price.
type Plan struct {
	ID          ID     `yaml:"id"`
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	// Tier orders plans: a higher one is an upgrade.
	Tier int `yaml:"tier"`
	// Month and Year are the prices of an interval; nil when it is not for sale.
	Month *Cents `yaml:"month"`
	Year  *Cents `yaml:"year"`
	// Trial says that a workspace may try the plan.
	Trial bool `yaml:"trial"`
	// Features are the limits. A feature that is absent is not limited.
	Features map[Feature]int64 `yaml:"features"`
}

// Price is the plan's price for an interval; ok is false when that is not for sale.
func (p Plan) Price(i Interval) (price Cents, ok bool) {
	at := p.Month
	if i == Year {
		at = p.Year
	}
	if at == nil {
		return 0, false
	}
	return *at, true
}

// Interval is how often a plan is paid.
type Interval string

// The intervals.
const (
	Month Interval = "month"
	Year  Interval = "year"
)

// Addon is something bought in addition to a plan, in whole numbers, by the month.
type Addon struct {
	ID          string `yaml:"id"`
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	// Month is the price of one; nil when it is not for sale.
	Month *Cents `yaml:"month"`
	// Increments are what one adds to what the plan allows.
	Increments map[Feature]int64 `yaml:"increments"`
}

// Duration is how long a coupon's discount lasts.
type Duration string

// The durations.
const (
	Once      Duration = "once"      // one invoice
	Repeating Duration = "repeating" // a number of months
	Forever   Duration = "forever"
)

// Coupon is a discount that is redeemed by its code. Exactly one of PercentOff and
// AmountOff is set.
type Coupon struct {
	ID         string   `yaml:"id"`
	Code       string   `yaml:"code"`
	Name       string   `yaml:"name"`
	PercentOff int64    `yaml:"percent_off"`
	AmountOff  Cents    `yaml:"amount_off"`
	Duration   Duration `yaml:"duration"`
	// Months is how many months a repeating one lasts.
	Months int `yaml:"months"`
	// RedeemBy is when the coupon expires; the zero time is never.
	RedeemBy time.Time `yaml:"redeem_by"`
}

// Tax is added to every invoice.
type Tax struct {
	Name string `yaml:"name"`
	// BasisPoints are hundredths of a percent; 0 is no tax.
	BasisPoints int64 `yaml:"basis_points"`
}

// Trials bounds trials.
type Trials struct {
	// MaxDays is how many days in all a workspace may try a plan.
	MaxDays int `yaml:"most_days"`
}

// Catalog is a valid catalogue. It does not change once it is read, so it is safe for
// concurrent use.
type Catalog struct {
	Currency string   `yaml:"currency"`
	Plans    []Plan   `yaml:"plans"` // the lowest tier first
	Addons   []Addon  `yaml:"addons"`
	Coupons  []Coupon `yaml:"coupons"`
	Tax      Tax      `yaml:"tax"`
	Trials   Trials   `yaml:"trials"`
	// DueDays is how many days after its date an invoice is due.
	DueDays int `yaml:"due_days"`
}

//go:embed catalog.yaml
var published []byte

// Default is the catalogue with the published numbers.
func Default() *Catalog {
	c, err := Read(published)
	if err != nil {
		panic("the published catalogue is wrong: " + err.Error())
	}
	return c
}

// Published is the text of the default catalogue, as a template for another.
func Published() string { return string(published) }

// Read parses and validates a catalogue. Its error joins everything that is wrong, saying
// where it is and what would be right. The plan managed is added if it is missing.
func Read(text []byte) (*Catalog, error) {
	var c Catalog
	if err := yaml.Load(text, &c, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("the catalogue cannot be read: %w", err)
	}
	if _, there := c.Plan(Managed); !there {
		c.Plans = append(c.Plans, Plan{ID: Managed, Name: "Managed", Description: "Everything, without limits or a bill.", Tier: maxTier})
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(c.Plans, func(a, b Plan) int { return a.Tier - b.Tier })
	return &c, nil
}

// Plan finds a plan.
func (c *Catalog) Plan(which ID) (p Plan, found bool) {
	i := slices.IndexFunc(c.Plans, func(p Plan) bool { return p.ID == which })
	if i < 0 {
		return Plan{}, false
	}
	return c.Plans[i], true
}

// Addon finds an add-on.
func (c *Catalog) Addon(which string) (a Addon, found bool) {
	i := slices.IndexFunc(c.Addons, func(a Addon) bool { return a.ID == which })
	if i < 0 {
		return Addon{}, false
	}
	return c.Addons[i], true
}

// Coupon finds a coupon by its code, without regard to case.
func (c *Catalog) Coupon(code string) (found Coupon, ok bool) {
	i := slices.IndexFunc(c.Coupons, func(k Coupon) bool { return strings.EqualFold(k.Code, code) })
	if i < 0 {
		return Coupon{}, false
	}
	return c.Coupons[i], true
}

// Limit is the most of t that a plan allows, without add-ons, or Unlimited. A plan that is
// not in the catalogue limits nothing: replacing the catalogue takes nothing away from
// workspaces on a plan that is no longer in it.
func (c *Catalog) Limit(which ID, t Type) int64 { return c.Allows(which, t.Feature()) }

// Allows is what a plan allows of a feature, or Unlimited.
func (c *Catalog) Allows(which ID, f Feature) int64 {
	p, found := c.Plan(which)
	if !found {
		return Unlimited
	}
	if limit, limited := p.Features[f]; limited {
		return limit
	}
	return Unlimited
}

const (
	maxTier  = 1000
	maxPrice = Cents(100_000_000)
	maxItems = 1000
	// A plan and ten thousand of an add-on together do not overflow int64.
	maxFeature   = int64(1_000_000_000_000_000_000)
	maxIncrement = int64(100_000_000_000_000)
)

func (c *Catalog) check() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Currency != "usd" {
		wrong("currency is %q; it must be usd, because AI spend is counted in nano-dollars", c.Currency)
	}
	if len(c.Plans) > maxItems || len(c.Addons) > maxItems || len(c.Coupons) > maxItems {
		wrong("there must be at most %d plans, add-ons and coupons each", maxItems)
	}
	c.checkPlans(wrong)
	c.checkAddons(wrong)
	c.checkCoupons(wrong)
	if c.Tax.BasisPoints < 0 || c.Tax.BasisPoints > 10_000 || c.Tax.BasisPoints > 0 && c.Tax.Name == "" {
		wrong("tax must have a name and basis_points from 0 to 10000, which is 100 %%")
	}
	if c.Trials.MaxDays < 0 || c.Trials.MaxDays > 366 {
		wrong("trials.most_days is %d; it must be from 0, for no trials, to 366", c.Trials.MaxDays)
	}
	if c.DueDays < 0 || c.DueDays > 365 {
		wrong("due_days is %d; it must be from 0 to 365", c.DueDays)
	}
	return errors.Join(errs...)
}

func (c *Catalog) checkPlans(wrong func(string, ...any)) {
	seen, tiers := map[ID]bool{}, map[int]bool{}
	for _, p := range c.Plans {
		if !slices.Contains(IDs, p.ID) {
			wrong("there can be no plan %q; the public API knows only %v", p.ID, IDs)
		}
		if seen[p.ID] || tiers[p.Tier] {
			wrong("plan %s has the id or the tier %d of another plan; both must be unique", p.ID, p.Tier)
		}
		seen[p.ID], tiers[p.Tier] = true, true
		if p.Name == "" || p.Tier < 0 || p.Tier > maxTier {
			wrong("plan %s must have a name and a tier from 0 to %d", p.ID, maxTier)
		}
		if p.ID == Managed && (p.Month != nil || p.Year != nil || len(p.Features) > 0 || p.Trial) {
			wrong("plan managed must have no price, limit or trial; it limits nothing and costs nothing")
		}
		checkPrice(wrong, "plan "+string(p.ID), p.Month)
		checkPrice(wrong, "plan "+string(p.ID), p.Year)
		for f, n := range p.Features {
			if !slices.Contains(Features, f) || n < 0 || n > maxFeature {
				wrong("plan %s: feature %s is %d; a feature is one of %v, from 0 to %d", p.ID, f, n, Features, maxFeature)
			}
		}
	}
	for _, needed := range []ID{Community} {
		if p, _ := c.Plan(needed); !seen[needed] || p.Month == nil || *p.Month != 0 {
			wrong("there must be a plan %s whose month costs 0: workspaces are on it after they cancel", needed)
		}
	}
}

func (c *Catalog) checkAddons(wrong func(string, ...any)) {
	seen := map[string]bool{}
	for _, a := range c.Addons {
		if a.ID == "" || a.Name == "" || seen[a.ID] {
			wrong("add-on %q must have a name and an id that no other has", a.ID)
		}
		seen[a.ID] = true
		checkPrice(wrong, "add-on "+a.ID, a.Month)
		if len(a.Increments) == 0 {
			wrong("add-on %s adds nothing; it must have increments", a.ID)
		}
		for f, n := range a.Increments {
			if !slices.Contains(Features, f) || n < 1 || n > maxIncrement {
				wrong("add-on %s adds %d of %s; it must add 1 to %d of one of %v", a.ID, n, f, maxIncrement, Features)
			}
		}
	}
}

func checkPrice(wrong func(string, ...any), of string, price *Cents) {
	if price != nil && *price > maxPrice {
		wrong("%s costs %s; it must cost at most %s", of, *price, maxPrice)
	}
}

func (c *Catalog) checkCoupons(wrong func(string, ...any)) {
	ids, codes := map[string]bool{}, map[string]bool{}
	for _, k := range c.Coupons {
		code := strings.ToLower(k.Code)
		if k.ID == "" || code == "" || ids[k.ID] || codes[code] {
			wrong("coupon %q must have an id and a code that no other has", k.ID)
		}
		ids[k.ID], codes[code] = true, true
		if (k.PercentOff > 0) == (k.AmountOff > 0) || k.PercentOff < 0 || k.PercentOff > 100 || k.AmountOff > maxPrice {
			wrong("coupon %s must have percent_off from 1 to 100 or amount_off, and not both", k.ID)
		}
		switch k.Duration {
		case Once, Forever:
			if k.Months != 0 {
				wrong("coupon %s lasts %s and has months; only a repeating one has them", k.ID, k.Duration)
			}
		case Repeating:
			if k.Months < 1 || k.Months > 120 {
				wrong("coupon %s is repeating and has %d months; it must have 1 to 120", k.ID, k.Months)
			}
		default:
			wrong("coupon %s lasts %q; it must be once, repeating or forever", k.ID, k.Duration)
		}
	}
}

// Credit reports whether the add-on adds money to spend, which is worth as much on the last
// day of a month as on the first.
func (a Addon) Credit() bool { return a.Increments[IntegrationSpend] > 0 }

// Monthly reports whether everything that the add-on adds is renewed each month.
func (a Addon) Monthly() bool {
	for f := range a.Increments {
		if !f.Monthly() {
			return false
		}
	}
	return true
}
