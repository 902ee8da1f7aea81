package catalog

import (
	"time"

	"github.com/botyard/botyard/internal/blob"
	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
)

// Plugin is one version of a plugin as it is stored.
type Plugin struct {
	ID          id.Plugin
	Workspace   id.Workspace
	Name        string
	Version     string
	Visibility  Visibility
	Lifecycle   Lifecycle
	Title       string
	Description string
	CreatedAt   time.Time
	UpdatedAt   time.Time
	// CreatedBy is empty when the operator made it.
	CreatedBy id.Account
	// Icon and Readme are empty when there is none.
	Icon   blob.Hash
	Readme blob.Hash
	// NodeCode and BrowserCode are the bundles that bots are built with.
	NodeCode    blob.Hash
	BrowserCode blob.Hash
	// SDKVersion is empty when unknown.
	SDKVersion string

	Attributes JSON // an object of strings
	Definition JSON // a definition.Plugin
}

// Platform is where the code of a plugin runs.
type Platform string

// The platforms of the public API.
const (
	Node    Platform = "node"
	Browser Platform = "browser"
)

func (p Plugin) code(on Platform) blob.Hash {
	if on == Browser {
		return p.BrowserCode
	}
	return p.NodeCode
}

// PluginDraft is a plugin to be created. Nil is absent.
type PluginDraft struct {
	Name        string
	Version     string
	Definition  definition.NewPlugin
	Title       *string
	Description *string
	// Visibility is private when neither it nor Public says otherwise.
	Visibility *Visibility
	Public     *bool
	SDKVersion *string
	Node       string
	Browser    string
	Assets     assets
}

// update is the update that turns an empty plugin into the draft.
func (d PluginDraft) update() PluginUpdate {
	title := d.Title
	if title == nil {
		made := titleOf(d.Name)
		title = &made
	}
	return PluginUpdate{
		Definition: d.Definition.Patch(), Title: title, Description: d.Description, Visibility: d.Visibility, Public: d.Public,
		SDKVersion: d.SDKVersion, Node: &d.Node, Browser: &d.Browser, Assets: d.Assets,
	}
}

// PluginUpdate changes a plugin. What is nil stays as it is.
type PluginUpdate struct {
	Definition  definition.PluginPatch
	Title       *string
	Description *string
	Visibility  *Visibility
	Public      *bool
	SDKVersion  *string
	Node        *string
	Browser     *string
	Assets      assets
	// AllowBreaking admits changes that break bots that have the plugin.
	AllowBreaking bool
}

// check checks what can be checked without the plugin.
func (u PluginUpdate) check() error {
	for _, err := range []error{
		checkText(u.Title, u.Description), checkSDKVersion(u.SDKVersion), u.Assets.check(), checkCode("code.node", u.Node), checkCode("code.browser", u.Browser),
	} {
		if err != nil {
			return err
		}
	}
	return u.Definition.Check()
}

// apply is p after the update, except for code, icon and readme. p is not changed. The two
// functions look up the dependencies that the update sets.
func (p Plugin) apply(u PluginUpdate, findInterface, findIntegration definition.Find, now time.Time) (Plugin, error) {
	p.UpdatedAt = later(p.UpdatedAt, now)
	set(&p.Title, u.Title)
	set(&p.Description, u.Description)
	set(&p.SDKVersion, u.SDKVersion)
	p.Visibility, _ = chosenVisibility(u.Visibility, u.Public, p.Visibility)
	var err error
	if p.Attributes, err = applyAttributes("A plugin", p.Attributes, u.Definition.Attributes); err != nil {
		return p, err
	}
	before, err := definition.ParsePlugin([]byte(p.Definition))
	if err != nil {
		return p, err
	}
	after, err := before.Apply(u.Definition, findInterface, findIntegration)
	if err != nil {
		return p, err
	}
	text, err := after.JSON()
	p.Definition = JSON(text)
	return p, err
}

// contentChanges are the names of the parts of the content that differ in next.
func (p Plugin) contentChanges(next Plugin) ([]string, error) {
	return differences(p.Definition, next.Definition, []part{
		{"title", p.Title != next.Title},
		{"description", p.Description != next.Description},
		{"sdkVersion", p.SDKVersion != next.SDKVersion},
		{"attributes", p.Attributes != next.Attributes},
		{"code", p.NodeCode != next.NodeCode || p.BrowserCode != next.BrowserCode},
	})
}

// breakingChanges lists what would break bots that have the plugin if it became next.
func (p Plugin) breakingChanges(next Plugin) ([]definition.Change, error) {
	before, err := definition.ParsePlugin([]byte(p.Definition))
	if err != nil {
		return nil, err
	}
	after, err := definition.ParsePlugin([]byte(next.Definition))
	return definition.BreakingPlugin(before, after), err
}

// dependencies are the packages that the plugin depends on.
func (p Plugin) dependencies() (definition.Dependencies, error) {
	d, err := definition.ParsePlugin([]byte(p.Definition))
	return d.Dependencies, err
}

// errDependencyNotFound is the fault of a reference, as the caller gave it, to a package
// that the workspace cannot see.
func errDependencyNotFound(k Kind, r definition.Reference) error {
	what := r.ID
	if what == "" {
		what = r.Name + "@" + r.Version
	}
	return fault.New(fault.ReferenceNotFound, "There is no %s %q that you can see, and this package refers to it. Publish it first, or refer to one of the hub.", k, fault.Bounded(what))
}
