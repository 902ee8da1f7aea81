package catalog

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/Masterminds/semver/v3"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/id"
	"github.com/botyard/botyard/internal/wire"
)

// Kind is what a package is; it is also the word for it in messages.
type Kind string

// The kinds.
const (
	IntegrationKind Kind = "integration"
	InterfaceKind   Kind = "interface"
	PluginKind      Kind = "plugin"
)

// Visibility says who can see a version.
type Visibility string

// The visibilities of the public API.
const (
	Public   Visibility = "public"   // everybody, and the hub lists it
	Private  Visibility = "private"  // its own workspace
	Unlisted Visibility = "unlisted" // everybody who knows its id or name
)

// Lifecycle says whether a version may be newly installed.
type Lifecycle string

// The lifecycle statuses of the public API.
const (
	Published  Lifecycle = "published"
	Deprecated Lifecycle = "deprecated"
)

// Filter says which interfaces or plugins a list holds; the newest come first.
// Empty narrows nothing.
type Filter struct {
	// Workspace is whose they are; with Hub, they are the public ones of all.
	Workspace id.Workspace
	Hub       bool
	Name      string
	Version   string
}

// JSON is text in the form in which it is stored and answered.
type JSON string

// toJSON writes maps and lists of text, which always have a JSON form.
func toJSON(v any) (JSON, error) {
	text, err := wire.AppendJSON(nil, v)
	return JSON(text), err
}

// Limits that all kinds share. Those of names, versions, titles and descriptions
// are published; the size of an icon or a readme is our own.
const (
	maxName        = 200 // characters
	maxVersion     = 200 // characters
	maxTitle       = 64  // characters
	maxDescription = 256 // characters
	maxSDKVersion  = 200 // characters
	maxVersions    = 200
	maxCode        = 52_428_800 // bytes
	maxAsset       = 1 << 20    // bytes
)

// namePattern is one part of a name.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// splitName takes a name apart: handle/base, or base alone.
func splitName(name string) (handle, base string) {
	if handle, base, found := strings.Cut(name, "/"); found {
		return handle, base
	}
	return "", name
}

// checkName says whether name has the form [handle/]name. InvalidPayload when not.
func checkName(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > maxName {
		return fault.New(fault.InvalidPayload, "The name has %d characters; a name has 1 to %d.", n, maxName)
	}
	handle, base := splitName(name)
	if handle == "" && base != name || handle != "" && !namePattern.MatchString(handle) || !namePattern.MatchString(base) {
		return fault.New(fault.InvalidPayload, "%q cannot be a name: a name is handle/name or name, each of the characters a-z A-Z 0-9 - _ . and beginning with a letter, a digit or _.", fault.Bounded(name))
	}
	return nil
}

// checkVersion says whether version is a semantic version. InvalidPayload when not.
func checkVersion(version string) error {
	if n := utf8.RuneCountInString(version); n < 1 || n > maxVersion {
		return fault.New(fault.InvalidPayload, "The version has %d characters; a version has 1 to %d.", n, maxVersion)
	}
	if _, err := semver.StrictNewVersion(version); err != nil {
		return fault.New(fault.InvalidPayload, "%q is not a version: a version is MAJOR.MINOR.PATCH, as 1.0.0 or 1.2.0-beta.1.", fault.Bounded(version))
	}
	return nil
}

// publisher is the workspace that publishes, as far as names are concerned.
type publisher struct {
	handle   string // empty: the workspace has none
	platform bool   // it is the installation's own workspace
}

// mayPublish says whether the workspace may publish under the name: under its own
// handle, and the platform's workspace also under none. Forbidden when not.
func (p publisher) mayPublish(name string) error {
	handle, base := splitName(name)
	switch {
	case handle == "" && p.platform, handle != "" && handle == p.handle:
		return nil
	case p.handle == "":
		return fault.New(fault.Forbidden, "The name %q cannot be published: a workspace publishes under its handle, and this one has none. Give it one with updateWorkspace, then publish handle/%s.", fault.Bounded(name), fault.Bounded(base))
	}
	return fault.New(fault.Forbidden, "The name %q cannot be published: this workspace publishes under its own handle, so the name must be \"%s/%s\".", fault.Bounded(name), p.handle, fault.Bounded(base))
}

// titleOf is the title of a package that was given none: the last part of its name.
func titleOf(name string) string {
	_, base := splitName(name)
	runes := []rune(base)
	return string(runes[:min(len(runes), maxTitle)])
}

// chosenVisibility is the visibility that a request asks for; absent answers ok
// false. public is the old name of visibility and has no say beside it: true means
// public, false means private unless the version is unlisted.
func chosenVisibility(visibility *Visibility, public *bool, before Visibility) (v Visibility, ok bool) {
	switch {
	case visibility != nil:
		return *visibility, true
	case public == nil:
		return before, false
	case *public:
		return Public, true
	case before == Unlisted:
		return Unlisted, true
	}
	return Private, true
}

