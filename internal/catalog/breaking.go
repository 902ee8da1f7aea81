package catalog

import (
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
)

// compatibleBase is the version whose users a new version must not break: the highest of
// the lower versions that share its caret range, such as 1.2.0 for 1.3.0 and 0.2.1 for
// 0.2.2. ok is false when there is none, so that the new version may break anything.
// Pre-releases promise nothing and are never a base.
func compatibleBase(versions []string, version string) (base string, ok bool) {
	next, err := semver.StrictNewVersion(version)
	if err != nil {
		return "", false
	}
	var best *semver.Version
	for _, text := range versions {
		v, err := semver.StrictNewVersion(text)
		if err == nil && v.Prerelease() == "" && v.LessThan(next) && sameLine(v, next) {
			best = higher(best, v)
		}
	}
	if best == nil {
		return "", false
	}
	return best.Original(), true
}

// sameLine says whether two versions promise compatibility: whether one caret range can
// hold both.
func sameLine(a, b *semver.Version) bool {
	switch {
	case a.Major() != b.Major():
		return false
	case a.Major() > 0:
		return true
	case a.Minor() != b.Minor():
		return false
	}
	return a.Minor() > 0 || a.Patch() == b.Patch()
}

// maxChanges is how many changes a message names at most.
const maxChanges = 10

// errBreaking is the fault of breaking changes, nil when there are none. what says where
// they come from, remedy what the caller can do.
func errBreaking(changes []definition.Change, what, remedy string) error {
	if len(changes) == 0 {
		return nil
	}
	var all []string
	for i, c := range changes {
		if i == maxChanges {
			all = append(all, count(len(changes)-maxChanges, "more change"))
			break
		}
		all = append(all, c.String())
	}
	return fault.New(fault.BreakingChanges, "%s: %s. %s", what, strings.Join(all, "; "), remedy)
}

// errBreakingUpdate is the fault of an update that breaks users of the version.
func errBreakingUpdate(r release, changes []definition.Change) error {
	return errBreaking(changes, "This breaks users of the "+r.String(),
		"Publish it as a new version, or send the header x-bypass-breaking-changes-detection: true.")
}

// errBreakingVersion is the fault of a new version that breaks users of base, whose version
// ranges admit it.
func errBreakingVersion(r release, base string, changes []definition.Change) error {
	return errBreaking(changes, "The "+r.String()+" breaks users of "+fault.Bounded(base),
		"This is allowed with a major version increment (a minor one below 1.0.0), or with the header x-bypass-breaking-changes-detection: true.")
}

// unionOfKeys is the sorted keys of both maps.
func unionOfKeys[V any](a, b map[string]V) []string {
	keys := make([]string, 0, len(a)+len(b))
	for key := range a {
		keys = append(keys, key)
	}
	for key := range b {
		if _, both := a[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
