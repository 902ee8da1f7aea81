package catalog

import (
	"maps"
	"net/url"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// Verification says how far the review of an integration is.
type Verification string

// The verification statuses of the public API.
const (
	Unapproved Verification = "unapproved"
	Pending    Verification = "pending"
	Approved   Verification = "approved"
	Rejected   Verification = "rejected"
)

// Integration is one version of an integration as it is stored. The fields of type
// JSON hold what is answered.
type Integration struct {
	ID           id.Integration
	Workspace    id.Workspace
	Name         string
	Version      string
	Dev          bool
	Visibility   Visibility
	Lifecycle    Lifecycle
	Verification Verification
	Title        string
	Description  string
	CreatedAt    time.Time
	UpdatedAt    time.Time
	// CreatedBy is empty when the operator made it.
	CreatedBy id.Account
	// Installs is how many bots have it, Views how often the hub showed it.
	Installs int64
	Views    int64
	// Icon, Readme and Code are empty when there is none. Versions of one name have
	// one icon.
	Icon   blob.Hash
	Readme blob.Hash
	Code   blob.Hash
	// URL is where its code runs; empty: here.
	URL string
	// SigningSecret is sealed.
	SigningSecret string
	// MaxExecutionTime is how many seconds a call may take; zero: not chosen.
	MaxExecutionTime int64
	// SDKVersion is empty when the maker did not say.
	SDKVersion string

	Attributes      JSON // an object of strings
	Layers          JSON // an array of strings
	ExtraOperations JSON // an object of definition.ExtraOperation
	SecretNames     JSON // a sorted array of strings
	Parts           JSON // the names that a search can meet: a parts
	Definition      JSON // a definition.Integration
}

// maxURL is our own limit, in characters: what a caller sends is always bounded.
const maxURL = 2000

// IntegrationDraft is an integration to be made. Nil is what the caller did not say.
type IntegrationDraft struct {
	Name       string
	Version    string
	Dev        bool
	Definition definition.NewIntegration
	IntegrationSettings
	// URL is where its code runs.
	URL *string
}

// IntegrationUpdate changes an integration. Nil keeps what is there.
type IntegrationUpdate struct {
	Definition definition.IntegrationPatch
	IntegrationSettings
	URL wire.Patch[string]
}

// IntegrationSettings are what drafts and updates say alike.
type IntegrationSettings struct {
	SDKVersion       *string
	Secrets          map[string]*string // nil removes the secret, or keeps it from being copied
	Code             *string
	Assets           assets
	Title            *string
	Description      *string
	Public           *bool
	Visibility       *Visibility
	Layers           []string
	MaxExecutionTime *int64
	// AllowBreaking lets changes through that break who is built on it.
	AllowBreaking bool
}

// update is the update that makes the draft out of an empty integration.
func (d IntegrationDraft) update() IntegrationUpdate {
	u := IntegrationUpdate{Definition: d.Definition.Patch(), IntegrationSettings: d.IntegrationSettings}
	if u.Title == nil {
		title := titleOf(d.Name)
		u.Title = &title
	}
	if d.URL != nil {
		u.URL = wire.Set(*d.URL)
	}
	return u
}

// developed is the draft without an icon and a readme that are none, when it is one of a
// development integration; see assets.usable.
func (d IntegrationDraft) developed() IntegrationDraft {
	if d.Dev {
		d.Assets = d.Assets.usable()
	}
	return d
}

// check says whether the draft is well formed, as far as that can be said without
// its workspace and the other versions.
func (d IntegrationDraft) check() error {
	if err := checkName(d.Name); err != nil {
		return err
	}
	if err := checkVersion(d.Version); err != nil {
		return err
	}
	if d.Dev {
		if d.URL == nil {
			return fault.New(fault.InvalidPayload, "A development integration runs at a url of its own, and none is given. Send url, or leave dev out.")
		}
		if v, chosen := chosenVisibility(d.Visibility, d.Public, Private); chosen && v != Private {
			return errDevIsPrivate(d.Name, v)
		}
	}
	return d.update().check()
}

func errDevIsPrivate(name string, v Visibility) error {
	return fault.New(fault.InvalidPayload, "The development integration %q cannot be %s: it is its workspace's own. Publish a production version.", fault.Bounded(name), v)
}

// check says whether the update is well formed, as far as that can be said without
// the integration.
func (u IntegrationUpdate) check() error {
	if err := checkText(u.Title, u.Description); err != nil {
		return err
	}
	if err := checkCode("code", u.Code); err != nil {
		return err
	}
	if address, given := u.URL.Get(); given {
		if err := checkURL(address); err != nil {
			return err
		}
	}
	if err := checkSDKVersion(u.SDKVersion); err != nil {
		return err
	}
	if err := definition.CheckExecutionTime(u.MaxExecutionTime); err != nil {
		return err
	}
	if err := definition.CheckLayers("An integration", u.Layers); err != nil {
		return err
	}
	if err := definition.CheckSecrets(u.Secrets); err != nil {
		return err
	}
	if err := u.Assets.check(); err != nil {
		return err
	}
	return u.Definition.Check()
}

func checkURL(address string) error {
	if n := utf8.RuneCountInString(address); n > maxURL {
		return fault.New(fault.InvalidPayload, "The url has %d characters; it can have %d.", n, maxURL)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fault.New(fault.InvalidPayload, "The url %q is not an address that the integration can be called at: it must be like https://example.com/path.", fault.Bounded(address))
	}
	return nil
}

// members names what the update has, for the audit trail.
func (u IntegrationUpdate) members() []string {
	names := u.Definition.Members()
	for _, p := range []part{
		{"sdkVersion", u.SDKVersion != nil},
		{"secrets", u.Secrets != nil},
		{"code", u.Code != nil},
		{"icon", u.Assets.icon != nil},
		{"readme", u.Assets.readme != nil},
		{"title", u.Title != nil},
		{"description", u.Description != nil},
		{"url", !u.URL.IsZero()},
		{"visibility", u.Visibility != nil || u.Public != nil},
		{"layers", u.Layers != nil},
		{"maxExecutionTime", u.MaxExecutionTime != nil},
	} {
		if p.changed {
			names = append(names, p.name)
		}
	}
	return names
}

// emptyIntegration is what a draft is applied to.
func emptyIntegration() (Integration, error) {
	text, err := definition.EmptyIntegration().JSON()
	return Integration{
		Visibility: Private, Lifecycle: Published, Verification: Unapproved,
		Attributes: "{}", Layers: "[]", ExtraOperations: "{}", SecretNames: "[]", Parts: noParts, Definition: JSON(text),
	}, err
}

// apply is i after the update, but for the names of secrets and what stands in
// blobs. i stays as it is. find is asked for the interfaces that the update sets.
func (i Integration) apply(u IntegrationUpdate, find definition.Find, now time.Time) (Integration, error) {
	i.UpdatedAt = later(i.UpdatedAt, now)
	set(&i.SDKVersion, u.SDKVersion)
	set(&i.Title, u.Title)
	set(&i.Description, u.Description)
	set(&i.MaxExecutionTime, u.MaxExecutionTime)
	i.Visibility, _ = chosenVisibility(u.Visibility, u.Public, i.Visibility)
	if !u.URL.IsZero() {
		i.URL, _ = u.URL.Get()
	}
	var err error
	if u.Layers != nil {
		if i.Layers, err = toJSON(u.Layers); err != nil {
			return i, err
		}
	}
	if i.Attributes, err = applyAttributes("An integration", i.Attributes, u.Definition.Attributes); err != nil {
		return i, err
	}
	if i.ExtraOperations, err = applyExtraOperations(i.ExtraOperations, u.Definition); err != nil {
		return i, err
	}
	if len(u.Definition.Members()) == 0 {
		return i, nil
	}
	before, err := definition.ParseIntegration([]byte(i.Definition))
	if err != nil {
		return i, err
	}
	after, err := before.Apply(u.Definition, find)
	if err != nil {
		return i, err
	}
	text, err := after.JSON()
	if err != nil {
		return i, err
	}
	i.Definition = JSON(text)
	i.Parts, err = toJSON(partsOf(after))
	return i, err
}

func applyExtraOperations(old JSON, patch definition.IntegrationPatch) (JSON, error) {
	if len(patch.ExtraOperations) == 0 {
		return old, nil
	}
	before := map[string]definition.ExtraOperation{}
	if err := wire.ParseJSON([]byte(old), &before); err != nil {
		return "", err
	}
	after, err := patch.ApplyExtraOperations(before)
	if err != nil {
		return "", err
	}
	return toJSON(after)
}

// contentChanges names the parts of what the integration is contentChanges of that differ in next.
// Where it runs, its secrets, icon, readme and visibility are no part of it: they
// can change while what was promised stays.
func (i Integration) contentChanges(next Integration) ([]string, error) {
	return differences(i.Definition, next.Definition, []part{
		{"code", i.Code != next.Code},
		{"title", i.Title != next.Title},
		{"description", i.Description != next.Description},
		{"sdkVersion", i.SDKVersion != next.SDKVersion},
		{"attributes", i.Attributes != next.Attributes},
		{"layers", i.Layers != next.Layers},
		{"extraOperations", i.ExtraOperations != next.ExtraOperations},
		{"maxExecutionTime", i.MaxExecutionTime != next.MaxExecutionTime},
	})
}

// breakingChanges lists what would break who is built on the integration if it became next.
func (i Integration) breakingChanges(next Integration) ([]definition.Change, error) {
	before, err := definition.ParseIntegration([]byte(i.Definition))
	if err != nil {
		return nil, err
	}
	after, err := definition.ParseIntegration([]byte(next.Definition))
	return definition.BreakingIntegration(before, after), err
}

// secretNames are the names before, changed as the patch says.
func secretNames(before []string, patch map[string]*string) ([]string, error) {
	names := make([]string, 0, len(before)+len(patch))
	for _, name := range before {
		if value, changed := patch[name]; !changed || value != nil {
			names = append(names, name)
		}
	}
	for name, value := range patch {
		if value != nil && !slices.Contains(before, name) {
			names = append(names, name)
		}
	}
	if len(names) > definition.MaxSecrets && len(names) > len(before) {
		return nil, errTooMany("An integration", "secrets", definition.MaxSecrets, len(names))
	}
	slices.Sort(names)
	return names, nil
}

// withSecrets is the integration with the names of its secrets after a patch, and what
// of the patch is to be written: not the removal of secrets that are not there, of
// which a body has room for millions.
func (i Integration) withSecrets(patch map[string]*string) (Integration, map[string]*string, error) {
	if len(patch) == 0 {
		return i, nil, nil
	}
	var before []string
	if err := wire.ParseJSON([]byte(i.SecretNames), &before); err != nil {
		return i, nil, err
	}
	changes := maps.Clone(patch)
	maps.DeleteFunc(changes, func(name string, value *string) bool { return value == nil && !slices.Contains(before, name) })
	names, err := secretNames(before, changes)
	if err != nil {
		return i, nil, err
	}
	i.SecretNames, err = toJSON(names)
	return i, changes, err
}
