package definition

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/botyard/botyard/internal/fault"
	"github.com/botyard/botyard/internal/wire"
)

// direction is the way that the values of a schema take. A schema can have both.
type direction byte

const (
	// accepted values come from users: what was valid must stay valid.
	accepted direction = 1 << iota
	// produced values go to users: everything must be as the old schema promised.
	produced
)

// The work of a comparison is bounded, in steps of about the cost of looking at one keyword.
// A comparison of two definitions takes two seconds at most, one of two schemas half a
// second, and one of small schemas a few milliseconds.
const (
	maxComparisonWork = 2_000_000
	maxSchemaWork     = 500_000
	minSchemaWork     = 10_000
	schemaWorkPerByte = 10
)

// maxComparisonDepth is greater than the depth of any schema that checkSchema passes. What is
// deeper repeats itself through references.
const maxComparisonDepth = 2 * maxSchemaDepth

// schema compares two versions of a schema in one or both directions.
func (c *changes) schema(path string, d direction, old, next wire.Object) {
	if bytes.Equal(old, next) {
		return
	}
	oldTree, oldErr := tree(old)
	nextTree, nextErr := tree(next)
	if oldErr != nil || nextErr != nil {
		c.add(path, "the schema holds numbers that are too large to be compared")
		return
	}
	allotted := min(c.budget, maxSchemaWork, minSchemaWork+schemaWorkPerByte*(len(old)+len(next)))
	budget := allotted
	defer func() { c.budget -= allotted - budget }()
	for _, one := range []struct {
		direction direction
		a, b      any
	}{{accepted, oldTree, nextTree}, {produced, nextTree, oldTree}} {
		if d&one.direction == 0 {
			continue
		}
		w := walk{direction: one.direction, rootA: one.a, rootB: one.b, budget: &budget, active: map[[2]string]bool{}}
		w.compare(path, one.a, one.b, 0)
		if w.spent() {
			c.add(path, "the schema is too complex to be compared with the old one")
			return
		}
		for _, change := range w.found {
			c.add(change.Path, "%s", change.Reason)
		}
	}
}

func tree(schema wire.Object) (t any, err error) {
	if len(schema) == 0 {
		return map[string]any{}, nil
	}
	err = wire.ParseJSON(schema, &t)
	return t, err
}

// walk looks for values that schema a admits and schema b does not. For accepted values a is
// the old schema and b the new one; for produced values it is the other way round.
type walk struct {
	direction    direction
	rootA, rootB any
	budget       *int
	found        []Change
	// active holds the pairs of references that are being compared. A pair that comes up
	// again inside of itself is a recursion and adds nothing.
	active map[[2]string]bool
}

func (w *walk) spend(n int) { *w.budget -= n }

func (w *walk) spent() bool { return *w.budget <= 0 }

func (w *walk) add(path, format string, args ...any) {
	if len(w.found) < maxChanges {
		w.found = append(w.found, Change{path, fmt.Sprintf(format, args...)})
	}
}

// say adds a change, worded for the direction.
func (w *walk) say(path, whenAccepted, whenProduced string) {
	if w.direction == accepted {
		w.add(path, "%s", whenAccepted)
	} else {
		w.add(path, "%s", whenProduced)
	}
}

// turned is a and b in the order old, new.
func turned[T any](w *walk, a, b T) (old, next T) {
	if w.direction == accepted {
		return a, b
	}
	return b, a
}

func (w *walk) compare(path string, a, b any, depth int) {
	w.spend(1)
	if w.spent() || depth > maxComparisonDepth {
		return
	}
	if pair := [2]string{localReference(a), localReference(b)}; pair[0] != "" && pair[1] != "" {
		if w.active[pair] {
			return
		}
		w.active[pair] = true
		defer delete(w.active, pair)
	}
	bs := w.shapes(w.rootB, b, 0)
	if len(bs) == 1 && len(bs[0]) == 0 {
		return // b admits everything
	}
	as := w.shapes(w.rootA, a, 0)
	switch {
	case w.spent() || len(as) == 0:
		return
	case len(bs) == 0:
		w.say(path, "no value is accepted any more", "values are produced where there were none")
		return
	}
	as = w.types(path, as, bs)
	if len(as) == 1 && len(bs) == 1 {
		w.shape(path, as[0], bs[0], depth)
		return
	}
	for i, x := range as {
		if w.admitted(x, bs, depth) {
			continue
		}
		switch {
		case len(bs) == 1:
			w.shape(path, x, bs[0], depth)
		case len(as) == len(bs):
			w.shape(path, x, bs[i], depth)
		default:
			w.say(path, fmt.Sprintf("alternative %d of the old schema is no longer accepted", i+1),
				fmt.Sprintf("alternative %d of the new schema was added", i+1))
		}
	}
}

// admitted says whether one of bs admits every value of x.
func (w *walk) admitted(x shape, bs []shape, depth int) bool {
	for _, y := range bs {
		trial := *w
		trial.found = nil
		trial.shape("", x, y, depth)
		if len(trial.found) == 0 {
			return true
		}
	}
	return false
}

