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

// Verification is the state of the review of an integration.
type Verification string

// The verification statuses of the public API.
const (
	Unapproved Verification = "unapproved"
	Pending    Verification = "pending"
	Approved   Verification = "approved"
	Rejected   Verification = "rejected"
)

// Integration is one version of an integration as it is stored. Fields of type JSON hold
// the text that answers contain.
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
	// Installs is how many bots have it installed, Views how often it was read in the hub.
	Installs int64
	Views    int64
	// Icon, Readme and Code are empty when there is none. All versions of a name share
	// one icon.
	Icon   blob.Hash
	Readme blob.Hash
	Code   blob.Hash
	// URL is where its code runs; empty when it was uploaded.
	URL string
	// SigningSecret is sealed.
	SigningSecret string
	// MaxExecutionTime is how many seconds a call may take; zero is the default.
	MaxExecutionTime int64
	// SDKVersion is empty when unknown.
	SDKVersion string

	Attributes      JSON // an object of strings
	Layers          JSON // an array of strings
	ExtraOperations JSON // an object of definition.ExtraOperation
	SecretNames     JSON // a sorted array of strings
	Parts           JSON // the names that a search looks at: a value of type parts
	Definition      JSON // a definition.Integration
}

// maxURL is our own limit, in characters: what a caller sends is always bounded.
const maxURL = 2000

// IntegrationDraft is an integration to be created. Nil is absent.
type IntegrationDraft struct {
	Name       string
	Version    string
	Dev        bool
	Definition definition.NewIntegration
	IntegrationSettings
	// URL is where its code runs.
	URL *string
}

// IntegrationUpdate changes an integration. What is nil stays as it is.
type IntegrationUpdate struct {
	Definition definition.IntegrationPatch
	IntegrationSettings
	URL wire.Patch[string]
}

// IntegrationSettings are the settings that drafts and updates have in common.
type IntegrationSettings struct {
	SDKVersion       *string
	Secrets          map[string]*string // nil removes a secret or, in a draft, keeps it from being inherited
	Code             *string
	Assets           assets
	Title            *string
	Description      *string
	Public           *bool
	Visibility       *Visibility
	Layers           []string
	MaxExecutionTime *int64
	// AllowBreaking admits changes that break those who use the integration.
	AllowBreaking bool
}

// update is the update that turns an empty integration into the draft.
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

// developed is the draft, when it is of a development integration without an icon or a
// readme that cannot be used; see assets.usable.
func (d IntegrationDraft) developed() IntegrationDraft {
	if d.Dev {
		d.Assets = d.Assets.usable()
	}
	return d
}

// check checks what can be checked without the workspace and the other versions.
func (d IntegrationDraft) check() error {
	if err := checkName(d.Name); err != nil {
		return err
	}
	if err := checkVersion(d.Version); err != nil {
		return err
	}
	if d.Dev {
		if d.URL == nil {
			return fault.New(fault.InvalidPayload, "A development integration needs the url that it runs at. Send url, or leave dev out.")
		}
		if v, chosen := chosenVisibility(d.Visibility, d.Public, Private); chosen && v != Private {
			return errDevIsPrivate(d.Name, v)
		}
	}
	return d.update().check()
}

func errDevIsPrivate(name string, v Visibility) error {
	return fault.New(fault.InvalidPayload, "A development integration, such as %q, is always private and cannot be %s. Publish a production version instead.", fault.Bounded(name), v)
}

// check checks what can be checked without the integration.
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
		return fault.New(fault.InvalidPayload, "The url has %d characters; at most %d are allowed.", n, maxURL)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fault.New(fault.InvalidPayload, "The integration cannot be called at the url %q; it must be like https://example.com/path.", fault.Bounded(address))
	}
	return nil
}

// members are the names of the members that the update has, for the audit trail.
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

// emptyIntegration is the integration that drafts are applied to.
func emptyIntegration() (Integration, error) {
	text, err := definition.EmptyIntegration().JSON()
	return Integration{
		Visibility: Private, Lifecycle: Published, Verification: Unapproved,
		Attributes: "{}", Layers: "[]", ExtraOperations: "{}", SecretNames: "[]", Parts: noParts, Definition: JSON(text),
	}, err
}

// apply is i after the update, except for the names of secrets and the hashes of blobs.
// i is not changed. find looks up the interfaces that the update sets.
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

// contentChanges are the names of the parts of the content that differ in next. The url,
// secrets, icon, readme and visibility are not part of the content: they may change while
// everything that users rely on stays.
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

// breakingChanges lists what would break users of the integration if it became next.
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

// withSecrets is the integration with the names of its secrets after a patch, and the
// part of the patch that has to be written. Removals of secrets that do not exist are
// left out of it, because a body has room for millions of them.
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
