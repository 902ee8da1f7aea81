package catalog

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/Masterminds/semver/v3"
)

func picked(reference string, versions ...string) string {
	r, _ := ParseReference(reference)
	v, _ := r.Pick(versions)
	return v
}

var known = []string{
	"0.0.1", "0.0.2", "0.1.0", "0.1.9", "0.2.0", "1.0.0", "1.1.0", "1.2.0", "1.2.3-beta.1", "1.2.3-beta.2", "1.2.3", "1.3.0-rc.1",
	"1.9.9", "2.0.0-alpha", "2.0.0-rc.1", "2.0.0", "2.1.0", "3.0.0-beta.1",
}

func TestPick(t *testing.T) {
	for reference, want := range map[string]string{
		// exact
		"1.2.0": "1.2.0", "1.2.3-beta.1": "1.2.3-beta.1", "9.9.9": "", "v1.2.0": "1.2.0", "=1.2.0": "1.2.0", "= 1.2.0": "1.2.0",
		// latest, anything
		"latest": "2.1.0", " latest ": "2.1.0", "*": "2.1.0", "": "2.1.0", "x": "2.1.0", "X": "2.1.0", ">=0.0.0": "2.1.0",
		// what the command line sends to learn of the version before
		"<1.0.0": "0.2.0", "<0.0.1": "", "<2.0.0": "1.9.9", "<1.2.3": "1.2.0", "<1.2.3-beta.2": "1.2.3-beta.1",
		// what npm's validRange makes
		">=1.2.0 <2.0.0-0": "1.9.9", ">=0.1.0 <0.2.0-0": "0.1.9", ">=1.2.3-beta.1 <2.0.0-0": "1.9.9", ">=1.0.0 <1.1.0||>=2.0.0 <2.1.0": "2.0.0",
		// carets
		"^1.0.0": "1.9.9", "^0.1.0": "0.1.9", "^0.0.1": "0.0.1", "^0.0": "0.0.2", "^0": "0.2.0", "^1": "1.9.9", "^1.x": "1.9.9", "^0.x": "0.2.0",
		"^1.2.3-beta.1": "1.9.9", "^3.0.0-alpha": "3.0.0-beta.1", "^3": "", "^0.0.x": "0.0.2", "^*": "2.1.0", "^ 1.0.0": "1.9.9",
		// tildes
		"~1.2.0": "1.2.3", "~1.2": "1.2.3", "~1": "1.9.9", "~0.1.0": "0.1.9", "~>1.2.0": "1.2.3", "~1.2.3-beta.1": "1.2.3", "~ 1.2": "1.2.3",
		// x ranges
		"1": "1.9.9", "1.x": "1.9.9", "1.2": "1.2.3", "1.2.x": "1.2.3", "1.2.*": "1.2.3", "1.X.3": "1.9.9", "3": "", "0": "0.2.0",
		// comparators of partial versions
		">1": "2.1.0", ">1.1": "2.1.0", "<1": "0.2.0", "<=1": "1.9.9", "<=1.2": "1.2.3", ">=2": "2.1.0", "<1.2": "1.1.0", ">2": "", ">=1 <2": "1.9.9",
		"< 1.0.0": "0.2.0", ">= 1.0.0 < 2": "1.9.9", ">*": "", "<*": "", ">=*": "2.1.0", "<=x": "2.1.0",
		// pre-releases only of the version that is named
		">1.2.3-beta.1": "2.1.0", ">1.2.3-beta.1 <1.2.3": "1.2.3-beta.2", ">=1.3.0-rc.0 <1.4.0": "1.3.0-rc.1", "<2.0.0-beta": "2.0.0-alpha", ">3.0.0-alpha": "3.0.0-beta.1",
		// hyphens
		"1.0.0 - 1.2.0": "1.2.0", "1 - 2": "2.1.0", "1.0 - 1.2": "1.2.3", "0.1 - 0.1.9": "0.1.9", "* - 1.2.0": "1.2.0", "1.2.0 - *": "2.1.0",
		// alternatives
		"1.0.0 || 2.0.0": "2.0.0", "9 || ^0.1.0": "0.1.9", "||": "2.1.0", "1.0.0||": "2.1.0",
		// what is no reference
		"abc": "", "1.2.3.4": "", "^^1": "", ">": "", "1.2.3 -": "", "01.2.3": "", "1.2.3-01": "", "-1": "", "1.2-beta": "", "><1": "", "newest": "", "1.2.3-": "",
	} {
		if got := picked(reference, known...); got != want {
			t.Errorf("%q picks %q, want %q", reference, got, want)
		}
	}
}

func TestPickOfPrereleases(t *testing.T) {
	if got := picked("latest", "0.1.0-a", "0.1.0-b"); got != "0.1.0-b" {
		t.Errorf("the latest of pre-releases alone is %q", got)
	}
	if got := picked("latest"); got != "" {
		t.Errorf("the latest of nothing is %q", got)
	}
	for _, versions := range [][]string{{"1.0.0+a", "1.0.0+b"}, {"1.0.0+b", "1.0.0+a"}} {
		if got := picked("latest", versions...); got != "1.0.0+b" {
			t.Errorf("of %v the latest is %q", versions, got)
		}
		if got := picked("1.0.0+a", versions...); got != "1.0.0+a" {
			t.Errorf("1.0.0+a is %q", got)
		}
	}
}

// TestPickIsHighest holds that what is picked is admitted and that nothing higher is.
func TestPickIsHighest(t *testing.T) {
	number := rapid.IntRange(0, 3)
	prerelease := rapid.SampledFrom([]string{"", "", "", "-a", "-b.1", "-0"})
	version := rapid.Custom(func(t *rapid.T) string {
		return semver.New(uint64(number.Draw(t, "major")), uint64(number.Draw(t, "minor")), uint64(number.Draw(t, "patch")), "", "").String() + prerelease.Draw(t, "prerelease")
	})
	operator := rapid.SampledFrom([]string{"", "^", "~", ">", "<", ">=", "<=", "="})
	rapid.Check(t, func(t *rapid.T) {
		versions := rapid.SliceOfDistinct(version, rapid.ID).Draw(t, "versions")
		reference := operator.Draw(t, "operator") + version.Draw(t, "reference")
		r, ok := ParseReference(reference)
		if !ok {
			t.Fatalf("%q is no reference", reference)
		}
		picked, found := r.Pick(versions)
		if alone, ok := r.Pick([]string{picked}); found && (!ok || alone != picked || !slices.Contains(versions, picked)) {
			t.Fatalf("%q picks %q of %v, and alone does not", reference, picked, versions)
		}
		rest := slices.DeleteFunc(slices.Clone(versions), func(v string) bool { return v == picked })
		second, again := r.Pick(rest)
		if again && !found {
			t.Fatalf("%q picks %q of fewer versions", reference, second)
		}
		if again && picked != r.text && semver.MustParse(second).GreaterThan(semver.MustParse(picked)) {
			t.Fatalf("%q picks %q before the higher %q", reference, picked, second)
		}
	})
}

func FuzzReference(f *testing.F) {
	for _, text := range []string{"latest", "^1.2.3", ">=1.2.0 <2.0.0-0", "1 - 2 || ~3.1", "v1", "99999999999999999999.0.0", ">=", "1.2.3+b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, _ := ParseReference(text)
		if v, ok := r.Pick(known); ok && !slices.Contains(known, v) {
			t.Errorf("%q picks %q, which there is not", text, v)
		}
	})
}
