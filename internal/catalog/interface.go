package catalog

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// Interface is one version of an interface as it is stored. Interfaces are public or
// private, never unlisted.
type Interface struct {
	ID          id.Interface
	Workspace   id.Workspace
	Name        string
	Version     string
	Public      bool
	Title       string
	Description string
	CreatedAt   time.Time
	UpdatedAt   time.Time
	// CreatedBy is empty when the operator made it.
	CreatedBy id.Account
	// Icon and Readme are empty when there is none.
	Icon   blob.Hash
	Readme blob.Hash
	// SDKVersion is empty when unknown.
	SDKVersion string

	Attributes JSON // an object of strings
	Definition JSON // a definition.Interface
}

// visibility is Public or Private, as the other kinds of packages say it.
func (i Interface) visibility() Visibility {
	if i.Public {
		return Public
	}
	return Private
}

// InterfaceDraft is an interface to be created. Nil is absent.
type InterfaceDraft struct {
	Name        string
	Version     string
	Definition  definition.NewInterface
	Title       *string
	Description *string
	Public      bool
	SDKVersion  *string
	Assets      assets
}

// update is the update that turns an empty interface into the draft.
func (d InterfaceDraft) update() InterfaceUpdate {
	title := d.Title
	if title == nil {
		made := titleOf(d.Name)
		title = &made
	}
	return InterfaceUpdate{
		Definition: d.Definition.Patch(), Title: title, Description: d.Description, Public: &d.Public, SDKVersion: d.SDKVersion, Assets: d.Assets,
	}
}

// InterfaceUpdate changes an interface. What is nil stays as it is.
type InterfaceUpdate struct {
	Definition  definition.InterfacePatch
	Title       *string
	Description *string
	Public      *bool
	SDKVersion  *string
	Assets      assets
	// AllowBreaking admits changes that break packages built on the interface.
	AllowBreaking bool
}

// check checks what can be checked without the interface.
func (u InterfaceUpdate) check() error {
	if err := checkText(u.Title, u.Description); err != nil {
		return err
	}
	if err := checkSDKVersion(u.SDKVersion); err != nil {
		return err
	}
	if err := u.Assets.check(); err != nil {
		return err
	}
	return u.Definition.Check()
}

// apply is i after the update, except for icon and readme. i is not changed.
func (i Interface) apply(u InterfaceUpdate, now time.Time) (Interface, error) {
	i.UpdatedAt = later(i.UpdatedAt, now)
	set(&i.Title, u.Title)
	set(&i.Description, u.Description)
	set(&i.Public, u.Public)
	set(&i.SDKVersion, u.SDKVersion)
	var err error
	if i.Attributes, err = applyAttributes("An interface", i.Attributes, u.Definition.Attributes); err != nil {
		return i, err
	}
	before, err := definition.ParseInterface([]byte(i.Definition))
	if err != nil {
		return i, err
	}
	after, err := before.Apply(u.Definition)
	if err != nil {
		return i, err
	}
	text, err := after.JSON()
	i.Definition = JSON(text)
	return i, err
}

// contentChanges are the names of the parts of the content that differ in next.
func (i Interface) contentChanges(next Interface) ([]string, error) {
	return differences(i.Definition, next.Definition, []part{
		{"title", i.Title != next.Title},
		{"description", i.Description != next.Description},
		{"sdkVersion", i.SDKVersion != next.SDKVersion},
		{"attributes", i.Attributes != next.Attributes},
	})
}

// breakingChanges lists what would break packages built on the interface if it became
// next.
func (i Interface) breakingChanges(next Interface) ([]definition.Change, error) {
	before, err := definition.ParseInterface([]byte(i.Definition))
	if err != nil {
		return nil, err
	}
	after, err := definition.ParseInterface([]byte(next.Definition))
	return definition.BreakingInterface(before, after), err
}

func set[T any](value *T, given *T) {
	if given != nil {
		*value = *given
	}
}

func applyAttributes(owner string, old JSON, patch map[string]wire.Patch[definition.Attribute]) (JSON, error) {
	if len(patch) == 0 {
		return old, nil
	}
	before := map[string]definition.Attribute{}
	if err := wire.ParseJSON([]byte(old), &before); err != nil {
		return "", err
	}
	after, err := definition.ApplyAttributes(owner, before, patch)
	if err != nil {
		return "", err
	}
	return toJSON(after)
}

// part is a part of a package that an update may change.
type part struct {
	name    string
	changed bool
}

// differences are the names of what differs between two states of a package: of the parts
// beside its definition, and of the members of the definition.
func differences(before, after JSON, beside []part) (names []string, err error) {
	for _, p := range beside {
		if p.changed {
			names = append(names, p.name)
		}
	}
	if before == after {
		return names, nil
	}
	var was, is map[string]jsontext.Value
	if err := wire.ParseJSON([]byte(before), &was); err != nil {
		return nil, err
	}
	if err := wire.ParseJSON([]byte(after), &is); err != nil {
		return nil, err
	}
	for _, name := range unionOfKeys(was, is) {
		if string(was[name]) != string(is[name]) {
			names = append(names, name)
		}
	}
	return names, nil
}

// dependents are the packages that are built on another one: the integrations that
// implement an interface, and the plugins that depend on an interface or an integration.
type dependents struct {
	own    []string // those of the same workspace, such as "plugin name@version"
	others int      // number of those of other workspaces
}

func (d dependents) none() bool { return len(d.own) == 0 && d.others == 0 }

// names lists the dependents for a message.
func (d dependents) names() string {
	var who []string
	for i, name := range d.own {
		if i == maxNamed {
			who = append(who, "more of this workspace")
			break
		}
		who = append(who, fault.Bounded(name))
	}
	if d.others > 0 {
		who = append(who, count(d.others, "package")+" of other workspaces")
	}
	return strings.Join(who, ", ")
}

// checkNoDependents checks that no package is built on a version that is to be deleted.
// ReferenceConstraint names those that are.
func checkNoDependents(r release, by dependents) error {
	if by.none() {
		return nil
	}
	return fault.New(fault.ReferenceConstraint, "The %s cannot be deleted while other packages are built on it: %s. Change or delete those first.",
		r, by.names())
}
