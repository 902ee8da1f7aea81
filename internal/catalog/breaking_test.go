package catalog

import (
	"slices"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
	"pgregory.net/rapid"

	"github.com/botyard/botyard/internal/definition"
	"github.com/botyard/botyard/internal/fault"
)

func TestCompatibleBase(t *testing.T) {
	for name, test := range map[string]struct {
		version  string
		versions []string
		want     string
	}{
		"first":                   {"1.0.0", nil, ""},
		"patch":                   {"1.2.4", []string{"1.2.3", "1.1.0"}, "1.2.3"},
		"minor":                   {"1.3.0", []string{"1.2.3", "1.1.0", "2.0.0"}, "1.2.3"},
		"major":                   {"2.0.0", []string{"1.2.3", "1.1.0"}, ""},
		"between":                 {"1.1.5", []string{"1.0.0", "1.1.0", "1.2.0"}, "1.1.0"},
		"below all":               {"1.0.0", []string{"1.1.0"}, ""},
		"0.x minor":               {"0.2.0", []string{"0.1.9"}, ""},
		"0.x patch":               {"0.2.1", []string{"0.2.0", "0.1.0"}, "0.2.0"},
		"0.0.x patch":             {"0.0.2", []string{"0.0.1"}, ""},
		"pre-release is no base":  {"1.0.0", []string{"1.0.0-beta.1"}, ""},
		"pre-release has a base":  {"1.1.0-beta.1", []string{"1.0.0", "1.1.0-alpha.1"}, "1.0.0"},
		"not a number":            {"next", []string{"1.0.0"}, ""},
		"others are not versions": {"1.0.1", []string{"latest", "1.0", "1.0.0"}, "1.0.0"},
	} {
		if got, ok := compatibleBase(test.versions, test.version); got != test.want || ok != (test.want != "") {
			t.Errorf("%s: the base of %s in %v is %q, want %q", name, test.version, test.versions, got, test.want)
		}
	}
}

// The base is below the version, in the range that npm's caret makes of it, and no
// other of that kind is higher.
func TestCompatibleBaseIsTheHighest(t *testing.T) {
	version := rapid.Custom(func(t *rapid.T) string {
		n := rapid.Uint64Range(0, 2)
		return semver.New(n.Draw(t, "major"), n.Draw(t, "minor"), n.Draw(t, "patch"), rapid.SampledFrom([]string{"", "", "rc"}).Draw(t, "pre"), "").String()
	})
	rapid.Check(t, func(t *rapid.T) {
		versions, next := rapid.SliceOf(version).Draw(t, "versions"), version.Draw(t, "next")
		base, found := compatibleBase(versions, next)
		if found {
			b, n := semver.MustParse(base), semver.MustParse(next)
			if !slices.Contains(versions, base) || b.Prerelease() != "" || !b.LessThan(n) || picked("^"+base, semver.New(n.Major(), n.Minor(), n.Patch(), "", "").String()) == "" {
				t.Fatalf("the base of %s in %v is %s", next, versions, base)
			}
		}
		for _, v := range versions {
			r, _ := ParseReference("^" + v)
			release, err := semver.StrictNewVersion(v)
			if err != nil {
				t.Fatal(err)
			}
			plain := semver.MustParse(next)
			admits := func(v *semver.Version) bool {
				_, ok := r.Pick([]string{semver.New(v.Major(), v.Minor(), v.Patch(), "", "").String()})
				return ok
			}
			if release.Prerelease() != "" || !release.LessThan(plain) || !admits(plain) {
				continue
			}
			if !found || release.GreaterThan(semver.MustParse(base)) {
				t.Fatalf("the base of %s is %q, and %s is higher", next, base, v)
			}
		}
	})
}

func TestBroken(t *testing.T) {
	if err := errBreakingUpdate(release{kind: PluginKind, name: "p", version: "1.0.0"}, nil); err != nil {
		t.Error(err)
	}
	changes := make([]definition.Change, maxChanges+3)
	for i := range changes {
		changes[i] = definition.Change{Path: "actions.send.input", Reason: `required property "to" was added`}
	}
	for _, err := range []error{
		errBreakingUpdate(release{kind: PluginKind, name: "p", version: "1.0.0"}, changes),
		errBreakingVersion(release{kind: PluginKind, name: "p", version: "1.0.1"}, "1.0.0", changes),
	} {
		if !fault.Is(err, fault.BreakingChanges) {
			t.Error(err)
		}
		for _, part := range []string{`actions.send.input: required property "to" was added`, "3 more changes", "x-bypass-breaking-changes-detection: true", "plugin p@1.0."} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q is not in %v", part, err)
			}
		}
	}
}