// open says that the version can be read from outside its workspace, and so can
// never change.
func (v Visibility) open() bool { return v != Private }

// errFrozen is the fault of an update that would change what an open version is made
// of; parts names what would change.
func errFrozen(r release, v Visibility, parts []string) error {
	return fault.New(fault.Forbidden, "The %s is %s, so what it is made of cannot be changed, and this would change %s. Publish a new version.",
		r, v, fault.Bounded(strings.Join(parts, ", ")))
}

// checkClosing says whether a version may become private: nobody outside its
// workspace may depend on it. ReferenceConstraint when others do.
func checkClosing(r release, before, after Visibility, others int) error {
	if !before.open() || after.open() || others == 0 {
		return nil
	}
	return fault.New(fault.ReferenceConstraint, "The %s cannot become private: %s of other workspaces have it installed.",
		r, count(others, "bot"))
}

// errOpenToOthers is the fault of deleting a version that is open to all.
func errOpenToOthers(r release, v Visibility) error {
	return fault.New(fault.Forbidden, "The %s is %s, and what is open to others is kept for them. Make it private first, which can be done while no other workspace uses it.",
		r, v)
}

// checkHiding says whether a version may become private as far as packages of
// others are built on it. ReferenceConstraint when some are.
func checkHiding(r release, by dependents) error {
	if by.others == 0 {
		return nil
	}
	return fault.New(fault.ReferenceConstraint, "The %s cannot become private: %s of other workspaces are built on it.",
		r, count(by.others, "package"))
}

// users are the bots that have a version installed.
type users struct {
	own    []string // the names of those of its own workspace
	others int      // how many there are in other workspaces
}

func (u users) none() bool { return len(u.own) == 0 && u.others == 0 }

// maxNamed bounds how many bots a message names.
const maxNamed = 5

// checkNotInstalled is the fault of deleting what bots have checkNotInstalled; nil when none has.
func checkNotInstalled(r release, by users) error {
	if by.none() {
		return nil
	}
	var who []string
	for i, bot := range by.own {
		if i == maxNamed {
			who = append(who, fmt.Sprintf("%d more of this workspace", len(by.own)-maxNamed))
			break
		}
		who = append(who, fmt.Sprintf("%q", fault.Bounded(bot)))
	}
	if by.others > 0 {
		who = append(who, count(by.others, "bot")+" of other workspaces")
	}
	return fault.New(fault.ReferenceConstraint, "The %s cannot be deleted while it is installed, and it is in: %s. Remove it there first.",
		r, strings.Join(who, ", "))
}

// errNotFound is the one answer for what does not exist and for what the caller may not
// know of; what is an id, or name@version.
func errNotFound(k Kind, what string) error {
	return fault.New(fault.ResourceNotFound, "There is no %s %q that you can see here. It may be private to another workspace, or under another name: a version is written as 1.0.0, latest or a range such as ^1.2.0.", k, fault.Bounded(what))
}

// errAlreadyPublished is the fault of publishing a name and version that there is already.
func errAlreadyPublished(r release) error {
	return fault.New(fault.AlreadyExists, "The %s exists already. Update it, or publish another version.", r)
}

// checkText says whether title and description are within their bounds; nil was
// not said.
func checkText(title, description *string) error {
	if title != nil {
		if n := utf8.RuneCountInString(*title); n < 1 || n > maxTitle {
			return fault.New(fault.InvalidPayload, "The title has %d characters; a title has 1 to %d.", n, maxTitle)
		}
	}
	if description != nil {
		if n := utf8.RuneCountInString(*description); n > maxDescription {
			return fault.New(fault.InvalidPayload, "The description has %d characters; it can have %d.", n, maxDescription)
		}
	}
	return nil
}

// checkSDKVersion says whether the version of the SDK is within its bound; nil was
// not said.
func checkSDKVersion(version *string) error {
	if version != nil && utf8.RuneCountInString(*version) > maxSDKVersion {
		return fault.New(fault.InvalidPayload, "sdkVersion has %d characters; it can have %d.", utf8.RuneCountInString(*version), maxSDKVersion)
	}
	return nil
}

// checkCode says whether code is within its bound; where names it, as "code.node".
func checkCode(where string, code *string) error {
	if code != nil && len(*code) > maxCode {
		return fault.New(fault.LimitExceeded, "%s is %d bytes; it can have %d.", where, len(*code), maxCode).
			With("limit", maxCode).With("count", len(*code))
	}
	return nil
}

func errTooMany(owner, what string, most, n int) error {
	return fault.New(fault.LimitExceeded, "%s can have %d %s and would have %d.", owner, most, what, n).
		With("limit", most).With("count", n)
}

// count is a number and its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
