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

// Kind is the kind of a package, and the word for it in messages.
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
	Public   Visibility = "public"   // anybody; the hub lists it
	Private  Visibility = "private"  // only its own workspace
	Unlisted Visibility = "unlisted" // anybody who knows its id or name
)

// Lifecycle says whether a version may be newly installed.
type Lifecycle string

// The lifecycle statuses of the public API.
const (
	Published  Lifecycle = "published"
	Deprecated Lifecycle = "deprecated"
)

// Filter selects the interfaces or plugins of a list, which has the newest first. The
// zero value of a field does not restrict the list.
type Filter struct {
	// Workspace is the workspace whose packages are listed. With Hub it has no meaning:
	// then the list has the public packages of all workspaces.
	Workspace id.Workspace
	Hub       bool
	Name      string
	Version   string
}

// JSON is JSON text in the form in which it is both stored and answered.
type JSON string

// toJSON encodes v as it is stored.
func toJSON(v any) (JSON, error) {
	text, err := wire.AppendJSON(nil, v)
	return JSON(text), err
}

// Limits that all kinds share. All are published but the size of an icon or a readme,
// which is our own.
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

// splitName splits a name of the form handle/base; the handle is empty when there is none.
func splitName(name string) (handle, base string) {
	if handle, base, found := strings.Cut(name, "/"); found {
		return handle, base
	}
	return "", name
}

// checkName checks that name has the form [handle/]name. InvalidPayload when not.
func checkName(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > maxName {
		return fault.New(fault.InvalidPayload, "The name has %d characters; it must have 1 to %d.", n, maxName)
	}
	handle, base := splitName(name)
	if handle == "" && base != name || handle != "" && !namePattern.MatchString(handle) || !namePattern.MatchString(base) {
		return fault.New(fault.InvalidPayload, "%q is not a valid name. A name is handle/name or name; each part consists of a-z A-Z 0-9 - _ . and begins with a letter, a digit or _.", fault.Bounded(name))
	}
	return nil
}

// checkVersion checks that version is a semantic version. InvalidPayload when not.
func checkVersion(version string) error {
	if n := utf8.RuneCountInString(version); n < 1 || n > maxVersion {
		return fault.New(fault.InvalidPayload, "The version has %d characters; it must have 1 to %d.", n, maxVersion)
	}
	if _, err := semver.StrictNewVersion(version); err != nil {
		return fault.New(fault.InvalidPayload, "%q is not a valid version. A version is MAJOR.MINOR.PATCH, such as 1.0.0 or 1.2.0-beta.1.", fault.Bounded(version))
	}
	return nil
}

// publisher is what decides which names a workspace may publish under.
type publisher struct {
	handle   string // empty when the workspace has none
	platform bool   // it is the installation's own workspace
}

// mayPublish checks that the workspace may publish under the name: under its own handle
// or, for the platform's workspace, also under none. Forbidden when not.
func (p publisher) mayPublish(name string) error {
	handle, base := splitName(name)
	switch {
	case handle == "" && p.platform, handle != "" && handle == p.handle:
		return nil
	case p.handle == "":
		return fault.New(fault.Forbidden, "The name %q cannot be published: a workspace publishes under its own handle, and this one has none yet. Give it one with updateWorkspace, then publish handle/%s.", fault.Bounded(name), fault.Bounded(base))
	}
	return fault.New(fault.Forbidden, "The name %q cannot be published: this workspace publishes under its own handle, so the name must be \"%s/%s\".", fault.Bounded(name), p.handle, fault.Bounded(base))
}

// titleOf is the default title of a package: the last part of its name.
func titleOf(name string) string {
	_, base := splitName(name)
	runes := []rune(base)
	return string(runes[:min(len(runes), maxTitle)])
}

// chosenVisibility is the visibility that a request asks for, or before with ok false
// when it says nothing. public is the deprecated form and is ignored when visibility is
// given: true means public; false means private, unless the version is unlisted.
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

// open says that other workspaces can read the version, so that its content is frozen.
func (v Visibility) open() bool { return v != Private }

