package catalog

import (
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// latest is the reference to the highest version.
const latest = "latest"

// Reference is how a caller names a version: exactly, as latest, or by a range in npm's
// syntax. As in npm, a range holds a pre-release only when one of its own bounds is a
// pre-release of the same MAJOR.MINOR.PATCH. A pre-release is the latest version only
// when there are no others.
type Reference struct {
	text   string
	latest bool
	// sets are alternatives. A version is in the range when it satisfies every comparator
	// of one of them.
	sets [][]comparator
}

// comparator is one bound of a range.
type comparator struct {
	operator string // one of < <= > >= =
	version  semver.Version
}

// maxReference bounds, in bytes, what is parsed. The longest ranges that tools write are a
// tenth of it.
const maxReference = 500

// ParseReference parses a reference. ok is false when it has none of the three forms; the
// result then matches only a version with exactly this text.
func ParseReference(text string) (r Reference, ok bool) {
	r.text = text
	trimmed := strings.TrimSpace(text)
	if trimmed == latest {
		r.latest = true
		return r, true
	}
	if len(trimmed) > maxReference {
		return r, false
	}
	for alternative := range strings.SplitSeq(trimmed, "||") {
		set, ok := parseSet(alternative)
		if !ok {
			return Reference{text: text}, false
		}
		r.sets = append(r.sets, set)
	}
	return r, true
}

// Pick chooses the version that the reference means: the one with exactly its text, or else
// the highest that it admits. ok is false when there is none.
func (r Reference) Pick(versions []string) (version string, ok bool) {
	var best, preview *semver.Version
	for _, text := range versions {
		if text == r.text {
			return text, true
		}
		v, err := semver.StrictNewVersion(text)
		if err != nil {
			continue
		}
		switch {
		case r.latest && v.Prerelease() != "":
			preview = higher(preview, v)
		case r.latest || r.admits(v):
			best = higher(best, v)
		}
	}
	if best == nil {
		best = preview
	}
	if best == nil {
		return "", false
	}
	return best.Original(), true
}

// higher is the higher of two versions; a may be nil. Versions that differ only in their
// build metadata have the same precedence; then the one with the higher text wins, so
// that the result does not depend on the order of the list.
func higher(a, b *semver.Version) *semver.Version {
	if a == nil {
		return b
	}
	if c := b.Compare(a); c > 0 || c == 0 && b.Original() > a.Original() {
		return b
	}
	return a
}

func (r Reference) admits(v *semver.Version) bool {
	for _, set := range r.sets {
		if holds(set, v) {
			return true
		}
	}
	return false
}

func holds(set []comparator, v *semver.Version) bool {
	named := v.Prerelease() == ""
	for _, c := range set {
		order := v.Compare(&c.version)
		within := false
		switch c.operator {
		case "<":
			within = order < 0
		case "<=":
			within = order <= 0
		case ">":
			within = order > 0
		case ">=":
			within = order >= 0
		case "=":
			within = order == 0
		}
		if !within {
			return false
		}
		if c.version.Prerelease() != "" && c.version.Major() == v.Major() && c.version.Minor() == v.Minor() && c.version.Patch() == v.Patch() {
			named = true
		}
	}
	return named
}

// parseSet parses one alternative: comparators separated by spaces, or a - b.
func parseSet(text string) (set []comparator, ok bool) {
	words := strings.Fields(text)
	if len(words) == 3 && words[1] == "-" {
		from, good := parsePartial(words[0])
		to, alsoGood := parsePartial(words[2])
		if !good || !alsoGood {
			return nil, false
		}
		return append(from.atLeast(), to.atMost()...), true
	}
	for i := 0; i < len(words); i++ {
		operator, rest := cutOperator(words[i])
		if rest == "" && operator != "" {
			// ">= 1.2.3": the operator stands apart.
			if i++; i == len(words) {
				return nil, false
			}
			rest = words[i]
		}
		p, good := parsePartial(rest)
		if !good {
			return nil, false
		}
		set = append(set, p.comparators(operator)...)
	}
	return set, true
}

func cutOperator(word string) (operator, rest string) {
	for _, operator := range []string{"~>", ">=", "<=", ">", "<", "=", "~", "^"} {
		if rest, found := strings.CutPrefix(word, operator); found {
			return operator, rest
		}
	}
	return "", word
}

// partial is a version whose last numbers may be missing.
type partial struct {
	major, minor, patch uint64
	given               int // how many of the numbers are given
	prerelease          string
}

// parsePartial parses 1, 1.2, 1.2.x, 1.2.3-beta+build, * and the empty string.
func parsePartial(text string) (p partial, ok bool) {
	text = strings.TrimLeft(text, "v=")
	core, build, built := strings.Cut(text, "+")
	if built && !identifiers(build, false) {
		return p, false
	}
	numbers, prerelease, preview := strings.Cut(core, "-")
	if preview && !identifiers(prerelease, true) {
		return p, false
	}
	parts := strings.Split(numbers, ".")
	if len(parts) > 3 || (preview || built) && len(parts) != 3 {
		return p, false
	}
	if text == "" {
		return p, true
	}
	targets := []*uint64{&p.major, &p.minor, &p.patch}
	wild := false
	for i, part := range parts {
		if part == "x" || part == "X" || part == "*" {
			wild = true
			continue
		}
		n, err := strconv.ParseUint(part, 10, 53) // the largest number that npm accepts
		if err != nil || len(part) > 1 && part[0] == '0' {
			return p, false
		}
		if !wild { // 1.x.3 is 1.x
			*targets[i] = n
			p.given = i + 1
		}
	}
	if p.given == 3 {
		p.prerelease = prerelease
	}
	return p, true
}

// identifiers says whether text is a list of identifiers separated by dots. In a
// pre-release, numeric ones have no leading zero.
func identifiers(text string, prerelease bool) bool {
	for part := range strings.SplitSeq(text, ".") {
		if part == "" {
			return false
		}
		numeric := true
		for _, c := range []byte(part) {
			digit := c >= '0' && c <= '9'
			if !digit && c != '-' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
			numeric = numeric && digit
		}
		if prerelease && numeric && len(part) > 1 && part[0] == '0' {
			return false
		}
	}
	return true
}

func bound(operator string, major, minor, patch uint64, prerelease string) comparator {
	return comparator{operator, *semver.New(major, minor, patch, prerelease, "")}
}

// floor is the lowest pre-release, so that a bound on it excludes all pre-releases too.
const floor = "0"

// none admits no version.
func none() []comparator { return []comparator{bound("<", 0, 0, 0, floor)} }

// next is a comparator with the first version after those that share the first n numbers.
func (p partial) next(operator string, n int, prerelease string) comparator {
	switch n {
	case 1:
		return bound(operator, p.major+1, 0, 0, prerelease)
	case 2:
		return bound(operator, p.major, p.minor+1, 0, prerelease)
	}
	return bound(operator, p.major, p.minor, p.patch+1, prerelease)
}

func (p partial) self(operator string) comparator {
	return bound(operator, p.major, p.minor, p.patch, p.prerelease)
}

// atLeast is the left side of a - b.
func (p partial) atLeast() []comparator {
	if p.given == 0 {
		return nil
	}
	return []comparator{p.self(">=")}
}

// atMost is the right side of a - b.
func (p partial) atMost() []comparator {
	switch p.given {
	case 0:
		return nil
	case 3:
		return []comparator{p.self("<=")}
	}
	return []comparator{p.next("<", p.given, floor)}
}

// comparators are the bounds that an operator and a partial version stand for.
func (p partial) comparators(operator string) []comparator {
	switch operator {
	case "^":
		return p.caret()
	case "~", "~>":
		if p.given == 0 {
			return nil
		}
		return []comparator{p.self(">="), p.next("<", min(p.given, 2), floor)}
	}
	if p.given == 3 {
		if operator == "" {
			operator = "="
		}
		return []comparator{p.self(operator)}
	}
	if p.given == 0 {
		if operator == "<" || operator == ">" {
			return none()
		}
		return nil
	}
	switch operator {
	case ">":
		return []comparator{p.next(">=", p.given, "")}
	case "<=":
		return []comparator{p.next("<", p.given, floor)}
	case ">=":
		return []comparator{p.self(">=")}
	case "<":
		return []comparator{bound("<", p.major, p.minor, 0, floor)}
	}
	return []comparator{p.self(">="), p.next("<", p.given, floor)}
}

// caret admits the versions that keep the leftmost number that is not zero.
func (p partial) caret() []comparator {
	switch {
	case p.given == 0:
		return nil
	case p.given == 1 || p.major > 0:
		return []comparator{p.self(">="), p.next("<", 1, floor)}
	case p.given == 2 || p.minor > 0:
		return []comparator{p.self(">="), p.next("<", 2, floor)}
	}
	return []comparator{p.self(">="), p.next("<", 3, floor)}
}

// pick chooses the version that reference means.
func pick(reference string, versions []string) (version string, ok bool) {
	r, _ := ParseReference(reference)
	return r.Pick(versions)
}

// maxLooks bounds how often lookUp starts over.
const maxLooks = 100

// lookUp reads the version that reference means. versions lists those of the name, read
// reads one of them. A version that goes between the two, or is closed to others, is looked
// up again: another one may be meant by then.
func lookUp[V any](reference string, versions func() ([]string, error), read func(version string) (V, bool, error)) (v V, found bool, err error) {
	for range maxLooks {
		all, err := versions()
		if err != nil {
			return v, false, err
		}
		version, ok := pick(reference, all)
		if !ok {
			return v, false, nil
		}
		if v, found, err = read(version); found || err != nil {
			return v, found, err
		}
	}
	return v, false, nil
}
