package workspace

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/botyard/botyard/internal/access"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/plan"
)

// Plan is what a workspace may use.
type Plan = plan.ID

// The plans.
const (
	Community  = plan.Community
	Plus       = plan.Plus
	Team       = plan.Team
	Enterprise = plan.Enterprise
	// Managed limits nothing. It is the plan of every new workspace.
	Managed = plan.Managed
)

// Plans lists every plan, the smallest first.
var Plans = plan.IDs

// currentBilling is the billing version of every new workspace.
const currentBilling = "v4"

// Cents is an amount in US cents.
type Cents int64

// Dollars is the amount as the public API writes it.
func (c Cents) Dollars() float64 { return float64(c) / 100 }

// String is the amount in dollars, without cents when it has none.
func (c Cents) String() string { return strconv.FormatFloat(c.Dollars(), 'f', -1, 64) }

// The bounds of a spending limit, and the one that a workspace starts with.
const (
	minSpending     Cents = 500
	maxSpending     Cents = 100_000
	defaultSpending Cents = 10_000
)

const (
	maxName = 64
	// maxText bounds the free texts of a workspace, in characters.
	maxText     = 2000
	maxAccounts = 5
)

// Workspace is a workspace. Empty texts are texts that nobody has set.
type Workspace struct {
	ID             id.Workspace
	Name           string
	Owner          id.Account
	Handle         string
	Plan           Plan
	BillingVersion string
	Blocked        bool
	SpendingLimit  Cents // a month
	About          string
	ProfilePicture string
	ContactEmail   string
	Website        string
	SocialAccounts []string
	Public         bool
	ActiveTrial    string
	BotCount       int64
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Update is what updateWorkspace may change; nil keeps.
type Update struct {
	Name           *string
	SpendingLimit  *float64 // dollars a month
	About          *string
	ProfilePicture *string
	ContactEmail   *string
	Website        *string
	SocialAccounts *[]string
	Public         *bool
	Handle         *string
}

// permissions are what the given fields require. The spending limit belongs to billing,
// and so to more roles than the rest.
func (u Update) permissions() (needed []access.Permission) {
	if u.SpendingLimit != nil {
		needed = append(needed, access.SpendingUpdate)
	}
	u.SpendingLimit = nil
	if u != (Update{}) {
		needed = append(needed, access.WorkspaceUpdate)
	}
	return needed
}

// changes is what an update did, for the audit trail.
type changes struct {
	// fields are the public names of the fields that changed, except for the spending
	// limit.
	fields   []string
	spending bool
}

func (c changes) none() bool { return len(c.fields) == 0 && !c.spending }

// apply changes the workspace, or leaves it unchanged and returns InvalidPayload.
func (w *Workspace) apply(u Update) (changes, error) {
	next := *w
	var did changes
	note := func(field string, changed bool) {
		if changed {
			did.fields = append(did.fields, field)
		}
	}
	if u.Name != nil {
		name, err := checkName(*u.Name)
		if err != nil {
			return changes{}, err
		}
		note("name", next.Name != name)
		next.Name = name
	}
	if u.SpendingLimit != nil {
		limit, err := checkSpending(*u.SpendingLimit)
		if err != nil {
			return changes{}, err
		}
		did.spending = next.SpendingLimit != limit
		next.SpendingLimit = limit
	}
	if u.ContactEmail != nil && *u.ContactEmail != "" {
		address, err := checkAddress("contactEmail", *u.ContactEmail)
		if err != nil {
			return changes{}, err
		}
		u.ContactEmail = &address
	}
	for _, text := range []struct {
		field string
		value *string
		kept  *string
	}{
		{"about", u.About, &next.About},
		{"profilePicture", u.ProfilePicture, &next.ProfilePicture},
		{"contactEmail", u.ContactEmail, &next.ContactEmail},
		{"website", u.Website, &next.Website},
	} {
		if text.value == nil {
			continue
		}
		if err := checkText(text.field, *text.value); err != nil {
			return changes{}, err
		}
		note(text.field, *text.kept != *text.value)
		*text.kept = *text.value
	}
	if u.SocialAccounts != nil {
		if n := len(*u.SocialAccounts); n > maxAccounts {
			return changes{}, fault.New(fault.InvalidPayload, "socialAccounts has %d items; at most %d are allowed.", n, maxAccounts)
		}
		for i, account := range *u.SocialAccounts {
			if err := checkText("socialAccounts["+strconv.Itoa(i)+"]", account); err != nil {
				return changes{}, err
			}
		}
		note("socialAccounts", !slices.Equal(next.SocialAccounts, *u.SocialAccounts))
		next.SocialAccounts = slices.Clone(*u.SocialAccounts)
	}
	if u.Public != nil {
		note("isPublic", next.Public != *u.Public)
		next.Public = *u.Public
	}
	if u.Handle != nil {
		if err := checkHandle(*u.Handle); err != nil {
			return changes{}, err
		}
		note("handle", next.Handle != *u.Handle)
		next.Handle = *u.Handle
	}
	*w = next
	return did, nil
}

// checkName returns the name without surrounding white space.
func checkName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n < 1 || n > maxName {
		return "", fault.New(fault.InvalidPayload, "A workspace's name has 1 to %d characters; %q has %d.", maxName, fault.Bounded(name), n)
	}
	return name, nil
}

// checkSpending converts dollars to cents. An amount that is not in whole cents is
// refused: it could not be stored exactly.
func checkSpending(dollars float64) (Cents, error) {
	cents := math.Round(dollars * 100)
	if !(cents >= float64(minSpending) && cents <= float64(maxSpending)) || math.Abs(dollars*100-cents) > 1e-6 {
		return 0, fault.New(fault.InvalidPayload, "spendingLimit is %v; it must be %s to %s dollars, in whole cents.", dollars, minSpending, maxSpending)
	}
	return Cents(cents), nil
}

func checkText(field, text string) error {
	if n := utf8.RuneCountInString(text); n > maxText {
		return fault.New(fault.InvalidPayload, "%s has %d characters; at most %d are allowed.", field, n, maxText)
	}
	return nil
}

func checkPlan(plan Plan) error {
	if !slices.Contains(Plans, plan) {
		return fault.New(fault.InvalidPayload, "%q is not a plan; the plans are community, plus, team, enterprise and managed.", fault.Bounded(string(plan)))
	}
	return nil
}

// PublicFilter narrows listPublicWorkspaces.
type PublicFilter struct {
	// IDs, when there are any, are the only workspaces looked at.
	IDs []id.Workspace
	// Search is a part of the name or the handle, without regard to case.
	Search string
}

func (f PublicFilter) matches(w Workspace) bool {
	search := strings.ToLower(f.Search)
	return strings.Contains(strings.ToLower(w.Name), search) || strings.Contains(w.Handle, search)
}

// storable says that a text from a URL could be in the database. PostgreSQL refuses to
// compare the rest.
func storable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsRune(text, 0)
}

// cut keeps what a caller sent short enough for a message.