// errFrozen is the fault of an update that would change the content of an open version;
// parts are the names of what would change.
func errFrozen(r release, v Visibility, parts []string) error {
	return fault.New(fault.Forbidden, "The %s is %s, so its content cannot be changed, and this update would change %s. Publish a new version instead.",
		r, v, fault.Bounded(strings.Join(parts, ", ")))
}

// checkClosing checks that a version may get its new visibility. ReferenceConstraint
// when it would become private while bots of other workspaces have it installed.
func checkClosing(r release, before, after Visibility, others int) error {
	if !before.open() || after.open() || others == 0 {
		return nil
	}
	return fault.New(fault.ReferenceConstraint, "The %s cannot become private: %s of other workspaces have it installed.",
		r, count(others, "bot"))
}

// errOpenToOthers is the fault of deleting an open version.
func errOpenToOthers(r release, v Visibility) error {
	return fault.New(fault.Forbidden, "The %s is %s, and a version that other workspaces can use cannot be deleted. Make it private first, which is possible while none of them uses it.",
		r, v)
}

// checkHiding checks that a version may become private. ReferenceConstraint when
// packages of other workspaces are built on it.
func checkHiding(r release, by dependents) error {
	if by.others == 0 {
		return nil
	}
	return fault.New(fault.ReferenceConstraint, "The %s cannot become private: %s of other workspaces are built on it.",
		r, count(by.others, "package"))
}

// users are the bots that have a version installed.
type users struct {
	own    []string // names of the bots of the version's own workspace
	others int      // number of bots of other workspaces
}

func (u users) none() bool { return len(u.own) == 0 && u.others == 0 }

// maxNamed is how many bots or packages a message names at most.
const maxNamed = 5

// checkNotInstalled checks that no bot has a version that is to be deleted.
// ReferenceConstraint names those that have it.
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
	return fault.New(fault.ReferenceConstraint, "The %s cannot be deleted while it is installed in %s. Uninstall it there first.",
		r, strings.Join(who, ", "))
}

// errNotFound is the fault of what does not exist and, without a difference, of what the
// caller may not know about; what is an id, or name@version.
func errNotFound(k Kind, what string) error {
	return fault.New(fault.ResourceNotFound, "There is no %s %q that you can see here. It may be private to another workspace, or have another name. A version is written as 1.0.0, latest or a range such as ^1.2.0.", k, fault.Bounded(what))
}

// errAlreadyPublished is the fault of publishing a name and version that exists.
func errAlreadyPublished(r release) error {
	return fault.New(fault.AlreadyExists, "The %s exists already. Update it, or publish another version.", r)
}

// checkText checks the lengths of title and description; nil is absent. InvalidPayload
// when one is out of bounds.
func checkText(title, description *string) error {
	if title != nil {
		if n := utf8.RuneCountInString(*title); n < 1 || n > maxTitle {
			return fault.New(fault.InvalidPayload, "The title has %d characters; it must have 1 to %d.", n, maxTitle)
		}
	}
	if description != nil {
		if n := utf8.RuneCountInString(*description); n > maxDescription {
			return fault.New(fault.InvalidPayload, "The description has %d characters; at most %d are allowed.", n, maxDescription)
		}
	}
	return nil
}

// checkSDKVersion checks the length of the SDK's version; nil is absent. InvalidPayload
// when it is too long.
func checkSDKVersion(version *string) error {
	if version != nil && utf8.RuneCountInString(*version) > maxSDKVersion {
		return fault.New(fault.InvalidPayload, "sdkVersion has %d characters; at most %d are allowed.", utf8.RuneCountInString(*version), maxSDKVersion)
	}
	return nil
}

// checkCode checks the size of code, which the message calls where, such as "code.node";
// nil is absent. LimitExceeded when it is too large.
func checkCode(where string, code *string) error {
	if code != nil && len(*code) > maxCode {
		return fault.New(fault.LimitExceeded, "%s is %d bytes long; at most %d are allowed.", where, len(*code), maxCode).
			With("limit", maxCode).With("count", len(*code))
	}
	return nil
}

func errTooMany(owner, what string, most, n int) error {
	return fault.New(fault.LimitExceeded, "%s can have at most %d %s and would have %d.", owner, most, what, n).
		With("limit", most).With("count", n)
}

// count is a number with its noun, such as "1 bot" or "2 bots".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