// types reports types that occur in as but not in bs, and answers as without those.
func (w *walk) types(path string, as, bs []shape) []shape {
	have := map[string]bool{}
	for _, y := range bs {
		have[y.typ()] = true
	}
	covered := func(x shape) bool {
		t := x.typ()
		return have[anyType] || have[t] || t == "integer" && have["number"]
	}
	rest := slices.DeleteFunc(slices.Clone(as), func(x shape) bool { return !covered(x) })
	if len(rest) < len(as) {
		old, next := turned(w, typeNames(as), typeNames(bs))
		w.add(path, "type was %s and is %s", old, next)
	}
	return rest
}

// shape compares two alternatives. Keywords of a type matter only where values of a can have
// that type.
func (w *walk) shape(path string, a, b shape, depth int) {
	w.spend(1 + len(a) + len(b))
	if w.spent() {
		w.add(path, "too complex")
		return
	}
	if old, next := turned(w, reference(a), reference(b)); old != next {
		w.add(path, "the reference was %s and is %s", old, next)
		return
	}
	if t := a.typ(); t != anyType && b.typ() != anyType && t != b.typ() && (t != "integer" || b.typ() != "number") {
		old, next := turned(w, t, b.typ())
		w.add(path, "type was %s and is %s", old, next)
		return
	}
	w.values(path, a, b)
	w.numbers(path, a, b)
	w.strings(path, a, b)
	w.arrays(path, a, b, depth)
	w.objects(path, a, b, depth)
	w.opaque(path, a, b)
}

func reference(s shape) string {
	if ref, ok := s["$ref"].(string); ok {
		return fmt.Sprintf("%q", fault.Bounded(ref))
	}
	return "none"
}

func (w *walk) values(path string, a, b shape) {
	admitted, limited := b.values()
	if !limited {
		return
	}
	possible, finite := a.values()
	if !finite {
		w.say(path, "the values were limited to an enumeration", "the values are no longer limited to an enumeration")
		return
	}
	known := make(map[string]bool, len(admitted))
	for _, value := range admitted {
		known[w.text(value)] = true
	}
	for _, value := range possible {
		if text := w.text(value); !known[text] {
			w.say(path, fmt.Sprintf("enum value %s was removed", fault.Bounded(text)), fmt.Sprintf("enum value %s was added", fault.Bounded(text)))
		}
	}
}

// text is the value as JSON; equal values have equal texts.
func (w *walk) text(value any) string {
	text, err := wire.AppendJSON(nil, value)
	if err != nil {
		return fmt.Sprint(value) // cannot happen: the value was parsed from JSON
	}
	w.spend(1 + len(text)/8)
	return string(text)
}

func (w *walk) numbers(path string, a, b shape) {
	if !a.can("number") {
		return
	}
	w.bound(path, "minimum", a.lower(), b.lower(), lowest)
	w.bound(path, "maximum", a.upper(), b.upper(), highest)
	step, limited := b["multipleOf"].(float64)
	if !limited || step == 0 {
		return
	}
	switch before, had := a["multipleOf"].(float64); {
	case !had:
		w.say(path, fmt.Sprintf("multipleOf %v was added", step), fmt.Sprintf("multipleOf %v was removed", step))
	case math.Mod(before, step) != 0:
		old, next := turned(w, before, step)
		w.add(path, "multipleOf was %v and is %v", old, next)
	}
}

func (w *walk) strings(path string, a, b shape) {
	if !a.can("string") {
		return
	}
	w.bound(path, "minLength", a.bound("minLength"), b.bound("minLength"), lowest)
	w.bound(path, "maxLength", a.bound("maxLength"), b.bound("maxLength"), highest)
	for _, keyword := range []string{"pattern", "format", "contentEncoding", "contentMediaType"} {
		limit, limited := b[keyword].(string)
		before, had := a[keyword].(string)
		switch {
		case !limited || had && before == limit:
		case !had:
			w.say(path, fmt.Sprintf("%s %q was added", keyword, fault.Bounded(limit)), fmt.Sprintf("%s %q was removed", keyword, fault.Bounded(limit)))
		default:
			old, next := turned(w, before, limit)
			w.add(path, "%s was %q and is %q", keyword, fault.Bounded(old), fault.Bounded(next))
		}
	}
}

func (w *walk) arrays(path string, a, b shape, depth int) {
	if !a.can("array") {
		return
	}
	w.bound(path, "minItems", a.bound("minItems"), b.bound("minItems"), lowest)
	w.bound(path, "maxItems", a.bound("maxItems"), b.bound("maxItems"), highest)
	if a["uniqueItems"] != true && b["uniqueItems"] == true {
		w.say(path, "items must now be unique", "items are no longer unique")
	}
	first, rest := a.items()
	firstOfB, restOfB := b.items()
	for i := range max(len(first), len(firstOfB)) {
		w.compare(fmt.Sprintf("%s[%d]", path, i), item(first, i, rest), item(firstOfB, i, restOfB), depth+1)
	}
	w.compare(path+"[]", rest, restOfB, depth+1)
}

func item(first []any, i int, rest any) any {
	if i < len(first) {
		return first[i]
	}
	return rest
}

func (w *walk) objects(path string, a, b shape, depth int) {
	if !a.can("object") {
		return
	}
	w.bound(path, "minProperties", a.bound("minProperties"), b.bound("minProperties"), lowest)
	w.bound(path, "maxProperties", a.bound("maxProperties"), b.bound("maxProperties"), highest)
	properties, propertiesOfB := a.schemas("properties"), b.schemas("properties")
	w.spend(len(properties) + len(propertiesOfB))
	w.required(path, a, b, properties)
	others, othersOfB := a.others(), b.others()
	_, patterns := b["patternProperties"]
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		at := path + "." + fault.Bounded(name)
		if admits, stands := propertiesOfB[name]; stands {
			w.compare(at, properties[name], admits, depth+1)
			continue
		}
		switch {
		case w.direction == produced || patterns:
			// Users may receive properties that they do not know.
		case othersOfB == false:
			w.add(path, "property %q was removed", fault.Bounded(name))
		default:
			w.compare(at, properties[name], othersOfB, depth+1)
		}
	}
	if w.direction == produced {
		for _, name := range slices.Sorted(maps.Keys(propertiesOfB)) {
			if _, stands := properties[name]; !stands {
				w.add(path, "property %q was removed", fault.Bounded(name))
			}
		}
	}
	w.others(path, others, othersOfB, depth)
}

func (w *walk) required(path string, a, b shape, properties map[string]any) {
	had := map[string]bool{}
	for _, name := range a.required() {
		had[name] = true
	}
	for _, name := range b.required() {
		if had[name] {
			continue
		}
		_, known := properties[name]
		switch shown := fault.Bounded(name); {
		case w.direction == produced && !known:
			w.add(path, "property %q was removed", shown)
		case known:
			w.say(path, fmt.Sprintf("property %q became required", shown), fmt.Sprintf("property %q is no longer required", shown))
		default:
			w.add(path, "required property %q was added", shown)
		}
	}
}

// others compares what is said of properties that are not named.
func (w *walk) others(path string, a, b any, depth int) {
	switch _, described := b.(map[string]any); {
	case described && a == false && w.direction == produced:
		w.add(path, "other properties are no longer produced")
	case described:
		w.compare(path+".*", a, b, depth+1)
	case w.direction == accepted && b == false && a != false:
		w.add(path, "other properties are no longer accepted")
	}
}

// opaque are keywords whose values are not analysed: any change of one is reported.
var opaque = []string{
	"not", "if", "then", "else", "contains", "minContains", "maxContains", "patternProperties", "propertyNames",
	"dependencies", "dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems",
}

func (w *walk) opaque(path string, a, b shape) {
	for _, keyword := range opaque {
		limit, limited := b[keyword]
		before, had := a[keyword]
		switch {
		case !limited:
		case !had:
			w.say(path, fmt.Sprintf("%q was added", keyword), fmt.Sprintf("%q was removed", keyword))
		case w.text(before) != w.text(limit):
			w.add(path, "%q was changed", keyword)
		}
	}
}

// limit is one bound of a range; set is false when there is none.
type limit struct {
	value     float64
	exclusive bool
	set       bool
}

func (l limit) String() string {
	if l.exclusive {
		return fmt.Sprintf("%v (exclusive)", l.value)
	}
	return fmt.Sprint(l.value)
}

// end is the lower or the upper end of a range. sign is +1 for the lower end, where a greater
// value makes the range narrower.
type end struct {
	sign     float64
	narrower string
	wider    string
}

var (
	lowest  = end{+1, "raised", "lowered"}
	highest = end{-1, "lowered", "raised"}
)

func (e end) narrows(l, than limit) bool {
	if !l.set || !than.set {
		return l.set
	}
	if l.value == than.value {
		return l.exclusive && !than.exclusive
	}
	return e.sign*l.value > e.sign*than.value
}

func (w *walk) bound(path, keyword string, a, b limit, e end) {
	switch {
	case !e.narrows(b, a):
	case !a.set:
		w.say(path, fmt.Sprintf("%s %v was added", keyword, b), fmt.Sprintf("%s %v was removed", keyword, b))
	default:
		w.say(path, fmt.Sprintf("%s was %s from %v to %v", keyword, e.narrower, a, b), fmt.Sprintf("%s was %s from %v to %v", keyword, e.wider, b, a))
	}
}

// localReference is the $ref of a schema to a place in the same document, or empty.
func localReference(schema any) string {
	object, _ := schema.(map[string]any)
	if ref, ok := object["$ref"].(string); ok && strings.HasPrefix(ref, "#") {
		return ref
	}
	return ""
}
